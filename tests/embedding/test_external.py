"""Vectors made elsewhere: taken as they are, matched by the text, refused in one sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.embedding.external import ALIKE, Precomputed
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(4, 3)).astype(np.float32)
TEXTS = ("a boat", "a bank", "a river", "a loan")


def made(vectors: Any, texts: Any = TEXTS, name: str = "mine") -> Precomputed:
    """Vectors from any values, as people may give them."""
    return Precomputed(name, vectors, texts)


def test_vectors_are_found_by_their_texts_in_any_order() -> None:
    vectors = Precomputed("mine", ROWS, TEXTS)
    expected = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    found = vectors.encode(["a loan", "a boat", "a loan"])
    np.testing.assert_allclose(found.embeddings, expected[[3, 0, 3]], rtol=1e-6)
    assert found.embeddings.dtype == np.float32
    assert found.cut == (0, 0, 0)
    assert found.provenance.sentence == vectors.source
    assert vectors.source.startswith("vectors from an array, dimension 3, digest ")


def test_rows_of_unit_length_stay_to_the_last_bit() -> None:
    unit = (ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)).astype(np.float32)
    np.testing.assert_array_equal(Precomputed("mine", unit, TEXTS).vectors, unit)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int8]),
        st.tuples(st.integers(1, 6), st.integers(1, 9)),
        elements={"min_value": 1, "max_value": 100},
    ),
    st.floats(1e-150, 1e150),
)
def test_any_vectors_become_unit_vectors_of_their_direction(rows: Any, scale: float) -> None:
    unit = made(rows, [str(i) for i in range(len(rows))]).vectors
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(unit, wide / np.linalg.norm(wide, axis=1, keepdims=True), atol=1e-6)
    scaled = made(wide * scale, [str(i) for i in range(len(rows))]).vectors
    np.testing.assert_allclose(scaled, unit, atol=1e-6)


@pytest.mark.parametrize(
    "column",
    [
        ROWS.tolist(),
        pa.array(ROWS.tolist()),
        pa.chunked_array([pa.array(ROWS[:1].tolist()), pa.array(ROWS[1:].tolist())]),
        pd.Series([*ROWS]),
    ],
    ids=["lists", "arrow", "chunks", "pandas"],
)
def test_columns_of_vectors_are_arrays(column: Any) -> None:
    np.testing.assert_allclose(
        Precomputed("mine", column, TEXTS).vectors, Precomputed("mine", ROWS, TEXTS).vectors
    )


def test_the_identity_is_of_vectors_and_texts_not_of_the_name() -> None:
    digest = Precomputed("mine", ROWS, TEXTS).digest
    assert Precomputed("other", ROWS.astype(np.float64), TEXTS, "a.npy").digest == digest
    assert Precomputed("mine", ROWS, TEXTS[::-1]).digest != digest
    changed = ROWS.copy()
    changed[2, 1] += 1e-3
    assert Precomputed("mine", changed, TEXTS).digest != digest


def test_a_text_given_twice_has_the_first_of_its_vectors() -> None:
    rows = np.vstack([ROWS, ROWS[0] * (1 + ALIKE / 10)])
    vectors = Precomputed("mine", rows, (*TEXTS, TEXTS[0]))
    np.testing.assert_array_equal(vectors.encode([TEXTS[0]]).embeddings[0], vectors.vectors[0])


def test_vectors_without_texts_take_those_of_a_corpus_of_as_many() -> None:
    vectors = Precomputed("mine", ROWS).bound("lee50", TEXTS)
    assert vectors.texts == TEXTS
    assert vectors.bound("another", ("x",)) is vectors
    for texts, said in ((TEXTS[:3], "lee50 has 3 texts"), (None, "queries and documents")):
        with pytest.raises(CorpusError, match=said) as caught:
            Precomputed("mine", ROWS).bound("lee50", texts)
        assert_one_sentence(caught.value)


def _with(row: int, value: float) -> Any:
    rows = ROWS.copy()
    rows[row] = value
    return rows


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "one axis": (lambda: made(ROWS[0], TEXTS), "it is 3 of float32"),
    "three axes": (lambda: made(ROWS[None], TEXTS), "1 x 4 x 3"),
    "no rows": (lambda: made(ROWS[:0], ()), "0 x 3"),
    "a number": (lambda: made(np.float32(1), TEXTS), "a single value"),
    "words": (lambda: made(np.array([["a"]]), ("a",)), "of <U1"),
    "complex numbers": (lambda: made(ROWS * 1j, TEXTS), "complex"),
    "rows of two lengths": (
        lambda: made([[1.0, 2], [1.0, 2], [1.0]], TEXTS[:3]),
        "row 3 has 1 numbers, the first 2",
    ),
    "a row is missing": (
        lambda: made([[1.0, 2], None], TEXTS[:2]),
        "a row is missing",
    ),
    "no vectors": (lambda: made(None, TEXTS), "a row is missing"),
    "not a number": (
        lambda: made(_with(2, np.nan), TEXTS),
        "Row 3 of mine holds what is no finite number",
    ),
    "infinite": (lambda: made(_with(1, np.inf), TEXTS), "Row 2 of mine holds"),
    "zeros": (lambda: made(_with(3, 0), TEXTS), "Row 4 of mine is all zero"),
    "fewer texts": (lambda: made(ROWS, TEXTS[:3]), "4 vectors and 3 texts"),
    "a text is none": (lambda: made(ROWS, (*TEXTS[:3], None)), "Text 4 is missing"),
    "one text of two vectors": (
        lambda: made(ROWS, (*TEXTS[:3], TEXTS[1])),
        "rows 2 and 4: 'a bank'",
    ),
    "no name": (lambda: made(ROWS, name=""), "Vectors have a name of at most 60"),
    "a name of two lines": (lambda: made(ROWS, name="a\nb"), "not 'a\\nb'."),
    "a long name": (lambda: made(ROWS, name="x" * 61), "at most 60 letters"),
    "a name in HTML": (lambda: made(ROWS, name="<b>x"), "not '<b>x'."),
    "a method's name": (lambda: made(ROWS, name="echo"), "which is a method"),
    "no text": (lambda: made(ROWS, TEXTS).encode([]), "no text to encode"),
    "texts that are lacking": (
        lambda: made(ROWS, TEXTS).encode(["A boat", "a boat", "b"]),
        "no vector for 2 of 3 texts, the first of them 'A boat'",
    ),
    "vectors that are not bound": (
        lambda: made(ROWS, None).encode(["a"]),
        "no vector for 1 of 1 texts",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD)
def test_what_are_no_vectors_of_texts_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(CorpusError) as caught:
        make()
    assert said in str(caught.value)
    assert_one_sentence(caught.value)
