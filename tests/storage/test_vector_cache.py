"""Embeddings kept text by text: whole or not at all, never unpickled, and no text done twice."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from analysis.backbones.backbone import Backbone
from analysis.embedding import cached_encoder, encoder
from analysis.embedding.cached_encoder import CachedEncoder
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.errors import CorpusError
from analysis.experiments import score as scores
from analysis.rerouting.plan import Plan
from analysis.runtime import events
from analysis.storage import result_store, vector_cache
from analysis.storage.vector_cache import Vector
from tests.support.environment import GUARDED

TEXTS = [f"Text number {'x' * (7 * i % 31)} {i}." for i in range(40)]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is encoded from here on."""
    seen: list[str] = []
    inner = encoder.encode_methods

    def watched(backbone: Backbone, texts: list[str], *args: Any, **kwargs: Any) -> Any:
        seen.extend(texts)
        return inner(backbone, texts, *args, **kwargs)

    monkeypatch.setattr(encoder, "encode_methods", watched)
    return seen


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    text=st.text(),
    embedding=arrays_of.arrays(np.float32, st.integers(2, 9), elements=st.floats(-1, 1, width=32)),
    cut=st.integers(0, 2**32 - 1),
    norm=st.floats(0, 1e6, width=32),
)
def test_what_is_kept_is_known(
    empty_cache: Path,  # noqa: ARG001
    text: str,
    embedding: np.ndarray,
    cut: int,
    norm: float,
) -> None:
    vector_cache.store("recipe", {text: Vector(embedding, cut, norm)})
    result = vector_cache.load("recipe", [text])[text]
    np.testing.assert_array_equal(result.embedding, embedding)
    assert (result.cut, result.norm) == (cut, norm)
    assert vector_cache.load("another", [text]) == {}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"short",
        lambda data: data[:-4],
        lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
        "words",
        3,
    ],
)
def test_a_damaged_vector_counts_as_missing(empty_cache: Path, damage: Any) -> None:
    vector_cache.store("recipe", {"a": Vector(np.ones(4, np.float32), 0)})
    (file,) = empty_cache.rglob("*.db")
    with closing(sqlite3.connect(file)) as raw, raw:
        ((value,),) = raw.execute("SELECT value FROM vectors")
        value = damage(value) if callable(damage) else damage
        raw.execute("UPDATE vectors SET value = ?", (value,))
    assert vector_cache.load("recipe", ["a"]) == {}


def test_a_vector_under_another_key_counts_as_missing(empty_cache: Path) -> None:
    vector_cache.store("recipe", {text: Vector(np.ones(4, np.float32), 0) for text in "ab"})
    (file,) = empty_cache.rglob("*.db")
    with closing(sqlite3.connect(file)) as raw, raw:
        (first, second) = [value for (value,) in raw.execute("SELECT value FROM vectors")]
        raw.execute("UPDATE vectors SET value = ? WHERE value = ?", (first, second))
    assert len(vector_cache.load("recipe", ["a", "b"])) == 1


@pytest.mark.slow
def test_no_flipped_bits_change_a_vector(empty_cache: Path) -> None:
    """Three in each of 200 copies of a database: vectors are right or missing."""
    rows = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    vectors = {f"text {number}": Vector(row, number) for number, row in enumerate(rows)}
    vector_cache.store("recipe", vectors)
    (file,) = empty_cache.rglob("*.db")
    sound, rng = file.read_bytes(), np.random.default_rng(1)
    missing = 0
    for _ in range(200):
        data = bytearray(sound)
        for place in rng.integers(len(data), size=3):
            data[place] ^= 1 << int(rng.integers(8))
        for path in file.parent.iterdir():
            path.unlink()
        file.write_bytes(data)
        for text, vector in (left := vector_cache.load("recipe", list(vectors))).items():
            assert vector.cut == vectors[text].cut
            np.testing.assert_array_equal(vector.embedding, vectors[text].embedding)
        missing += len(left) < len(vectors)
        for _ in range(2):  # the first may be what finds the damage
            vector_cache.store("recipe", {"new": vectors["text 1"]})
            known = vector_cache.load("recipe", ["new"])
        assert "new" in known
    assert missing > 50


def test_vectors_of_other_versions_are_others(
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vector_cache.store("recipe", {"a": Vector(np.ones(4, np.float32), 0)})
    monkeypatch.setattr(result_store, "versions", lambda: {"torch": "99.0"})
    assert vector_cache.load("recipe", ["a"]) == {}


def test_work_goes_on_without_a_store_and_says_so_once(llama: Backbone, empty_cache: Path) -> None:
    empty_cache.mkdir()
    (empty_cache / "vectors").write_text("not a folder")
    sentences: list[str] = []
    with events.listening(sentences.append):
        for _ in range(2):
            (result,) = cached_encoder.encode_methods(llama, TEXTS, [DEFAULT])
    assert result.embeddings.shape[0] == len(TEXTS)
    assert [sentence.split(",")[0] for sentence in sentences] == [
        "Embeddings are computed again",
        "Embeddings are computed and not stored",
    ]
    assert all("vectors" in sentence and "set KVE_CACHE" in sentence for sentence in sentences)


def test_inside_one_shelf_nothing_is_kept(tmp_path: Path) -> None:
    with result_store.only(tmp_path / "shelf"):
        vector_cache.store("recipe", {"a": Vector(np.ones(4, np.float32), 0)})
        assert vector_cache.load("recipe", ["a"]) == {}
    assert not (tmp_path / "shelf").exists()


@pytest.mark.slow
def test_only_new_texts_are_encoded(llama: Backbone, encoded: list[str]) -> None:
    plans = [DEFAULT.under(Plan((2,))), METHODS["mean"]]
    first = cached_encoder.encode_methods(llama, TEXTS[:30], plans)
    assert sorted(encoded) == sorted(TEXTS[:30])
    encoded.clear()
    second = cached_encoder.encode_methods(llama, [*TEXTS[20:], *TEXTS[20:25]], plans)
    assert sorted(encoded) == sorted(TEXTS[30:])
    for method, before, after in zip(plans, first, second, strict=True):
        expected = encoder.encode(llama, TEXTS, method).embeddings
        np.testing.assert_allclose(before.embeddings, expected[:30], atol=2e-6)
        np.testing.assert_allclose(after.embeddings[:20], expected[20:], atol=2e-6)
        np.testing.assert_array_equal(after.embeddings[20:], after.embeddings[:5])


def test_only_what_decides_an_embedding_tells_recipes_apart(
    llama: Backbone, encoded: list[str]
) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = [
        (DEFAULT.under(Plan((2,))), {}),
        (DEFAULT.under(Plan((2,), 2.0)), {}),
        (DEFAULT.under(Plan((3,))), {}),
        (DEFAULT.under(Plan((2,))), {"role": "Query"}),
        (DEFAULT.under(Plan((2,))), {"max_tokens": 60}),
        (METHODS["prompt-only"], {}),
    ]
    for request, how in asked:
        encoded.clear()
        cached_encoder.encode_methods(llama, TEXTS[:3], [request], **how)
        assert len(encoded) == 3
    encoded.clear()
    cached_encoder.encode_methods(llama, TEXTS[:3], [DEFAULT])  # prompt-only by another name
    assert encoded == []


@pytest.mark.slow
def test_interrupted_work_goes_on_from_its_last_chunk(
    llama: Backbone, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_cache, "CHUNK", 8)

    def stop(done: int, full: int) -> None:
        assert full == len(TEXTS)
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_encoder.encode_methods(llama, TEXTS, [DEFAULT], progress=stop)
    encoded.clear()
    steps: list[int] = []
    (result,) = cached_encoder.encode_methods(
        llama, TEXTS, [DEFAULT], progress=lambda done, _: steps.append(done)
    )
    assert len(encoded) == 24
    assert steps == sorted(steps)
    assert steps[-1] == len(TEXTS)
    full = encoder.encode(llama, TEXTS, DEFAULT).embeddings
    np.testing.assert_allclose(result.embeddings, full, atol=2e-6)


def test_traced_plans_leave_their_vectors(
    llama: Backbone, encoded: list[str], rated: Callable[[], Any]
) -> None:
    pairs = rated()
    scores.score(llama, pairs, [DEFAULT.under(Plan((3,)))], traced=True)
    cached_encoder.encode_methods(llama, pairs.texts, [DEFAULT.under(Plan((3,)))])
    assert encoded == []


@pytest.fixture
def rated() -> Callable[[], Any]:
    """Eleven rated pairs of twelve texts."""
    from analysis.corpora.types import Pairs

    return lambda: Pairs(
        "made up", tuple(TEXTS[:12]), np.arange(11), np.arange(1, 12), np.arange(11.0), "here"
    )


def test_no_text_is_refused(llama: Backbone) -> None:
    with pytest.raises(CorpusError, match="no text to encode"):
        cached_encoder.encode_methods(llama, [], [DEFAULT])


def test_several_processes_store_at_once(empty_cache: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from analysis.storage import vector_cache as vectors\n"
        "from analysis.storage.vector_cache import Vector\n"
        "for i in range(30):\n"
        "    new = {f'{sys.argv[1]}-{i}-{j}': Vector(np.full(8, j, np.float32), i) "
        "for j in range(9)}\n"
        "    vectors.store('recipe', new)\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)],
            env={**__import__("os").environ, **GUARDED, "KVE_CACHE": str(empty_cache)},
            cwd=Path(__file__).resolve().parents[2],
        )
        for number in range(3)
    ]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    names = [f"{n}-{i}-{j}" for n in range(3) for i in range(30) for j in range(9)]
    assert len(vector_cache.load("recipe", names)) == len(names)


def test_a_vector_kept_without_its_norm_is_read_and_known_to_lack_it(llama: Backbone) -> None:
    encoder_ = MethodEncoder(llama, METHODS["mean"])
    recipe = result_store.digest(encoder_.identity, "Context")
    full = encoder_.encode(TEXTS[:2])
    assert full.norms is not None
    old = {text: Vector(row, 0) for text, row in zip(TEXTS[:2], full.embeddings, strict=True)}
    vector_cache.store(recipe, old)
    assert not vector_cache.load(recipe, TEXTS[:1])[TEXTS[0]].has_norm
    assert CachedEncoder(encoder_).encode(TEXTS[:2]).norms is None
    result = CachedEncoder(encoder_, norms=True).encode(TEXTS[:2])
    assert result.norms is not None
    np.testing.assert_allclose(result.norms, full.norms, rtol=1e-6)
    again = CachedEncoder(encoder_).encode(TEXTS[:2])
    np.testing.assert_allclose(again.pooled, full.pooled, atol=1e-5)
    assert again.tokens == 0
