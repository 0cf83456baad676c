"""A visit without a browser: a client that speaks Streamlit's protocol; twenty are light."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol


@contextmanager
def tab(address: str) -> "Iterator[Visitor]":
    """A tab on the app at ``address``, closed at the end of the block."""
    stream = address.replace("http", "ws", 1) + "/_stcore/stream"
    with connect(stream, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
        yield Visitor(socket)


class Visitor:
    """One tab; see :func:`tab`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def ask(self, page: str, query: str) -> None:
        """Follow a link to a page; its settings are ``query``, as in the address bar."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        self._socket.send(message.SerializeToString())

    def send(self, message: BackMsg | bytes) -> None:
        """Send any message, or bytes that are none."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        self._socket.send(data)

    def session(self) -> str:
        """The name of this tab's session, after the first page has run."""
        self.ask("diagnostics", "")
        name = ""
        while True:
            message = self.heard()
            if message.WhichOneof("type") == "new_session":
                name = message.new_session.initialize.session_id
            if message.WhichOneof("type") == "script_finished" and message.script_finished == 0:
                return name

    def heard(self, seconds: float = 300) -> ForwardMsg:
        """The next message of the server.

        Raises:
            TimeoutError: there is none for so long.
        """
        message = ForwardMsg()
        message.ParseFromString(self._socket.recv(seconds))
        return message

    def read(self, page: str, query: str, seconds: float = 300) -> dict[str, str]:
        """Follow a link, wait for the page, and give its metrics by label, and errors.

        A page that runs again by itself is waited for; ``error`` is what it says is wrong.

        Raises:
            TimeoutError: it is not there after so long.
        """
        self.ask(page, query)
        shown: dict[str, str] = {}
        end = time.monotonic() + seconds
        while True:
            message = self.heard(max(0.1, end - time.monotonic()))
            match message.WhichOneof("type"):
                case "new_session":
                    shown = {}
                case "delta":
                    element = message.delta.new_element
                    if element.WhichOneof("type") == "metric":
                        shown[element.metric.label] = element.metric.body
                    elif element.WhichOneof("type") == "exception":
                        shown["error"] = element.exception.message
                    elif element.WhichOneof("type") == "alert" and element.alert.format == 1:
                        shown["error"] = element.alert.body
                case "script_finished" if message.script_finished == 0:
                    return shown
