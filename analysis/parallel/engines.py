"""Where work is done: in this process, or by Ray's actors on this machine or a cluster.

Work is one function of a state and an item. The state, most often a backbone, is created once for
each worker. Items stream in, results come out in order, and only a few are in progress at any time,
so that memory does not grow with their number. Ray is imported only where it is used.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from ..errors import EngineError, ExplorerError, one_line
from ..experiments.shared_options import EngineName

AHEAD = 4
"""Items for each worker that may be started before the oldest of them is finished."""
RETRIES = 3
"""How often an item is tried again after its worker died."""

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

    With Ray, a worker whose process dies is started again and repeats its item; finished items are
    not repeated.

    Args:
        engine: where the work is done.
        make: creates the state of a worker; called once in each, when it is first needed.
        device: where the state's backbone runs. With ``auto`` or ``cuda`` a worker has one GPU
            where there are any, else its share of the processor's cores.

    Raises:
        EngineError: Ray is not installed, its cluster cannot be reached or is too small, or an
            item's workers died repeatedly.
        ExplorerError: what ``make`` and the functions raise, unchanged.
    """
    if engine.name == "local":
        yield _LocalWorker(make())
        return
    if ":" in device or device == "spread":
        raise EngineError(
            f"With the engine ray a worker has one device, not {device}; use auto or cuda."
        )
    with _cluster(engine.address) as ray:
        threads, count, gpus = _allocation(ray, engine.workers, device)
        actor_class = ray.remote(_Actor).options(
            num_cpus=threads, num_gpus=gpus, max_restarts=-1, max_task_retries=RETRIES
        )
        actors = [actor_class.remote(make, threads) for _ in range(count)]
        try:
            yield _RayWorkers(ray, actors)
        finally:
            for actor in actors:
                with suppress(Exception):  # a cluster that has ended needs no cleanup
                    ray.kill(actor)


class _Actor:
    """A state that is created when it is first needed, so that its errors reach the caller."""

    def __init__(self, make: Callable[[], Any], threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is imported
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        self._make, self._ready = make, False
        self._state: Any = None

    def do(self, function: Callable[[Any, Any], Any], number: int, item: Any) -> tuple[int, Any]:
        if not self._ready:
            self._state, self._ready = self._make(), True
        return number, function(self._state, item)


class _LocalWorker:
    """This process, with its one state."""

    count = 1

    def __init__(self, state: Any) -> None:
        self._state = state

    def map(self, function: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return (function(self._state, item) for item in items)


class _RayWorkers:
    """Ray's own pool of actors, with few items ahead and its results put back in order."""

    def __init__(self, ray: Any, actors: list[Any]) -> None:
        self._ray, self._actors = ray, actors

    @property
    def count(self) -> int:
        return len(self._actors)

    def map(self, function: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        pool = self._ray.util.ActorPool(self._actors)
        numbered, begun, yielded = enumerate(items), 0, 0
        waiting: dict[int, Any] = {}
        while True:
            while pool.has_free() and begun - yielded < AHEAD * self.count:
                if (task := next(numbered, None)) is None:
                    break
                pool.submit(lambda actor, task: actor.do.remote(function, *task), task)
                begun += 1
            if not pool.has_next():
                return
            with _explained(self._ray):
                number, result = pool.get_next_unordered()
            waiting[number] = result
            while yielded in waiting:
                yield waiting.pop(yielded)
                yielded += 1


@contextmanager
def _explained(ray: Any) -> Iterator[None]:
    """Raise a worker's exception; turn Ray's own failures into one sentence."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ExplorerError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise EngineError(
            f"A worker died, and so did {RETRIES} more after it, probably out of memory "
            f"({reason:.120}); use fewer --workers or a smaller backbone."
        ) from None


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected during the block unless it was connected before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise EngineError("Ray is not installed; run pip install 'ray>=2.60,<3'.") from None
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address is None:
        with _started(ray):
            ray.init(  # a cluster of its own, even where another one runs on this machine
                "local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet
            )
    else:
        with _reached(address):
            ray.init(address=address, **quiet)
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _started(ray: Any) -> Iterator[None]:
    """Say in one sentence why Ray's processes did not start, such as a machine that is too busy.

    Its errors here are of no class of their own, and it waits for its processes for half a minute.
    """
    try:
        yield
    except Exception as error:
        with suppress(Exception):  # what did start of it
            ray.shutdown()
        raise EngineError(
            f"Ray could not start on this machine ({one_line(error)}); try again when it is less "
            "busy, see that its temporary folder can be written, or use --engine local."
        ) from error


@contextmanager
def _reached(address: str) -> Iterator[None]:
    """Refuse an address where nothing answers, for which Ray would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise EngineError(
            f"No Ray cluster answers at {address} ({reason:.120}); give the HOST:PORT that ray "
            "start --head printed, set RAY_AUTH_MODE=token if it asks for a token, or leave out "
            "the address."
        ) from None


def _allocation(ray: Any, workers: int | None, device: str) -> tuple[int, int, int]:
    """Cores of each worker, the number of workers, and GPUs of each.

    Each worker has as many cores as their number allows on the machines of the cluster.
    """
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = [int(node.get("CPU", 0)) for node in alive]
    cards = [int(node.get("GPU", 0)) for node in alive]
    gpu = device == "cuda" or (device == "auto" and sum(cards) > 0)
    requested = workers or (sum(cards) if gpu else sum(count > 0 for count in cores))
    for threads in range(max(cores, default=0), 0, -1):
        fitting = (
            min(count // threads, card) if gpu else count // threads
            for count, card in zip(cores, cards, strict=True)
        )
        if requested and sum(fitting) >= requested:
            return threads, requested, int(gpu)
    resources = f"{sum(cores)} cores" + (f" and {sum(cards)} GPUs" if gpu else "")
    raise EngineError(
        f"Ray's cluster has {resources}, too few for {max(requested, 1)} workers; use fewer "
        "--workers" + (" or --device cpu." if gpu else ".")
    )


def _no_state() -> None:
    return None


def _without_state(function: Callable[[A], B], _: None, item: A) -> B:
    return function(item)
