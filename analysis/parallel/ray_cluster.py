"""Ray's cluster: a connection to it, with this package's code, and its cores and GPUs."""

import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import EngineError, one_line
from ..runtime.paths import ASSETS, PACKAGE, import_name

ANSWER = 5.0
"""Seconds within which a port of Ray's has accepted a connection, and then answered."""
LOST = 30.0
"""Seconds without an answer of a cluster's head after which it is given up; Ray waits for 60, and
then ends the program."""
_TRIES = "10"
"""Seconds for which Ray tries a port where another server of gRPC answers; its own number is 20."""
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""The first bytes of any client of HTTP/2, which gRPC and so Ray speaks: the preface and empty
settings (RFC 9113, section 3.4). A server answers with its own settings."""


class Allocation(NamedTuple):
    """What workers have: cores of each, their number, and GPUs of each."""

    threads: int
    workers: int
    gpus: int


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected during the block unless it was connected before.

    Args:
        address: HOST:PORT of a cluster, whose workers are sent this package's code; None is a
            cluster on this machine that ends with the block.

    Yields:
        The module ``ray``.

    Raises:
        EngineError: Ray is not installed, does not start, or no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", _TRIES)
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
            _greet(ray, address)
            with _code() as environment:
                ray.init(address=address, runtime_env=environment, **quiet)
    try:
        yield ray
    finally:
        ray.shutdown()


def allocation(ray: Any, workers: int | None, device: str) -> Allocation:
    """Share out a cluster: each worker has as many cores as their number allows on its machines.

    Args:
        ray: the module, connected.
        workers: their number; None is one for each GPU, or for each machine where none is used.
        device: ``auto`` and ``cuda`` use GPUs.

    Raises:
        EngineError: the cluster is too small.
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
            return Allocation(threads, requested, int(gpu))
    resources = f"{sum(cores)} cores" + (f" and {sum(cards)} GPUs" if gpu else "")
    raise EngineError(
        f"Ray's cluster has {resources}, too few for {max(requested, 1)} workers; use fewer "
        "--workers" + (" or --device cpu." if gpu else ".")
    )


class Head:
    """The head of a cluster, without which Ray ends the program after a minute.

    Args:
        ray: the module, connected.
    """

    def __init__(self, ray: Any) -> None:
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self._address = host.strip("[]"), int(port)
        self._answered = self._tried = time.monotonic()

    def check(self) -> None:
        """Try now and then whether the head accepts connections.

        Raises:
            EngineError: it has not for :data:`LOST` seconds.
        """
        now = time.monotonic()
        if now - self._tried < ANSWER:
            return
        self._tried = now
        try:
            socket.create_connection(self._address, timeout=1).close()
            self._answered = now
        except OSError as error:
            if now - self._answered > LOST:
                raise EngineError(
                    f"The head of Ray's cluster was lost ({one_line(error)}); start the cluster "
                    "again, and give the command again: what was finished is kept."
                ) from None


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
        ) from None


@contextmanager
def _reached(address: str) -> Iterator[None]:
    """Say in one sentence that no cluster of Ray's is reached."""
    try:
        yield
    except Exception as error:
        raise EngineError(
            f"No Ray cluster answers at {address:.100} ({one_line(error)}); give the HOST:PORT "
            "that ray start --head printed, set RAY_AUTH_MODE=token if it asks for a token, or "
            "leave out the address."
        ) from None


def _greet(ray: Any, address: str) -> None:
    """Refuse a port where nothing of Ray's answers, for which Ray itself would wait for minutes.

    Another server of gRPC does answer, and is refused by Ray itself, after :data:`_TRIES` seconds.
    Where Ray encrypts, only the connection is tried.

    Raises:
        OSError, ValueError: nothing answers, or something else.
    """
    if (match := re.fullmatch(r"\[?([^\[\]/]+?)\]?:(\d{1,5})", address)) is None:
        raise ValueError("it is not HOST:PORT")
    host, port = match.groups()
    if host in ("localhost", "127.0.0.1", "::1"):
        host = ray.util.get_node_ip_address()  # which Ray takes these for
    with socket.create_connection((host, int(port)), timeout=ANSWER) as connection:
        if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
            return
        connection.sendall(_GREETING)
        try:
            frame = connection.recv(9)
        except TimeoutError:
            raise ValueError(f"{host}:{port} accepts connections, but says nothing") from None
    if frame[3:5] != b"\4\0":  # the type of a frame of settings, and none of its flags
        raise ValueError(f"{host}:{port} is another program's")


@contextmanager
def _code() -> Iterator[dict[str, Any]]:
    """The runtime environment that brings this package to the nodes of a cluster.

    It is laid out as where it is installed, with the results that ship inside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, import_name())
        unsent = shutil.ignore_patterns("__pycache__", "_app", "assets")
        shutil.copytree(PACKAGE, package, ignore=unsent)
        shutil.copytree(ASSETS / "results", package / "assets" / "results")
        yield {"py_modules": [str(package)]}
