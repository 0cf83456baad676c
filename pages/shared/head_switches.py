"""The map of heads on the re-routing page: every head as a switch, coloured by its sensitivity."""

from functools import partial
from typing import get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, sampling
from analysis.corpora.types import Pairs
from analysis.embedding.methods import METHODS, Method
from analysis.experiments import head_choices, sensitivity
from analysis.experiments.head_choices import ObjectiveName
from analysis.experiments.score_result import Corpus
from analysis.experiments.sensitivity import Sensitivity
from analysis.figures import heads as head_figures
from analysis.rerouting import head_lists
from analysis.rerouting.plan import Head, Plan
from pages.shared import display, session
from pages.shared.display import Markdown

NAME = "Heads of the plan"
TEXTS = 100
"""Calibration texts for objectives that need no labels."""
TEACHER = "prompt-eol"
_MEASURED, _COUNT = "heads_measured", "heads_count"
"""Kept for the visit: the objective that was measured; how many heads a preset takes."""
OBJECTIVES: dict[ObjectiveName, Markdown] = {
    "agreement": f"agreement with {TEACHER} on {TEXTS} calibration texts, no labels",
    "halves": f"finding the other half of {TEXTS} calibration texts, no labels",
    "uniformity": f"evenness of {TEXTS} calibration texts, no labels",
    "judgements": "the ratings of the pairs below, on which the score is then no test",
}


def switches(backbone: Backbone, method: Method, pairs: Pairs) -> None:
    """Show the map of heads with its presets, below the switches of layers."""
    with display.folded("Single heads") as opened:
        if opened:
            _show(backbone, method, pairs)


def _show(backbone: Backbone, method: Method, pairs: Pairs) -> None:
    st.markdown(
        "Inside a layer some heads gain from hearing the final token and others are harmed. The "
        "sensitivity of a head says how an objective begins to change as that head begins to "
        "re-route; one backward pass gives it for all heads. **Measure it, take the heads of the "
        "highest sensitivity, and watch the score below.**"
    )
    name: ObjectiveName = st.selectbox(
        "Objective", get_args(ObjectiveName), 1, format_func=OBJECTIVES.__getitem__, key=_MEASURED
    )
    wanted = st.session_state.get("heads_wanted") == (st.session_state.backbone, name)
    if not wanted:
        st.button(
            "Measure the sensitivity of all heads",
            on_click=st.session_state.update,
            kwargs={"heads_wanted": (st.session_state.backbone, name)},
            help="About four passes over the texts.",
        )
    found = _measured(backbone, method, pairs, name) if wanted else None
    plan, count = method.plan, backbone.facts.heads
    chosen = head_lists.spread(plan.layers, plan.heads, count)
    values = found.values if found else _unmeasured(backbone)
    _presets(values if found else None, backbone)
    label = "derivative" if found else None
    framing = st.toggle("Frame several heads", key="heads_framing")
    display.figure(
        head_figures.head_map(values, chosen, label, framing=framing),
        head_figures.head_table(values, chosen, label or "not measured"),
        NAME,
        on_select=partial(_toggle, plan, count),
        selection_mode="box" if framing else "points",
    )
    act = "Draw a frame around heads to turn them" if framing else "Click a head to turn it"
    st.caption(
        f"{act} on, or off again. Heads with an orange edge re-route now, {len(chosen):,} of "
        f"{values.size:,}."
        + (f" The objective is {found.value:.3f} with nothing re-routed." if found else "")
    )


def _measured(backbone: Backbone, method: Method, pairs: Pairs, name: ObjectiveName) -> Sensitivity:
    corpus: Corpus = pairs
    if name != "judgements":
        corpus = sampling.sample(session.texts(packaged.CALIBRATION), TEXTS, 0)
    with display.progress("Passing gradients back through the heads") as show_progress:
        return sensitivity.sensitivity(
            *(backbone, corpus, method),
            objective=name,
            teacher=METHODS[TEACHER] if name == "agreement" else None,
            progress=show_progress,
        )


def _unmeasured(backbone: Backbone) -> NDArray[np.float64]:
    """0 for each head that can be re-routed, NaN for the others."""
    values = np.full((backbone.layers, backbone.facts.heads), np.nan)
    values[list(backbone.reroutable)] = 0
    return values


def _presets(values: NDArray[np.float64] | None, backbone: Backbone) -> None:
    """Buttons that take the most sensitive heads, as many at random, or none."""
    total = backbone.layers * backbone.facts.heads
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input("Heads", 1, total, min(60, total), key=_COUNT)
        choices: dict[str, tuple[Head, ...] | None] = {
            "Most sensitive": None if values is None else head_choices.top(values, number),
            "At random": head_choices.random(_unmeasured(backbone), number, seed=0),
            "No head": (),
        }
        for label, heads in choices.items():
            st.button(
                display.escaped(label),
                on_click=_use,
                args=(heads or (), backbone.facts.heads),
                disabled=heads is None,
            )


def _use(heads: tuple[Head, ...], count: int) -> None:
    layers, single = head_lists.collected(heads, count)
    session.use_plan(Plan(layers, heads=single))


def _toggle(plan: Plan, count: int) -> None:
    """Turn the heads that were clicked or framed on, or off if all of them are on."""
    points = st.session_state[NAME].selection.points
    clicked = {divmod(int(point["point_index"]), count) for point in points}  # as they are drawn
    now = {head[:2]: head for head in head_lists.spread(plan.layers, plan.heads, count)}
    if not clicked:
        return
    if clicked <= set(now):
        kept = [head for place, head in now.items() if place not in clicked]
    else:
        kept = [*now.values(), *(Head(*place) for place in clicked - set(now))]
    _use(tuple(kept), count)
