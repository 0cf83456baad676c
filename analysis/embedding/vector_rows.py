"""Rows of vectors from any collection, checked and scaled to unit length."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError

UNIT = 1e-6
"""A float32 row whose length differs from 1 by less is taken as it is, to the last bit."""
_BLOCK = 4096  # rows handled at a time


def as_rows(name: str, vectors: Any) -> NDArray[Any]:
    """Vectors as an array (N, D) of real numbers, in whatever collection they are given.

    Args:
        name: what they are called, for an error.
        vectors: an array, a list of rows, or a column of Arrow, datasets, pandas or polars.

    Raises:
        CorpusError: they are not rows of as many real numbers.
    """
    if (to_numpy := getattr(vectors, "to_pylist", None)) is not None:
        vectors = to_numpy()  # Arrow's own scalars are no numbers
    try:
        rows = np.asarray(vectors)
        if rows.dtype == object:
            rows = np.array([np.asarray(row, np.float64) for row in vectors])
    except (TypeError, ValueError, OverflowError):
        raise CorpusError(f"{name} is not {_ROWS}; {_unlike(vectors)}.") from None
    if rows.ndim != 2 or 0 in rows.shape or rows.dtype.kind not in "fiu":
        shape = " x ".join(map(str, rows.shape)) or "a single value"
        raise CorpusError(f"{name} is not {_ROWS}; it is {shape} of {rows.dtype}.")
    return rows


_ROWS = "a table of vectors, a row of as many real numbers for each text"


def _unlike(vectors: Any) -> str:
    """The first row that is not like the first, for an error."""
    try:
        lengths = [len(row) for row in vectors]
    except TypeError:
        return "a row is missing or is no list of numbers"
    for row, length in enumerate(lengths, 1):
        if length != lengths[0]:
            return f"row {row:,} has {length:,} numbers, the first {lengths[0]:,}"
    return "a row holds what is no number"


def unit_rows(name: str, rows: NDArray[Any]) -> NDArray[np.float32]:
    """The rows in unit length; float32 rows that have it stay as they are.

    Args:
        name: what they are called, for an error.
        rows: shape (N, D), real numbers.

    Returns:
        float32 (N, D), which cannot be written to.

    Raises:
        CorpusError: a row is all zero, or holds what is no finite number.
    """
    unit = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK].astype(np.float64)
        largest = np.abs(block).max(axis=1, keepdims=True)
        for problem, bad in (
            ("holds what is no finite number", ~np.isfinite(largest)),
            ("is all zero and has no direction", largest == 0),
        ):
            if bad.any():
                row = start + int(np.argmax(bad)) + 1
                raise CorpusError(f"Row {row:,} of {name} {problem}; correct it, or leave it out.")
        scaled = block / largest  # squares of very large or small numbers would not be finite
        norms = np.linalg.norm(scaled, axis=1, keepdims=True)
        new = (scaled / norms).astype(np.float32)
        is_unit = (np.abs(norms * largest - 1) < UNIT)[:, 0]
        if rows.dtype == np.float32:
            new[is_unit] = rows[start : start + _BLOCK][is_unit]
        unit[start : start + _BLOCK] = new
    unit.setflags(write=False)
    return unit
