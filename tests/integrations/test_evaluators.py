"""What sentence-transformers computes from our embedder equals what our vectors give by hand.

Every evaluator of sentence-transformers is named here: tested, or refused with the reason.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, ndcg_score

import analysis
from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Retrieval
from analysis.embedding import encoder
from analysis.embedding.methods import METHODS
from analysis.embedding.prompts import Role
from analysis.integrations.encode_options import ROLES
from analysis.integrations.sentence_transformers import Embedder
from analysis.integrations.similarities import SIMILARITIES
from analysis.rerouting.plan import Plan
from tests.support import tiny_models

library = pytest.importorskip("sentence_transformers")

from sentence_transformers import util  # noqa: E402
from sentence_transformers.sentence_transformer import evaluation  # noqa: E402

WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train")
TEXTS = [f"The {a} is by the {b}." for a in WORDS for b in WORDS if a < b]
QUERIES = [f"Where is the {word}?" for word in WORDS]
METHOD = METHODS["kv-embedding"].under(Plan((2, 3), 2.0))

TESTED = {
    "BinaryClassificationEvaluator",
    "EmbeddingSimilarityEvaluator",
    "InformationRetrievalEvaluator",
    "MSEEvaluator",
    "MSEEvaluatorFromDataFrame",
    "ParaphraseMiningEvaluator",
    "RerankingEvaluator",
    "SequentialEvaluator",
    "TranslationEvaluator",
    "TripletEvaluator",
}
NOT_OFFERED = {
    "LabelAccuracyEvaluator": "it measures a classifier that is trained on top",
    "NanoBEIREvaluator": "it fetches its data; otherwise it is the InformationRetrievalEvaluator",
    "NanoEvaluator": "the base of the former",
    "SimilarityFunction": "no evaluator",
    "SentenceEvaluator": "the base of all",
    "BaseEvaluator": "the base of all",
}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_models.tiny("llama")


@pytest.fixture
def embedder(backbone: Backbone) -> Any:  # in place of a SentenceTransformer
    return Embedder(backbone, METHOD)


def vectors(backbone: Backbone, texts: Sequence[str], role: Role = "Context") -> NDArray[Any]:
    return encoder.encode(backbone, texts, METHOD, role=role).embeddings.astype(np.float64)


def test_every_evaluator_is_tested_or_not_offered_for_a_reason() -> None:
    assert set(evaluation.__all__) - set(NOT_OFFERED) == TESTED


def test_the_signature_is_the_librarys() -> None:
    def parameters(function: Any) -> dict[str, Any]:
        options = inspect.signature(inspect.unwrap(function)).parameters.values()
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return {each.name: each.default for each in options if each.kind == positional}

    theirs, ours = parameters(library.SentenceTransformer.encode), parameters(Embedder.encode)
    assert list(theirs) == list(ours)
    different = {name for name in theirs if theirs[name] != ours[name]}
    assert different == {"inputs", "normalize_embeddings"}
    for name in ("similarity", "similarity_pairwise"):
        theirs = parameters(getattr(library.SentenceTransformer, name))
        assert list(theirs) == list(parameters(getattr(Embedder, name)))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarities_are_the_librarys(embedder: Any, name: str) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 5, 8)).astype(np.float32)
    for value in (name, util.SimilarityFunction(name)):
        embedder.similarity_fn_name = value
        assert embedder.similarity_fn_name == name
    matrix = util.SimilarityFunction.to_similarity_fn(name)
    pairwise = util.SimilarityFunction.to_similarity_pairwise_fn(name)
    for b in (second, second[:3], torch.from_numpy(second), list(second)):
        torch.testing.assert_close(embedder.similarity(first, b), matrix(first, b))
    torch.testing.assert_close(embedder.similarity_pairwise(first, second), pairwise(first, second))


@pytest.mark.parametrize("name", SIMILARITIES)
def test_rated_pairs(backbone: Backbone, embedder: Any, name: str) -> None:
    first, second = TEXTS[:-1], TEXTS[1:]
    ratings = [float(number % 7) for number in range(len(first))]
    evaluator = evaluation.EmbeddingSimilarityEvaluator(first, second, ratings, name="own")
    embedder.similarity_fn_name = name
    result = evaluator(embedder)
    assert embedder.model_card_data.metrics == result
    if name == "cosine":
        at = np.arange(len(first))
        pairs = Pairs("own", tuple(TEXTS), at, at + 1, np.array(ratings), "")
        (score,) = analysis.score(backbone, pairs, METHOD)
        assert 100 * result["own_spearman_cosine"] == pytest.approx(
            score.measure("Spearman").value, abs=1e-4
        )
    assert set(result) == {f"own_pearson_{name}", f"own_spearman_{name}"}


def test_retrieval(backbone: Backbone, embedder: Any) -> None:
    relevant = [{number: 1, number + 7: 1} for number in range(len(QUERIES))]
    evaluator = evaluation.InformationRetrievalEvaluator(
        {f"q{number}": query for number, query in enumerate(QUERIES)},
        {f"d{number}": text for number, text in enumerate(TEXTS)},
        {f"q{number}": {f"d{at}" for at in row} for number, row in enumerate(relevant)},
    )
    result = evaluator(embedder)
    corpus = Retrieval("own", tuple(QUERIES), tuple(TEXTS), tuple(relevant), "")
    (score,) = analysis.score(backbone, corpus, METHOD)
    for theirs, ours in (("cosine_ndcg@10", "nDCG@10"), ("cosine_recall@10", "recall@10")):
        assert 100 * result[theirs] == pytest.approx(score.measure(ours).value, abs=1e-4)


def test_reranking(backbone: Backbone, embedder: Any) -> None:
    samples: list[Any] = [
        {"query": query, "positive": TEXTS[3 * n : 3 * n + 1], "negative": TEXTS[3 * n + 1 : 18]}
        for n, query in enumerate(QUERIES[:5])
    ]
    queries = vectors(backbone, QUERIES, "Query")
    precision, gain = [], []
    for number, sample in enumerate(samples):
        documents = vectors(backbone, [*sample["positive"], *sample["negative"]])
        relevant = [1] + [0] * (len(documents) - 1)
        cosines = documents @ queries[number]
        precision.append(average_precision_score(relevant, cosines))
        gain.append(ndcg_score([relevant], [cosines], k=10))
    for batched in (True, False):
        result = evaluation.RerankingEvaluator(samples, use_batched_encoding=batched)(embedder)
        assert result["map"] == pytest.approx(np.mean(precision), abs=1e-6)
        assert result["ndcg@10"] == pytest.approx(np.mean(gain), abs=1e-6)


def test_pairs_of_two_classes(backbone: Backbone, embedder: Any) -> None:
    first, second = TEXTS[:-1], TEXTS[1:]
    labels = [int(number % 3 == 0) for number in range(len(first))]
    rows = vectors(backbone, TEXTS)
    cosines = (rows[:-1] * rows[1:]).sum(axis=1)
    result = evaluation.BinaryClassificationEvaluator(first, second, labels)(embedder)
    expected = average_precision_score(labels, cosines)
    assert result["cosine_ap"] == pytest.approx(expected, abs=1e-6)


def test_triplets(backbone: Backbone, embedder: Any) -> None:
    anchors, positives, negatives = TEXTS[:7], TEXTS[7:14], TEXTS[14:21]
    a = vectors(backbone, anchors, "Query")
    p, n = vectors(backbone, positives), vectors(backbone, negatives)
    result = evaluation.TripletEvaluator(anchors, positives, negatives)(embedder)
    expected = ((a * p).sum(axis=1) > (a * n).sum(axis=1)).mean()
    assert result["cosine_accuracy"] == pytest.approx(expected)


def test_translations(backbone: Backbone, embedder: Any) -> None:
    sources, targets = TEXTS[:7], QUERIES
    cosines = vectors(backbone, sources) @ vectors(backbone, targets).T
    result = evaluation.TranslationEvaluator(sources, targets)(embedder)
    places = np.arange(len(sources))
    assert result["src2trg_accuracy"] == (cosines.argmax(axis=1) == places).mean()
    assert result["trg2src_accuracy"] == (cosines.argmax(axis=0) == places).mean()


def test_a_teacher_and_a_student(backbone: Backbone, embedder: Any) -> None:
    student: Any = Embedder(backbone, METHODS["mean"])
    expected = 100 * np.mean((embedder.encode(TEXTS) - student.encode(TEXTS)) ** 2)
    mse = evaluation.MSEEvaluator(TEXTS, TEXTS, teacher_model=embedder)
    assert mse(embedder)["negative_mse"] == 0
    assert -mse(student)["negative_mse"] == pytest.approx(expected, rel=1e-5)
    rows = [{"en": text, "de": text} for text in TEXTS]
    framed = evaluation.MSEEvaluatorFromDataFrame(rows, embedder, [("en", "de")])
    assert -framed(student)["negative_mse"] == pytest.approx(expected, rel=1e-5)


def test_paraphrases_are_the_nearest_pairs(backbone: Backbone, embedder: Any) -> None:
    cosines = vectors(backbone, TEXTS) @ vectors(backbone, TEXTS).T
    above = np.triu_indices(len(TEXTS), 1)
    expected = np.sort(cosines[above])[::-1]
    mined = util.paraphrase_mining(embedder, TEXTS, top_k=len(TEXTS))
    np.testing.assert_allclose([row[0] for row in mined], expected, atol=1e-6)
    for similar, first, second in mined:
        assert similar == pytest.approx(cosines[first, second], abs=1e-6)
    pairs = [("t0", "t1"), ("t2", "t5"), ("t3", "t9")]
    result = evaluation.ParaphraseMiningEvaluator(
        {f"t{number}": text for number, text in enumerate(TEXTS)}, pairs, top_k=len(TEXTS)
    )(embedder)
    wanted = {(int(a[1:]), int(b[1:])) for a, b in pairs}
    labels = [pair in wanted for pair in zip(*(at.tolist() for at in above), strict=True)]
    expected_precision = average_precision_score(labels, cosines[above])
    assert result["average_precision"] == pytest.approx(expected_precision, abs=1e-6)


def test_one_evaluator_after_the_other(embedder: Any) -> None:
    parts = [
        evaluation.TripletEvaluator(TEXTS[:7], TEXTS[7:14], TEXTS[14:21], name="first"),
        evaluation.TranslationEvaluator(TEXTS[:7], QUERIES, name="second"),
    ]
    result = evaluation.SequentialEvaluator(parts)(embedder)
    assert {"first_cosine_accuracy", "second_mean_accuracy"} <= set(result)


def test_search_finds_the_nearest(backbone: Backbone, embedder: Any) -> None:
    cosines = vectors(backbone, QUERIES, "Query") @ vectors(backbone, TEXTS).T
    hits = util.semantic_search(embedder.encode_query(QUERIES), embedder.encode(TEXTS), top_k=3)
    for row, similar in zip(hits, cosines, strict=True):
        nearest = np.sort(similar)[::-1][:3]
        np.testing.assert_allclose([hit["score"] for hit in row], nearest, atol=1e-6)
        np.testing.assert_allclose(similar[[hit["corpus_id"] for hit in row]], nearest, atol=1e-6)


def test_communities_lie_around_their_first_text(backbone: Backbone, embedder: Any) -> None:
    cosines = vectors(backbone, TEXTS) @ vectors(backbone, TEXTS).T
    threshold = float(np.quantile(cosines, 0.7))
    communities = util.community_detection(
        embedder.encode(TEXTS, convert_to_tensor=True), threshold, min_community_size=2
    )
    members = [text for community in communities for text in community]
    assert len(members) == len(set(members)) > 4
    for centre, *others in communities:
        assert (cosines[centre, others] >= threshold - 1e-6).all()
    largest = (cosines >= threshold).sum(axis=1).max()
    assert len(communities[0]) == largest


PASSAGES = TEXTS[: len(QUERIES)]


def mined(model: Any, **options: Any) -> list[str]:
    data = Dataset.from_dict({"query": QUERIES, "passage": PASSAGES})
    rows = util.mine_hard_negatives(data, model, num_negatives=1, verbose=False, **options)
    assert rows["query"][:] == QUERIES
    return list(rows["negative"])


def test_hard_negatives_are_the_nearest_other_passages(backbone: Backbone, embedder: Any) -> None:
    cosines = vectors(backbone, QUERIES, "Query") @ vectors(backbone, PASSAGES).T
    np.fill_diagonal(cosines, -1)
    assert mined(embedder) == [PASSAGES[at] for at in cosines.argmax(axis=1)]


def test_stored_vectors_of_hard_negatives_are_not_another_plans(
    backbone: Backbone, embedder: Any, tmp_path: Path
) -> None:
    others = [
        Embedder(backbone, METHODS["kv-embedding"].under(Plan((4, 5), 3.0))),
        Embedder(backbone, METHOD),
    ]
    others[1].max_seq_length = 45
    expected = [mined(model) for model in (embedder, *others)]
    assert len({tuple(rows) for rows in expected}) == 3
    for _ in range(2):  # the second time from the disk
        for model, rows in zip((embedder, *others), expected, strict=True):
            assert mined(model, cache_folder=str(tmp_path)) == rows
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("role", ["query", "document"])
def test_names_of_prompts_are_roles(backbone: Backbone, embedder: Any, role: str) -> None:
    positional = embedder.encode(TEXTS[:3], role)
    np.testing.assert_allclose(positional, vectors(backbone, TEXTS[:3], ROLES[role]), atol=1e-6)
