"""A method on a backbone as an mteb 2.x encoder, and mteb's own evaluation run on it.

mteb takes seconds to import, so only what evaluates by it imports this module.
"""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import torch
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.types import PromptType

from analysis import store, study
from analysis.embedder import Array, Embedder
from analysis.errors import CorpusError, PlanError


class MtebEncoder:
    """What mteb calls: batches of texts in, an array out; queries get the role Query."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        backbone, method, plan = embedder.backbone, embedder.method, embedder.plan
        decisive = study.decisive(backbone, method, plan) | {"max_tokens": embedder.max_tokens}
        short = re.sub(r"[^\w.-]+", "-", Path(backbone.facts.name).name)
        self.mteb_model_meta = ModelMeta(
            loader=None,
            name=f"kv-embedding-explorer/{short}--{method.name}",
            revision=store.digest(decisive),
            release_date=None,
            languages=None,
            n_parameters=backbone.facts.parameters,
            memory_usage_mb=backbone.facts.memory(backbone.dtype.value) / 2**20,
            max_tokens=embedder.max_seq_length,
            embed_dim=backbone.facts.hidden,
            license=None,
            open_weights=True,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name=ScoringFunction.COSINE,
            use_instructions=True,
            training_datasets=None,
            experiment_kwargs={"layers": list(plan.layers), "bias": plan.bias}
            if plan.layers
            else None,
        )

    def encode(
        self, inputs: Iterable[Any], *, prompt_type: PromptType | None = None, **_: Any
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Embeddings float32 (N, D) of all batches of ``inputs``, in their order."""
        texts = [text for batch in inputs for text in batch["text"]]
        role = "query" if prompt_type == PromptType.query else "document"
        return np.asarray(self.embedder.encode(texts, prompt_name=role))

    def similarity(self, embeddings1: Array, embeddings2: Array) -> torch.Tensor:
        """Cosines (N, M)."""
        return self.embedder.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> torch.Tensor:
        """Cosines (N,)."""
        return self.embedder.similarity_pairwise(embeddings1, embeddings2)


def named_tasks(names: Iterable[str]) -> list[Any]:
    """mteb's tasks of these names.

    Raises:
        PlanError: there is no such task.
    """
    found = []
    for name in names:
        try:
            found.append(mteb.get_task(name))
        except (KeyError, ValueError):
            known = sorted({task.metadata.name for task in mteb.get_tasks()})
            near = difflib.get_close_matches(name, known, 3, 0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "see mteb's list of tasks."
            raise PlanError(f"mteb has no task called {name!r}; {hint.rstrip('?.')}.") from None
    return found


def evaluate(encoder: MtebEncoder, tasks: Iterable[Any], folder: Path) -> list[dict[str, Any]]:
    """Run mteb's evaluation; its result files go below ``folder``, and those there are reused.

    Returns:
        One entry for each task, split and subset: main score as mteb has it, and the file.

    Raises:
        CorpusError: a task's data cannot be had.
    """
    cache = mteb.ResultCache(cache_path=folder)
    out = []
    for task in tasks:
        name = task.metadata.name
        path = cache.get_task_result_path(name, encoder.mteb_model_meta)
        reused = path.exists()
        try:
            (result,) = mteb.evaluate(
                encoder,  # type: ignore[arg-type]  # mteb's protocol has an __init__ of its own
                task,
                cache=cache,
                co2_tracker=False,
                show_progress_bar=False,
            ).task_results
        except (OSError, ConnectionError) as error:
            raise CorpusError(
                f"The data of {name} cannot be had ({type(error).__name__}); connect once so that "
                "they are cached, or choose tasks whose data are."
            ) from None
        out += [
            {
                "task": name,
                "split": split,
                "subset": row["hf_subset"],
                "main_score": float(row["main_score"]),
                "reused": reused,
                "file": str(path),
            }
            for split, rows in result.scores.items()
            for row in rows
        ]
    return out
