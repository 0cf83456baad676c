"""The two spaces that a visit compares: how they are chosen, drawn as maps, and compared.

Results are kept for the visit, so that selecting texts on large maps computes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Texts
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.external import External, MethodOrVectors
from analysis.embedding.methods import Method
from analysis.experiments import space as space_experiment
from analysis.experiments import specs
from analysis.experiments.space import Space
from analysis.recipes.recipe import Recipe
from analysis.rerouting import layer_lists
from analysis.spaces import comparison
from analysis.spaces.comparison import NEAREST, Comparison
from analysis.storage import result_store
from pages.shared import (
    display,
    plan_fields,
    progress,
    second_backbone,
    session,
    valid_values,
    vector_uploads,
)
from pages.shared.questions import SPACE

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sides:
    """Two spaces of the same texts, the right map aligned with the left one.

    ``size`` is how many texts the corpus has, ``identity`` that of both spaces, ``given`` the
    vectors of the right one where no method made it, ``answered`` options in place of widgets',
    ``made_by`` the backbone and the method, or the vectors, of each.
    """

    texts: Texts
    size: int
    left: Space
    right: Space
    titles: tuple[str, str]
    identity: str
    given: External | None = None
    answered: Mapping[str, Any] = field(default_factory=dict)
    made_by: tuple[tuple[Backbone, MethodOrVectors], ...] = ()

    def recipe(self) -> Recipe:
        """The view as a recipe; vectors of a visit are named by their files."""
        if self.given is None:
            return SPACE.recipe(**self.answered)
        options = vector_uploads.options([self.given.name])
        left = [valid_values.value("space_left")]
        return SPACE.recipe(
            method=left, **options, **{"right-layers": None, "right-backbone": None}
        )


def remembered(name: str, identity: Any, compute: Callable[[], T]) -> T:
    """The result of ``compute``, kept for the visit under ``name`` until ``identity`` changes."""
    kept = st.session_state.get(name)
    if kept is None or kept[0] != identity:
        st.session_state[name] = kept = identity, compute()
    result: T = kept[1]
    return result


def choose(bar: Sequence[DeltaGenerator], more: DeltaGenerator) -> Sides:
    """Choose two spaces and compute them.

    Args:
        bar: places for the left and the right method and for the texts.
        more: a place for everything else.

    Raises:
        ExplorerError: a plan, backbone or corpus is invalid, or encoding fails.
    """
    loaded, methods = session.backbone(), session.methods()
    refused = st.container()  # in sight, where the fields themselves are not
    SPACE.show("method", bar[:2])
    SPACE.show("corpus", bar[2], door=st.container())
    with more:
        a, b, c = st.columns(3)
        for column, side in ((a, "left"), (b, "right")):
            SPACE.show(
                f"{side}-layers",
                column,
                placeholder="as in the sidebar",
                disabled=not methods[st.session_state[f"space_{side}"]].reroutes,
            )
        SPACE.show("samples", c)
        other = second_backbone.choose(SPACE.control("right-backbone"), refused)
        for side, on in (("left", loaded), ("right", other or loaded)):
            plan_fields.check_layers(SPACE.control(f"{side}-layers"), on, refused)
        method = methods[valid_values.value("space_right")]
        answered = _automatic_where_lacking(other, method, refused)
        st.caption(
            "The other backbone is shown on the right; auto chooses layers for it separately."
        )
        _choose_drawing()
        given = vector_uploads.choose_one("Right map", "the method above")
    spec = SPACE.spec(answered=answered)
    all_texts = session.texts(spec.corpus)
    texts, distinct = space_experiment.drawn(all_texts, spec.samples)
    spaces: list[Space] = []
    titles: list[str] = []
    identities: list[str] = []
    made_by: list[tuple[Backbone, MethodOrVectors]] = []
    with st.container():  # always there: otherwise what follows would move up and be redrawn
        for name, layers, backbone in zip(
            spec.method,
            (spec.left_layers, spec.right_layers),
            (loaded, other or loaded),
            strict=True,
        ):
            if given and spaces:
                bound = given.bound(all_texts.name, all_texts.texts)
                identities.append(result_store.digest(bound.identity, *_what(spec, texts)))
                compute = partial(_project, backbone, texts, bound, spec)
                spaces.append(remembered("space 1", identities[-1], compute))
                titles.append(given.name)
                made_by.append((backbone, bound))
                continue
            method = methods[name]
            if layers and method.reroutes:
                method = method.under(session.plan(backbone, layers))
            elif method.reroutes:
                method = method.planned(session.plan(backbone))
            identity = result_store.digest(
                MethodEncoder(backbone, method).identity, *_what(spec, texts)
            )
            compute = partial(_project, backbone, texts, method, spec)
            spaces.append(remembered(f"space {len(spaces)}", identity, compute))
            identities.append(identity)
            made_by.append((backbone, method))
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
        result_store.digest("".join(identities), texts.labels),
        given,
        answered,
        tuple(made_by),
    )


def _automatic_where_lacking(
    other: Backbone | None, method: Method, at: DeltaGenerator
) -> dict[str, Any]:
    """The option that takes the automatic choice where the right backbone lacks the plan's layers.

    The notice says so.
    """
    if other is None or not method.reroutes or valid_values.value("space_right_layers"):
        return {}
    sentence = plan_fields.lacking(other)
    if not sentence:
        return {}
    at.info(display.escaped(f"On {other.facts.name}: {sentence} Now: the automatic choice."))
    return {"right-layers": "auto"}


def compare(sides: Sides) -> Comparison:
    """Compare both spaces text by text, with a progress bar."""
    maps = sides.left.projection.points, sides.right.projection.points
    total = sides.size if len(sides.texts.texts) < sides.size else None

    def compute() -> Comparison:
        with progress.progress("Comparing neighbours, step") as show:
            return comparison.compare(
                *(sides.left.embeddings, sides.right.embeddings, maps, sides.texts.labels),
                of=total,
                progress=show,
            )

    with st.container():  # always there, as in choose()
        return remembered("space_compared", sides.identity, compute)


def say_source(sides: Sides) -> None:
    """Say which texts are mapped, how, and by what."""
    texts = sides.texts
    provenances = dict.fromkeys(
        display.escaped(f"{space.provenance.sentence}.") for space in (sides.left, sides.right)
    )
    st.caption(
        f"{len(texts.texts):,} of {sides.size:,} texts of {display.escaped(texts.name)}. "
        f"{display.escaped(sides.left.projection.reason)}. The right map is rotated, mirrored, "
        "scaled and shifted to match the left one, which keeps the order of all distances. Both "
        "show the same part of the plane. *Isotropy*: Mu & Viswanath 2018; *uniformity*: Wang & "
        f"Isola 2020; *trustworthiness*: Venna & Kaski 2001, on {NEAREST} neighbours. "
        f"{' '.join(provenances)}"
    )


def _choose_drawing() -> None:
    """Choose the projection and its settings."""
    with st.expander("Projection settings"):
        options = ("projection", "neighbours", "min-dist", "seed")
        for column, option in zip(st.columns(len(options)), options, strict=True):
            SPACE.show(option, column)
        st.markdown(
            "**umap** places each text close to its nearest neighbours in the space, by cosine. "
            "*Neighbours* is their number: few show small groups, many the overall structure. "
            "*Minimum distance (min_dist)* sets how densely dots may be packed: tight clusters "
            "near 0, an even spread near 1. *Seed* starts the random search; what changes with the "
            "seed alone is no property of the texts. The size of a group and its distance from "
            "others mean little.\n\n"
            "**pca** shows the two directions in which the texts vary most. It is "
            "coarser, but no two texts lie farther apart on the map than in the space."
        )


def _what(spec: specs.Space, texts: Texts) -> tuple[tuple[str, ...], list[object]]:
    """What is drawn, and how."""
    return texts.texts, [spec.projection, spec.neighbours, spec.min_dist, spec.seed]


def _project(backbone: Backbone, texts: Texts, method: MethodOrVectors, spec: specs.Space) -> Space:
    with progress.progress(f"Drawing the map of {method.name}, which can take a minute") as show:
        return space_experiment.projected(
            *(backbone, texts.texts, method),
            how=spec.projection,
            neighbours=spec.neighbours,
            min_dist=spec.min_dist,
            seed=spec.seed,
            progress=show,
        )
