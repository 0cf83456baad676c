"""A method as an encoder of mteb 2, and the run of its public tasks.

It imports mteb, so import it where a task is run. Results are mteb's own JSON
files in mteb's own folder layout, so that its other tools read them.
"""

import contextlib
import copy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from ..corpora.text_lists import as_texts
from ..embedding.prompts import BARE
from ..errors import CorpusError, ExplorerError
from .embedders import checked
from .sentence_transformers import Embedder

try:
    import mteb
    from mteb.models.model_meta import ModelMeta, ScoringFunction
    from mteb.types import Licenses
except ModuleNotFoundError as missing:
    if missing.name != "mteb":
        raise
    raise ExplorerError("mteb is not installed; run pip install 'mteb>=2.26,<3'.") from None

from .mteb_tasks import fetch

PROJECT = "kv-embedding-explorer"
BLANK = "."
"""Replaces empty texts, which data sets contain and prompts cannot."""


class MtebEncoder:
    """An ``Embedder`` behind mteb's ``EncoderProtocol``.

    Queries take the role Query, everything else Context. mteb's own instructions are not used,
    since prompts belong to the method. ``blank`` counts the texts that were encoded as
    :data:`BLANK`.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = copy.copy(checked(embedder))  # whose limit may be set to another later
        self.blank = 0
        self.mteb_model_meta = meta(embedder)

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> NDArray[np.float32]:
        """Embeddings float32 (N, D) of all texts of ``inputs``.

        Args:
            inputs: batches with the key ``text``.
            task_metadata: mteb's description of the task.
            hf_split: not used.
            hf_subset: not used.
            prompt_type: query or document, or None.
            options: further options of ``Embedder.encode``.

        Raises:
            CorpusError: the batches hold no text.
            CorpusError, PlanError, BackboneError: as ``Embedder.encode``.
        """
        del hf_split, hf_subset
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise CorpusError(
                    f"{task_metadata.name} contains data other than text; choose a text task."
                )
            texts.extend(as_texts(batch["text"]))
        self.blank += sum(not text.strip() for text in texts)
        name = "query" if getattr(prompt_type, "value", prompt_type) == "query" else "document"
        embeddings = self.embedder.encode(
            [text if text.strip() else BLANK for text in texts], prompt_name=name, **options
        )
        return np.asarray(embeddings)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Cosines float32 (N, M), as ``Embedder.similarity``."""
        return self.embedder.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Cosines float32 (N,), as ``Embedder.similarity_pairwise``."""
        return self.embedder.similarity_pairwise(embeddings1, embeddings2)


def meta(embedder: Embedder) -> ModelMeta:
    """The metadata that mteb stores with results.

    mteb's tables tell models apart by name alone, so the name covers all settings;
    ``loader_kwargs`` has them one by one.
    """
    facts = embedder.backbone.facts
    licence = (facts.licence or "").lower()
    return ModelMeta(
        loader=None,
        loader_kwargs=embedder.encoder.settings,
        name=f"{PROJECT}/{embedder.encoder.name}",
        revision=embedder.encoder.identity,
        release_date=None,
        languages=None,
        n_parameters=facts.parameters,
        n_embedding_parameters=facts.vocabulary * facts.hidden,
        memory_usage_mb=round(facts.memory(embedder.backbone.dtype.value) / 2**20, 1),
        max_tokens=embedder.max_seq_length,
        embed_dim=embedder.get_embedding_dimension(),
        license=licence if licence in get_args(Licenses) else None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=["PyTorch", "Transformers"],
        similarity_fn_name=ScoringFunction.COSINE,
        use_instructions=embedder.method.templates != (BARE,),
        training_datasets=None,
        adapted_from=facts.name.partition("@")[0] if facts.kind == "hub" else None,
    )


@dataclass(frozen=True)
class Result:
    """One task's main score on one split and subset, as mteb gives it, and the file it is in.

    ``reused`` tells whether the file existed before.
    """

    task: str
    split: str
    subset: str
    metric: str
    score: float
    file: Path
    reused: bool


def run(
    encoder: MtebEncoder, tasks: Sequence[Any], folder: Path, *, show_progress: bool = False
) -> Iterator[Result]:
    """Evaluate ``encoder`` on each task; results are in ``folder`` as soon as they are yielded.

    Results of the same encoder that ``folder`` already holds are not computed again. Nothing is
    printed to standard output.

    Args:
        encoder: the encoder to evaluate.
        tasks: tasks of :func:`analysis.integrations.mteb_tasks.find_tasks`.
        folder: folder of mteb's results.
        show_progress: whether to show a progress bar.

    Raises:
        CorpusError: the data of a task cannot be fetched, a stored result cannot be read, or the
            folder cannot be written.
        CorpusError, PlanError, BackboneError: as ``Embedder.encode``.
    """
    cache = mteb.ResultCache(folder)
    for task in tasks:
        file = Path(cache.get_task_result_path(task.metadata.name, encoder.mteb_model_meta))
        with contextlib.redirect_stdout(sys.stderr):
            evaluated, reused = _evaluated(encoder, task, cache, file, show_progress)
        for split in task.eval_splits:  # the file may hold more, from another benchmark
            for row in evaluated.scores.get(split, ()):
                if task.is_aggregate or row["hf_subset"] in task.hf_subsets:
                    yield Result(
                        task.metadata.name,
                        split,
                        row["hf_subset"],
                        task.metadata.main_score,
                        float(row["main_score"]),
                        file,
                        reused,
                    )


def _evaluated(
    encoder: MtebEncoder, task: Any, cache: Any, file: Path, show_progress: bool
) -> tuple[Any, bool]:
    """The result of one task, as mteb gives it, and whether it was stored before."""
    stored = _stored(task, cache, encoder, file)
    if stored is not None and not stored.get_missing_evaluations(task):
        return stored, True
    subtasks = getattr(task, "tasks", None)  # an aggregate task has no data of its own
    for subtask in subtasks or ():
        subtask_file = Path(
            cache.get_task_result_path(subtask.metadata.name, encoder.mteb_model_meta)
        )
        _evaluated(encoder, subtask, cache, subtask_file, show_progress)
    loaded = bool(subtasks) or task.data_loaded
    if not loaded:
        fetch(task)
    try:
        evaluated = mteb.evaluate(
            encoder,
            task,
            cache=cache,
            co2_tracker=False,
            overwrite_strategy="only-missing",
            encode_kwargs={"batch_size": 32, "show_progress_bar": show_progress},
            show_progress_bar=False,
        )
    except OSError as error:
        raise CorpusError(
            f"The result of {task.metadata.name} cannot be written to {file.parent}: "
            f"{error.strerror or error}; choose another folder."
        ) from error
    finally:
        if not loaded:
            task.unload_data()
    (result,) = evaluated.task_results
    return result, False


def _stored(task: Any, cache: Any, encoder: MtebEncoder, file: Path) -> Any:
    """The stored result of a task, or None."""
    try:
        return cache.load_task_result(task.metadata.name, encoder.mteb_model_meta)
    except (OSError, ValueError, KeyError) as error:  # pydantic's and JSON's are ValueErrors
        raise CorpusError(
            f"{file} cannot be read as a result of mteb; delete it, or choose another folder."
        ) from error
