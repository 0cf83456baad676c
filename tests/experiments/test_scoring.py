"""Methods on corpora: what is measured is what the parts give, kept, shared and compared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.embedding import encoder
from analysis.embedding.methods import METHODS
from analysis.embedding.postprocessing import postprocessing
from analysis.errors import CorpusError, PlanError
from analysis.evaluation import measures, similarity
from analysis.experiments import scoring
from analysis.experiments.scoring import measured
from analysis.rerouting.plan import PLAIN, Plan
from analysis.storage import result_store
from tests.support.checks import assert_one_sentence

WORDS = ("rain", "river", "bank", "loan", "king", "bread", "train", "song", "house", "boat")
TEXTS = tuple(f"the {a} and the {b}" for a in WORDS for b in WORDS[:3])
RNG = np.random.default_rng(0)
PAIRS = Pairs("made", TEXTS[:20], np.arange(10), np.arange(10, 20), RNG.random(10), "made up")
LABELLED = Texts("made", TEXTS, "made up", tuple(text.split()[1][:1] for text in TEXTS))
RETRIEVAL = Retrieval(
    "made", tuple(WORDS), TEXTS, tuple({3 * i: 1} for i in range(len(WORDS))), "made up"
)
PLAN = Plan((2, 3))
ASKED = [METHODS["kv-embedding"].under(PLAN), METHODS["mean"].under(PLAN)]


@pytest.fixture
def backbone(
    tiny: Callable[[str], Backbone],
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> Backbone:
    monkeypatch.setattr(scoring, "FITTED_ON", 50)
    return tiny("llama")


def test_pairs_are_scored_as_the_evaluation_does(backbone: Backbone) -> None:
    for found, method in zip(measured(backbone, PAIRS, ASKED), ASKED, strict=True):
        vectors = encoder.encode(backbone, PAIRS.texts, method).embeddings
        cosines = similarity.cosines(vectors, PAIRS)
        assert found.cosines is not None
        np.testing.assert_allclose(found.cosines, cosines, atol=1e-6)
        score = similarity.sts(cosines, PAIRS, resamples=measures.RESAMPLES)
        rank, linear = found.measures
        assert (rank.name, linear.name) == ("Spearman", "Pearson")
        assert rank.value == pytest.approx(100 * spearmanr(cosines, PAIRS.scores).statistic)
        assert (rank.ci_low, rank.ci_high) == pytest.approx((score.ci_low, score.ci_high))
        assert linear.value == pytest.approx(score.pearson)
        assert linear.ci_low <= linear.value <= linear.ci_high
        assert found.plan == (PLAN if method.reroutes else PLAIN)


def test_differences_of_measures_are_those_of_the_evaluation(backbone: Backbone) -> None:
    first, base = measured(backbone, PAIRS, ASKED)
    assert first.cosines is not None
    assert base.cosines is not None
    (found,) = measures.differences({"a": first.measure("Spearman")}, base.measures[0], "b")
    expected = similarity.compare(
        first.cosines,
        base.cosines,
        PAIRS,
        names=("a", "b"),
        resamples=measures.RESAMPLES,
    )
    assert found.sentence == expected.sentence
    assert found.delta == pytest.approx(expected.delta)
    assert found.ci_low == pytest.approx(expected.ci_low)


def test_labelled_and_retrieval_are_those_of_the_measures(backbone: Backbone) -> None:
    method = ASKED[0]
    texts = encoder.encode(backbone, TEXTS, method).embeddings
    queries = encoder.encode(backbone, WORDS, method, role="Query").embeddings
    (found,) = measured(backbone, LABELLED, ASKED[:1])
    expected = measures.labelled(texts, LABELLED.labels or ())
    assert [m.value for m in found.measures] == pytest.approx([m.value for m in expected])
    (found,) = measured(backbone, RETRIEVAL, ASKED[:1])
    expected = measures.retrieval(queries, texts, RETRIEVAL.relevance)
    assert [m.value for m in found.measures] == pytest.approx([m.value for m in expected])


def test_documents_are_cut_and_counted(backbone: Backbone) -> None:
    whole, cut = (measured(backbone, RETRIEVAL, ASKED, max_tokens=limit)[0] for limit in (None, 50))
    assert whole.texts_cut == 0
    assert cut.texts_cut > 0
    with pytest.raises(PlanError, match="leaves no room"):
        measured(backbone, RETRIEVAL, ASKED, max_tokens=10)


def test_post_processing_is_fitted_on_calibration_texts_alone(backbone: Backbone) -> None:
    calibration = sampling.sample(registry.load_texts(packaged.CALIBRATION), scoring.FITTED_ON, 0)
    for name in ("centre", "whiten"):
        (found,) = measured(backbone, PAIRS, ASKED[1:], processing=name)
        fitted_on, of_pairs = (
            encoder.encode(backbone, texts, METHODS["mean"]).embeddings
            for texts in (calibration.texts, PAIRS.texts)
        )
        vectors = postprocessing(name).fit(fitted_on)(of_pairs)
        np.testing.assert_allclose(found.cosines, similarity.cosines(vectors, PAIRS), atol=1e-5)


def test_a_second_call_computes_nothing(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus_list = (PAIRS, LABELLED, RETRIEVAL)
    first = [measured(backbone, corpus, ASKED) for corpus in corpus_list]
    monkeypatch.setattr(encoder, "encode_together", None)
    monkeypatch.setattr(measures, "_measure", None)
    for before, corpus in zip(first, corpus_list, strict=True):
        for a, b in zip(before, measured(backbone, corpus, ASKED), strict=True):
            assert a.method == b.method
            for one, other in zip(a.measures, b.measures, strict=True):
                assert np.array_equal(one.drawn, other.drawn)
                assert (one.name, one.value, one.items) == (other.name, other.value, other.items)


def test_what_decides_a_measure_is_in_its_key(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    get = result_store.get

    def noted(name: str) -> result_store.Stored | None:
        keys.append(name)
        return get(name)

    monkeypatch.setattr(result_store, "get", noted)
    part = Pairs("made", PAIRS.texts, PAIRS.left, PAIRS.right, PAIRS.scores[::-1], "", of=20)
    relabelled = Texts("made", TEXTS, "", (LABELLED.labels or ())[::-1])
    judged = Retrieval("made", WORDS, TEXTS, RETRIEVAL.relevance[::-1], "")
    for corpus in (PAIRS, part, LABELLED, relabelled, RETRIEVAL, judged):
        for how in ({}, {"max_tokens": 50}, {"processing": "centre"}):
            measured(backbone, corpus, ASKED, **how)
    found = {key for key in keys if key.startswith("measured")}
    assert len(found) == 6 * 3 * len(ASKED)
    assert measured(backbone, part, ASKED)[0].of == 20


def test_texts_without_labels_are_refused(backbone: Backbone) -> None:
    with pytest.raises(CorpusError, match="no labels") as raised:
        measured(backbone, Texts("bare", TEXTS, "made up"), ASKED)
    assert_one_sentence(raised.value)
    with pytest.raises(PlanError, match="no post-processing"):
        measured(backbone, PAIRS, ASKED, processing="pca")
