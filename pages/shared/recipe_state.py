"""A recipe as the state of a page: which widget holds which choice, and the values it accepts.

A recipe's values are checked like those that are typed or chosen: a corpus must be in the menu, a
number within its field's range. A page refuses what it cannot show, with the reason.
"""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from analysis.backbones.facts import describe
from analysis.corpora import registry
from analysis.corpora.types import Kind
from analysis.dimension import selection
from analysis.errors import CorpusError, RecipeError
from analysis.experiments.shared_options import OnBackbone
from analysis.experiments.spec import Spec
from analysis.experiments.specs import (
    Ablation,
    Causal,
    Dimension,
    LongTexts,
    Score,
    Space,
)
from analysis.recipes.recipe import Part, Recipe
from analysis.runtime.paths import program

SHARED = {
    **{name: name for name in ("backbone", "dtype", "layers", "bias", "rule", "pooling", "norm")},
    "key-position": "key_position",
    "prompt": "separator",
}
"""Options that the sidebar holds on every page, with its widgets' keys."""
PAGES: dict[type[Spec], str] = {
    Causal: "causal_limits",
    Dimension: "intrinsic_dimension",
    Score: "similarity",
    LongTexts: "long_texts",
    Ablation: "layer_ablation",
    Space: "embedding_space",
}
"""The page of each question that has one. The re-routing page also scores; its recipes name it."""
VIEW: dict[str, tuple[str, ...]] = {
    "causal_limits": ("step", "example", "ending", "head", "layer", "presenter"),
    "intrinsic_dimension": (),
    "rerouting": ("gate_text", "one_by_one"),
    "embedding_space": ("space_search", "space_colour", "dragging"),
    "similarity": (
        *("measure_rated pairs", "measure_labelled texts", "measure_retrieval", "base", "shown"),
        *("shape", "own_first", "own_second"),
    ),
    "long_texts": (),
    "layer_ablation": (),
}
"""Keys of the widgets that choose how a page shows its numbers, by page."""
KINDS = {"pairs": "rated pairs", "labelled": "labelled texts", "retrieval": "retrieval"}
"""The kinds of corpora that scores are computed on, as the page names them."""
PROMPTS = {"on": (True,), "off": (False,), "both": (True, False)}
"""The page's choices for texts with and without the prompt."""
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Lengths in tokens that the page on long texts offers."""
NONE = "none"
"""The entry for no comparison in the menu of other backbones."""
_LONGEST = 10_000
"""Most characters of a text in a recipe's view."""


def view(page: str, spec: type[Spec]) -> dict[str, Any]:
    """What a page shows beyond ``spec``: its name, and its widgets' values."""
    options = spec.options()
    keys = [*(key for option, key in SHARED.items() if option not in options), *VIEW[page]]
    state = st.session_state
    return {"page": page, **{key: state[key] for key in keys if state.get(key) is not None}}


def curves(corpora: list[str], prompted: tuple[bool, ...], estimators: list[str]) -> Part:
    """The part of a grid for several curves, in the order in which the page measures them."""
    return {
        "corpus": list(corpora),
        "bare": [not value for value in prompted],
        "estimator": list(estimators),
    }


def state(recipe: Recipe) -> tuple[str, dict[str, Any]]:
    """The page that shows a recipe, and the values of its widgets by key.

    Raises:
        RecipeError: no page shows this command, grid or value.
        CorpusError: a corpus that is not offered here.
    """
    spec = recipe.spec
    if not isinstance(spec, OnBackbone) or type(spec) not in PAGES:
        raise RecipeError(
            f"No page shows the command {spec.command}; run the recipe with {program()} run."
        )
    page = recipe.view.get("page", PAGES[type(spec)])
    if page != PAGES[type(spec)] and (type(spec), page) != (Score, "rerouting"):
        raise RecipeError(f"The page {page!r} does not show the command {spec.command}.")
    if recipe.grid and not isinstance(spec, Dimension):
        raise RecipeError(
            "A page shows one point of a grid; choose one, or run all with "
            f"{program()} run, and open the results."
        )
    options = spec.values()
    _number("bias", options.get("bias", 1.0), -4, 6)
    _default(spec, "device")
    values = {key: options[option] for option, key in SHARED.items() if option in options}
    for key in (*VIEW[page], *SHARED.values()):
        value = recipe.view.get(key)
        if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST:
            values.setdefault(key, value)
    _number("bias", values.get("bias", 1.0), -4, 6)
    return page, values | _STATE[type(spec)](recipe, spec)


def open_page(recipe: Recipe) -> None:
    """Set the widgets to a recipe and open its page in the next run. For callbacks."""
    page, values = state(recipe)
    st.session_state.update(values)
    st.session_state.opened = page


def go_to_opened_page(pages: Mapping[str, StreamlitPage]) -> None:
    """Go to the page that ``open_page`` asked for, if any; ``pages`` are all, by file name."""
    if page := st.session_state.pop("opened", None):
        # Streamlit refuses to clear an address that widgets hold, unless it gets another one; the
        # widgets of the next page write it again.
        st.switch_page(pages[page], query_params={})


def _default(spec: Spec, *names: str) -> None:
    """Refuse options that no widget holds, unless they have their default values."""
    changed = spec.changed()
    for name in names:
        if name in changed:
            raise RecipeError(
                f"The page has no choice of {name}; take {name} out of the recipe, or run it with "
                f"{program()} run."
            )


def _number(name: str, value: Any, low: float, high: float) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RecipeError(
            f"The page takes a {name} from {low:g} to {high:g}, not {value}; change the recipe, or "
            f"run it with {program()} run."
        )
    return value


def _named(kind: Kind, name: str, *, offline: bool | None = None) -> str:
    if name not in registry.names(kind, offline=offline):
        raise CorpusError(
            f"The corpus {name!r} is not among the {kind} offered here, such as "
            f"{', '.join(registry.names(kind)[:4])}; upload a file on the page itself."
        )
    return name


def _corpus(kind: Kind, name: str, part: int | None) -> dict[str, Any]:
    """The widgets of a corpus that is scored, and of its sample size."""
    size = next(
        (e.size for e in registry.list_corpora() if (e.name, e.kind) == (_named(kind, name), kind)),
        0,
    )
    most = (
        size if part is None else int(_number("part", min(part, size or part), min(3, size), 1e9))
    )
    return {kind: name, f"{kind}_most_{name}": most}


def _score(recipe: Recipe, spec: Score) -> dict[str, Any]:
    _default(spec, "max-tokens")
    values = _corpus(spec.on, spec.corpus_name, spec.part)
    if recipe.view.get("page") == "rerouting":
        _default(spec, "on", "post-processing")
        if spec.method != ("prompt-only", "kv-embedding"):
            raise RecipeError("The page on re-routing compares prompt-only with kv-embedding.")
        return values
    return values | {
        "scored_on": KINDS[spec.on],
        "methods": list(spec.method),
        "processing": spec.post_processing,
    }


def _long_texts(_: Recipe, spec: LongTexts) -> dict[str, Any]:
    lengths = list(spec.tokens)
    if not lengths or not set(lengths) <= set(LENGTHS):
        raise RecipeError(
            f"The page reads {', '.join(map(str, LENGTHS))} tokens, one of them at least; change "
            f"tokens in the recipe, or run it with {program()} run."
        )
    return {
        **_corpus("retrieval", spec.corpus, spec.part),
        "long_methods": list(spec.method),
        "lengths": lengths,
    }


def _causal(_: Recipe, spec: Causal) -> dict[str, Any]:
    if len(spec.first) + len(spec.second) > _LONGEST:
        raise RecipeError(f"The two texts have more than {_LONGEST:,} characters; shorten them.")
    return {"first": spec.first, "second": spec.second, "prompted": not spec.bare}


def _ablation(_: Recipe, spec: Ablation) -> dict[str, Any]:
    layers = describe(spec.backbone).layers
    most = spec.most or selection.window_width(layers)
    return {
        **_corpus("pairs", spec.corpus, spec.part),
        "sweep": spec.search,
        "greedy_most": int(_number("most", most, 1, layers)),
    }


def _space(_: Recipe, spec: Space) -> dict[str, Any]:
    return {
        "left": spec.method[0],
        "right": spec.method[1],
        "space_corpus": _named("texts", spec.corpus, offline=True),
        "left_layers": spec.left_layers or "",
        "right_layers": spec.right_layers or "",
        "right_backbone": spec.right_backbone or NONE,
        "space_texts": int(_number("sample", spec.samples or 10_000, 5, 10_000)),
        "projection": spec.projection,
        "map_neighbours": _number("number of neighbours", spec.neighbours, 3, 50),
        "map_distance": _number("minimum distance", spec.min_dist, 0, 0.99),
        "map_seed": _number("seed", spec.seed, 0, 9999),
    }


def _dimension(recipe: Recipe, spec: Dimension) -> dict[str, Any]:
    _default(spec, "seed")
    points = [point.spec.values() for point in recipe.points()]
    own = [point for point in points if point["backbone"] == spec.backbone]
    others = list(dict.fromkeys(point["backbone"] for point in points if point not in own))

    def chosen(name: str) -> list[Any]:
        return list(dict.fromkeys(point[name] for point in own))

    prompted = tuple(not bare for bare in chosen("bare"))
    prompt = next((name for name, what in PROMPTS.items() if what == prompted), None)
    measured = curves(chosen("corpus"), prompted, chosen("estimator"))
    grid = dimension_grid(measured, others[0] if others else None)
    if recipe.grid and (prompt is None or len(others) > 1 or grid != recipe.grid):
        raise RecipeError(
            f"The page does not show such a grid; run it with {program()} run, and open the "
            "results."
        )
    return {
        "id_corpus": [_named("texts", name, offline=True) for name in measured["corpus"]],
        "estimator": measured["estimator"],
        "id_samples": int(_number("sample", spec.samples, 20, 5000)),
        "id_prompt": prompt,
        "cloud": spec.cloud,
        "id_other": others[0] if others else NONE,
    }


def dimension_grid(measured: Part, other: str | None) -> tuple[Part, ...]:
    """The grid of several curves, with the first one on an ``other`` backbone; empty for one."""
    if other is None and all(len(values) == 1 for values in measured.values()):
        return ()
    first: Part = {name: values[:1] for name, values in measured.items()}
    return (measured, *([{"backbone": [other], **first}] if other else []))


_STATE: Mapping[type[Spec], Callable[[Recipe, Any], dict[str, Any]]] = {
    Causal: _causal,
    Dimension: _dimension,
    Score: _score,
    LongTexts: _long_texts,
    Ablation: _ablation,
    Space: _space,
}
