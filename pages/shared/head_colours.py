"""What the map of heads shows of each head: its sensitivity, exact effect, gate, or the choice."""

from typing import Literal, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, sampling
from analysis.corpora.types import Pairs
from analysis.embedding.methods import METHODS, Method
from analysis.experiments import searches
from analysis.experiments import sensitivity as sensitivities
from analysis.experiments.gates import MeanGates
from analysis.experiments.head_choices import ObjectiveName
from analysis.experiments.score_result import Corpus
from analysis.experiments.sensitivity import Sensitivity
from analysis.figures import heads as head_figures
from analysis.figures.heads import HeadValues
from pages.shared import display, progress, search_progress, session
from pages.shared.display import Markdown
from pages.shared.search_progress import SearchProgress

TEXTS = 100
"""Calibration texts for objectives that need no labels."""
TEACHER = "prompt-eol"
Colour = Literal["what is chosen", "sensitivity", "exact effect", "mean gate"]
COLOURS: dict[Colour, Markdown] = {
    "what is chosen": "**Orange heads re-route now.** Click some, or take a preset.",
    "sensitivity": "How an objective begins to change as a head begins to re-route, for all heads "
    "from one backward pass. **Blue heads would raise the objective, red ones lower it: take the "
    "most sensitive ones, and watch the score below.**",
    "exact effect": "How much the score of the pairs below changes if a head re-routes alone, as "
    "on the page *Layer ablation*. **Blue heads raise the score, red ones lower it.** Point at a "
    "head for the interval of its change.",
    "mean gate": "How much tokens attend to the re-routed pair in each head of the plan. **The "
    "brighter a head, the more its tokens hear of the final token, for better or worse.**",
}
"""What the squares show, each with what to look at."""
OBJECTIVES: dict[ObjectiveName, Markdown] = {
    "agreement": f"agreement with {TEACHER} on {TEXTS} calibration texts, no labels",
    "halves": f"finding the other half of each of {TEXTS} calibration texts, no labels",
    "uniformity": f"evenness of {TEXTS} calibration texts on the sphere, no labels",
    "judgements": "the ratings of the pairs that the page scores, on which the score is then no "
    "test",
}
COLOUR, OBJECTIVE = "heads_colour", "heads_objective"
"""Keys of the two widgets, and their names in the address."""


def choose() -> tuple[Colour, ObjectiveName]:
    """Choose what the squares show, and the objective of their sensitivity."""
    left, right = st.columns([3, 2])
    colour: Colour = left.segmented_control(
        "Colours",
        get_args(Colour),
        format_func=display.escaped,
        default="what is chosen",
        required=True,
        key=COLOUR,
        bind="query-params",
        wrap=True,
    )
    objective: ObjectiveName = right.selectbox(
        "Objective of the sensitivity",
        get_args(ObjectiveName),
        1,
        key=OBJECTIVE,
        bind="query-params",
        help="What *Most sensitive* and *All positive* are to raise. "
        + "; ".join(f"*{name}*: {meaning}" for name, meaning in OBJECTIVES.items())
        + ".",
    )
    return colour, objective


def known(
    backbone: Backbone, method: Method, pairs: Pairs | None, objective: ObjectiveName
) -> Sensitivity | None:
    """The stored sensitivity of an objective, if there is one."""
    return sensitivities.known_sensitivity(
        *(backbone, _corpus(pairs, objective), method),
        objective=objective,
        teacher=METHODS[TEACHER] if objective == "agreement" else None,
    )


def measured(
    backbone: Backbone, method: Method, pairs: Pairs | None, objective: ObjectiveName
) -> Sensitivity:
    """The sensitivity of an objective, measured with a progress bar where it is not stored.

    ``pairs`` are those that judgements are of; the other objectives need none.
    """
    with progress.progress("Passing gradients back through the heads") as show_progress:
        return sensitivities.sensitivity(
            *(backbone, _corpus(pairs, objective), method),
            objective=objective,
            teacher=METHODS[TEACHER] if objective == "agreement" else None,
            progress=show_progress,
        )


def by_sensitivity(found: Sensitivity) -> HeadValues:
    """The derivative of each head."""
    return HeadValues(found.values, "derivative")


def by_gate(gates: MeanGates, backbone: Backbone) -> HeadValues:
    """The mean gate of each head that re-routes, in per cent."""
    values = unknown(backbone).values
    mean = 100 * gates.by_head.mean(axis=2)
    values[list(gates.layers)] = np.where(mean > 0, mean, np.nan)
    missing = "not re-routed, so it has no gate"
    return HeadValues(values, "mean gate (%)", missing=missing, signed=False, form=".1f")


def unknown(backbone: Backbone) -> HeadValues:
    """No value for any head."""
    return HeadValues(np.full((backbone.layers, backbone.facts.heads), np.nan))


def start_effects(backbone: Backbone, method: Method, pairs: Pairs) -> SearchProgress:
    """The exact effect of each head alone, as far as scored; show the button that scores more."""
    plan, heads = method.plan, backbone.facts.heads
    plans = searches.heads_alone(backbone.reroutable, heads, plan)
    return search_progress.start(
        *(backbone, pairs, method, searches.at_once(plans), []),
        *("heads alone", plan.bias, plan.key_position),
    )


def by_effect(progress: SearchProgress, backbone: Backbone) -> HeadValues:
    """The change of the score by each head alone, as far as it is scored."""
    return head_figures.effects_alone(progress.walk, backbone.layers, backbone.facts.heads)


def complete(values: NDArray[np.float64], backbone: Backbone) -> bool:
    """Whether every head that can be re-routed has a value."""
    return bool(np.isfinite(values[list(backbone.reroutable)]).all())


def _corpus(pairs: Pairs | None, objective: ObjectiveName) -> Corpus:
    if objective == "judgements":
        assert pairs is not None
        return pairs
    return sampling.sample(session.texts(packaged.CALIBRATION), TEXTS, 0)
