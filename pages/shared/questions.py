"""The question of each page, with the widgets that hold its options.

This table is the only place that says which widget holds an option. An option that is added to a
spec needs a line here, and a place on its page where it is shown.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from analysis.corpora.packaged import CALIBRATION
from analysis.dimension.estimators import CLOUDS, ESTIMATORS, FEWEST
from analysis.embedding.finishing import FITTED_ON
from analysis.embedding.postprocessing import POSTPROCESSINGS
from analysis.errors import RecipeError, quoted
from analysis.experiments import long_texts, score, space
from analysis.experiments.specs import (
    Ablation,
    Causal,
    Dimension,
    LongTexts,
    OutputLayers,
    Score,
    Space,
    Words,
)
from analysis.recipes.recipe import Recipe
from analysis.runtime.paths import program
from pages.shared import display, head_switches, session, text_menus
from pages.shared.controls import (
    Menu,
    Menus,
    Number,
    Pair,
    Switch,
    Text,
)
from pages.shared.corpus_picker import CorpusControl
from pages.shared.grid_controls import Axis, Second
from pages.shared.page_question import Page
from pages.shared.text_menus import TextsAxis, TextsMenu

LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Lengths in tokens that the page on long texts offers."""
KINDS = {"pairs": "rated pairs", "labelled": "labelled texts", "retrieval": "retrieval"}
"""The kinds of corpora that scores are computed on, as the page names them."""
_LAYERS = (
    "auto, none, all, or a list such as 26-29 or 3,5,9, to compare two plans. For methods that "
    "re-route."
)
_STEPS = {step.name: step.summary for step in POSTPROCESSINGS.values()}
_VECTORS = {"vectors": (), "vectors-texts": None, "text-column": None, "vector-column": None}
"""No widget holds vectors: what is uploaded stays in the visit."""
HERE = {"engine": "local", "address": None, "workers": None}
"""Pages compute in the server's own process."""


def _layers(backbone: str) -> int:
    return session.facts(backbone).layers


CAUSAL = Page(
    "causal_limits",
    Causal,
    (
        Text("first", "Sentence A", own=True),
        Text("second", "Sentence B", own=True),
        Switch(
            "bare",
            "Use the compression prompt",
            key="causal_prompt",
            help="KV-Embedding wraps a text as: Context: ... Compress the Context in one word: "
            "The final token, whose pair is re-routed, is then the colon of the prompt.",
        ),
    ),
    view=(
        *("step", "example", "ending", "head", "layer", "word_method", "presenter"),
        "causal_rule",
    ),
)
DIMENSION = Page(
    "intrinsic_dimension",
    Dimension,
    (
        TextsAxis(
            "corpus",
            "Texts",
            offered=text_menus.offered,
            noun="corpus of texts",
            least=FEWEST,
            what="An intrinsic dimension",
        ),
        Axis(
            "bare",
            "Prompt",
            key="dimension_prompt",
            groups={"on": (False,), "off": (True,), "both": (False, True)},
            help="Whether each text is wrapped in the compression prompt.",
        ),
        Axis(
            "estimator",
            "Estimators",
            noun="estimator",
            meanings={name: estimator.summary for name, estimator in ESTIMATORS.items()},
        ),
        Number("samples", "Sample", low=20, high=5000, step=100),
        Menu("cloud", "Token states", buttons=True, meanings=CLOUDS),
        Second(
            "backbone",
            "Compare with another backbone",
            key="dimension_other",
            help="As in the sidebar. Both stay loaded.",
        ),
    ),
    {"seed": 0},
)
OUTPUT_LAYERS = Page(
    "intrinsic_dimension",
    OutputLayers,
    (
        CorpusControl(kind="pairs"),
        Menus("method", "Methods to score by output layer", noun="method"),
        Menu(
            "post-processing",
            "Post-processing",
            help=f"Fitted on {FITTED_ON} calibration texts, for each layer.",
            meanings=_STEPS,
        ),
    ),
    {"on": "pairs", "max-tokens": None},
    view=("score_layers",),
)
REROUTING = Page(
    "rerouting",
    Score,
    (CorpusControl(kind="pairs"),),
    {
        **{"on": "pairs", "method": ("prompt-only", "kv-embedding")},
        **{"post-processing": "none", "max-tokens": None, "beside": None},
        **_VECTORS,
    },
    view=("one_by_one", *head_switches.LINKED),
    own=("gate_text",),
)
SPACE = Page(
    "embedding_space",
    Space,
    (
        Pair("method", "Method"),
        TextsMenu(
            "corpus",
            "Texts",
            offered=text_menus.offered,
            default=space.MAP_CORPUS,
            least=space.FEWEST,
            what="A map",
        ),
        Text("left-layers", "Layers, left", help=_LAYERS),
        Text("right-layers", "Layers, right", help=_LAYERS),
        Menu("right-backbone", "Compare with another backbone", offered=tuple),
        Number(
            "samples",
            "Texts at most",
            low=5,
            high=10_000,
            step=50,
            default=space.MAP_TEXTS,
            noun="sample",
        ),
        Menu("projection", "Projection"),
        Number(
            "neighbours", "Neighbours", low=3, high=50, slider=True, noun="number of neighbours"
        ),
        Number("min-dist", "Minimum distance (min_dist)", low=0.0, high=0.99, slider=True),
        Number("seed", "Seed", low=0, high=9999),
    ),
    {"output": "maps.html", "plotly": "inside", "export": None, **_VECTORS},
    view=("space_search", "space_colour", "dragging"),
)
SIMILARITY = Page(
    "similarity",
    Score,
    (
        Menu("on", "Score on", buttons=True),
        CorpusControl(),
        Menus("method", "Methods", default=score.OPENING_METHODS, noun="method"),
        Menu(
            "post-processing",
            "Post-processing",
            help=f"Fitted on {FITTED_ON} calibration texts, never on those scored.",
            meanings=_STEPS,
        ),
        Menu("beside", "Second backbone", offered=tuple),
    ),
    {"max-tokens": None, **_VECTORS},
    view=(
        *("similarity_tab", "measure_pairs", "measure_labelled", "measure_retrieval"),
        *("base", "shown", "shape", "compose", "prompts", "prompt_methods"),
        *("compose_start", "compose_prompt", "compose_change", "compose_what", "compose_pooling"),
        *("compose_post-processing", "compose_layers", "compose_read", "compose_name"),
        *("words_method", "words_shown", "words_corpus", "words_samples"),
    ),
    own=("own_first", "own_second", "compose_template", "own_prompts"),
)
WORDS = Page(
    "similarity",
    Words,
    (
        TextsMenu(
            "corpus", "Texts", offered=text_menus.offered, default=CALIBRATION, place="words"
        ),
        Number("samples", "Texts at most", low=1, high=5000, step=50, noun="sample"),
    ),
)
"""Words are a section of the pages on causal limits and similarity."""
LONG_TEXTS = Page(
    "long_texts",
    LongTexts,
    (
        CorpusControl(kind="retrieval"),
        Menus("method", "Methods", default=long_texts.LONG_METHODS, noun="method"),
        Menus(
            "tokens",
            "Tokens, including the prompt",
            offered=lambda: LENGTHS,
            default=long_texts.LENGTHS,
            noun="length",
        ),
    ),
)
ABLATION = Page(
    "layer_ablation",
    Ablation,
    (
        CorpusControl(kind="pairs"),
        Menu("search", "Plans to compare", buttons=True),
        Number("most", "Layers at most", low=1, high=_layers, noun="most"),
    ),
    HERE,
)
PAGES: dict[str, Page[Any]] = {
    **{
        page.name: page
        for page in (CAUSAL, DIMENSION, SIMILARITY, LONG_TEXTS, ABLATION, SPACE, REROUTING)
    },
    "output_layers": OUTPUT_LAYERS,
}
"""The pages by file name, and a section of one by its own; of two with one question, the first
shows a recipe that names none."""


def state(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """The page that shows a recipe, and the values of its widgets by key.

    Raises:
        RecipeError: no page shows this command, grid or value.
        CorpusError: a corpus that is not offered here.
    """
    answering = {page.name: page for page in PAGES.values() if page.question is type(recipe.spec)}
    if not answering:
        raise RecipeError(
            f"No page shows the command {recipe.command}; run the recipe with {program()} run."
        )
    name = recipe.view.get("page", next(iter(answering)))
    if name not in answering:
        raise RecipeError(f"The page {quoted(name)} does not show the command {recipe.command}.")
    return name, answering[name].state(recipe)


def open_page(recipe: Recipe) -> None:
    """Set the widgets to a recipe and open its page in the next run. For callbacks."""
    page, values = state(recipe)
    st.session_state.update(values)
    own = {c.key for c in PAGES[page].controls if isinstance(c, Text) and c.own}
    own.update(PAGES[page].own)
    shown = {key: value for key, value in values.items() if key not in own and value is not None}
    st.session_state.opened = page, {key: _in_address(key, shown[key]) for key in shown}


def go_to_opened_page(pages: Mapping[str, StreamlitPage]) -> None:
    """Go to the page that ``open_page`` asked for, if any; ``pages`` are all, by file name."""
    if opened := st.session_state.pop("opened", None):
        page, link = opened
        # Widgets that were not shown before do not write what the code chose into the address.
        st.switch_page(pages[page], query_params=link)


def _in_address(key: str, value: Any) -> str | list[str]:
    """What a widget holds as the address writes it."""
    match value:
        case bool():
            return str(value).lower()
        case list() | tuple():
            return [str(each) for each in value]
    written = KINDS.get(value, value) if key == "score_on" else value
    return display.escaped(written) if key.startswith("measure_") else str(written)
