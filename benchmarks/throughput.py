"""Claim: faster than sentence-transformers on the same weights."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis.backbones import download, sources
from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS
from benchmarks.measuring import (
    Ratio,
    backbone,
    compare,
    described,
    distinct,
    pairs,
)

MEAN = METHODS["mean"]
TEXTS = 300


def measure() -> list[Ratio]:
    """Against sentence-transformers in each dtype and as shipped."""
    texts = distinct(TEXTS)
    with tempfile.TemporaryDirectory() as folder:
        theirs = {dtype: transformer(dtype, folder) for dtype in ("float32", "bfloat16")}
        found = [
            compare(
                f"encode, {dtype}, distinct texts",
                partial(encode, backbone(dtype), texts, MEAN),
                "sentence-transformers 6 with its defaults, mean pooling",
                partial(theirs[dtype].encode, list(texts), show_progress_bar=False),
                on=described(texts, "distinct sentences"),
                target=1.10,
                at_least=True,
                repetitions=3,
                note=f"cosine of both ways' vectors: {_agreement(theirs[dtype], dtype):.5f} at "
                "the least",
            )
            for dtype in ("float32", "bfloat16")
        ]
        found += [_jointly(dtype) for dtype in ("float32", "bfloat16")]
        rated = pairs(300)
        both = [rated.texts[i] for i in (*rated.left, *rated.right)]
        found.append(
            compare(
                f"encode as shipped ({backbone().dtype.value}, repeated texts once)",
                partial(encode, backbone(), both, MEAN),
                "sentence-transformers 6 with its defaults (float32), mean pooling",
                partial(theirs["float32"].encode, both, show_progress_bar=False),
                on=f"{len(both):,} texts of {rated.name}, {len(set(both)):,} of them distinct",
                target=1.6,
                at_least=True,
                repetitions=3,
            )
        )
    return found


def _jointly(dtype: str) -> Ratio:
    """Prompts of all lengths in one pass against a pass for each length."""
    texts, loaded = distinct(TEXTS), backbone(dtype)
    return compare(
        f"prompts of all lengths share a pass, {dtype}",
        partial(encode, loaded, texts, MEAN),
        "a pass for each length, same bits",
        partial(encode, replace(loaded, separate="for comparison"), texts, MEAN),
        on=described(texts, "distinct sentences"),
        target=1.1,
        at_least=True,
        repetitions=3,
    )


def transformer(dtype: str, folder: str, name: str = "smollm2", device: str = "cpu") -> Any:
    """sentence-transformers over the same weights and a tokenizer without a chat template."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoModel, AutoTokenizer

    place = Path(folder) / dtype
    if not place.exists():
        source = download.folder_of(sources.resolve(name))
        AutoModel.from_pretrained(source, dtype=getattr(torch, dtype)).save_pretrained(place)
        tokenizer = AutoTokenizer.from_pretrained(source)
        tokenizer.chat_template = None
        tokenizer.save_pretrained(place)
    module = Transformer(str(place), model_kwargs={"dtype": getattr(torch, dtype)})
    if module.tokenizer.pad_token is None:
        module.tokenizer.pad_token = module.tokenizer.eos_token
    pooling = Pooling(module.get_embedding_dimension(), "mean")
    return SentenceTransformer(modules=[module, pooling], device=device)


def _agreement(theirs: Any, dtype: str) -> float:
    """The lowest cosine of both ways' vectors of the same texts; near 1 if they agree."""
    texts = list(distinct(TEXTS))[:40]
    others = np.asarray(theirs.encode(texts, show_progress_bar=False), np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    return float((encode(backbone(dtype), texts, MEAN).embeddings * others).sum(axis=1).min())
