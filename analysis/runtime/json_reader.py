"""JSON as people send it: a key that an object has twice is refused, not one of them dropped."""

import json
from collections import Counter
from typing import Any

from ..errors import quoted


class JSONProblem(ValueError):  # noqa: N818
    """Why a text is not read, as words for brackets."""


class RepeatedKey(JSONProblem):
    """An object has a key twice."""


def read(text: str | bytes, *, finite: bool = False) -> Any:
    """Read a JSON document.

    Args:
        text: the document.
        finite: whether NaN and infinities, which are not JSON but often written, are refused.

    Raises:
        JSONProblem: it is not JSON, nested too deeply, or holds an integer of over 4,300 digits.
        RepeatedKey: an object of it has a key twice.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_distinct, parse_constant=_refuse if finite else float
        )
    except JSONProblem:
        raise
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
        raise JSONProblem(reason) from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise RepeatedKey(f"the key {quoted(next(k for k, n in counts.items() if n > 1))} twice")
    return values


def _refuse(constant: str) -> Any:
    raise JSONProblem(f"the number {constant}")
