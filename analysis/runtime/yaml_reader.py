"""YAML 1.2 as plain values (https://yaml.org/spec/1.2.2/, core schema), whatever the bytes.

A scalar is what version 1.2 reads: ``1:30``, ``yes``, ``off``, ``1_000``, ``2001-12-14`` and ``=``
are words, and ``017`` is seventeen. Keys are words. Aliases, which let a few bytes unfold into
gigabytes, tags and several documents are refused, so that a value is never larger than its text.
"""

import math
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterator
from typing import Any

from ..errors import quoted

DEEPEST = 20
"""Maximum depth of lists and maps."""
_LONGEST_NUMBER = 400
"""Maximum characters of a number, of which float64 has at most 309 before the point."""
_INTEGER = re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line ends in version 1.1, and characters like others in 1.2."""


class YAMLProblem(ValueError):  # noqa: N818
    """What is wrong with a document, as the end of a sentence that begins with its name."""


def read(text: str | bytes, as_written: Collection[str] = ()) -> Any:
    """Read a document.

    Args:
        text: the document, in UTF-8 or in UTF-16 with its mark where it is bytes.
        as_written: keys whose unquoted scalars are words, spelled as they are; null is none.

    Returns:
        None, booleans, numbers and strings, in lists and in maps by strings; None if it is empty.

    Raises:
        YAMLProblem: it is not YAML 1.2, has a key twice, or holds what is refused here.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = text if isinstance(text, str) else _decoded(text)
        if other := _OTHER_BREAKS.search(content):
            line = content.count("\n", 0, other.start()) + 1
            raise YAMLProblem(
                f"has the character {other[0]!a} in line {line}, which versions of YAML read "
                "differently; write it so, in double quotes"
            )
        return _Document(YAML(typ="safe", pure=True).parse(content), as_written).value()
    except YAMLProblem:
        raise
    except (YAMLError, ValueError, RecursionError, AttributeError, TypeError, IndexError) as error:
        # On damaged documents ruamel.yaml raises Python's own errors too.
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        raise _unreadable(mark) from None


class _Document:
    """The events of a document as its value; nothing is built of what is refused."""

    def __init__(self, events: Iterator[Any], as_written: Collection[str]) -> None:
        from ruamel.yaml import events as kinds

        self._events, self._as_written, self._kinds = map(_writable, events), as_written, kinds

    def value(self) -> Any:
        """The value of the only document; None if there is none."""
        start = self._after(self._kinds.StreamStartEvent)
        if isinstance(start, self._kinds.StreamEndEvent):
            return None
        if getattr(start, "version", None) not in (None, (1, 2)):
            raise _refusal("says that it is of another version than 1.2", start, "remove that line")
        value = self._node(next(self._events))
        end = self._after(self._kinds.DocumentEndEvent)
        if not isinstance(end, self._kinds.StreamEndEvent):
            raise _unreadable(end.start_mark)
        return value

    def _after(self, kind: type) -> Any:
        """The event after the next one, which is of a kind."""
        assert isinstance(next(self._events), kind)
        return next(self._events)

    def _node(self, event: Any, depth: int = 0, *, written: bool = False) -> Any:
        if isinstance(event, self._kinds.AliasEvent):
            raise _refusal("repeats a value by an alias", event, "write the value again")
        if event.tag not in (None, "!"):
            raise _refusal(f"has the tag {quoted(str(event.tag))}", event, "remove it")
        if isinstance(event, self._kinds.ScalarEvent):
            return _scalar(event, written=written)
        if depth == DEEPEST:
            raise _refusal(f"is nested more than {DEEPEST} deep", event, "make it flatter")
        if isinstance(event, self._kinds.SequenceStartEvent):
            return [
                self._node(item, depth + 1, written=written)
                for item in self._until(self._kinds.SequenceEndEvent)
            ]
        return self._map(depth)

    def _map(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key in self._until(self._kinds.MappingEndEvent):
            if not isinstance(key, self._kinds.ScalarEvent) or key.tag not in (None, "!"):
                raise _refusal("has a key that is no word", key, "write a word")
            if key.value in values:
                line = key.start_mark.line + 1
                raise YAMLProblem(f"has {quoted(key.value)} twice, again in line {line}; keep one")
            written = key.value in self._as_written
            values[key.value] = self._node(next(self._events), depth + 1, written=written)
        return values

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event


def _writable(event: Any) -> Any:
    """An event whose word, if it has one, can be written as UTF-8."""
    try:
        getattr(event, "value", "").encode()
    except UnicodeEncodeError:
        raise _refusal("holds half a surrogate pair", event, "write the character") from None
    return event


def _scalar(event: Any, *, written: bool) -> Any:
    text = event.value
    if event.style is not None or event.tag == "!":
        return text
    if text in _NULL:
        return None
    if written:
        return text
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text[1:2] in ("o", "x") else 10)
    if not _FLOAT.fullmatch(text):
        return text
    if math.isinf(number := float(text)):
        raise _refusal(f"has the number {text[:40]}, too large for float64,", event, "change it")
    return number


def _decoded(data: bytes) -> str:
    utf16 = data.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig")


def _refusal(problem: str, event: Any, remedy: str) -> YAMLProblem:
    return YAMLProblem(
        f"{problem} in line {event.start_mark.line + 1}, which is not read; {remedy}"
    )


def _unreadable(mark: Any) -> YAMLProblem:
    place = f" in line {mark.line + 1}" if mark else ""
    return YAMLProblem(f"is not readable YAML{place}; check it or download it again")
