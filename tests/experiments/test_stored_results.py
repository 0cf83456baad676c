"""Recipe in, result out: the same numbers whichever way they came, and nothing computed twice."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.backbones.devices import Choice
from analysis.corpora import sampling
from analysis.corpora.types import Pairs, Texts
from analysis.dimension import curve as curves
from analysis.dimension import selection, states
from analysis.embedding import encoder
from analysis.embedding.method_parts import CHANGES, READINGS, Change, Prepending
from analysis.embedding.methods import DEFAULT, METHODS, Method
from analysis.embedding.named_prompts import PROMPTS, own_prompt
from analysis.embedding.prompts import COMPRESSION
from analysis.errors import BackboneError, PlanError
from analysis.evaluation import similarity
from analysis.evaluation.measures import Measure
from analysis.experiments import dimension as dimension_experiment
from analysis.experiments import space as space_experiment
from analysis.experiments.score_result import Score
from analysis.rerouting.plan import PLAIN, Plan
from analysis.storage import result_store
from tests.support import encoding, tiny_models
from tests.support.scoring import PAIRS, PLAN, TEXTS, scored


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


@pytest.mark.slow
@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_second_call_computes_nothing_and_gives_the_same(
    llama: Backbone, idle: Callable[[], None], ask: Callable[[Backbone], Any]
) -> None:
    computed = ask(llama)
    idle()
    same(ask(llama), computed)


@pytest.mark.parametrize(
    "question", ["score", "plain method", pytest.param("dimensions", marks=pytest.mark.slow)]
)
def test_a_stored_result_has_the_name_that_was_asked_for(
    llama: Backbone, idle: Callable[[], None], question: str
) -> None:
    """The same weights may be another folder, or another spelling of its path, than before."""
    computed = QUESTIONS[question](llama)
    facts = dataclasses.replace(llama.facts, name="another name")
    idle()
    again = QUESTIONS[question](dataclasses.replace(llama, facts=facts))
    assert computed.provenance.backbone == llama.facts.name
    assert again.provenance.backbone == "another name"


def test_embeddings_are_stored(llama: Backbone, idle: Callable[[], None]) -> None:
    computed = encoding.embeddings(llama, TEXTS.texts[:5], DEFAULT.under(PLAN))
    idle()
    np.testing.assert_array_equal(
        encoding.embeddings(llama, TEXTS.texts[:5], DEFAULT.under(PLAN)), computed
    )


def test_a_traced_score_is_the_untraced_one(llama: Backbone, tmp_path: Path) -> None:
    result = []
    for traced in (False, True):
        with result_store.only(tmp_path / str(traced)):
            result.append(scored(llama, PAIRS, DEFAULT.under(PLAN), traced=traced))
    same(result[0], result[1], 1e-6)


@pytest.mark.slow
def test_a_result_is_the_librarys_own_parts_put_together(llama: Backbone) -> None:
    score = scored(llama, PAIRS, DEFAULT.under(PLAN))
    vectors = encoder.encode(llama, PAIRS.texts, DEFAULT.under(PLAN)).embeddings
    cosines = similarity.cosines(vectors, PAIRS)
    for one, other in zip(score.measures, similarity.agreement(cosines, PAIRS), strict=True):
        same(one, other)
    assert (score.name, score.corpus, score.plan) == ("kv-embedding", "made up", PLAN)
    result = dimension_experiment.dimensions(llama, TEXTS, samples=40, seed=2)
    drawn = sampling.sample(TEXTS, 40, 2).texts
    same(result.curve, curves.curve(states.last_token_states(llama, drawn), seed=2))
    assert result.selected() == selection.select(result.curve.dims)


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
    "special tokens": dataclasses.replace(LLAMA, special_tokens="parse"),
}

PLACED, PREPENDING = PROMPTS["eol-placeholder"], CHANGES["token-prepending"]
_CHANGED_METHODS: dict[str, dict[str, Any]] = {
    "template": {"prompt": own_prompt("{role}: {text} !")},
    "pooling": {"pooling": "mean"},
    "norm": {"reading": dataclasses.replace(READINGS["states"], norm="pre")},
    "tidy": {"prompt": own_prompt(DEFAULT.template, tidy=METHODS["prompt-eol"].tidy)},
    "further templates": {"prompt": own_prompt(DEFAULT.template, "{text}.")},
    "mask": {"change": CHANGES["no-mask"]},
    "placeholder": {"prompt": PLACED, "change": PREPENDING},
    "where the placeholder is left alone": {
        "prompt": PLACED,
        "change": Change("", "", prepending=Prepending(exit=2)),
    },
    "place of the placeholder": {
        "prompt": own_prompt("{placeholder}" + PLACED.templates[0]),
        "change": PREPENDING,
    },
    "output layer": {"reading": READINGS["last-but-one"]},
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


def test_plans_and_families_that_do_not_fit_are_refused_before_the_store(llama: Backbone) -> None:
    with pytest.raises(PlanError, match="Layer 9"):
        scored(llama, PAIRS, DEFAULT.under(Plan((9,))))
    with pytest.raises(BackboneError, match="cannot be re-routed"):
        scored(tiny_models.tiny("falcon"), PAIRS, DEFAULT.under(PLAN))


def test_the_paper_template_is_the_one_that_is_used() -> None:
    assert DEFAULT.template == METHODS["prompt-only"].template == COMPRESSION["newline"]
