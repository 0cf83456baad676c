"""Ray's cluster: one that does not start, ports that are another program's, and its resources."""

import socketserver
import sys
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.errors import EngineError
from analysis.parallel import engines, ray_cluster
from analysis.parallel.engines import Engine
from tests.support.checks import assert_one_sentence

LOOPBACK = SimpleNamespace(util=SimpleNamespace(get_node_ip_address=lambda: "127.0.0.1"))
"""In place of the module ``ray``, which takes 127.0.0.1 for another address of the machine."""


@pytest.fixture
def port() -> Iterator[Callable[[bytes | None], int]]:
    """Open a port that says something to whoever connects; with None it says nothing."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if words is None:
                ended.wait()
            else:
                self.request.sendall(words)

    words: bytes | None = b""
    ended = Event()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,)).start()

    def opened(spoken: bytes | None) -> int:
        nonlocal words
        words = spoken
        number: int = server.server_address[1]
        return number

    yield opened
    ended.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("error", [Exception, RuntimeError, OSError])
def test_a_ray_that_does_not_start_says_so(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray raises a plain Exception after half a minute, with advice for its authors."""
    ended: list[bool] = []

    def init(*_: object, **__: object) -> None:
        raise error("The current node timed out during startup.\n  Check the log\n")

    ray = SimpleNamespace(
        init=init, is_initialized=lambda: False, shutdown=lambda: ended.append(True)
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(
        EngineError, match=r"Ray could not start .* timed out during .* --engine"
    ) as caught:
        list(engines.run(str, [1], Engine("ray")))
    assert_one_sentence(caught.value)
    assert ended == [True]


@pytest.mark.parametrize(
    "words",
    [
        None,
        b"",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"-ERR unknown command\r\n",
        b"\0",
        bytes(range(50)),
    ],
    ids=["silent", "closing", "http", "ssh", "redis", "a byte", "bytes"],
)
def test_a_port_that_is_not_rays_is_refused_before_ray_waits_for_it(
    words: bytes | None, port: Callable[[bytes | None], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself waits for more than three minutes."""
    monkeypatch.setattr(ray_cluster, "ANSWER", 0.3)
    address = f"127.0.0.1:{port(words)}"
    ray = SimpleNamespace(is_initialized=lambda: False, init=pytest.fail, util=LOOPBACK.util)
    monkeypatch.setitem(sys.modules, "ray", ray)
    began = time.monotonic()
    with pytest.raises(EngineError, match="HOST:PORT") as caught:
        list(engines.run(str, [1], Engine("ray", address)))
    assert time.monotonic() - began < 2
    assert_one_sentence(caught.value)


def test_a_port_that_speaks_as_ray_does_is_let_through(port: Callable[[bytes | None], int]) -> None:
    ray_cluster._greet(LOOPBACK, f"127.0.0.1:{port(bytes.fromhex('000018040000000000'))}")


def test_an_encrypted_port_is_left_to_ray(
    port: Callable[[bytes | None], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")
    ray_cluster._greet(LOOPBACK, f"127.0.0.1:{port(None)}")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:1", "nowhere", "127.0.0.1:port", "ray://a:1", ":6379", "127.0.0.1:99999"),
        *("auto", "127.0.0.1:", "[::1]:1", f"{'x' * 500}:1"),
    ],
)
def test_an_address_where_nobody_answers_is_refused_at_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = SimpleNamespace(is_initialized=lambda: False, init=pytest.fail, util=LOOPBACK.util)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(EngineError, match="HOST:PORT") as caught:
        list(engines.run(str, [1], Engine("ray", address)))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("nodes", "workers", "device", "room"),
    [
        ([(2, 0)], None, "auto", (2, 1, 0)),
        ([(2, 0)], 2, "auto", (1, 2, 0)),
        ([(8, 0), (8, 0)], None, "auto", (8, 2, 0)),
        ([(4, 0), (12, 0)], 3, "auto", (4, 3, 0)),
        ([(4, 0), (12, 0)], 2, "cpu", (6, 2, 0)),
        ([(64, 8)], None, "auto", (8, 8, 1)),
        ([(64, 8)], 4, "cuda", (16, 4, 1)),
        ([(64, 8)], 4, "cpu", (16, 4, 0)),
        ([(16, 0), (16, 2)], None, "auto", (8, 2, 1)),
    ],
)
def test_workers_share_the_cores_that_there_are(
    nodes: list[tuple[int, int]], workers: int | None, device: str, room: tuple[int, int, int]
) -> None:
    assert ray_cluster.allocation(_ray(nodes), workers, device) == room


@pytest.mark.parametrize(
    ("nodes", "workers", "device"),
    [([(2, 0)], 3, "auto"), ([(64, 8)], 9, "auto"), ([(2, 0)], None, "cuda"), ([], None, "auto")],
)
def test_too_many_workers_are_refused_with_the_numbers(
    nodes: list[tuple[int, int]], workers: int | None, device: str
) -> None:
    with pytest.raises(EngineError, match="cores") as caught:
        ray_cluster.allocation(_ray(nodes), workers, device)
    assert_one_sentence(caught.value)


def _ray(nodes: list[tuple[int, int]]) -> Any:
    alive = [{"Alive": True, "Resources": {"CPU": cpu, "GPU": gpu}} for cpu, gpu in nodes]
    return SimpleNamespace(nodes=lambda: [*alive, {"Alive": False, "Resources": {"CPU": 99}}])
