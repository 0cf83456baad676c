"""What stands between a browser and Streamlit's server: headers, routes, messages, limits.

Streamlit answers more than this app needs: figures about the server, a message that empties the
caches of all visits, uploads without a limit of their number. :class:`Guard` hands on what the
pages use and refuses the rest.
"""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.pages_manager import PagesManager

from analysis.errors import HostingError
from analysis.runtime import hosting
from analysis.runtime.paths import APP
from pages.shared import browser_script

MESSAGES = frozenset(
    {
        "rerun_script",
        "stop_script",
        "file_urls_request",
        "app_heartbeat",
        "backend_operation_request",
    }
)
"""Messages of a browser that are handed on: a choice, its end, a file up or down, a sign of life.

Streamlit's others empty the caches of all visits, tell about the checkout, or change the server.
"""
OPERATIONS = frozenset({"deferred_file", "dataframe_chunk"})
"""Operations that a message may ask for: a download, and rows of a long table."""
_ROUTES = re.compile(
    r"/(?:(?!oauth2callback)[\w-]*|favicon\.png|manifest\.json|browser\.js|static/.+|media/[^/]+"
    r"|_stcore/(?:health|host-config|upload_file/(?P<visit>[^/]+)/(?P<file>[^/]+)))"
)
"""Paths that are answered: a page, the files of the frontend, downloads and uploads, health."""
_PAGE = re.compile(r"/[\w-]*")
"""Paths of pages, which get the script of our own."""
_STREAM = "/_stcore/stream"
"""The path of a visit's WebSocket."""
_FRAME = 1_000_000
"""Bytes of an upload's request beyond the file's own."""
_BUSY = 1013
"""The code with which a WebSocket is closed where the server has no room: try again later."""

_NO_MESSAGE = 1002
"""The code with which a WebSocket is closed that breaks the protocol."""


def _policy() -> str:
    """The Content-Security-Policy of every answer: nothing is asked of, or sent to, another host.

    Plotly compiles what draws many dots, and Streamlit writes styles into the page.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    ]
    scripts = " ".join(["'self'", "'unsafe-eval'", *(f"'sha256-{digest}'" for digest in inline)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self'; connect-src 'self'; "
        "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    )


HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _policy(),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer."""


class Guard:
    """ASGI middleware around Streamlit's server."""

    def __init__(self, app: ASGIApp) -> None:
        # Until the entry file has run once, Streamlit takes a folder called pages for its older
        # kind of app, and runs a page without the entry.
        PagesManager.uses_pages_directory = False
        self._app = app
        self._visits = 0
        self._arriving: dict[tuple[str, str], int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request that the pages use, with headers and within the limits."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        base = (config.get_option("server.baseUrlPath") or "").strip("/")
        path = scope["path"].removeprefix(f"/{base}" if base else "") or "/"
        route = _ROUTES.fullmatch(path)
        if scope["type"] == "websocket":
            await self._visit(path, scope, receive, send)
        elif route is None or (route["visit"] and scope["method"] in ("GET", "HEAD")):
            await PlainTextResponse("Not found", 404, HEADERS)(scope, receive, send)
        elif scope["method"] == "PUT" and route["visit"]:
            await self._upload(route["visit"], route["file"], scope, receive, _headed(send))
        elif path == browser_script.PATH and scope["method"] in ("GET", "HEAD"):
            await browser_script.answer(dict(HEADERS))(scope, receive, send)
        elif _PAGE.fullmatch(path) and scope["method"] == "GET":
            whole = browser_script.asking_for_all(scope)
            await self._app(whole, receive, browser_script.added(_headed(send)))
        else:
            await self._app(scope, receive, _headed(send))

    async def _visit(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a visit where there is room, and hand on its messages."""
        try:
            limits = hosting.hosted()
        except HostingError:
            limits = None  # the page says so, and nothing can be loaded or sent
        if path != _STREAM or (limits and self._visits >= limits.visits):
            await receive()
            await send({"type": "websocket.close", "code": _BUSY, "reason": "no room"})
            return
        self._visits += 1
        try:
            await self._app(scope, _filtered(receive, send), _without_path(send))
        finally:
            self._visits -= 1

    async def _upload(
        self, visit: str, file: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Take a file where the visit and the server have room for it."""
        size = Headers(scope=scope).get("content-length", "")
        refusal = self._refusal(visit, file, int(size)) if size.isdecimal() else (411, "no length")
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        self._arriving[visit, file] = int(size)
        try:
            await self._app(scope, receive, send)
        finally:
            self._arriving.pop((visit, file), None)

    def _refusal(self, visit: str, file: str, size: int) -> tuple[int, str] | None:
        """Why a file of so many bytes is not taken, with the status; None where it is."""
        try:
            limits = hosting.hosted()
        except HostingError as error:
            return 503, str(error)
        if limits is None:
            return None
        stored = getattr(runtime.get_instance().uploaded_file_mgr, "file_storage", {})
        sizes = {
            (owner, name): len(record.data)
            for owner, files in list(stored.items())
            for name, record in list(files.items())
        } | self._arriving
        sizes.pop((visit, file), None)  # the new one replaces it
        if size > limits.megabytes * 1_000_000 + _FRAME:
            return 413, f"This server takes files of {limits.megabytes} MB."
        if sum(owner == visit for owner, _ in sizes) >= limits.uploads:
            return 413, f"This server keeps {limits.uploads} files of a visit; remove one."
        if sum(sizes.values()) + size > limits.uploaded_megabytes * 1_000_000:
            return 413, "This server has no room for another file now; try again later."
        return None


def _headed(send: Send) -> Send:
    """``send`` with :data:`HEADERS` in each answer."""

    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return headed


def _filtered(receive: Receive, send: Send) -> Receive:
    """``receive`` without the messages that the pages do not use; what is no message ends a visit.

    Streamlit would end it too, with a trace in the log for each.
    """

    async def filtered() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                is_used = _is_used(BackMsg.FromString(message.get("bytes") or b""))
            except Exception:  # whatever protobuf raises
                await send({"type": "websocket.close", "code": _NO_MESSAGE})
                return {"type": "websocket.disconnect", "code": _NO_MESSAGE}
            if is_used:
                return message

    return filtered


def _is_used(message: BackMsg) -> bool:
    """Whether a message is handed on."""
    if message.WhichOneof("type") == "backend_operation_request":
        return message.backend_operation_request.WhichOneof("payload") in OPERATIONS
    return message.WhichOneof("type") in MESSAGES


def _without_path(send: Send) -> Send:
    """``send`` without the server's path of the app, which Streamlit tells each visit."""

    async def shortened(message: Message) -> None:
        data = message.get("bytes") or b""
        if message["type"] == "websocket.send" and os.fsencode(APP) in data:
            forward = ForwardMsg.FromString(data)
            if forward.WhichOneof("type") == "new_session":
                forward.new_session.main_script_path = APP.name
                message["bytes"] = forward.SerializeToString()
        await send(message)

    return shortened
