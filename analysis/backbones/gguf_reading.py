"""GGUF files read by gguf's own reader and transformers' own code, in a fraction of the time.

Two things made a conversion slow and change no bit: the reader cuts a memory map into a million
pieces, each of which costs several times what a piece of a plain array costs, and transformers asks
for the same reader three times and for the same table of names once for each module of a model.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from typing import Any

_READING = threading.RLock()
"""Held while names in the two libraries are replaced, which all threads would see."""


@contextmanager
def fast_reading() -> Iterator[None]:
    """Let transformers read GGUF files fast and show no bar inside the block.

    One thread at a time. A file that is read twice inside the block is parsed once, so it must not
    change meanwhile.
    """
    import gguf
    import numpy as np
    from gguf.gguf_reader import GGUFReader
    from transformers import modeling_gguf_pytorch_utils

    class PlainReader(GGUFReader):
        """Their reader, over a plain array on the same memory map."""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value.view(np.ndarray) if name == "data" else value)

    with _READING, ExitStack() as replaced:

        def replace(module: Any, name: str, value: Any) -> None:
            replaced.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)

        replace(gguf, "GGUFReader", lru_cache(PlainReader))
        replace(gguf, "get_tensor_name_map", lru_cache(gguf.get_tensor_name_map))
        theirs: Any = modeling_gguf_pytorch_utils
        replace(theirs, "tqdm", partial(theirs.tqdm, disable=True))  # it has no switch for it
        yield
