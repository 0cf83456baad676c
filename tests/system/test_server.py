"""A hostile visitor of a hosted server: every route, every message, uploads without end."""

import http.client
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.cookies import SimpleCookie
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest, BackMsg
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pages.shared import server
from tests.support.environment import CACHE
from tests.support.serving import PAGES, ROOT, served
from tests.support.streamlit_client import Visitor, tab

SETTINGS = "megabytes: 2\nuploads: 3\nuploaded_megabytes: 5\nvisits: 4\n"
ANSWERED = {
    *("/", "/_stcore/health", "/_stcore/host-config", "/favicon.png", "/manifest.json"),
    "/browser.js",
    *(f"/{page}" for page in PAGES),
}
"""Paths that are answered to a GET."""
ROUTES = {
    *("/_stcore/health", "/_stcore/metrics", "/_stcore/host-config", "/media/{file_id:path}"),
    *("/_stcore/upload_file/{session_id}/{file_id}", "/component/{path:path}", "/_stcore/stream"),
    *("/_stcore/bidi-components/{path:path}", "/auth/login", "/auth/logout", "/oauth2callback"),
    *("/_stcore/agent/interact", "/_stcore/agent/openapi.json", "/_stcore/agent/mcp", None),
}
"""Every route of the installed Streamlit; a new one has to be looked at."""
KINDS = [field.name for field in BackMsg.DESCRIPTOR.oneofs_by_name["type"].fields]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hosted")
    (folder / "hosted.yaml").write_text(SETTINGS, encoding="utf-8")
    with served(folder / "log", KVE_HOSTED=str(folder / "hosted.yaml")) as url:
        yield url


def ask(
    address: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, named, answer.read()
    finally:
        connection.close()


def put(address: str, session: str, file: str, size: int, **more: str) -> int:
    """Upload ``size`` bytes as a file; the status."""
    _, headers, _ = ask(address, "GET", "/_stcore/health")
    token = SimpleCookie(headers["set-cookie"])["_streamlit_xsrf"].value
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.tsv"\r\n\r\n'
    return ask(
        address,
        "PUT",
        f"/_stcore/upload_file/{session}/{file}",
        head + b"x" * size + b"\r\n--x--\r\n",
        {
            "Content-Type": "multipart/form-data; boundary=x",
            "Cookie": f"_streamlit_xsrf={token}",
            "X-Xsrftoken": token,
            **more,
        },
    )[0]


def test_streamlit_has_no_route_or_message_that_nobody_looked_at() -> None:
    assert {route.path or None for route in create_streamlit_routes(MagicMock())} == ROUTES  # type: ignore[attr-defined]
    refused = set(KINDS) - server.MESSAGES
    assert refused == {
        *("clear_cache", "set_run_on_save", "load_git_info"),
        *("debug_disconnect_websocket", "debug_shutdown_runtime"),
    }
    operations = BackendOperationRequest.DESCRIPTOR.oneofs_by_name["payload"].fields
    assert {field.name for field in operations} - server.OPERATIONS == {
        *("install_skills", "dismiss_skills_nudge"),
    }


@pytest.mark.slow
def test_every_route_is_what_the_pages_use_or_nothing(address: str) -> None:
    others = [route.split("{")[0] for route in ROUTES if route] + [
        *("/_stcore/metrics?families=cache_memory_bytes", "/_stcore/script-health-check"),
        *("/component/a/index.html", "/app/static/x", "/app.py", "/.streamlit/config.toml"),
        *("/static/../../app.py", "/static/%2e%2e/%2e%2e/app.py", "/media/..%2f..%2fetc/passwd"),
        *("//evil.example/x", "/..", "/_stcore", "/_stcore/", "/_stcore/nothing", "/media/"),
    ]
    for path in {*ANSWERED, *others}:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            status, headers, body = ask(address, method, path, b"{}" if method == "POST" else None)
            is_page = path in ANSWERED or path == "/_stcore"
            assert (status == 200) == (is_page and method in ("GET", "HEAD")), (method, path)
            assert status < 500, (method, path)
            assert str(ROOT).encode() not in body
            assert headers["content-security-policy"] == server.HEADERS["Content-Security-Policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


def answers(visit: Visitor, seconds: float = 1.0) -> list[str]:
    """The kinds of messages that come within a time."""
    kinds, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            kinds.append(str(visit.heard(left).WhichOneof("type")))
        except TimeoutError:
            break
    return kinds


@pytest.mark.slow
def test_messages_that_the_pages_do_not_use_do_nothing(address: str) -> None:
    """They emptied every visit's caches, and told the names of files in the checkout."""
    with tab(address) as visit:
        visit.session()
        answers(visit, 0.5)
        for kind in set(KINDS) - server.MESSAGES:
            message = BackMsg()
            setattr(message, kind, True)
            visit.send(message)
        for operation in ("install_skills", "dismiss_skills_nudge"):
            message = BackMsg()
            getattr(message.backend_operation_request, operation).SetInParent()
            visit.send(message)
        beat = BackMsg()
        beat.app_heartbeat = True
        visit.send(beat)
        assert answers(visit) == ["heartbeat_ack"]


def hostile(chance: random.Random) -> bytes:
    """A message with odd content, or with bytes changed, or none at all."""
    message = BackMsg()
    match chance.randrange(5):
        case 0:
            message.rerun_script.query_string = chance.choice(["\x00", "%ff=%", "a=1&" * 9_000])
            message.rerun_script.page_script_hash = chance.choice(["", "../x", "a" * 9_000])
        case 1:
            message.rerun_script.page_name = chance.choice(["../../etc/passwd", "\U0001d54f", "/"])
            message.rerun_script.fragment_id = "x"
        case 2:
            state = message.rerun_script.widget_states.widgets.add()
            state.id = chance.choice(["$$ID-x-backbone", "", "$$ID-" + "y" * 99])
            state.json_value = chance.choice(["{", "[" * 9_999, "null"])
        case 3:
            message.file_urls_request.file_names.extend(["../../x"] * 2_000)
        case 4:
            message.backend_operation_request.session_id = "another visit's"
    data = bytearray(message.SerializeToString())
    for _ in range(chance.choice([0, 0, 1, 5])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data) if chance.randrange(9) else chance.randbytes(50)


@pytest.mark.slow
def test_any_messages_leave_the_server_as_it_was_and_read_nothing(address: str) -> None:
    chance, sent, ended = random.Random(0), 0, 0
    for _ in range(60):
        with tab(address) as visit, suppress(ConnectionClosed):
            for _ in range(10):
                visit.send(hostile(chance))
                sent += 1
                while True:
                    try:
                        said = visit.heard(0.05).SerializeToString()
                    except TimeoutError:
                        break
                    assert str(ROOT).encode() not in said
                    assert sys.prefix.encode() not in said
                    assert b"Traceback" not in said
            continue
        ended += 1
    assert sent > 100
    assert ended < 60, "what is no message ends the visit, the rest does not"
    with tab(address) as visit:
        assert visit.session()


@pytest.mark.slow
def test_uploads_are_limited_in_size_number_and_all_together(address: str) -> None:
    """Of 40 files of 49 MB, 40 were kept: 9.5 GB."""
    with tab(address) as visit, tab(address) as other:
        session, second = visit.session(), other.session()
        assert put(address, session, "large", 4_000_000) == 413
        assert put(address, session, "a", 1_000_000, **{"X-Xsrftoken": "none"}) == 403
        assert put(address, "nobody", "a", 1_000) == 400
        assert put(address, session, "a", 1_000_000) == 204
        assert put(address, session, "a", 1_000_000) == 204, "in place of itself"
        with ThreadPoolExecutor(12) as pool:
            at_once = list(pool.map(lambda n: put(address, session, f"b{n}", 900_000), range(12)))
        assert sorted(set(at_once)) == [204, 413]
        assert at_once.count(204) <= 2, "three files of a visit"
        assert put(address, second, "c", 2_000_000) == 204
        assert put(address, second, "d", 1_900_000) == 413, "five megabytes of all"
    end = time.monotonic() + 5
    status = ask(
        address, "PUT", "/_stcore/upload_file/x/y", headers={"Transfer-Encoding": "chunked"}
    )
    assert status[0] == 411
    assert time.monotonic() < end


@pytest.mark.slow
def test_visits_are_limited(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(tab(address))
        with pytest.raises((InvalidStatus, ConnectionClosed)), tab(address) as fifth:
            fifth.session()
    with tab(address) as again:
        assert again.session()


@pytest.mark.slow
def test_a_visitor_reads_no_path_of_the_server(address: str) -> None:
    """Every message of the page that tells most about the installation."""
    folders = {str(ROOT), sys.prefix, str(CACHE), tempfile.gettempdir(), str(Path.home())}
    folders |= {os.environ.get("HF_HOME", str(CACHE)), str(Path(sys.executable).resolve().parent)}
    with tab(address) as visit:
        visit.ask("diagnostics", "")
        said = b""
        while True:
            message = visit.heard()
            said += message.SerializeToString()
            if message.WhichOneof("type") == "script_finished":
                break
    assert b"is writable" in said
    assert not [folder for folder in folders if folder.encode() in said]


def test_every_page_has_the_script_of_the_figures_however_it_is_asked_for(address: str) -> None:
    tag = b'<script defer src="./browser.js"></script></head>'
    for path in ("/", "/similarity"):
        status, headers, page = ask(address, "GET", path, headers={"Accept-Encoding": "gzip"})
        assert status == 200
        assert page.count(tag) == 1
        assert int(headers["content-length"]) == len(page)
        again = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT", "If-None-Match": "*"}
        assert ask(address, "GET", path, headers=again)[2] == page
    status, headers, script = ask(address, "GET", "/browser.js")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert script == (ROOT / "pages" / "shared" / "browser.js").read_bytes()
    assert b"script" not in ask(address, "GET", "/_stcore/health")[2]
