"""The one way in for collections of texts: what is a list of texts is read, the rest refused.

Columns of pandas, polars, Arrow and datasets are known by what they offer, so none of these
packages is imported.
"""

from collections.abc import Iterable, KeysView, Mapping, Set
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import numpy as np

from ..errors import CorpusError

_SCALARS_OF_PANDAS = ("NAType", "NaTType")
_LIST = "give a list of strings"


def as_texts(texts: Iterable[str], unit: str = "text") -> tuple[str, ...]:
    """Read a collection of texts.

    Args:
        texts: A list, a tuple, an iterator, a one-dimensional array of numpy, a column of pandas,
            polars or datasets, an Arrow array, or our own ``Texts``. An iterator is used up.
        unit: What one of them is called in an error.

    Returns:
        The N texts in their order, each a plain ``str``; a tuple of these is returned as it is.

    Raises:
        CorpusError: It is a single string, bytes, a table, a dictionary, a set or anything else
            that is no list of texts; or a value is missing or no string, with the number of the
            first such value, from 1.
    """
    if type(texts) is tuple and all(type(text) is str for text in texts):
        return texts
    return tuple(_text(value, number, unit) for number, value in enumerate(_values(texts), 1))


def as_labels(labels: Iterable[object]) -> tuple[str, ...]:
    """Read a collection of labels as :func:`as_texts` does; numbers become strings.

    Raises:
        CorpusError: As :func:`as_texts`.
    """
    if type(labels) is tuple and all(type(label) is str for label in labels):
        return labels
    return tuple(
        str(value)
        if isinstance(value, int | float | np.number | np.bool_) and not _is_missing(value)
        else _text(value, number, "label")
        for number, value in enumerate(_values(labels), 1)
    )


def only_column(table: Any) -> Any:
    """Return the column of a table or array that has exactly one, else the value unchanged."""
    if (columns := _columns(table)) is not None:
        try:
            return table[columns[0]] if len(columns) == 1 else table
        except TypeError:  # a query that is not carried out yet
            return table
    return table[:, 0] if getattr(table, "shape", ())[1:] == (1,) else table


def _columns(table: object) -> tuple[Any, ...] | None:
    """The names of the columns of a table, or None for other values.

    Frames of pandas, polars and their like, Arrow tables, sets of datasets and structured arrays of
    numpy are tables.
    """
    if (schema := getattr(type(table), "collect_schema", None)) is not None:  # of polars
        return tuple(schema(table).names())
    for name in ("column_names", "columns"):  # of the class: a Series has its index as attributes
        if hasattr(type(table), name):
            names = getattr(table, name)
            return () if names is None else tuple(names)
    return getattr(getattr(table, "dtype", None), "names", None)


def _values(texts: Any) -> Iterable[object]:
    """The values of a collection in their order; CorpusError for what is none."""
    match texts:
        case str():
            raise CorpusError(
                f"A single string is no list of texts; put it into a list: [{_shorten(texts)}]."
            )
        case bytes() | bytearray() | memoryview():
            raise CorpusError("Bytes are no list of texts; decode them, and " + _LIST + ".")
        case Mapping():
            raise CorpusError("A dictionary is no list of texts; give one of its values.")
        case Set() if not isinstance(texts, KeysView):
            raise CorpusError(
                "A set of texts has no order, so vectors could not be told apart; give a list, "
                "for example sorted(texts)."
            )
    if isinstance(texts, PurePath) or callable(getattr(texts, "readline", None)):
        raise CorpusError(
            "A file is no list of texts; read it with load_texts(path), which gives them."
        )
    if (columns := _columns(texts)) is not None:
        names = ", ".join(_shorten(column) for column in columns[:8])
        example = _shorten(columns[0]) if columns else "name"
        raise CorpusError(
            f"A table is no list of texts; give one of its columns, such as table[{example}] "
            f"(it has {names or 'none'}{', ...' if len(columns) > 8 else ''})."
        )
    dimensions = getattr(texts, "ndim", 1)
    if dimensions != 1:
        raise CorpusError(
            f"An array of {dimensions} dimensions is no list of texts; give one of 1 dimension, "
            "such as a single column."
        )
    if (to_list := getattr(type(texts), "to_pylist", None)) is not None:
        return list(to_list(texts))  # Arrow's own scalars are no strings
    try:
        return iter(texts)
    except TypeError:
        kind = type(texts).__name__
        raise CorpusError(f"A value of the type {kind} is no list of texts; {_LIST}.") from None


def _text(value: object, number: int, unit: str) -> str:
    """One value as a plain string."""
    if type(value) is str:
        return value
    if isinstance(value, str):  # of numpy, or an enumeration's
        return str.__str__(value)
    place = f"{unit.capitalize()} {number}"
    if _is_missing(value):
        raise CorpusError(f"{place} is missing ({value}); remove it, or write a text in its place.")
    if isinstance(value, bytes | bytearray):
        raise CorpusError(f"{place} is bytes, not a string; decode it first, as UTF-8 for example.")
    raise CorpusError(f"{place} is not a string but of the type {type(value).__name__}; {_LIST}.")


def _is_missing(value: object) -> bool:
    """Return whether a value stands for a missing one in Python, numpy, pandas or Arrow."""
    if value is None or value is np.ma.masked or type(value).__name__ in _SCALARS_OF_PANDAS:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()  # one that signals cannot be compared
    return isinstance(value, float | np.number | np.datetime64) and bool(value != value)


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 26 else f"{text[:22]}...{text[-1]}"
