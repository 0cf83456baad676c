"""Ray's actors as workers: items shared out, done again where a worker is lost, put in order."""

import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import EngineError, ExplorerError, one_line
from ..runtime import events
from ..storage import result_store
from .ray_cluster import Allocation, Head

AHEAD = 4
"""Items for each worker that may be started before the oldest of them is finished."""
RETRIES = 3
"""How often an item is tried again after its worker was lost."""
PATIENCE = 300.0
"""Seconds to wait for a node to come back once all workers were lost."""
_TICK = 1.0
_MISSING = re.compile(r"(?:No module named '|No package metadata was found for )([\w-]+)")
"""How Python says that a package is not installed."""


class Node(NamedTuple):
    """Where an actor runs: the node's id and address, and the versions of what computes there."""

    id: str
    address: str
    versions: dict[str, str]


class _Actor:
    """A state that is created when it is first needed, so that its errors reach the caller."""

    def __init__(self, make: Callable[[], Any], threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is imported
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        self._make, self._ready = make, False
        self._state: Any = None

    def node(self) -> Node:
        import ray

        services: Any = ray.util  # without types
        node_id = ray.get_runtime_context().get_node_id()
        return Node(node_id, services.get_node_ip_address(), _versions())

    def do(self, function: Callable[[Any, Any], Any], item: Any) -> Any:
        if not self._ready:
            self._state, self._ready = self._make(), True
        return function(self._state, item)


@dataclass(eq=False)
class _Worker:
    """An actor, the reference of where it runs, and the node itself once it has started."""

    actor: Any
    starting: Any
    node: Node | None = None


@dataclass
class _Task:
    """An item, its place, and how many workers were lost with it."""

    number: int
    item: Any
    losses: int = 0


@contextmanager
def started(ray: Any, make: Callable[[], Any], allocation: Allocation) -> Iterator["RayWorkers"]:
    """Workers for the duration of the block.

    Args:
        ray: the module, connected.
        make: creates the state of a worker.
        allocation: their number, and cores and GPUs of each.
    """
    workers = RayWorkers(ray, make, allocation)
    try:
        yield workers
    finally:
        workers.end()


class RayWorkers:
    """Actors that share out items, with few items ahead and the results put back in order."""

    def __init__(self, ray: Any, make: Callable[[], Any], allocation: Allocation) -> None:
        self._ray, self._make, self._threads = ray, make, allocation.threads
        self._actor_class = ray.remote(_Actor).options(
            num_cpus=allocation.threads, num_gpus=allocation.gpus
        )
        self._workers = [self._new() for _ in range(allocation.workers)]
        self._head = Head(ray)
        self._losses = 0  # since a worker started last
        self._alone_since: float | None = None  # when the last worker was lost
        self._waiting = False  # said that a node is waited for

    @property
    def count(self) -> int:
        """The number of workers."""
        return len(self._workers)

    def end(self) -> None:
        """End the actors."""
        for worker in self._workers:
            with suppress(Exception):  # a cluster that has ended needs no cleanup
                self._ray.kill(worker.actor)

    def map(self, function: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield ``function(state, item)`` for each item, in order.

        Raises:
            EngineError: as :func:`analysis.parallel.engines.opened`.
            ExplorerError: what the function raises.
        """
        numbered, begun, yielded = enumerate(items), 0, 0
        tasks: deque[_Task] = deque()
        running: dict[Any, tuple[_Worker, _Task]] = {}
        results: dict[int, Any] = {}
        while True:
            busy = {id(worker) for worker, _ in running.values()}
            free = [worker for worker in self._workers if worker.node and id(worker) not in busy]
            while len(tasks) < max(1, len(free)) and begun - yielded < AHEAD * self.count:
                if (following := next(numbered, None)) is None:
                    break
                tasks.append(_Task(*following))
                begun += 1
            if not tasks and not running:
                return
            for worker, _ in zip(free, tuple(tasks), strict=False):
                task = tasks.popleft()
                running[worker.actor.do.remote(function, task.item)] = worker, task
            for reference in self._finished(running):
                worker, task = running.pop(reference)
                try:
                    results[task.number] = self._ray.get(reference)
                except self._ray.exceptions.RayTaskError as error:
                    raise self._refusal(error) from None
                except self._ray.exceptions.RayError as error:
                    task.losses += 1
                    self._replace(worker, error, task.losses)
                    tasks.appendleft(task)
            while yielded in results:
                yield results.pop(yielded)
                yielded += 1

    def _new(self) -> _Worker:
        actor = self._actor_class.remote(self._make, self._threads)
        return _Worker(actor, actor.node.remote())

    def _finished(self, running: Iterable[Any]) -> list[Any]:
        """Wait for a moment; the references of ``running`` that are finished."""
        starting = {worker.starting: worker for worker in self._workers if worker.node is None}
        ready, _ = self._ray.wait([*running, *starting], num_returns=1, timeout=_TICK)
        self._head.check()
        for reference in ready:
            if (worker := starting.get(reference)) is not None:
                self._note_start(worker)
        if not ready and len(starting) == self.count:
            self._check_patience()
        return [reference for reference in ready if reference not in starting]

    def _note_start(self, worker: _Worker) -> None:
        """Note where a worker started; refuse a node that would give other numbers."""
        try:
            node: Node = self._ray.get(worker.starting)
        except self._ray.exceptions.RayError as error:
            if self._cannot_start(error):
                raise self._refusal(error) from None
            self._losses += not self._node_is_lost(worker, error)
            self._replace(worker, error, self._losses)
            return
        here = _versions()
        for name, version in node.versions.items():
            if version != here[name]:
                raise EngineError(
                    f"The node {node.address} has {name} {version}, this machine {here[name]}, so "
                    "its numbers might differ; install the same version on both."
                )
        worker.node, self._losses = node, 0
        self._alone_since, self._waiting = None, False

    def _replace(self, worker: _Worker, error: Exception, losses: int) -> None:
        """Start a worker in place of one that was lost; give up after :data:`RETRIES`."""
        with suppress(Exception):
            self._ray.kill(worker.actor)
        if losses > RETRIES:
            if self._node_is_lost(worker, error):
                raise EngineError(
                    f"{losses} nodes were lost in a row, each with the same work; see why, and "
                    "give the command again: what was finished is kept."
                )
            raise EngineError(
                f"A worker died, and so did {RETRIES} more after it, probably out of memory "
                f"({one_line(error, 120)}); use fewer --workers or a smaller backbone."
            )
        if worker.node is not None:
            events.say(f"A worker on {worker.node.address} was lost; its work is done again.")
        self._workers[self._workers.index(worker)] = self._new()
        if self._alone_since is None and not any(other.node for other in self._workers):
            self._alone_since = time.monotonic()

    def _node_is_lost(self, worker: _Worker, error: Exception) -> bool:
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.NodeDiedError | exceptions.ObjectLostError):
            return True
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        return (worker.node is not None and worker.node.id not in alive) or (
            "node has died" in str(error)
        )

    def _cannot_start(self, error: Exception) -> bool:
        """Whether an error says that a worker will not start, however often it is tried."""
        exceptions = self._ray.exceptions
        never = (
            exceptions.RayTaskError,
            exceptions.RuntimeEnvSetupError,
            exceptions.ActorUnschedulableError,
        )
        return isinstance(error, never) or getattr(error, "actor_init_failed", False)

    def _check_patience(self) -> None:
        """Wait for room for a worker after all were lost, but not for ever."""
        if self._alone_since is None:  # none was lost: others use the cluster
            return
        if time.monotonic() - self._alone_since > PATIENCE:
            raise EngineError(
                f"All workers were lost, and no node came back in {PATIENCE:.0f} seconds; start "
                "one, and give the command again: what was finished is kept."
            )
        if not self._waiting:
            self._waiting = True
            events.say(f"No worker is left; waiting {PATIENCE:.0f} seconds for a node.")

    def _refusal(self, error: Exception) -> Exception:
        """The error of a worker as it is raised here, or the name of what its node lacks."""
        cause = getattr(error, "cause", None)
        if isinstance(cause, ExplorerError):
            return cause
        message = str(error)
        if missing := _MISSING.search(message):
            address = re.search(r"\bip=([\w.:]+)", message)
            return EngineError(
                f"The node {address[1] if address else 'of a worker'} lacks the package "
                f"{missing[1]}; install there what this machine has, or put it on PYTHONPATH "
                "before ray start."
            )
        if not isinstance(error, self._ray.exceptions.RayTaskError):
            return EngineError(f"A worker could not start ({one_line(error)}); see Ray's own logs.")
        failure: Exception = error
        return failure


def _versions() -> dict[str, str]:
    """Versions of what computes, without the build: CPU or CUDA."""
    return {name: text.partition("+")[0] for name, text in result_store.versions().items()}
