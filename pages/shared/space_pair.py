"""The two spaces that a visit compares: how they are chosen, drawn as maps, and compared.

Results are kept for the visit, so that selecting texts on large maps computes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling
from analysis.corpora.types import Texts
from analysis.embedding.encoder import MethodEncoder
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
    """Two spaces of the same texts, the right map aligned with the left one.

    ``size`` is how many texts the corpus has, ``identity`` that of both spaces, ``options`` are
    the choices as a recipe has them.
    """

    texts: Texts
    size: int
    left: Space
    right: Space
    titles: tuple[str, str]
    identity: str
    options: dict[str, Any]


def remembered(name: str, identity: Any, compute: Callable[[], T]) -> T:
    """The result of ``compute``, kept for the visit under ``name`` until ``identity`` changes."""
    kept = st.session_state.get(name)
    if kept is None or kept[0] != identity:
        st.session_state[name] = kept = identity, compute()
    result: T = kept[1]
    return result


def choose() -> Sides:
    """Choose two spaces and compute them.

    Raises:
        ExplorerError: a plan, backbone or corpus is invalid, or encoding fails.
    """
    loaded, methods = session.backbone(), session.methods()
    corpora, names = registry.names("texts", offline=True), list(methods)
    a, b, c = st.columns(3)
    chosen = (
        a.selectbox("Left", names, names.index("mean"), key="left", bind="query-params"),
        b.selectbox("Right", names, key="right", bind="query-params"),
    )
    corpus = c.selectbox(
        "Texts",
        corpora,
        corpora.index(space_experiment.MAP_CORPUS),
        key="space_corpus",
        bind="query-params",
    )
    with st.expander("Compare other layers, another backbone, more texts"):
        a, b, c = st.columns(3)
        typed = [
            column.text_input(
                f"Layers, {side}",
                key=f"{side}_layers",
                bind="query-params",
                placeholder="as in the sidebar",
                disabled=not methods[name].reroutes,
                help="auto, none, all, or a list such as 26-29 or 3,5,9, to compare two plans. "
                "For methods that re-route.",
            )
            for column, side, name in zip((a, b), ("left", "right"), chosen, strict=True)
        ]
        sample_size = c.number_input(
            "Texts at most",
            5,
            10_000,
            space_experiment.MAP_TEXTS,
            50,
            key="space_texts",
            bind="query-params",
        )
        other = second_backbone.choose("right_backbone")
        st.caption(
            "The other backbone is shown on the right; auto chooses layers for it separately."
        )
    settings = _choose_drawing()
    all_texts = session.texts(corpus)
    texts = sampling.sample(all_texts, int(sample_size), 0)
    spaces: list[Space] = []
    titles: list[str] = []
    identities: list[str] = []
    with st.container():  # always there: otherwise what follows would move up and be redrawn
        for name, layers, backbone in zip(chosen, typed, (loaded, other or loaded), strict=True):
            method = methods[name]
            try:
                if method.reroutes:
                    method = method.under(session.plan(backbone, layers))
            except PlanError as error:
                raise PlanError(f"On {backbone.facts.name}, to draw {name}: {error}") from None
            identity = result_store.digest(
                MethodEncoder(backbone, method).identity, texts.texts, settings
            )
            compute = partial(_project, backbone, texts, method, settings)
            spaces.append(remembered(f"space {len(spaces)}", identity, compute))
            identities.append(identity)
            layers_text = layer_lists.spoken_layers(method.plan.layers, backbone.layers)
            parts = (
                name,
                layers_text if method.reroutes else "",
                backbone.facts.name if other else "",
            )
            titles.append(", ".join(filter(None, parts)))
        left, right = spaces[0], space_experiment.aligned(spaces[1], spaces[0])
    options = {
        "corpus": corpus,
        "samples": int(sample_size) if len(texts.texts) < len(all_texts.texts) else None,
        "method": list(chosen),
        "left_layers": typed[0] or None,
        "right_layers": typed[1] or None,
        "right_backbone": st.session_state.right_backbone if other else None,
        "projection": settings.get("how", "umap"),
        **{name: value for name, value in settings.items() if name != "how"},
        "output": "maps.html",
    }
    return Sides(
        *(texts, len(all_texts.texts), left, right, (titles[0], titles[1])),
        *(result_store.digest("".join(identities)), options),
    )


def compare(sides: Sides) -> Comparison:
    """Compare both spaces text by text, with a progress bar."""
    maps = sides.left.projection.points, sides.right.projection.points
    total = sides.size if len(sides.texts.texts) < sides.size else None

    def compute() -> Comparison:
        with display.progress("Comparing neighbours, step") as show:
            return comparison.compare(
                *(sides.left.embeddings, sides.right.embeddings, maps, sides.texts.labels),
                of=total,
                progress=show,
            )

    with st.container():  # always there, as in choose()
        return remembered("space_compared", sides.identity, compute)


def _choose_drawing() -> dict[str, Any]:
    """Choose the projection and its settings."""
    with st.expander("Projection settings"):
        a, b, c, d = st.columns(4)
        name = a.selectbox(
            "Projection", list(projection.PROJECTIONS), key="projection", bind="query-params"
        )
        umap = {
            "neighbours": b.slider(
                "Neighbours", 3, 50, 15, key="map_neighbours", bind="query-params"
            ),
            "min_dist": c.slider(
                "Minimum distance", 0.0, 0.99, 0.1, key="map_distance", bind="query-params"
            ),
            "seed": int(d.number_input("Seed", 0, 9999, 0, key="map_seed", bind="query-params")),
        }
        st.markdown(
            "**umap** places each text close to its nearest neighbours in the space, by cosine. "
            "*Neighbours* is their number: few show small groups, many the overall structure. "
            "*Minimum distance* sets how densely dots may be packed: tight clusters near 0, an "
            "even spread near 1. *Seed* starts the random search; what changes with the seed "
            "alone is no property of the texts. The size of a group and its distance from others "
            "mean little.\n\n**pca** shows the two directions in which the texts vary most. It is "
            "coarser, but no two texts lie farther apart on the map than in the space."
        )
    return umap if name == "umap" else {"how": name}


def _project(backbone: Backbone, texts: Texts, method: Method, settings: dict[str, Any]) -> Space:
    with (
        display.progress(f"Encoding with {method.name}") as show,
        st.spinner("Drawing the map; the first one, or one of many texts, takes up to a minute"),
    ):
        return space_experiment.projected(backbone, texts.texts, method, **settings, progress=show)
