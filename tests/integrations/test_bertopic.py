"""BERTopic on our embeddings, and the clustering that it is made of."""

import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA

from analysis.backbones.backbone import Backbone
from analysis.integrations.sentence_transformers import Embedder

KINDS = ("the boat is by the river and the bank", "WHO LENDS US 1000 POUNDS", "?!?! ;;;; ---- ////")
TEXTS = [f"{kind} {number}" for kind in KINDS for number in range(12)]
LABELS = np.repeat(np.arange(3), 12)


@pytest.fixture
def embedder(llama: Backbone) -> Embedder:
    return Embedder(llama, "mean")


def test_hdbscan_finds_the_kinds_of_text(embedder: Embedder) -> None:
    found = HDBSCAN(min_cluster_size=6, copy=True).fit_predict(embedder.encode(TEXTS))
    assert {tuple(np.unique(found[kind == LABELS])) for kind in range(3)} == {(0,), (1,), (2,)}


@pytest.mark.slow
def test_bertopic_takes_the_backend_and_no_model_of_its_own(embedder: Embedder) -> None:
    bertopic = pytest.importorskip("bertopic")
    from bertopic.backend._utils import select_backend

    from analysis.integrations.bertopic import BERTopicBackend

    def topics(**given: object) -> tuple[object, list[int]]:
        model = bertopic.BERTopic(
            embedding_model=BERTopicBackend(embedder),
            umap_model=PCA(5),
            hdbscan_model=HDBSCAN(min_cluster_size=6, copy=True),
        )
        return model, model.fit_transform(TEXTS, **given)[0]

    model, from_texts = topics()
    assert {len(set(np.array(from_texts)[kind == LABELS])) for kind in range(3)} == {1}
    assert len(set(from_texts)) == 3
    assert topics(embeddings=embedder.encode_document(TEXTS))[1] == from_texts
    expected = embedder.encode_document(TEXTS[:3])
    np.testing.assert_array_equal(model._extract_embeddings(TEXTS[:3]), expected)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="SentenceTransformers"):
        select_backend(embedder)
