"""Recipe in, result out: each question the project asks, answered once and stored.

Every function takes a loaded backbone and plain values, looks in the store, and only then
computes. Results are frozen, carry a ``Made`` that says what made them, and are equal whichever
way they came.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import zip_longest
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis import (
    clouds,
    corpora,
    dimension,
    encoder,
    evaluation,
    geometry,
    selection,
    space,
    store,
    vectors,
)
from analysis.backbone import Backbone
from analysis.corpora import Pairs, Texts
from analysis.encoder import Trace
from analysis.errors import CorpusError, PlanError
from analysis.evaluation import StsScore
from analysis.methods import DEFAULT, Method
from analysis.prompting import Role
from analysis.rerouting import PLAIN, Plan
from analysis.vectors import Vector

T = TypeVar("T")
Progress = Callable[[int, int], None]
Cloud = Literal["last", "all"]
CLOUDS: dict[Cloud, str] = {
    "last": "the final token of each text",
    "all": "as many tokens, drawn from all tokens of all texts",
}
"""Whose states a layer's dimension is measured on."""
SAMPLES = 1000
"""Calibration texts by default, as in the paper."""


def _quiet(_done: int, _all: int) -> None: ...


@dataclass(frozen=True)
class Made:
    """What made a result: backbone, weights, dtype, device, versions; whether it shipped."""

    backbone: str
    weights: str
    dtype: str
    device: str
    versions: tuple[tuple[str, str], ...]
    shipped: bool = False

    @property
    def sentence(self) -> str:
        """For captions: the backbone, dtype and versions, and whether this was computed here."""
        named = dict(self.versions)
        where = "shipped with the project" if self.shipped else "computed on this machine"
        return (
            f"{self.backbone} in {self.dtype} on {self.device}, torch {named['torch']}, "
            f"transformers {named['transformers']}; {where}"
        )


@dataclass(frozen=True, eq=False)
class Dimensions:
    """A backbone's intrinsic-dimension curve on ``drawn`` distinct texts of a corpus."""

    curve: dimension.Curve
    corpus: str
    drawn: int
    texts_dropped: int
    prompted: bool
    seed: int
    made: Made
    anisotropy: NDArray[np.float64]
    """Mean cosine of two different texts' states at the output of each layer, (L,)."""
    cloud: Cloud = "last"

    @property
    def duplicates_dropped(self) -> int:
        """Duplicate texts left out before the draw and coinciding rows left out after it."""
        return self.texts_dropped + self.curve.duplicates_dropped

    def selected(self, rule: str = "paper") -> tuple[int, ...]:
        """The layers that ``rule`` selects from the curve."""
        return selection.select(self.curve.dims, rule)

    def frequency(self, rule: str = "paper") -> NDArray[np.float64]:
        """How often ``rule`` selects each layer over the resampled curves, (L,) from 0 to 1."""
        return selection.frequency(self.curve.resampled, rule)

    def choices(self, rule: str = "paper") -> dict[selection.Layers, float]:
        """What ``rule`` selects over the resampled curves, and how often, most often first."""
        return selection.choices(self.curve.resampled, rule)


@dataclass(frozen=True, eq=False)
class Score:
    """One method's STS score under one plan, with its pairs' cosines inside ``sts``."""

    method: str
    corpus: str
    plan: Plan
    sts: StsScore
    made: Made
    texts_cut: int = 0


class Embedded(NamedTuple):
    """Embeddings float32 (N, D), and how many texts were too long and lost their end."""

    embeddings: NDArray[np.float32]
    texts_cut: int


@dataclass(frozen=True, eq=False)
class Space:
    """Embeddings float32 (N, D) of some texts, and their projection to the plane."""

    method: str
    plan: Plan
    embeddings: NDArray[np.float32]
    projection: space.Projection
    made: Made


def made(backbone: Backbone) -> Made:
    """What makes results here and now."""
    return Made(
        backbone.facts.name,
        backbone.fingerprint,
        backbone.dtype.value,
        backbone.device.value,
        tuple(sorted(store.versions().items())),
    )


def identity(
    backbone: Backbone, method: Method, plan: Plan = PLAIN, *, max_tokens: int | None = None
) -> str:
    """A digest of all that decides embeddings besides the texts and the packages' versions."""
    plan = plan if method.reroutes else PLAIN
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    return store.digest(_weights(backbone), _how(method, plan), limit)


def dimensions(
    backbone: Backbone,
    texts: Texts,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    estimator: str = "twonn",
    prompted: bool = True,
    cloud: Cloud = "last",
    progress: Progress = _quiet,
) -> Dimensions:
    """The intrinsic-dimension curve of ``samples`` distinct texts.

    ``cloud`` says whose states are measured, see :data:`CLOUDS`. ``progress`` counts texts while
    they are encoded, then layers while they are measured.

    Raises:
        CorpusError: fewer than 20 distinct texts.
        PlanError: there is no such estimator or cloud.
    """
    return dimension_curves(
        backbone,
        texts,
        [estimator],
        samples=samples,
        seed=seed,
        prompted=prompted,
        cloud=cloud,
        progress=progress,
    )[0]


def dimension_curves(
    backbone: Backbone,
    texts: Texts,
    estimators: Sequence[str],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    prompted: bool = True,
    cloud: Cloud = "last",
    progress: Progress = _quiet,
) -> list[Dimensions]:
    """What ``dimensions`` gives for each of several estimators, the texts encoded at most once."""
    known = partial(
        known_dimensions,
        backbone,
        texts,
        samples=samples,
        seed=seed,
        prompted=prompted,
        cloud=cloud,
    )
    found = {name: one for name in estimators if (one := known(estimator=name)) is not None}
    if missing := [name for name in dict.fromkeys(estimators) if name not in found]:
        drawn = corpora.sample(texts, samples, seed).texts
        if cloud == "last":
            dimension.check_enough(len(drawn), len(texts.texts))
        encode = clouds.last_token_states
        if cloud == "all":
            encode = partial(clouds.any_token_states, points=len(drawn), seed=seed)
        states = encode(backbone, drawn, prompted=prompted, progress=progress)
        cone = geometry.anisotropy_by_layer(states)
        _, dropped = corpora.distinct(texts.texts)
        by = made(backbone)
        for name in missing:
            curve = dimension.curve(states, estimator=name, seed=seed, progress=progress)
            arrays = {key: getattr(curve, key) for key in ("dims", "low", "high", "resampled")}
            facts = {key: getattr(curve, key) for key in _others(curve, arrays)}
            store.put(
                _dimensions_key(backbone, drawn, name, seed, prompted, cloud),
                facts | {"made": made_facts(backbone)},
                arrays | {"anisotropy": cone},
            )
            found[name] = Dimensions(
                curve, texts.name, len(drawn), dropped, prompted, seed, by, cone, cloud
            )
    return [found[name] for name in estimators]


def known_dimensions(
    backbone: Backbone,
    texts: Texts,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    estimator: str = "twonn",
    prompted: bool = True,
    cloud: Cloud = "last",
) -> Dimensions | None:
    """The stored curve, or None; measures nothing.

    Raises:
        PlanError: there is no such cloud.
    """
    if cloud not in CLOUDS:
        raise PlanError(f"There is no cloud {cloud!r}; choose one of {', '.join(CLOUDS)}.")
    drawn = corpora.sample(texts, samples, seed).texts
    stored = store.get(_dimensions_key(backbone, drawn, estimator, seed, prompted, cloud))
    if stored is None or "anisotropy" not in stored[1]:
        return None
    facts, arrays = stored
    cone = arrays.pop("anisotropy")
    curve = _rebuilt(dimension.Curve, facts, arrays)
    _, dropped = corpora.distinct(texts.texts)
    by = made_of(backbone, facts)
    return Dimensions(curve, texts.name, len(drawn), dropped, prompted, seed, by, cone, cloud)


def _dimensions_key(
    backbone: Backbone,
    drawn: Sequence[str],
    estimator: str,
    seed: int,
    prompted: bool,
    cloud: Cloud,
) -> str:
    return store.key(
        "dimensions",
        **_weights(backbone),
        texts=store.digest(drawn),
        estimator=estimator,
        prompted=prompted,
        seed=seed,
        **({} if cloud == "last" else {"cloud": cloud}),
    )


def score(
    backbone: Backbone,
    pairs: Pairs,
    method: Method = DEFAULT,
    plan: Plan = PLAIN,
    *,
    traced: bool = False,
    progress: Progress = _quiet,
) -> Score:
    """Score ``method`` under ``plan`` on rated pairs.

    ``traced`` keeps one plain pass in memory, so that the next plan costs only the layers from
    its first one on: right for a page, wasteful for a single score.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    plan = plan if method.reroutes else PLAIN
    encoder.check_plan(backbone, plan)
    if (known := known_score(backbone, pairs, method, plan)) is not None:
        return known
    embedded = _embed(backbone, pairs.texts, method, plan, traced, progress)
    return _scored(backbone, pairs, method, plan, embedded)


def _scored(
    backbone: Backbone, pairs: Pairs, method: Method, plan: Plan, embedded: Embedded
) -> Score:
    """The score of embeddings, which is stored."""
    result = evaluation.sts(evaluation.cosines(embedded.embeddings, pairs), pairs)
    arrays = {"cosines": result.cosines}
    facts = {key: getattr(result, key) for key in _others(result, arrays)}
    facts |= {"cut": embedded.texts_cut, "made": made_facts(backbone)}
    store.put(_score_key(backbone, _rated(pairs), method, plan), facts, arrays)
    return Score(method.name, pairs.name, plan, result, made(backbone), embedded.texts_cut)


def known_score(backbone: Backbone, pairs: Pairs, method: Method, plan: Plan) -> Score | None:
    """The stored score of ``method`` under ``plan``, or None; computes nothing."""
    return known_scores(backbone, pairs, method, [plan]).get(plan)


def known_scores(
    backbone: Backbone, pairs: Pairs, method: Method, plans: Sequence[Plan]
) -> dict[Plan, Score]:
    """The stored scores of those of ``plans`` that have one; computes nothing."""
    of, scores = _rated(pairs), {}
    for plan in plans:
        acting = plan if method.reroutes else PLAIN
        if (found := store.get(_score_key(backbone, of, method, acting))) is not None:
            facts, arrays = found
            sts, by = _rebuilt(StsScore, facts, arrays), made_of(backbone, facts)
            scores[plan] = Score(method.name, pairs.name, acting, sts, by, facts["cut"])
    return scores


def _rated(pairs: Pairs) -> dict[str, str]:
    """What of rated pairs decides numbers."""
    return {
        "texts": store.digest(pairs.texts),
        "pairs": store.digest(pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist()),
    }


def _score_key(backbone: Backbone, rated: dict[str, str], method: Method, plan: Plan) -> str:
    return store.key("score", **_weights(backbone), **_how(method, plan), **rated)


def embeddings(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method = DEFAULT,
    plan: Plan = PLAIN,
    *,
    traced: bool = False,
    progress: Progress = _quiet,
) -> NDArray[np.float32]:
    """Embeddings float32 (N, D) of ``texts``, from the store where they are known."""
    return _embeddings(backbone, texts, method, plan, traced, progress)[0]


def embedded(
    backbone: Backbone,
    texts: Sequence[str],
    asked: Sequence[tuple[Method, Plan]],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = _quiet,
) -> list[Embedded]:
    """The embeddings of each method and plan; what is not stored shares its passes.

    ``max_tokens`` cuts texts so that no prompt is longer.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding raises.
    """
    found: dict[str, Embedded] = {}
    missing: dict[str, tuple[Method, Plan]] = {}
    names = []
    for method, plan in asked:
        plan = plan if method.reroutes else PLAIN
        encoder.check_plan(backbone, plan)
        name = _embeddings_key(backbone, texts, method, plan, role, max_tokens)
        names.append(name)
        if (stored := store.get(name)) is not None:
            found[name] = Embedded(stored[1]["embeddings"], stored[0].get("cut", 0))
        else:
            missing[name] = method, plan
    if missing:
        new = _by_text(backbone, texts, list(missing.values()), role, max_tokens, progress)
        found |= dict(zip(missing, new, strict=True))
    return [found[name] for name in names]


def _by_text(
    backbone: Backbone,
    texts: Sequence[str],
    asked: Sequence[tuple[Method, Plan]],
    role: Role,
    max_tokens: int | None,
    progress: Progress,
) -> list[Embedded]:
    """What ``embedded`` gives, every text encoded that is not kept; kept chunk by chunk."""
    recipes = [_recipe(backbone, method, plan, role, max_tokens) for method, plan in asked]
    distinct = list(dict.fromkeys(texts))
    kept = {recipe: vectors.known(recipe, distinct) for recipe in recipes}
    lacking = [text for text in distinct if any(text not in known for known in kept.values())]
    wanting = [
        (recipe, request)
        for recipe, request in zip(recipes, asked, strict=True)
        if len(kept[recipe]) < len(distinct)
    ]
    done = len(distinct) - len(lacking)
    for chunk in vectors.chunks(lacking):
        encodings = encoder.encode_together(
            backbone,
            chunk,
            [request for _, request in wanting],
            role=role,
            max_tokens=max_tokens,
            progress=partial(_within, progress, done, len(chunk), len(distinct)),
        )
        for (recipe, _), encoding in zip(wanting, encodings, strict=True):
            new = dict(zip(chunk, _vectors(encoding.embeddings, encoding.cut), strict=True))
            vectors.keep(recipe, new)
            kept[recipe] |= new
        done += len(chunk)
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    return [
        Embedded(
            np.stack([kept[recipe][text].embedding for text in texts]),
            sum(kept[recipe][text].cut > 0 for text in texts),
        )
        for recipe in recipes
    ]


def _within(progress: Progress, before: int, chunk: int, whole: int, done: int, of: int) -> None:
    """Progress of a chunk, ``done`` of ``of`` prompts, as texts of the ``whole``."""
    progress(before + round(chunk * done / of), whole)


def _vectors(embeddings: NDArray[np.float32], cut: Sequence[int]) -> list[Vector]:
    return [Vector(embedding, tokens) for embedding, tokens in zip(embeddings, cut, strict=True)]


def _recipe(
    backbone: Backbone,
    method: Method,
    plan: Plan,
    role: Role = "Context",
    max_tokens: int | None = None,
) -> str:
    """A digest of all that decides an embedding besides its text."""
    return store.digest(_weights(backbone), _how(method, plan), role, max_tokens)


def _embeddings_key(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    plan: Plan,
    role: Role = "Context",
    max_tokens: int | None = None,
) -> str:
    return store.key(
        "embeddings",
        **_weights(backbone),
        **_how(method, plan),
        texts=store.digest(list(texts)),
        **({} if role == "Context" else {"role": role}),
        **({} if max_tokens is None else {"max_tokens": max_tokens}),
    )


def _embeddings(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    plan: Plan,
    traced: bool,
    progress: Progress,
) -> tuple[NDArray[np.float32], Made]:
    plan = plan if method.reroutes else PLAIN
    encoder.check_plan(backbone, plan)
    name = _embeddings_key(backbone, texts, method, plan)
    if (found := store.get(name)) is not None:
        return found[1]["embeddings"], made_of(backbone, found[0])
    new, cut = _embed(backbone, texts, method, plan, traced, progress)
    store.put(name, {"made": made_facts(backbone), "cut": cut}, {"embeddings": new})
    return new, made(backbone)


def projected(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    plan: Plan,
    *,
    how: space.How = "umap",
    neighbours: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    traced: bool = False,
    progress: Progress = _quiet,
) -> Space:
    """The embedding space of ``texts`` under one method, projected to the plane."""
    plan = plan if method.reroutes else PLAIN
    placed, by = _embeddings(backbone, texts, method, plan, traced, progress)
    settings: dict[str, Any] = {"neighbours": neighbours, "min_dist": min_dist, "seed": seed}
    if how != "umap":
        settings = {"how": how}
    name = store.key("projection", vectors=store.digest(placed.tobytes().hex()), **settings)
    if (found := store.get(name)) is None:
        projection = space.project(placed, **settings)
        facts = {"how": projection.how, "reason": projection.reason}
        store.put(name, facts, {"points": projection.points})
        found = facts, {"points": projection.points}
    facts, arrays = found
    projection = _rebuilt(space.Projection, facts, arrays)
    return Space(method.name, plan, placed, projection, by)


def aligned(moving: Space, fixed: Space) -> Space:
    """``moving`` with its map turned, scaled and shifted onto that of ``fixed``."""
    points = space.align(moving.projection.points, fixed.projection.points)
    return replace(moving, projection=replace(moving.projection, points=points))


def sweep(
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = _quiet,
) -> Iterator[Score]:
    """Scores of many plans, from the last layers (cheap) to the first.

    Each score is stored as soon as it is known, so a sweep that is stopped goes on from there. A
    plan runs only the layers from where it parts from what is traced: the plain pass, or an
    earlier plan with which it has more in common. Its embeddings are not kept: those of hundreds
    of plans would push out all others.
    """
    ordered = sorted(plans, key=lambda plan: plan.layers, reverse=True)
    layers, trace = backbone.layers, None
    for plan, following in zip_longest(ordered, ordered[1:]):
        if (found := known_score(backbone, pairs, method, plan)) is None:
            encoder.check_plan(backbone, plan)
            trace = trace or _traced(backbone, pairs.texts, method, progress)[1][0]
            if following is not None and encoder.parting(plan, following, layers) > encoder.parting(
                trace.plan, following, layers
            ):
                trace = trace.under(plan, progress)
                forget()  # the plain pass is not needed any more
                embeddings = trace.embeddings
            else:
                embeddings = trace.embed(plan, progress)
            cut = sum(tokens > 0 for tokens in trace.cut)
            found = _scored(backbone, pairs, method, plan, Embedded(embeddings, cut))
        yield found


_TRACES: dict[str, tuple[Trace, ...]] = {}
"""Of one request: the plain pass, and the pass under the last plan unless that was plain."""
_TRACING = threading.Lock()
_STATES = 1024**3
"""Bytes of states that each of the two may keep."""


def _embed(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    plan: Plan,
    traced: bool,
    progress: Progress,
) -> Embedded:
    """Embeddings from what is kept of each text, or from a trace, which is kept in memory."""
    if not traced or not method.reroutes:
        (found,) = _by_text(backbone, texts, [(method, plan)], "Context", None, progress)
        return found
    name, traces = _traced(backbone, texts, method, progress)
    nearest = max(traces, key=lambda one: encoder.parting(one.plan, plan, backbone.layers))
    trace = nearest.under(plan, progress)
    with _TRACING:
        if name in _TRACES:
            _TRACES[name] = (traces[0], *([] if trace is traces[0] else [trace]))
    new = dict(zip(texts, _vectors(trace.embeddings, trace.cut), strict=True))
    vectors.keep(_recipe(backbone, method, plan), new)
    return Embedded(trace.embeddings, sum(cut > 0 for cut in trace.cut))


def _traced(
    backbone: Backbone, texts: Sequence[str], method: Method, progress: Progress
) -> tuple[str, tuple[Trace, ...]]:
    """The traces that are kept in memory, made where there are none, and their name."""
    name = store.digest(id(backbone.model), list(texts), _how(method, PLAIN))
    with _TRACING:
        traces = _TRACES.get(name)
    if traces is None:
        traces = (Trace(backbone, texts, method, budget=_STATES, progress=progress),)
        with _TRACING:
            _TRACES.clear()
            _TRACES[name] = traces
    return name, traces


def forget() -> None:
    """Free the kept traces, as when the backbone changes."""
    with _TRACING:
        _TRACES.clear()


def _weights(backbone: Backbone) -> dict[str, Any]:
    """What of the backbone decides numbers."""
    return {
        "weights": backbone.fingerprint,
        "family": backbone.facts.family,
        "dtype": backbone.dtype.value,
        "device": backbone.device.value.split(":")[0],
    }


def decisive(backbone: Backbone, method: Method, plan: Plan) -> dict[str, Any]:
    """What of a request decides its embeddings, texts aside, for the key of a result."""
    return {**_weights(backbone), **_how(method, plan)}


def _how(method: Method, plan: Plan) -> dict[str, Any]:
    """What of the method and plan decides numbers; a method's name and summary do not."""
    bias = plan.bias if plan.active else 0.0
    return {
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "tidy": method.tidy.__name__,
        **_special(method),
        "layers": list(plan.active),
        "bias": bias,
        **({"key": plan.key_position} if plan.active and plan.key_position != "own" else {}),
    }


def _special(method: Method) -> dict[str, Any]:
    """What a method does that most do not; left out where it does not, as results are stored so."""
    found = {
        "further": list(method.further),
        "bidirectional": not method.causal,
        "prepending": method.prepending and asdict(method.prepending),
        "output": method.output + 1,
    }
    return {name: value for name, value in found.items() if value}


def _others(of: Any, arrays: dict[str, Any]) -> list[str]:
    """The fields of a dataclass that are not arrays."""
    return [field.name for field in fields(of) if field.name not in arrays]


def _rebuilt(kind: type[T], facts: dict[str, Any], arrays: dict[str, Any]) -> T:
    """A stored dataclass, from its facts and its arrays."""
    return kind(**arrays, **{name: facts[name] for name in _others(kind, arrays)})


def made_facts(backbone: Backbone) -> dict[str, Any]:
    """What makes results here and now, as a result is stored with it."""
    return asdict(made(backbone))


def made_of(backbone: Backbone, facts: dict[str, Any]) -> Made:
    """What made a stored result."""
    stored = facts.get("made")
    if stored is None:
        return made(backbone)
    pairs = tuple((str(k), str(v)) for k, v in stored["versions"])
    return Made(**stored | {"versions": pairs, "shipped": facts["shipped"]})
