"""How many bytes a part of a columnar file unpacks to, as it states before it is unpacked.

pyarrow reserves what a part states, and fails where the part then holds more. It does not tell
what is stated, so the few numbers needed are read here from the formats' own headers.
"""

import struct
from collections.abc import Collection
from typing import Any

_DICTIONARY_PAGE = 7
"""The field of a Parquet page's header that describes a page of a dictionary."""
_DATA_PAGES = (5, 8)
"""The fields that describe a page of data, of the first and the second version."""
_BYTES_OF_VALUE = 16
"""Bytes that pyarrow reserves for each value of a dictionary, whatever its page holds."""


def of_arrow(message: Any) -> int:
    """Return the bytes of the buffers of a message, unpacked.

    Each compressed buffer begins with its length
    (https://arrow.apache.org/docs/format/Columnar.html#compression).

    Args:
        message: A ``pyarrow.ipc.Message``.

    Raises:
        struct.error: It is damaged.
    """
    if message.type not in ("record batch", "dictionary"):
        return 0
    data = memoryview(message.metadata).cast("B")
    batch = _pointed(data, _field(data, _pointed(data, 0), 2))
    if message.type == "dictionary":
        batch = _pointed(data, _field(data, batch, 1))
    if not (place := _field(data, batch, 2)):
        return 0
    vector = _pointed(data, place)
    (count,) = struct.unpack_from("<I", data, vector)
    buffers = struct.iter_unpack("<qq", data[vector + 4 : vector + 4 + 16 * count])
    if not _field(data, batch, 3):
        return sum(length for _, length in buffers)
    body = memoryview(message.body or b"").cast("B")
    size = 0
    for offset, length in buffers:
        if length:
            (stated,) = struct.unpack_from("<q", body, offset)
            size += length if stated == -1 else max(stated, 0)  # -1: it was left as it is
    return size


def _pointed(data: memoryview, place: int) -> int:
    """The place that the offset at ``place`` of a flatbuffer points to."""
    offset: int = struct.unpack_from("<I", data, place)[0]
    return place + offset


def _field(data: memoryview, table: int, number: int) -> int:
    """The place of a field of a flatbuffer's table, 0 if it is left out.

    The format is that of https://flatbuffers.dev/internals/.
    """
    fields = table - struct.unpack_from("<i", data, table)[0]
    at = 4 + 2 * number
    if at >= struct.unpack_from("<H", data, fields)[0]:
        return 0
    offset: int = struct.unpack_from("<H", data, fields + at)[0]
    return table + offset if offset else 0


def of_parquet(data: bytes, columns: Collection[int], each: int = 0) -> int:
    """Return the bytes of the pages of some columns, unpacked, as each page states them.

    What the file's end says of it is not believed; and pyarrow, asked for what it says of a
    column, ends the process if it is damaged.

    Args:
        data: A Parquet file, whose end pyarrow has read.
        columns: Positions of the columns.
        each: Bytes that a value takes at least, however few its page has for all of them.

    Raises:
        AttributeError, IndexError, KeyError, TypeError, ValueError: It is damaged.
    """
    (length,) = struct.unpack_from("<I", data, len(data) - 8)
    file = _Thrift(data, len(data) - 8 - length).structure()
    chunks = (chunk for group in file.get(4, ()) for chunk in enumerate(group[1]))
    return sum(_of_chunk(data, chunk[3], each) for i, chunk in chunks if i in columns)


def _of_chunk(data: bytes, described: dict[int, Any], each: int) -> int:
    """The bytes of the pages of a column's part, unpacked."""
    values, compressed, place = described[5], described[7], described[9]
    if 0 < described.get(11, 0) < place:  # a page of a dictionary comes first
        place = described[11]
    end = place + compressed if values else 0
    size = 0
    while place < end:
        header = _Thrift(data, place)
        fields = header.structure()
        values = fields.get(_DICTIONARY_PAGE, {}).get(1, 0)
        values_here = max(fields.get(page, {}).get(1, 0) for page in _DATA_PAGES)
        size += max(fields[2], values * _BYTES_OF_VALUE, values_here * each, 0)
        if fields[3] < 0:
            raise ValueError("a page has a negative length")
        place = header.place + fields[3]
    return size


class _Thrift:
    """Reads structures in Thrift's compact protocol.

    Its format is that of
    https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
    """

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self.place = data, place

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields by number: integers, structures and lists of them; None for others."""
        fields: dict[int, Any] = {}
        number = 0
        if depth > 8:
            raise ValueError("a header is nested too deeply")
        while head := self._byte():
            step, kind = head >> 4, head & 15
            number = number + step if step else self._integer()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:  # a truth value is its own kind
                return None
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                self.place += 8
            case 8:
                length = self._number()
                self.place += length
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._number()
                if head & 15 in (1, 2):
                    self.place += count
                    return None
                values = (self._value(head & 15, depth + 1) for _ in range(count))
                return [value for value in values if value is not None]
            case 12:
                return self.structure(depth + 1)
            case _:
                raise ValueError("a header cannot be read")
        return None

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _number(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number of a header is too long")

    def _integer(self) -> int:
        value = self._number()
        return value >> 1 ^ -(value & 1)
