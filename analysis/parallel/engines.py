"""Where work is done: in this process, or by Ray's actors on this machine or a cluster.

Work is one function of a state and an item. The state, most often a backbone, is created once for
each worker. Items stream in, results come out in order, and only a few are in progress at any time,
so that memory does not grow with their number. Ray is imported only where it is used.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from ..errors import EngineError
from ..experiments.shared_options import EngineName
from . import ray_cluster, ray_workers

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")


class Workers(Protocol[S_co]):
    """Workers, each with a state of type ``S_co``."""

    @property
    def count(self) -> int:
        """The number of workers."""
        ...

    def map(self, function: Callable[[S_co, A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield ``function(state, item)`` for each item, in order; items are taken as needed."""
        ...


@dataclass(frozen=True)
class Engine:
    """Where work is done.

    Attributes:
        name: ``local`` or ``ray``.
        address: HOST:PORT of a Ray cluster; None is one on this machine that ends with the work.
        workers: number of Ray's workers; None is one for each GPU, or one for each machine where no
            GPU is used.

    Raises:
        EngineError: an address or workers without Ray.
    """

    name: EngineName = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.name == "local" and (self.address or self.workers):
            raise EngineError(
                "An address or a number of workers needs the engine ray; choose it as well."
            )


LOCAL = Engine()


def run(
    function: Callable[[A], B],
    items: Iterable[A],
    engine: Engine = LOCAL,
    *,
    device: str = "auto",
) -> Iterator[B]:
    """Yield ``function(item)`` for each item, in order.

    Args:
        function: with Ray it must be picklable, and so must items and results.
        items: taken as needed.
        engine: where the work is done.
        device: as for :func:`opened`.

    Raises:
        EngineError: as :func:`opened`; and whatever ``function`` raises.
    """
    with opened(engine, _no_state, device=device) as workers:
        yield from workers.map(partial(_without_state, function), items)


@contextmanager
def opened(engine: Engine, make: Callable[[], S], *, device: str = "auto") -> Iterator[Workers[S]]:
    """Start workers for the duration of the block.

    With Ray, a worker whose process or machine is lost is started again, where there is room, and
    its item is repeated by any worker; finished items are not repeated.

    Args:
        engine: where the work is done.
        make: creates the state of a worker; called once in each, when it is first needed.
        device: where the state's backbone runs. With ``auto`` or ``cuda`` a worker has one GPU
            where there are any, else its share of the processor's cores.

    Raises:
        EngineError: Ray is not installed, its cluster cannot be reached or is too small, one of
            its nodes lacks a package or has another version of it, an item's workers died
            repeatedly, or all workers were lost and no node came back.
        ExplorerError: what ``make`` and the functions raise, unchanged.
    """
    if engine.name == "local":
        yield _LocalWorker(make())
        return
    if ":" in device or device == "spread":
        raise EngineError(
            f"With the engine ray a worker has one device, not {device}; use auto or cuda."
        )
    with ray_cluster.connected(engine.address) as ray:
        allocation = ray_cluster.allocation(ray, engine.workers, device)
        with ray_workers.started(ray, make, allocation) as workers:
            yield workers


class _LocalWorker:
    """This process, with its one state."""

    count = 1

    def __init__(self, state: Any) -> None:
        self._state = state

    def map(self, function: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return (function(self._state, item) for item in items)


def _no_state() -> None:
    return None


def _without_state(function: Callable[[A], B], _: None, item: A) -> B:
    return function(item)
