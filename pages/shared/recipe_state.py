"""A recipe as the state of a page: which widget holds which choice, and what it may hold.

What a recipe says goes through the same doors as what is typed or chosen: a corpus has to be one
that the menu offers, a number one that its field takes. What a page cannot show is said, not
guessed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from analysis.backbones.facts import describe
from analysis.corpora import registry
from analysis.corpora.types import Kind
from analysis.dimension import estimators as dimension
from analysis.dimension import selection
from analysis.errors import CorpusError, RecipeError
from analysis.recipes.options import PROGRAM, options_of
from analysis.recipes.recipe import Part, Recipe

SHARED = {
    **{name: name for name in ("backbone", "dtype", "layers", "bias", "rule", "pooling", "norm")},
    "key-position": "key_position",
    "prompt": "separator",
}
"""Options that the sidebar holds on every page, with its widgets' keys."""
PAGES = {
    "causal": "causal_limits",
    "dimension": "intrinsic_dimension",
    "score": "similarity",
    "long-texts": "long_texts",
    "ablation": "layer_ablation",
    "space": "embedding_space",
}
"""The page of each command that has one; a recipe of re-routing scores too and names its page."""
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
"""Keys of widgets that choose what a page shows of the numbers, by page."""
KINDS = {"pairs": "rated pairs", "labelled": "labelled texts", "retrieval": "retrieval"}
"""What scores are on, as the page says it."""
PROMPTS = {"on": (True,), "off": (False,), "both": (True, False)}
"""The page's words for curves of texts in the prompt."""
LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Tokens read that the page on long texts offers."""
NONE = "none"
"""What the menu of other backbones says where nothing is compared."""
_LONGEST = 10_000
"""Letters of a text in a recipe's view."""


def view(page: str, command: str) -> dict[str, Any]:
    """What a page shows besides what ``command`` is told: its name, and its widgets' values."""
    told = options_of(command)
    keys = [*(key for option, key in SHARED.items() if option not in told), *VIEW[page]]
    state = st.session_state
    return {"page": page, **{key: state[key] for key in keys if state.get(key) is not None}}


def curves(corpora_: list[str], prompted: tuple[bool, ...], estimators: list[str]) -> Part:
    """A grid's part for several curves, in the order in which the page measures them."""
    return {
        "corpus": list(corpora_),
        "bare": [not one for one in prompted],
        "estimator": list(estimators),
    }


def state(made: Recipe) -> tuple[str, dict[str, Any]]:
    """The page that shows a recipe, and the values of its widgets by key.

    Raises:
        RecipeError: no page shows this command, grid or value.
        CorpusError: a corpus that is not offered here.
    """
    if made.command not in PAGES:
        raise RecipeError(
            f"No page shows the command {made.command}; run the recipe with {PROGRAM} run."
        )
    page = made.view.get("page", PAGES[made.command])
    if page != PAGES[made.command] and (made.command, page) != ("score", "rerouting"):
        raise RecipeError(f"The page {page!r} does not show the command {made.command}.")
    if made.grid and made.command != "dimension":
        raise RecipeError(
            "A page shows one point of a grid; choose one, or run all with "
            f"{PROGRAM} run, and open the results."
        )
    options = made.options
    _number("bias", options.get("bias", 1.0), -4, 6)
    _usual(made, "device")
    found = {key: options[option] for option, key in SHARED.items() if option in options}
    for key in (*VIEW[page], *SHARED.values()):
        value = made.view.get(key)
        if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST:
            found.setdefault(key, value)
    _number("bias", found.get("bias", 1.0), -4, 6)
    return page, found | _STATE[made.command](made)


def open_page(made: Recipe) -> None:
    """Give the widgets what a recipe says; the page is turned to by ``follow``. For callbacks."""
    page, values = state(made)
    st.session_state.update(values)
    st.session_state.opened = page


def follow(pages: Mapping[str, StreamlitPage]) -> None:
    """Turn to the page that was opened, if one was; ``pages`` are all, by file."""
    if page := st.session_state.pop("opened", None):
        # Streamlit refuses to clear an address that widgets hold, unless it is given another; they
        # write it anew on the page they are on next.
        st.switch_page(pages[page], query_params={})


def _usual(made: Recipe, *names: str) -> None:
    """Refuse options that no widget holds, unless they are as usual."""
    known = options_of(made.command)
    for name in names:
        if made.options[name] != known[name].default:
            raise RecipeError(
                f"The page has no choice of {name}; take {name} out of the recipe, or run it with "
                f"{PROGRAM} run."
            )


def _number(name: str, value: Any, low: float, high: float) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RecipeError(
            f"The page takes a {name} from {low:g} to {high:g}, not {value}; change the recipe, or "
            f"run it with {PROGRAM} run."
        )
    return value


def _named(kind: Kind, name: str, *, at_hand: bool | None = None) -> str:
    if name not in registry.names(kind, at_hand=at_hand):
        raise CorpusError(
            f"The corpus {name!r} is not among the {kind} offered here, such as "
            f"{', '.join(registry.names(kind)[:4])}; a file has to be uploaded on the page itself."
        )
    return name


def _corpus(kind: Kind, name: str, part: int | None) -> dict[str, Any]:
    """The widgets of a corpus that is scored, and of how much of it."""
    size = next(
        (e.size for e in registry.list_corpora() if (e.name, e.kind) == (_named(kind, name), kind)),
        0,
    )
    most = (
        size if part is None else int(_number("part", min(part, size or part), min(3, size), 1e9))
    )
    return {kind: name, f"{kind}_most_{name}": most}


def _score(made: Recipe) -> dict[str, Any]:
    o = made.options
    _usual(made, "max-tokens")
    found = _corpus(o["on"], o["corpus"] or registry.USUAL[o["on"]], o["part"])
    methods = o["method"] or ["kv-embedding"]
    if made.view.get("page") == "rerouting":
        _usual(made, "on", "post-processing")
        if methods != ["prompt-only", "kv-embedding"]:
            raise RecipeError("The page on re-routing compares prompt-only with kv-embedding.")
        return found
    return found | {
        "scored_on": KINDS[o["on"]],
        "methods": methods,
        "processing": o["post-processing"],
    }


def _long_texts(made: Recipe) -> dict[str, Any]:
    o = made.options
    lengths = list(o["tokens"] or ())
    if not lengths or not set(lengths) <= set(LENGTHS):
        raise RecipeError(
            f"The page reads {', '.join(map(str, LENGTHS))} tokens, one of them at least; change "
            f"tokens in the recipe, or run it with {PROGRAM} run."
        )
    return {
        **_corpus("retrieval", o["corpus"], o["part"]),
        "long_methods": o["method"] or ["kv-embedding"],
        "lengths": lengths,
    }


def _causal(made: Recipe) -> dict[str, Any]:
    o = made.options
    if len(o["first"]) + len(o["second"]) > _LONGEST:
        raise RecipeError(f"The two texts have more than {_LONGEST:,} letters; shorten them.")
    return {"first": o["first"], "second": o["second"], "prompted": not o["bare"]}


def _ablation(made: Recipe) -> dict[str, Any]:
    o = made.options
    layers = describe(o["backbone"]).layers
    most = o["most"] or selection.window_width(layers)
    return {
        **_corpus("pairs", o["corpus"], o["part"]),
        "sweep": o["search"],
        "greedy_most": int(_number("most", most, 1, layers)),
    }


def _space(made: Recipe) -> dict[str, Any]:
    o = made.options
    methods = o["method"] or ["mean", "kv-embedding"]
    if len(methods) != 2:
        raise RecipeError("A comparison of spaces is of two methods; name two in the recipe.")
    corpus = _named("texts", o["corpus"], at_hand=True)
    return {
        "left": methods[0],
        "right": methods[1],
        "space_corpus": corpus,
        "left_layers": o["left-layers"] or "",
        "right_layers": o["right-layers"] or "",
        "right_backbone": o["right-backbone"] or NONE,
        "space_texts": int(_number("sample", o["samples"] or 10_000, 5, 10_000)),
        "projection": o["projection"],
        "map_neighbours": _number("number of neighbours", o["neighbours"], 3, 50),
        "map_distance": _number("least distance", o["min-dist"], 0, 0.99),
        "map_seed": _number("seed", o["seed"], 0, 9999),
    }


def _dimension(made: Recipe) -> dict[str, Any]:
    _usual(made, "seed")
    points = made.points()
    own = [one for one in points if one.options["backbone"] == made.options["backbone"]]
    others = list(dict.fromkeys(p.options["backbone"] for p in points if p not in own))

    def chosen(name: str) -> list[Any]:
        return list(dict.fromkeys(point.options[name] for point in own))

    prompted = tuple(not bare for bare in chosen("bare"))
    prompt = next((name for name, what in PROMPTS.items() if what == prompted), None)
    asked = curves(chosen("corpus"), prompted, chosen("estimator"))
    grid = dimension_grid(asked, others[0] if others else None)
    if made.grid and (prompt is None or len(others) > 1 or grid != made.grid):
        raise RecipeError(
            f"The page does not show such a grid; run it with {PROGRAM} run, and open the results."
        )
    for name in asked["estimator"]:
        if name not in dimension.ESTIMATORS:
            raise RecipeError(
                f"There is no estimator {name!r}; choose one of {', '.join(dimension.ESTIMATORS)}."
            )
    return {
        "id_corpus": [_named("texts", name, at_hand=True) for name in asked["corpus"]],
        "estimator": asked["estimator"],
        "id_samples": int(_number("sample", made.options["samples"], 20, 5000)),
        "id_prompt": prompt,
        "cloud": made.options["cloud"],
        "id_other": others[0] if others else NONE,
    }


def dimension_grid(asked: Part, other: str | None) -> tuple[Part, ...]:
    """The grid of several curves, and of the first one's like on another backbone; none for one."""
    if other is None and all(len(values) == 1 for values in asked.values()):
        return ()
    first: Part = {name: values[:1] for name, values in asked.items()}
    return (asked, *([{"backbone": [other], **first}] if other else []))


_STATE: Mapping[str, Callable[[Recipe], dict[str, Any]]] = {
    "causal": _causal,
    "dimension": _dimension,
    "score": _score,
    "long-texts": _long_texts,
    "ablation": _ablation,
    "space": _space,
}
