"""The script of the pages (``browser.js``), which our server adds to Streamlit's page."""

from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

PATH = "/browser.js"
"""Where the script is served."""
_SCRIPT = Path(__file__).with_name("browser.js").read_bytes()
_TAG = b'<script defer src="./browser.js"></script></head>'
_NEGOTIATED = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"}
"""Headers of a request with which the page would come compressed, in part or not at all."""


def answer(headers: dict[str, str]) -> Response:
    """The script, which a browser asks for anew at each start.

    Args:
        headers: of every answer.
    """
    return Response(
        _SCRIPT, media_type="text/javascript", headers={**headers, "Cache-Control": "no-cache"}
    )


def asking_for_all(scope: Scope) -> Scope:
    """A request for a page, whole and as plain text."""
    headers = [(name, value) for name, value in scope["headers"] if name not in _NEGOTIATED]
    return {**scope, "headers": headers, "extensions": {}}


def added(send: Send) -> Send:
    """``send`` with the script in a page; other answers stay as they are."""
    start: list[Message] = []
    body: list[bytes] = []

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = MutableHeaders(scope=message).get("content-type", "")
            if message["status"] == 200 and kind.startswith("text/html"):
                start.append(message)
                return
        if not start or message["type"] != "http.response.body":
            await send(message)
            return
        body.append(message.get("body", b""))
        if message.get("more_body"):
            return
        page = b"".join(body).replace(b"</head>", _TAG, 1)
        headers = MutableHeaders(scope=start[0])
        headers["content-length"] = str(len(page))
        for name in ("etag", "last-modified"):
            if name in headers:
                del headers[name]
        await send(start[0])
        await send({"type": "http.response.body", "body": page})

    return adding
