"""The two spaces that a visit compares: how they are chosen, drawn as maps, and compared.

Results are kept for the visit, so that selecting texts on large maps computes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Texts
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.methods import Method
from analysis.errors import PlanError
from analysis.experiments import space as space_experiment
from analysis.experiments import specs
from analysis.experiments.space import Space
from analysis.rerouting import layer_lists
from analysis.spaces import comparison
from analysis.spaces.comparison import Comparison
from analysis.storage import result_store
from pages.shared import display, second_backbone, session
from pages.shared.questions import SPACE

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sides:
    """Two spaces of the same texts, the right map aligned with the left one.

    ``size`` is how many texts the corpus has, ``identity`` that of both spaces.
    """

    texts: Texts
    size: int
    left: Space
    right: Space
    titles: tuple[str, str]
    identity: str


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
    a, b, c = st.columns(3)
    SPACE.show("method", (a, b))
    SPACE.show("corpus", c)
    with st.expander("Layers, second backbone and number of texts"):
        a, b, c = st.columns(3)
        for column, side in ((a, "left"), (b, "right")):
            SPACE.show(
                f"{side}-layers",
                column,
                placeholder="as in the sidebar",
                disabled=not methods[st.session_state[f"space_{side}"]].reroutes,
            )
        SPACE.show("samples", c)
        other = second_backbone.choose(SPACE.control("right-backbone"))
        st.caption(
            "The other backbone is shown on the right; auto chooses layers for it separately."
        )
    _choose_drawing()
    spec = SPACE.spec()
    all_texts = session.texts(spec.corpus)
    texts, distinct = space_experiment.drawn(all_texts, spec.samples)
    spaces: list[Space] = []
    titles: list[str] = []
    identities: list[str] = []
    with st.container():  # always there: otherwise what follows would move up and be redrawn
        for name, layers, backbone in zip(
            spec.method,
            (spec.left_layers, spec.right_layers),
            (loaded, other or loaded),
            strict=True,
        ):
            method = methods[name]
            try:
                if method.reroutes:
                    method = method.under(session.plan(backbone, layers))
            except PlanError as error:
                raise PlanError(f"On {backbone.facts.name}, to draw {name}: {error}") from None
            identity = result_store.digest(
                MethodEncoder(backbone, method).identity,
                texts.texts,
                [spec.projection, spec.neighbours, spec.min_dist, spec.seed],
            )
            compute = partial(_project, backbone, texts, method, spec)
            spaces.append(remembered(f"space {len(spaces)}", identity, compute))
            identities.append(identity)
            layers_text = layer_lists.layers_in_words(method.plan.layers, backbone.layers)
            parts = (
                name,
                layers_text if method.reroutes else "",
                backbone.facts.name if other else "",
            )
            titles.append(", ".join(filter(None, parts)))
        left, right = spaces[0], space_experiment.aligned(spaces[1], spaces[0])
    return Sides(
        *(texts, distinct, left, right, (titles[0], titles[1])),
        result_store.digest("".join(identities)),
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


def _choose_drawing() -> None:
    """Choose the projection and its settings."""
    with st.expander("Projection settings"):
        options = ("projection", "neighbours", "min-dist", "seed")
        for column, option in zip(st.columns(len(options)), options, strict=True):
            SPACE.show(option, column)
        st.markdown(
            "**umap** places each text close to its nearest neighbours in the space, by cosine. "
            "*Neighbours* is their number: few show small groups, many the overall structure. "
            "*Minimum distance* sets how densely dots may be packed: tight clusters near 0, an "
            "even spread near 1. *Seed* starts the random search; what changes with the seed "
            "alone is no property of the texts. The size of a group and its distance from others "
            "mean little.\n\n**pca** shows the two directions in which the texts vary most. It is "
            "coarser, but no two texts lie farther apart on the map than in the space."
        )


def _project(backbone: Backbone, texts: Texts, method: Method, spec: specs.Space) -> Space:
    with (
        display.progress(f"Encoding with {method.name}") as show,
        st.spinner("Drawing the map; the first one, or one of many texts, takes up to a minute"),
    ):
        return space_experiment.projected(
            *(backbone, texts.texts, method),
            how=spec.projection,
            neighbours=spec.neighbours,
            min_dist=spec.min_dist,
            seed=spec.seed,
            progress=show,
        )
