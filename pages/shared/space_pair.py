"""The two spaces that a visit compares: what they are of, both with their maps, and the comparison.

What was computed is kept in the visit, so that selecting texts on large maps computes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling
from analysis.corpora.types import Texts
from analysis.embedding import encoder
from analysis.embedding.methods import Method
from analysis.errors import PlanError
from analysis.experiments import space as space_experiment
from analysis.experiments.space import Space
from analysis.rerouting import layer_lists
from analysis.spaces import comparison, projection
from analysis.spaces.comparison import Comparison
from analysis.storage import result_store
from pages.shared import display, second_backbone, session

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sides:
    """Both spaces of the same texts, the right map laid over the left one.

    ``size`` is how many texts the corpus has, ``made`` the identity of both spaces, ``options``
    the choices as a recipe has them.
    """

    texts: Texts
    size: int
    left: Space
    right: Space
    titles: tuple[str, str]
    made: str
    options: dict[str, Any]


def remembered(name: str, what: Any, make: Callable[[], T]) -> T:
    """What ``make`` gives, kept in this visit under ``name`` until ``what`` changes."""
    held = st.session_state.get(name)
    if held is None or held[0] != what:
        st.session_state[name] = held = what, make()
    found: T = held[1]
    return found


def choose() -> Sides:
    """The widgets of what is compared, and it, computed.

    Raises:
        ExplorerError: a plan, backbone or corpus that cannot be had, or what encoding raises.
    """
    loaded, methods = session.backbone(), session.methods()
    named, names = registry.names("texts", at_hand=True), list(methods)
    a, b, c = st.columns(3)
    chosen = (
        a.selectbox("Left", names, names.index("mean"), key="left", bind="query-params"),
        b.selectbox("Right", names, key="right", bind="query-params"),
    )
    corpus = c.selectbox(
        "Texts",
        named,
        named.index(space_experiment.MAP_CORPUS),
        key="space_corpus",
        bind="query-params",
    )
    with st.expander("Other layers, another backbone, more texts"):
        a, b, c = st.columns(3)
        typed = [
            column.text_input(
                f"Layers, {side}",
                key=f"{side}_layers",
                bind="query-params",
                placeholder="as in the sidebar",
                disabled=not methods[name].reroutes,
                help="To compare two plans: auto, none, all, or a list such as 26-29 or 3,5,9. "
                "For methods that re-route.",
            )
            for column, side, name in zip((a, b), ("left", "right"), chosen, strict=True)
        ]
        most = c.number_input(
            "At most",
            5,
            10_000,
            space_experiment.MAP_TEXTS,
            50,
            key="space_texts",
            bind="query-params",
        )
        other = second_backbone.second_backbone("right_backbone")
        st.caption("The other backbone's space is drawn on the right; auto is found for it anew.")
    settings = _choose_drawing()
    whole = session.texts(corpus)
    texts = sampling.sample(whole, int(most), 0)
    spaces: list[Space] = []
    titles: list[str] = []
    made = ""
    with st.container():  # always there, or else what follows would move up and be drawn anew
        for name, layers, on in zip(chosen, typed, (loaded, other or loaded), strict=True):
            method = methods[name]
            try:
                if method.reroutes:
                    method = method.under(session.plan(on, layers))
            except PlanError as error:
                raise PlanError(f"On {on.facts.name}, to draw {name}: {error}") from None
            identity = result_store.digest(encoder.identity(on, method), texts.texts, settings)
            make = partial(_drawn, on, texts, method, settings)
            spaces.append(remembered(f"space {len(spaces)}", identity, make))
            made += identity
            spoken = layer_lists.spoken_layers(method.plan.layers, on.layers)
            parts = name, spoken if method.reroutes else "", on.facts.name if other else ""
            titles.append(", ".join(filter(None, parts)))
        left, right = spaces[0], space_experiment.aligned(spaces[1], spaces[0])
    options = {
        "corpus": corpus,
        "samples": int(most) if len(texts.texts) < len(whole.texts) else None,
        "method": list(chosen),
        "left_layers": typed[0] or None,
        "right_layers": typed[1] or None,
        "right_backbone": st.session_state.right_backbone if other else None,
        "projection": settings.get("how", "umap"),
        **{name: value for name, value in settings.items() if name != "how"},
        "output": "maps.html",
    }
    return Sides(
        *(texts, len(whole.texts), left, right, (titles[0], titles[1])),
        *(result_store.digest(made), options),
    )


def compared(sides: Sides) -> Comparison:
    """Both spaces compared text by text, with a bar while it is done."""
    maps = sides.left.projection.points, sides.right.projection.points
    of = sides.size if len(sides.texts.texts) < sides.size else None

    def make() -> Comparison:
        with display.progress("Comparing neighbourhoods, step") as show:
            return comparison.compare(
                *(sides.left.embeddings, sides.right.embeddings, maps, sides.texts.labels),
                of=of,
                progress=show,
            )

    with st.container():  # always there, as above
        return remembered("space_compared", sides.made, make)


def _choose_drawing() -> dict[str, Any]:
    """The widgets of how maps are drawn, explained; what they say."""
    with st.expander("How the maps are drawn"):
        a, b, c, d = st.columns(4)
        how = a.selectbox(
            "Projection", list(projection.PROJECTIONS), key="projection", bind="query-params"
        )
        umap = {
            "neighbours": b.slider(
                "Neighbours", 3, 50, 15, key="map_neighbours", bind="query-params"
            ),
            "min_dist": c.slider(
                "Least distance", 0.0, 0.99, 0.1, key="map_distance", bind="query-params"
            ),
            "seed": int(d.number_input("Seed", 0, 9999, 0, key="map_seed", bind="query-params")),
        }
        st.markdown(
            "**umap** draws each text near its nearest neighbours in the space, by cosine. "
            "*Neighbours* is how many: few show small groups, many the large picture. *Least "
            "distance* is how tightly dots may pack: knots near 0, an even spread near 1. *Seed* "
            "starts its random search, and what changes with it alone is no property of the texts. "
            "How large a group is drawn, and how far from another, means little.\n\n"
            "**pca** draws the two directions in which the texts differ most. It is coarser, but "
            "its map moves no further than the space does."
        )
    return umap if how == "umap" else {"how": how}


def _drawn(on: Backbone, texts: Texts, method: Method, settings: dict[str, Any]) -> Space:
    with (
        display.progress(f"Encoding with {method.name}") as show,
        st.spinner("Drawing; the first map of a visit, or one of many texts, takes a minute"),
    ):
        return space_experiment.projected(on, texts.texts, method, **settings, progress=show)
