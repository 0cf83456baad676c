"""Recipe in, result out: the same numbers whichever way they came, and nothing computed twice."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from analysis.backbones.backbone import Backbone
from analysis.backbones.devices import Choice
from analysis.corpora import packaged, registry, sampling
from analysis.corpora.types import Pairs, Texts
from analysis.dimension import curve as curves
from analysis.dimension import selection, states
from analysis.embedding import encoder, trace_cache
from analysis.embedding import trace as trace_embedding
from analysis.embedding.methods import DEFAULT, METHODS, Method, Prepending
from analysis.embedding.prompts import COMPRESSION
from analysis.errors import BackboneError, PlanError
from analysis.evaluation import similarity
from analysis.evaluation.measures import Measure
from analysis.experiments import dimension as dimension_experiment
from analysis.experiments import long_texts, searches
from analysis.experiments import score as scores
from analysis.experiments import space as space_experiment
from analysis.experiments import sweep as sweeps
from analysis.experiments.score import Score
from analysis.rerouting import forward_pass
from analysis.rerouting.forward_pass import PassRequest, PassResult
from analysis.rerouting.plan import PLAIN, Plan
from analysis.spaces import projection
from analysis.storage import result_store
from benchmarks import shipped_results
from tests.support import encoding, properties, tiny_models

WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
TEXTS = Texts("made up", tuple(f"The {a} by the {b}." for a in WORDS for b in WORDS[:5]), "here")
PAIRS = Pairs(
    "made up",
    TEXTS.texts[:12],
    np.arange(11),
    np.arange(1, 12),
    np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]),
    "here",
)
PLAN = Plan((2, 3), 1.5)
COMPUTING = (
    (encoder, "encode"),
    (encoder, "encode_methods"),
    (states, "last_token_states"),
    (sweeps, "Trace"),
    (curves, "curve"),
    (similarity, "agreement"),
    (projection, "project"),
)


def scored(
    backbone: Backbone, pairs: Pairs, method: Method = DEFAULT, *, traced: bool = False
) -> Score:
    """The score of one method."""
    (score,) = scores.score(backbone, pairs, [method], traced=traced)
    return score


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After ``idle()`` whatever computes fails."""

    def forbid() -> None:
        def compute(*_: Any, **__: Any) -> NoReturn:
            raise AssertionError("this was to be read, not computed")

        for module, name in COMPUTING:
            monkeypatch.setattr(module, name, compute)

    return forbid


def same(first: Any, second: Any, tolerance: float = 0.0) -> None:
    """Two results are equal in every field, arrays to ``tolerance``."""
    assert type(first) is type(second)
    for field in dataclasses.fields(first):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if isinstance(a, tuple) and a and isinstance(a[0], Measure):
            for one, other in zip(a, b, strict=True):
                same(one, other, tolerance)
        elif field.name == "source":  # draws, or what computes them
            np.testing.assert_allclose(first.drawn, second.drawn, atol=100 * tolerance, rtol=0)
        elif dataclasses.is_dataclass(a) and not isinstance(a, Plan | Method):
            same(a, b, tolerance)
        elif isinstance(a, np.ndarray):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, atol=tolerance, rtol=0)
        elif isinstance(a, float):
            assert a == pytest.approx(b, abs=100 * tolerance, nan_ok=True)
        else:
            assert a == b


QUESTIONS: dict[str, Callable[[Backbone], Any]] = {
    "dimensions": lambda llama: dimension_experiment.dimensions(llama, TEXTS, samples=40, seed=2),
    "score": lambda llama: scored(llama, PAIRS, DEFAULT.under(PLAN)),
    "traced score": lambda llama: scored(llama, PAIRS, DEFAULT.under(PLAN), traced=True),
    "plain method": lambda llama: scored(llama, PAIRS, METHODS["echo"].under(PLAN)),
    "space": lambda llama: space_experiment.projected(llama, TEXTS.texts[:10], DEFAULT.under(PLAN)),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_second_call_computes_nothing_and_gives_the_same(
    llama: Backbone, idle: Callable[[], None], ask: Callable[[Backbone], Any]
) -> None:
    computed = ask(llama)
    idle()
    same(ask(llama), computed)


def test_embeddings_are_stored(llama: Backbone, idle: Callable[[], None]) -> None:
    computed = encoding.embeddings(llama, TEXTS.texts[:5], DEFAULT.under(PLAN))
    idle()
    np.testing.assert_array_equal(
        encoding.embeddings(llama, TEXTS.texts[:5], DEFAULT.under(PLAN)), computed
    )


def test_a_traced_score_is_the_untraced_one(llama: Backbone, tmp_path: Path) -> None:
    found = []
    for traced in (False, True):
        with result_store.only(tmp_path / str(traced)):
            found.append(scored(llama, PAIRS, DEFAULT.under(PLAN), traced=traced))
    same(found[0], found[1], 1e-6)


def test_a_result_is_the_librarys_own_parts_put_together(llama: Backbone) -> None:
    score = scored(llama, PAIRS, DEFAULT.under(PLAN))
    vectors = encoder.encode(llama, PAIRS.texts, DEFAULT.under(PLAN)).embeddings
    cosines = similarity.cosines(vectors, PAIRS)
    for one, other in zip(score.measures, similarity.agreement(cosines, PAIRS), strict=True):
        same(one, other)
    assert (score.name, score.corpus, score.plan) == ("kv-embedding", "made up", PLAN)
    found = dimension_experiment.dimensions(llama, TEXTS, samples=40, seed=2)
    drawn = sampling.sample(TEXTS, 40, 2).texts
    same(found.curve, curves.curve(states.last_token_states(llama, drawn), seed=2))
    assert found.selected() == selection.select(found.curve.dims)


def test_provenance_says_what_made_it_and_whether_it_shipped(
    llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_store, "SHIPPED", tmp_path / "shipped")
    with result_store.only(result_store.SHIPPED):
        scored(llama, PAIRS, DEFAULT.under(PLAN))
    score = scored(llama, PAIRS, DEFAULT.under(PLAN))
    assert score.provenance == dataclasses.replace(llama.provenance(), shipped=True)
    assert "shipped with the project" in score.provenance.sentence
    here = scored(llama, PAIRS, DEFAULT).provenance
    assert here == llama.provenance()
    assert "computed on this machine" in here.sentence


# What decides numbers is in the key, and nothing else


class AskedError(Exception):
    """Carries the key that was looked up first."""


@pytest.fixture
def key_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], str]:
    """The key under which an answer would be looked up."""

    def find(name: str) -> NoReturn:
        raise AskedError(name)

    monkeypatch.setattr(result_store, "get", find)

    def key(ask: Callable[[], Any]) -> str:
        with pytest.raises(AskedError) as caught:
            ask()
        return str(caught.value)

    return key


LLAMA = tiny_models.tiny("llama")
OTHER_BACKBONES = {
    "weights": dataclasses.replace(LLAMA, fingerprint="1"),
    "family": dataclasses.replace(LLAMA, facts=dataclasses.replace(LLAMA.facts, family="x")),
    "dtype": dataclasses.replace(LLAMA, dtype=Choice("bfloat16", "a test")),
    "device": dataclasses.replace(LLAMA, device=Choice("cuda", "a test")),
}
_CHANGED_METHODS: dict[str, dict[str, Any]] = {
    "template": {"template": "{role}: {text} !"},
    "pooling": {"pooling": "mean"},
    "norm": {"norm": "pre"},
    "tidy": {"tidy": METHODS["prompt-eol"].tidy},
    "further templates": {"further": ("{text}.",)},
    "mask": {"causal": False},
    "placeholder": {"prepending": Prepending()},
    "where the placeholder is left alone": {"prepending": Prepending(exit=2)},
    "output": {"output": -2},
}
_CHANGED_PAIRS: dict[str, dict[str, Any]] = {
    "texts": {"texts": (*PAIRS.texts[:-1], "Another text.")},
    "order of texts": {"texts": PAIRS.texts[::-1]},
    "ratings": {"scores": PAIRS.scores[::-1]},
    "left": {"left": PAIRS.right, "right": PAIRS.left},
}
SCORES: dict[str, tuple[Any, ...]] = {
    **{name: (backbone, PAIRS, DEFAULT, PLAN) for name, backbone in OTHER_BACKBONES.items()},
    "layers": (LLAMA, PAIRS, DEFAULT, Plan((2, 4), 1.5)),
    "no layers": (LLAMA, PAIRS, DEFAULT, Plan((), 1.5)),
    "bias": (LLAMA, PAIRS, DEFAULT, Plan((2, 3), 1.0)),
    **{
        name: (LLAMA, PAIRS, dataclasses.replace(DEFAULT, **change), PLAN)
        for name, change in _CHANGED_METHODS.items()
    },
    **{
        name: (LLAMA, dataclasses.replace(PAIRS, **change), DEFAULT, PLAN)
        for name, change in _CHANGED_PAIRS.items()
    },
}
SAME_SCORES: dict[str, tuple[Any, ...]] = {
    "summary": (LLAMA, PAIRS, dataclasses.replace(DEFAULT, summary="Other words."), PLAN),
    "method's name": (LLAMA, PAIRS, dataclasses.replace(DEFAULT, name="other"), PLAN),
    "backbone's name": (
        dataclasses.replace(LLAMA, facts=dataclasses.replace(LLAMA.facts, name="other")),
        PAIRS,
        DEFAULT,
        PLAN,
    ),
    "reason": (dataclasses.replace(LLAMA, dtype=Choice("float32", "x")), PAIRS, DEFAULT, PLAN),
    "pairs' name": (LLAMA, dataclasses.replace(PAIRS, name="a", source="b"), DEFAULT, PLAN),
}


def asked_of(backbone: Backbone, pairs: Pairs, method: Method, plan: Plan) -> Score:
    return scored(backbone, pairs, method.under(plan))


def test_what_decides_a_score_is_in_its_key(key_of: Callable[..., str]) -> None:
    keys = {name: key_of(lambda a=a: asked_of(*a)) for name, a in SCORES.items()}
    keys["as it is"] = key_of(lambda: scored(LLAMA, PAIRS, DEFAULT.under(PLAN)))
    assert len(set(keys.values())) == len(keys)
    for name, arguments in SAME_SCORES.items():
        assert key_of(lambda a=arguments: asked_of(*a)) == keys["as it is"], name


def test_what_decides_nothing_is_not_in_the_key(key_of: Callable[..., str]) -> None:
    def asked(method: str, plan: Plan) -> str:
        return key_of(lambda: scored(LLAMA, PAIRS, METHODS[method].under(plan)))

    assert asked("mean", PLAN) == asked("mean", PLAIN)  # it does not re-route
    assert asked("kv-embedding", Plan((), 3.0)) == asked("kv-embedding", PLAIN)
    assert asked("kv-embedding", Plan((1,), -np.inf)) == asked("kv-embedding", PLAIN)
    assert asked("kv-embedding", PLAIN) == asked("prompt-only", PLAIN)
    assert asked("mean", PLAIN) != asked("last-token", PLAIN)


def test_what_decides_a_curve_is_in_its_key(key_of: Callable[..., str]) -> None:
    asked: dict[str, tuple[Backbone, Texts, dict[str, Any]]] = {
        **{name: (backbone, TEXTS, {}) for name, backbone in OTHER_BACKBONES.items()},
        "as it is": (LLAMA, TEXTS, {}),
        "samples": (LLAMA, TEXTS, {"samples": 30}),
        "seed": (LLAMA, TEXTS, {"seed": 1}),
        "estimator": (LLAMA, TEXTS, {"estimator": "mle"}),
        "prompt": (LLAMA, TEXTS, {"prompted": False}),
        "texts": (LLAMA, dataclasses.replace(TEXTS, texts=(*TEXTS.texts, "One more.")), {}),
    }
    keys = {
        name: key_of(lambda b=b, t=t, o=o: dimension_experiment.dimensions(b, t, **o))
        for name, (b, t, o) in asked.items()
    }
    assert len(set(keys.values())) == len(keys)
    renamed = dataclasses.replace(TEXTS, name="other", source="there", labels=("a",) * 50)
    assert key_of(lambda: dimension_experiment.dimensions(LLAMA, renamed)) == keys["as it is"]


def test_what_decides_a_space_is_in_its_key(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        asked: list[str] = []
        put = result_store.put

        def noted(name: str, *rest: Any) -> None:
            asked.append(name)
            put(name, *rest)

        patched.setattr(result_store, "put", noted)
        for change in ({}, {"neighbours": 4}, {"min_dist": 0.5}, {"seed": 1}):
            space_experiment.projected(llama, TEXTS.texts[:10], DEFAULT.under(PLAN), **change)
        space_experiment.projected(llama, TEXTS.texts[:10], METHODS["mean"].under(PLAN))
    projections = [name for name in asked if name.startswith("projection")]
    assert len(set(projections)) == len(projections) == 5
    assert len(asked) - len(projections) == 2  # embeddings, of either method once


# Sweeps and traces


def test_a_sweep_that_is_stopped_goes_on_from_there(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = searches.sliding(llama.layers, 2)
    for _, score in zip(range(3), sweeps.sweep(llama, PAIRS, plans), strict=False):
        assert scores.known_score(llama, PAIRS, DEFAULT.under(score.plan)) is not None
    assert sum(scores.known_score(llama, PAIRS, DEFAULT.under(p)) is not None for p in plans) == 3
    computed: list[Plan] = []
    embed = trace_embedding.Trace.embed

    def counted(self: trace_embedding.Trace, plan: Plan, *rest: Any) -> Any:
        computed.append(plan)
        return embed(self, plan, *rest)

    monkeypatch.setattr(trace_embedding.Trace, "embed", counted)
    found = list(sweeps.sweep(llama, PAIRS, plans))
    assert len(found) == len(plans)
    assert sorted(plan.layers for plan in computed) == sorted(p.layers for p in plans)[:3]


def test_one_plain_pass_serves_every_plan_until_it_is_forgotten(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    trace = trace_embedding.Trace

    def counted(*arguments: Any, **options: Any) -> trace_embedding.Trace:
        passes.append(1)
        return trace(*arguments, **options)

    monkeypatch.setattr(trace_cache, "Trace", counted)
    for layer in range(4):
        scored(llama, PAIRS, DEFAULT.under(Plan((layer,))), traced=True)
    assert len(passes) == 1
    trace_cache.forget()
    scored(llama, PAIRS, DEFAULT.under(Plan((4,))), traced=True)
    assert len(passes) == 2


def test_a_flip_runs_only_the_layers_from_the_flipped_one_on(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(llama, PAIRS, DEFAULT.under(Plan((1,))), traced=True)
    starts: list[int] = []
    run = forward_pass.run

    def spy(model: torch.nn.Module, request: PassRequest) -> PassResult:
        starts.append(request.start)
        return run(model, request)

    monkeypatch.setattr(forward_pass, "run", spy)
    flipped = {4: Plan((1, 4)), 3: Plan((1, 3, 4)), 5: Plan((1, 3, 4, 5)), 1: Plan((3, 4, 5))}
    for layer, plan in flipped.items():
        starts.clear()
        found = scored(llama, PAIRS, DEFAULT.under(plan), traced=True)
        # Taking out the only layer below is as near to the plain pass: its first layer decides.
        assert set(starts) == {3 if layer == 1 else layer}
        alone = encoder.encode(llama, PAIRS.texts, DEFAULT.under(plan)).embeddings
        expected = similarity.cosines(alone, PAIRS)
        assert found.cosines is not None
        np.testing.assert_allclose(found.cosines, expected, atol=2e-6)


def test_plans_and_families_that_do_not_fit_are_refused_before_the_store(llama: Backbone) -> None:
    with pytest.raises(PlanError, match="Layer 9"):
        scored(llama, PAIRS, DEFAULT.under(Plan((9,))))
    with pytest.raises(BackboneError, match="cannot be re-routed"):
        scored(tiny_models.tiny("falcon"), PAIRS, DEFAULT.under(PLAN))


# What ships


@pytest.mark.weights
@pytest.mark.parametrize("dtype", shipped_results.DTYPES)
def test_everything_that_pages_open_with_ships(
    smollm2: Backbone, idle: Callable[[], None], dtype: str
) -> None:
    idle()
    smollm2 = dataclasses.replace(smollm2, dtype=Choice(dtype, "a test"))
    with result_store.only(result_store.SHIPPED):
        curve = dimension_experiment.dimensions(smollm2, registry.load_texts(packaged.CALIBRATION))
        automatic = Plan(curve.selected())
        pairs = registry.load_pairs("lee50")
        for plan in (PLAIN, automatic):
            assert scored(smollm2, pairs, DEFAULT.under(plan)).plan == plan
        every = [method.under(automatic) for method in METHODS.values()]
        answers = registry.load_retrieval("chatterbot-answers")
        labelled = sampling.draw(registry.load_labelled("chatterbot"), sampling.LABELLED, 0)
        asked = sampling.part(answers, sampling.QUERIES)
        measured = dtype in shipped_results.MEASURED
        for corpus in (labelled, asked) if measured else ():
            assert len(scores.score(smollm2, corpus, every)) == len(METHODS)
        by_method = {one.name: one for one in scores.score(smollm2, pairs, every)}
        assert set(by_method) == set(METHODS)
        for name, score in properties.LEE50.items():
            found = by_method[name].measure("Spearman").value
            assert found == pytest.approx(score, abs=0.3 if dtype == "float32" else 0.6)
        variants = long_texts.places(asked)
        few = [METHODS[name].under(automatic) for name in long_texts.LONG_METHODS]
        for variant in variants.values() if measured else ():
            scores.score(smollm2, variant, few)
        for length in long_texts.LENGTHS if measured else ():
            scores.score(smollm2, variants["middle"], few, max_tokens=length)
        texts = registry.load_texts(space_experiment.MAP_CORPUS)
        drawn = sampling.sample(texts, space_experiment.MAP_TEXTS, 0).texts
        for name in ("mean", "kv-embedding"):
            space_experiment.projected(smollm2, drawn, METHODS[name].under(automatic))
        for width in (1, selection.window_width(smollm2.layers)):
            for plan in searches.sliding(smollm2.layers, width):
                assert scores.known_score(smollm2, pairs, DEFAULT.under(plan)) is not None, plan


@pytest.mark.weights
def test_shipped_scores_are_what_is_computed_here(smollm2: Backbone, tmp_path: Path) -> None:
    pairs = registry.load_pairs("lee50")
    window = Plan((26, 27, 28, 29))
    with result_store.only(result_store.SHIPPED):
        known = scores.known_score(smollm2, pairs, DEFAULT.under(window))
    with result_store.only(tmp_path):
        computed = scored(smollm2, pairs, DEFAULT.under(window))
    assert known is not None
    assert computed.first.value == pytest.approx(known.first.value, abs=0.05)
    assert computed.first.ci_low == pytest.approx(known.first.ci_low, abs=0.3)
    assert computed.cosines is not None
    assert known.cosines is not None
    np.testing.assert_allclose(computed.cosines, known.cosines, atol=1e-4)


def test_the_paper_template_is_the_one_that_is_used() -> None:
    assert DEFAULT.template == METHODS["prompt-only"].template == COMPRESSION["newline"]
