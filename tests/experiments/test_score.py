"""Methods on corpora: what is measured is what the parts give, kept, shared and compared."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.embedding import encoder, finishing
from analysis.embedding.methods import METHODS, variant
from analysis.embedding.postprocessing import postprocessing
from analysis.errors import CorpusError, PlanError
from analysis.evaluation import comparison, similarity
from analysis.evaluation import labelled as labelled_scores
from analysis.evaluation import retrieval as retrieval_scores
from analysis.evaluation.bootstrap import DRAWS
from analysis.evaluation.labelled import labelled
from analysis.evaluation.retrieval import retrieval
from analysis.experiments.score import score
from analysis.experiments.score_result import Corpus
from analysis.experiments.score_store import known_score
from analysis.rerouting.plan import Plan
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
    monkeypatch.setattr(finishing, "FITTED_ON", 50)
    return tiny("llama")


def test_pairs_are_scored_as_the_evaluation_does(backbone: Backbone) -> None:
    for result, method in zip(score(backbone, PAIRS, ASKED), ASKED, strict=True):
        vectors = encoder.encode(backbone, PAIRS.texts, method).embeddings
        cosines = similarity.cosines(vectors, PAIRS)
        assert result.cosines is not None
        np.testing.assert_allclose(result.cosines, cosines, atol=1e-6)
        rank, linear = result.measures
        assert (rank.name, linear.name) == ("Spearman", "Pearson")
        assert rank.value == pytest.approx(100 * spearmanr(cosines, PAIRS.scores).statistic)
        for measure, expected in zip(
            result.measures, similarity.agreement(cosines, PAIRS), strict=True
        ):
            assert measure.to_dict() == pytest.approx(expected.to_dict())
            assert measure.ci_low <= measure.value <= measure.ci_high
        assert (result.method, result.plan) == (method, method.plan)


def test_differences_are_paired_however_the_scores_came(backbone: Backbone) -> None:
    """Draws that are computed again from stored cosines are those of the first time."""
    first, base = score(backbone, PAIRS, ASKED)
    again, base_again = score(backbone, PAIRS, ASKED)
    assert callable(again.first.source)
    computed = comparison.difference(first.first, base.first, ("a", "b"))
    assert computed == comparison.difference(again.first, base_again.first, ("a", "b"))
    assert computed.delta == pytest.approx(first.first.value - base.first.value)


def test_labelled_and_retrieval_are_those_of_the_measures(backbone: Backbone) -> None:
    method = ASKED[0]
    texts = encoder.encode(backbone, TEXTS, method).embeddings
    queries = encoder.encode(backbone, WORDS, method, role="Query").embeddings
    (result,) = score(backbone, LABELLED, ASKED[:1])
    expected = labelled(texts, LABELLED.labels or ())
    assert [m.value for m in result.measures] == pytest.approx([m.value for m in expected])
    (result,) = score(backbone, RETRIEVAL, ASKED[:1])
    expected = retrieval(queries, texts, RETRIEVAL.relevance)
    assert [m.value for m in result.measures] == pytest.approx([m.value for m in expected])


def test_all_measures_rest_on_the_same_number_of_draws(backbone: Backbone) -> None:
    for corpus in (PAIRS, LABELLED, RETRIEVAL):
        for result in score(backbone, corpus, ASKED):
            assert {len(measure.drawn) for measure in result.measures} == {DRAWS}


def test_a_score_knows_what_made_it_and_becomes_data(backbone: Backbone) -> None:
    (result,) = score(backbone, RETRIEVAL, ASKED[:1])
    assert result.provenance == backbone.provenance()
    plain = json.loads(json.dumps(result.to_dict()))
    assert (plain["method"], plain["layers"]) == ("kv-embedding", [2, 3])
    assert [measure["name"] for measure in plain["measures"]] == ["nDCG@10", "recall@10"]
    assert plain["provenance"]["backbone"] == backbone.facts.name
    table = result.to_dataframe()
    assert table["value"].tolist() == [measure.value for measure in result.measures]
    assert table["queries"].tolist() == [10, 10]
    assert result.sentence.startswith("kv-embedding on made: nDCG@10 ")
    assert_one_sentence(result.sentence)


def test_a_known_score_is_read_and_an_unknown_one_is_none(backbone: Backbone) -> None:
    assert known_score(backbone, PAIRS, ASKED[0]) is None
    (result,) = score(backbone, PAIRS, ASKED[:1])
    known = known_score(backbone, PAIRS, ASKED[0])
    assert known is not None
    assert known.to_dict() == result.to_dict()
    np.testing.assert_array_equal(known.first.drawn, result.first.drawn)


def test_documents_are_cut_and_counted(backbone: Backbone) -> None:
    full, cut = (score(backbone, RETRIEVAL, ASKED, max_tokens=limit)[0] for limit in (None, 50))
    assert full.texts_cut == 0
    assert cut.texts_cut > 0
    with pytest.raises(PlanError, match="leaves no room"):
        score(backbone, RETRIEVAL, ASKED, max_tokens=10)


@pytest.mark.slow
def test_post_processing_is_fitted_on_calibration_texts_alone(backbone: Backbone) -> None:
    calibration = sampling.sample(registry.load_texts(packaged.CALIBRATION), finishing.FITTED_ON, 0)
    for name in ("centre", "whiten"):
        (result,) = score(backbone, PAIRS, [variant(ASKED[1], processing=name)])
        fitted_on, of_pairs = (
            encoder.encode(backbone, texts, METHODS["mean"]).embeddings
            for texts in (calibration.texts, PAIRS.texts)
        )
        vectors = postprocessing(name).fit(fitted_on)(of_pairs)
        assert result.cosines is not None
        np.testing.assert_allclose(result.cosines, similarity.cosines(vectors, PAIRS), atol=1e-5)


def test_a_second_call_computes_nothing(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus_list: tuple[Corpus, ...] = (PAIRS, LABELLED, RETRIEVAL)
    first = [score(backbone, corpus, ASKED) for corpus in corpus_list]
    monkeypatch.setattr(encoder, "encode_methods", None)
    for module, name in (
        (similarity, "agreement"),
        (labelled_scores, "labelled"),
        (retrieval_scores, "retrieval"),
    ):
        monkeypatch.setattr(module, name, None)
    for before, corpus in zip(first, corpus_list, strict=True):
        for a, b in zip(before, score(backbone, corpus, ASKED), strict=True):
            assert a.method == b.method
            for one, other in zip(a.measures, b.measures, strict=True):
                assert np.array_equal(one.drawn, other.drawn)
                assert (one.name, one.value, one.items) == (other.name, other.value, other.items)


@pytest.mark.slow
def test_what_decides_a_measure_is_in_its_key(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    get = result_store.get

    def noted(name: str) -> result_store.Stored | None:
        keys.append(name)
        return get(name)

    monkeypatch.setattr(result_store, "get", noted)
    part = Pairs("made", PAIRS.texts, PAIRS.left, PAIRS.right, PAIRS.scores[::-1], "", total=20)
    relabelled = Texts("made", TEXTS, "", (LABELLED.labels or ())[::-1])
    judged = Retrieval("made", WORDS, TEXTS, RETRIEVAL.relevance[::-1], "")
    for corpus in (PAIRS, part, LABELLED, relabelled, RETRIEVAL, judged):
        for how in (None, 50):
            score(backbone, corpus, ASKED, max_tokens=how)
        score(backbone, corpus, [variant(each, processing="centre") for each in ASKED])
    result = {key for key in keys if key.startswith("measured")}
    assert len(result) == 6 * 3 * len(ASKED)
    assert score(backbone, part, ASKED)[0].of == 20


def test_texts_without_labels_are_refused(backbone: Backbone) -> None:
    with pytest.raises(CorpusError, match="no labels") as raised:
        score(backbone, Texts("bare", TEXTS, "made up"), ASKED)
    assert_one_sentence(raised.value)
    with pytest.raises(PlanError, match="no post-processing"):
        variant(ASKED[0], processing="pca")
