"""A method as an encoder of mteb 2, and the run of its public tasks.

The only module that imports mteb, so import it where a task is run. Results are mteb's own JSON
files in mteb's own folder layout, so that its other tools read them.
"""

import contextlib
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CorpusError, ExplorerError, PlanError
from .sentence_transformers import Embedder

try:
    import mteb
    from mteb.models.model_meta import ModelMeta, ScoringFunction
except ModuleNotFoundError as missing:
    if missing.name != "mteb":
        raise
    raise ExplorerError("mteb is not installed; pip install 'mteb>=2.26,<3' brings it.") from None

PROJECT = "kv-embedding-explorer"
BLANK = "."
"""What an empty text of a data set is encoded as: data sets have some, and a prompt needs one."""


class MtebEncoder:
    """An ``Embedder`` behind mteb's ``EncoderProtocol``.

    Queries take the role Query, everything else Context. mteb's own instructions are not used,
    since prompts belong to the method. ``blank`` counts the texts that were encoded as
    :data:`BLANK`.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
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
        """Embeddings float32 (N, D) of all texts of ``inputs``, batches with the key ``text``.

        Raises:
            CorpusError: the batches hold no text.
            CorpusError, PlanError, BackboneError: as ``Embedder.encode``.
        """
        del hf_split, hf_subset
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise CorpusError(
                    f"{task_metadata.name} holds something else than text; choose a text task."
                )
            texts.extend(batch["text"])
        self.blank += sum(not text.strip() for text in texts)
        name = "query" if getattr(prompt_type, "value", prompt_type) == "query" else "document"
        found = self.embedder.encode(
            [text if text.strip() else BLANK for text in texts], prompt_name=name, **options
        )
        return np.asarray(found)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Cosines float32 (N, M), as ``Embedder.similarity``."""
        return self.embedder.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> torch.Tensor:
        """Cosines float32 (N,), as ``Embedder.similarity_pairwise``."""
        return self.embedder.similarity_pairwise(embeddings1, embeddings2)


def meta(embedder: Embedder) -> ModelMeta:
    """What mteb writes beside results: a name, a revision that any other setting changes, sizes."""
    facts = embedder.backbone.facts
    return ModelMeta(
        loader=None,
        name=f"{PROJECT}/{_plain(facts.name)}--{_plain(embedder.method.name)}",
        revision=embedder.encoder.identity,
        release_date=None,
        languages=None,
        n_parameters=facts.parameters,
        memory_usage_mb=round(facts.memory(embedder.backbone.dtype.value) / 2**20, 1),
        max_tokens=embedder.max_seq_length,
        embed_dim=embedder.get_embedding_dimension(),
        license=None,
        open_weights=None,
        public_training_code=None,
        public_training_data=None,
        framework=["PyTorch", "Transformers"],
        similarity_fn_name=ScoringFunction.COSINE,
        use_instructions=True,
        training_datasets=None,
    )


def _plain(name: str) -> str:
    """A name as one part of a path: ``Qwen/Qwen3-4B`` -> ``qwen-qwen3-4b``."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.") or "unnamed"


@dataclass(frozen=True)
class Result:
    """One task's main score on one split and subset, as mteb gives it, and the file it is in.

    ``reused`` says that the file was there before.
    """

    task: str
    split: str
    subset: str
    metric: str
    score: float
    file: Path
    reused: bool


def find_tasks(names: Sequence[str]) -> list[Any]:
    """Look up tasks of mteb by their names, in that order, each once.

    Raises:
        PlanError: there is no such task, or it holds more than text.
    """
    found = []
    for name in dict.fromkeys(names):
        try:
            (task,) = mteb.get_tasks(tasks=[name])
        except KeyError:
            raise PlanError(_unknown(name)) from None
        if list(task.metadata.modalities) != ["text"]:
            raise PlanError(
                f"{name} is a task on {' and '.join(task.metadata.modalities)}, which a text "
                "embedder cannot do; choose a task on text alone."
            )
        found.append(task)
    return found


def _unknown(name: str) -> str:
    every = mteb.get_tasks(
        modalities=["text"], exclusive_modality_filter=True, exclude_superseded=False
    )
    spelled = {task.metadata.name.lower(): task.metadata.name for task in every}
    near = difflib.get_close_matches(name.lower(), spelled, n=3)
    if not near:
        return f"mteb has no task {name[:60]!r}; give a name from its list, such as STSBenchmark."
    said = ", ".join(spelled[other] for other in near)
    return f"mteb has no task {name[:60]!r}; the nearest by name: {said}."


def run(
    encoder: MtebEncoder, tasks: Sequence[Any], folder: Path, *, show_progress: bool = False
) -> Iterator[Result]:
    """Evaluate ``encoder`` on each task; results are in ``folder`` as soon as they are yielded.

    What ``folder`` already holds of the same encoder is not computed again. Nothing goes to
    standard output.

    Raises:
        CorpusError: the data of a task cannot be had, a kept result cannot be read, or the folder
            cannot be written.
        CorpusError, PlanError, BackboneError: as ``Embedder.encode``.
    """
    cache = mteb.ResultCache(folder)
    for task in tasks:
        file = Path(cache.get_task_result_path(task.metadata.name, encoder.mteb_model_meta))
        with contextlib.redirect_stdout(sys.stderr):
            found, reused = _evaluated(encoder, task, cache, file, show_progress)
        for split, rows in found.scores.items():
            for row in rows:
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
    """The result of one task, as mteb gives it, and whether all of it was there before."""
    kept = _kept(task, cache, encoder, file)
    if kept is not None and not kept.get_missing_evaluations(task):
        return kept, True
    parts = getattr(task, "tasks", None)  # of an aggregate, which has no data of its own
    for part in parts or ():
        place = Path(cache.get_task_result_path(part.metadata.name, encoder.mteb_model_meta))
        _evaluated(encoder, part, cache, place, show_progress)
    loaded = bool(parts) or task.data_loaded
    if not loaded:
        _fetch(task)
    try:
        found = mteb.evaluate(
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
    (result,) = found.task_results
    return result, False


def _kept(task: Any, cache: Any, encoder: MtebEncoder, file: Path) -> Any:
    """The result that the folder holds, or None."""
    try:
        return cache.load_task_result(task.metadata.name, encoder.mteb_model_meta)
    except (OSError, ValueError, KeyError) as error:  # pydantic's and JSON's are ValueErrors
        raise CorpusError(
            f"{file} is no result of mteb that can be read; delete it, or choose another folder."
        ) from error


def _fetch(task: Any) -> None:
    # Hub, network, parsers and each task's own code fail by many exceptions.
    try:
        task.load_data()
    except ExplorerError:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        reason = said.rstrip(".") if len(said) <= 140 else f"{said[:137]}..."
        raise CorpusError(
            f"The data of {task.metadata.name} could not be fetched from the Hugging Face hub "
            f"({reason}); connect once, after which they are kept, or choose a task whose data "
            "are there."
        ) from error
