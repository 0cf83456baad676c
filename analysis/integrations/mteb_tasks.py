"""Tasks of mteb by name, and their data.

Import :mod:`analysis.integrations.mteb` first, which says so if mteb is not installed.
"""

import contextlib
import difflib
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import mteb

from ..errors import CorpusError, ExplorerError, PlanError, one_line, quoted
from ..runtime import network


def find_tasks(names: Sequence[str]) -> list[Any]:
    """Look up tasks of mteb, in that order, each once.

    Args:
        names: names of tasks or of benchmarks, such as ``MTEB(eng, v2)``, which stand for their
            tasks with the splits and languages that they take of each.

    Raises:
        PlanError: there is no such task or benchmark, or its data are not only text.
    """
    tasks: dict[tuple[Any, ...], Any] = {}
    for name in names:
        for task in _named(name):
            if list(task.metadata.modalities) != ["text"]:
                raise PlanError(
                    f"{task.metadata.name} is a task on {' and '.join(task.metadata.modalities)}, "
                    "which a text embedder cannot do; choose tasks on text alone."
                )
            key = (task.metadata.name, *task.eval_splits, None, *task.hf_subsets)
            tasks.setdefault(key, task)
    return list(tasks.values())


def _named(name: str) -> Sequence[Any]:
    with contextlib.suppress(KeyError):
        tasks: Sequence[Any] = mteb.get_tasks(tasks=[name])
        return tasks
    try:
        return list(mteb.get_benchmark(name).tasks)
    except KeyError:
        raise PlanError(_unknown(name)) from None


def _unknown(name: str) -> str:
    all_tasks = mteb.get_tasks(
        modalities=["text"], exclusive_modality_filter=True, exclude_superseded=False
    )
    offered = [task.metadata.name for task in all_tasks]
    offered += [benchmark.name for benchmark in mteb.get_benchmarks()]
    spelled = {each.lower(): each for each in offered}
    similar = difflib.get_close_matches(name.lower(), spelled, n=3)
    if not similar:
        return (
            f"mteb has no task or benchmark {quoted(name)}; give a name from its lists, such as "
            "STSBenchmark or 'MTEB(eng, v2)'."
        )
    suggestions = ", ".join(spelled[spelling] for spelling in similar)
    return f"mteb has no task or benchmark {quoted(name)}; the nearest by name: {suggestions}."


def fetch(task: Any) -> None:
    """Load the data of a task, from the cache alone where the hub cannot be reached.

    Raises:
        CorpusError: they are not in the cache and cannot be fetched.
    """
    unreachable = network.hub_unreachable()
    # The hub, parsers and each task's own code raise many kinds of exceptions.
    try:
        with _cache_alone() if unreachable else contextlib.nullcontext():
            task.load_data()
    except ExplorerError:
        raise
    except Exception as error:
        raise CorpusError(
            f"The data of {task.metadata.name} could not be fetched from the Hugging Face hub "
            f"({unreachable or one_line(error)}); connect to the network once, or choose a task "
            "whose data are cached."
        ) from error


@contextlib.contextmanager
def _cache_alone() -> Iterator[None]:
    """The offline mode of the hub's clients, which read it from the environment only once."""
    import datasets
    import huggingface_hub

    with (
        mock.patch.object(huggingface_hub.constants, "HF_HUB_OFFLINE", True),
        mock.patch.object(datasets.config, "HF_HUB_OFFLINE", True),
    ):
        yield
