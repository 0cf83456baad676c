"""The map of heads on the re-routing page: every head as a switch, with presets."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.dimension.curve import Curve
from analysis.embedding.methods import Method
from analysis.experiments import head_choices, heads_and_dimension
from analysis.experiments.gates import MeanGates
from analysis.experiments.sensitivity import Sensitivity
from analysis.figures import heads as head_figures
from analysis.figures.heads import HeadValues
from analysis.figures.html_page import figure_page
from analysis.rerouting import head_lists
from analysis.rerouting.plan import Head, Plan
from pages.shared import display, head_colours, session
from pages.shared.search_progress import SearchProgress

NAME, OPEN, COUNT = "Heads of the plan", "heads_open", "heads_count"
"""The figure's name; keys of the section and of the number of heads that a preset takes."""
FRAMING = "heads_framing"
"""Key of the switch for choosing several heads at once."""
LINKED = (OPEN, head_colours.COLOUR, head_colours.OBJECTIVE, COUNT, FRAMING)
"""Keys of what the address holds of the map."""


def switches(
    backbone: Backbone, method: Method, pairs: Pairs, curve: Curve | None, gates: MeanGates
) -> Callable[[], None]:
    """Show the map of heads with its presets, below the switches of layers.

    Returns what to call at the end of the page: it scores heads where the visitor started that.
    """
    with display.folded("Single heads", OPEN) as opened:
        if opened:
            with display.errors_skip_section():
                return _show(backbone, method, pairs, curve, gates)
    return lambda: None


def _show(
    backbone: Backbone, method: Method, pairs: Pairs, curve: Curve | None, gates: MeanGates
) -> Callable[[], None]:
    st.markdown(
        "Inside a layer some heads gain from hearing the final token and others are harmed, so "
        "single heads can re-route."
    )
    colour, objective = head_colours.choose()
    st.markdown(head_colours.COLOURS[colour])
    progress: SearchProgress | None = None
    found = head_colours.known(backbone, method, pairs, objective)
    match colour:
        case "sensitivity":
            found = found or head_colours.measured(backbone, method, pairs, objective)
            shown = head_colours.by_sensitivity(found)
        case "exact effect":
            progress = head_colours.start_effects(backbone, method, pairs)
            shown = head_colours.by_effect(progress, backbone)
        case "mean gate":
            shown = head_colours.by_gate(gates, backbone)
        case _:
            shown = head_colours.unknown(backbone)
    _presets(found, backbone)
    plan, count = method.plan, backbone.facts.heads
    chosen = head_lists.spread(plan.layers, plan.heads, count)
    framing = st.toggle("Frame several heads", key=FRAMING, bind="query-params")
    draw = partial(
        head_figures.head_map,
        chosen=chosen,
        reroutable=backbone.reroutable,
        dims=curve.dims if curve else None,
        framing=framing,
    )
    place: Any = progress.figure_slot("heads").next() if progress else st.container()
    with place:
        display.chart(
            draw(shown),
            NAME,
            on_select=partial(_toggle, plan, count),
            selection_mode="box" if framing else "points",
        )
    act = "Draw a frame around heads to turn them" if framing else "Click a head to turn it"
    st.caption(
        f"{act} on, or off again. Heads with an orange edge re-route now, {len(chosen):,} of "
        f"{shown.values.size:,}."
        + (
            f" The objective, {head_colours.OBJECTIVES[objective]}, is {found.value:.3f} with "
            "nothing re-routed."
            if found and colour == "sensitivity"
            else ""
        )
    )
    table = partial(head_figures.head_table, shown, chosen, backbone.reroutable)
    display.folded_table(NAME, table, lambda: figure_page(draw(shown), NAME))
    _relation(shown if colour == "exact effect" else None, found, curve, backbone)
    return partial(_run, progress, draw, backbone) if progress else lambda: None


def _run(progress: SearchProgress, draw: Callable[[HeadValues], Any], backbone: Backbone) -> None:
    """Score heads if the visitor started that, and draw the map anew at times."""

    def redraw(number: int) -> None:
        with progress.slots[0].next():
            shown = head_colours.by_effect(progress, backbone)
            display.chart(draw(shown), NAME, key=f"{NAME} {number}")

    progress.run(redraw)


def _relation(
    effects: HeadValues | None, found: Sensitivity | None, curve: Curve | None, backbone: Backbone
) -> None:
    """Say whether the layers of low dimension hold the heads that help."""
    if curve is None:
        st.caption("The button that measures the intrinsic dimension adds its curve to the map.")
        return
    value = "derivative"
    values = found.values if found else None
    if effects is not None:
        value, values = "change of the score", effects.values
    question = "**Do the layers of low dimension hold the heads that help?** "
    if values is None or not head_colours.complete(values, backbone):
        st.markdown(question + "Known once all heads have a sensitivity or an exact effect.")
        return
    answer = heads_and_dimension.sentence(heads_and_dimension.relations(curve.dims, values), value)
    st.markdown(
        question + display.escaped(answer),
        help="Brackets: 95% of bootstrap draws of runs of neighbouring layers.",
    )


def _presets(found: Sensitivity | None, backbone: Backbone) -> None:
    """Buttons that take the most sensitive heads, as many at random, whole layers, or none."""
    total = len(backbone.reroutable) * backbone.facts.heads
    if st.session_state.get(COUNT, 0) > total:  # of a backbone with more heads
        st.session_state[COUNT] = total
    all_alike = np.zeros((backbone.layers, backbone.facts.heads))
    all_alike[[layer not in backbone.reroutable for layer in range(backbone.layers)]] = np.nan
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.slider(
            "Heads", 1, total, min(60, total), key=COUNT, bind="query-params", width=260
        )
        choices: dict[str, tuple[Head, ...] | None] = {
            "Most sensitive": head_choices.top(found.values, number) if found else None,
            "All positive": head_choices.top(found.values, total) if found else None,
            "At random": head_choices.random(all_alike, number, seed=0),
            "No head": (),
        }
        for label, heads in choices.items():
            st.button(
                display.escaped(label),
                on_click=_use,
                args=(heads or (), backbone.facts.heads),
                disabled=heads is None,
                help="Colour the map by sensitivity first." if heads is None else None,
            )
        st.button(
            "Whole layers, by the rule",
            on_click=st.session_state.update,
            kwargs={"layers": "auto", "heads": ""},
        )
    st.caption(
        "*Most sensitive*, *all positive* and *at random* take no head of the first fifth of the "
        "layers, where a head at full strength does not do what its derivative says."
    )


def _use(heads: tuple[Head, ...], count: int) -> None:
    layers, single = head_lists.collected(heads, count)
    session.use_plan(Plan(layers, heads=single))


def _toggle(plan: Plan, count: int) -> None:
    """Turn the heads that were clicked or framed on, or off if all of them are on."""
    points = st.session_state[NAME].selection.points
    clicked = {_place(point["customdata"][0]) for point in points if "customdata" in point}
    now = {head[:2]: head for head in head_lists.spread(plan.layers, plan.heads, count)}
    if not clicked:
        return
    if clicked <= set(now):
        kept = [head for place, head in now.items() if place not in clicked]
    else:
        kept = [*now.values(), *(Head(*place) for place in clicked - set(now))]
    _use(tuple(kept), count)


def _place(text: str) -> tuple[int, int]:
    layer, head = text.split(".")
    return int(layer), int(head)
