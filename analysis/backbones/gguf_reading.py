"""GGUF files read by gguf's own reader and transformers' own code, in a fraction of the time.

Three things made it slow and change nothing: the reader cuts a memory map into a million pieces,
each of which costs several times what a piece of a plain array costs; it does so with the
vocabulary even where only the configuration is wanted; and transformers asks for the same reader
three times and for the same table of names once for each module of a model.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from typing import Any

from .gguf_header import after_strings
from .load_errors import MOST_PARTS

_READING = threading.RLock()
"""Held while names in the two libraries are replaced, which all threads would see."""


@contextmanager
def fast_reading(*, vocabulary: bool = True) -> Iterator[None]:
    """Let transformers read GGUF files fast and show no bar inside the block.

    One thread at a time. A file that is read twice inside the block is parsed once, so it must not
    change meanwhile.

    Args:
        vocabulary: whether lists of more than ``MOST_PARTS`` entries are read, which are longer
            than any list with an entry for each layer; else only their length is right.
    """
    import gguf
    import numpy as np
    from gguf.constants import GGUFValueType
    from gguf.gguf_reader import GGUFReader
    from transformers import modeling_gguf_pytorch_utils

    class PlainReader(GGUFReader):
        """Their reader, over a plain array on the same memory map."""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value.view(np.ndarray) if name == "data" else value)

    class HeaderReader(PlainReader):
        """Takes the entries of a long list for empty, and those of numbers for none."""

        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            if raw_type == GGUFValueType.ARRAY:
                kind, size = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
                first, inner, count = orig_offs + 12, GGUFValueType(kind[0]), int(size[0])
                parts = [kind, size, self._get(first, np.uint8, 0)]
                if count > MOST_PARTS and inner == GGUFValueType.STRING:
                    end = after_strings(self.data.data, first, count)
                    return end - orig_offs, parts, [2] * count, [GGUFValueType.ARRAY, inner]
                if count > MOST_PARTS and (number := self.gguf_scalar_to_np.get(inner)):
                    end = first + count * np.dtype(number).itemsize
                    return end - orig_offs, parts, [], [GGUFValueType.ARRAY, inner]
            return super()._get_field_parts(orig_offs, raw_type)

    reader = PlainReader if vocabulary else HeaderReader
    with _READING, ExitStack() as replaced:

        def replace(module: Any, name: str, value: Any) -> None:
            replaced.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)

        replace(gguf, "GGUFReader", lru_cache(reader))
        replace(gguf, "get_tensor_name_map", lru_cache(gguf.get_tensor_name_map))
        theirs: Any = modeling_gguf_pytorch_utils
        if not vocabulary:  # a million empty entries
            parse = theirs._gguf_parse_value
            replace(theirs, "_gguf_parse_value", lambda v, kinds: parse(v, kinds) if v.size else "")
        replace(theirs, "tqdm", partial(theirs.tqdm, disable=True))  # it has no switch for it
        yield
