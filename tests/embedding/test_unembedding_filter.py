"""The filter of the unembedding: known answers, and equality with the published order of steps."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from analysis.backbones import passes
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.unembedding import unembedding
from analysis.corpora.types import Pairs
from analysis.embedding import unembedding_directions
from analysis.embedding.batching import prepare
from analysis.embedding.cached_encoder import CachedEncoder, encode_methods
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.external import Precomputed
from analysis.embedding.methods import METHODS, variant
from analysis.embedding.named_methods import method
from analysis.embedding.pooling import pool, weights
from analysis.embedding.postprocessing import POSTPROCESSINGS, unembedding_filter
from analysis.embedding.read_out import width
from analysis.embedding.unembedding_directions import directions
from analysis.errors import BackboneError, OutOfMemory, PlanError
from analysis.experiments.score import score
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.pass_request import PassRequest
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import save_headed

RNG = np.random.default_rng(0)
TEXTS = ("The boat is by the bank.", "A loan.", "Rain on the train, and a song.")
FILTERS = [name for name, step in POSTPROCESSINGS.items() if step.needs == "unembedding"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for backbones with an unembedding."""
    return tmp_path_factory.mktemp("headed")


@pytest.fixture
def headed(folders: Path, empty_cache: Path) -> Backbone:
    """A tiny backbone with an unembedding of its own, of which nothing is stored."""
    del empty_cache
    return of_family(folders, "llama")


def of_family(folders: Path, family: str) -> Backbone:
    folder = folders / family
    return load(folder if folder.exists() else save_headed(folder, family), dtype="float32")


def test_the_middle_directions_are_kept() -> None:
    directions = np.eye(8, dtype=np.float32)[::-1].copy()  # the first direction is channel 7
    vectors = np.arange(1, 17, dtype=np.float32).reshape(2, 8)
    expected = vectors[:, [5, 4, 3, 2]]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(unembedding_filter(2)(directions)(vectors), expected, atol=1e-7)
    odd = unembedding_filter(3)(directions)(vectors)  # 2 of 8, from (8 - 2) // 2 on
    np.testing.assert_allclose(
        odd, expected[:, 1:3] / np.linalg.norm(expected[:, 1:3], axis=1)[:, None]
    )
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(unembedding_filter(1)(directions)(vectors), unit[:, ::-1], atol=1e-7)


@pytest.mark.parametrize("ratio", [0, -1, 1.5, True, "2"])
def test_a_ratio_is_a_whole_number(ratio: Any) -> None:
    with pytest.raises(PlanError, match="a whole number of at least 1") as raised:
        unembedding_filter(ratio)
    assert_one_sentence(raised.value)


def test_a_filter_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(PlanError, match="of 4 is none; take a lower ratio"):
        unembedding_filter(8)(np.eye(4, dtype=np.float32))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "cohere2", "granite"])
def test_directions_are_the_right_singular_vectors(folders: Path, family: str) -> None:
    backbone = of_family(folders, family)
    found = directions(backbone)
    _, _, expected = np.linalg.svd(
        unembedding(backbone).weight.double().numpy(), full_matrices=False
    )
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-5)
    signs = np.sign((found * expected).sum(1, keepdims=True))
    np.testing.assert_allclose(signs * found, expected, atol=1e-3)
    middle = slice(len(found) // 4, len(found) // 4 + len(found) // 2)
    projectors = [rows[middle].T @ rows[middle] for rows in (found, expected)]
    np.testing.assert_allclose(projectors[0], projectors[1], atol=1e-4)


def test_directions_are_stored(headed: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    found = directions(headed)
    monkeypatch.setattr(unembedding_directions, "_computed", lambda _: pytest.fail("stored"))
    np.testing.assert_array_equal(directions(headed), found)


@pytest.mark.parametrize("name", ["prompt-eol", "echo", "mean", "kv-embedding"])
def test_filtering_states_and_pooling_is_pooling_and_filtering(headed: Backbone, name: str) -> None:
    chosen = METHODS[name]
    assert chosen.reading.norm == "post"
    rows = directions(headed).astype(np.float64)
    middle = torch.from_numpy(rows[len(rows) // 4 : len(rows) // 4 + len(rows) // 2])
    ready = prepare(headed, TEXTS, chosen)
    expected = np.empty((ready.distinct, len(middle)))
    with headed.lock:
        for batch in ready.batches:
            final = passes.run(headed, PassRequest(batch.ids, batch.lengths)).final
            filtered = (final.double() @ middle.T).float()
            pooled = pool(filtered, weights(batch.prompts, chosen.pooling)).double()
            expected[list(batch.rows)] = (pooled / pooled.norm(dim=1, keepdim=True)).numpy()
    encoder = CachedEncoder(MethodEncoder(headed, variant(chosen, processing=FILTERS[0])))
    found = encoder.encode(TEXTS).embeddings
    assert found.shape == (len(TEXTS), headed.facts.hidden // 2)
    np.testing.assert_allclose(found, expected[ready.of_text[0]], atol=3e-6)


@pytest.mark.parametrize("step", FILTERS)
def test_every_door_gives_the_filtered_vectors(headed: Backbone, step: str) -> None:
    spelled = method(f"prompt-eol+{step}")
    named = variant(METHODS["prompt-eol"], processing=step)
    assert spelled.identity == named.identity
    (encoding,) = encode_methods(headed, TEXTS, [named])
    assert encoding.embeddings.shape[1] == width(headed, named)
    embedder = Embedder(headed, spelled)
    np.testing.assert_array_equal(embedder.encode(list(TEXTS)), encoding.embeddings)
    assert embedder.get_sentence_embedding_dimension() == encoding.embeddings.shape[1]
    pairs = Pairs("made", TEXTS, np.array([0, 1, 2]), np.array([1, 2, 0]), np.arange(3.0), "")
    (scored,) = score(headed, pairs, [named])
    rows = encoding.embeddings.astype(np.float64)
    assert scored.cosines is not None
    np.testing.assert_allclose(
        scored.cosines, (rows[[0, 1, 2]] * rows[[1, 2, 0]]).sum(1), atol=1e-6
    )


def test_any_output_layer_is_filtered_as_it_is_read(headed: Backbone) -> None:
    raw = variant(METHODS["mean"], output_layer=1)
    (states, filtered) = encode_methods(
        headed, TEXTS, [raw, replace(raw, processing="unembedding-filter")]
    )
    expected = unembedding_filter(2)(directions(headed))(states.embeddings)
    np.testing.assert_array_equal(filtered.embeddings, expected)


def test_what_has_no_unembedding_is_refused(
    headed: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PlanError, match="values, which are no directions") as raised:
        method("va+unembedding-filter")
    assert_one_sentence(raised.value)
    elsewhere = Precomputed("mine", RNG.normal(size=(3, 8)).astype(np.float32), TEXTS)
    with pytest.raises(PlanError, match="needs a backbone's unembedding, and mine") as raised:
        elsewhere.processed("unembedding-filter").encode(TEXTS)
    assert_one_sentence(raised.value)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(OutOfMemory, match="The directions of llama's unembedding take"):
        directions(headed)


def test_a_backbone_without_an_unembedding_is_refused_by_its_name(llama: Backbone) -> None:
    with pytest.raises(BackboneError, match=r"^tiny llama has no unembedding") as raised:
        CachedEncoder(MethodEncoder(llama, method("mean+unembedding-filter"))).encode(TEXTS)
    assert_one_sentence(raised.value)
