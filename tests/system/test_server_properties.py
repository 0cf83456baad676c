"""Any HTTP request and any WebSocket message to a hosted server, which goes on.

Hypothesis draws requests byte by byte, where :mod:`tests.system.test_server` lists them.
"""

import secrets
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed

from tests.support.hostile import MARKUPS
from tests.support.serving import PAGES, ROOT, served
from tests.support.streamlit_client import tab
from tests.system.test_server import ROUTES

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
MANY = settings(FEW, max_examples=1_000, phases=[Phase.generate])
LONGEST = 20.0
"""Seconds within which each request is answered, or its connection closed."""

ODD = st.sampled_from(
    [
        *("..", "%2e%2e", "%00", "%ff", "%", "~", ":", "@", "\\", ";", "*", "etc/passwd", "app.py"),
        *("a" * 5_000, "a" * 70_000, "%41" * 3_000, "../" * 500, "/" * 500, "C:", "x.tsv", "1"),
        *(markup.replace(" ", "+") for markup in MARKUPS[:4]),
    ]
)
PARTS = ODD | st.sampled_from(PAGES) | st.text("abz019._-%/", max_size=12)
PATHS = (
    st.sampled_from(sorted({route.split("{")[0] for route in ROUTES if route} | {"/", "*", ""}))
    | st.sampled_from([f"/{page}" for page in PAGES])
    | st.just("http://evil.example/")
)
TARGETS = st.builds(
    lambda path, parts, query: path + "/".join(parts) + (f"?{query}" if query else ""),
    *(PATHS, st.lists(PARTS, max_size=3), st.text("ab=&%+;[]\u00ff", max_size=30)),
)
METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI", "get"]
) | st.text("AZ!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.sampled_from(
    [
        *("", "0", "-1", "1", "99999999999999999999", "9" * 5_000, "1,1", "+1", "0x10", "\u00b2"),
        *("chunked", "gzip, chunked", "identity", "close", "keep-alive, Upgrade", "websocket"),
        *("bytes=0-0", "bytes=-1", "bytes=0-,1-", "bytes=9999999999-", "bytes=" + "0-0," * 999),
        *("null", "http://evil.example", "127.0.0.1", "evil.example", "a" * 20_000, "\x01", "\xff"),
        *("multipart/form-data; boundary=x", "multipart/form-data", "application/json", "\t"),
        *("_streamlit_xsrf=2|a|b|1", "_streamlit_xsrf=" + "a" * 5_000, "=;;=", "100-continue", "*"),
        *("13", "8", "dGhlIHNhbXBsZSBub25jZQ==", "permessage-deflate", "streamlit, x", "br;q=2"),
    ]
)
NAMES = st.sampled_from(
    [
        *("Host", "Content-Length", "Transfer-Encoding", "Range", "If-Range", "If-None-Match"),
        *("Connection", "Upgrade", "Origin", "Cookie", "X-Xsrftoken", "Content-Type", "Expect"),
        *("Accept-Encoding", "If-Modified-Since", "X-Forwarded-For", "X-Forwarded-Host", "TE"),
        *("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "X-Real-IP"),
        *("Sec-WebSocket-Protocol", "X-Forwarded-Proto", "Forwarded", "Referer", "X-HTTP-Method"),
    ]
) | st.text("abc-_ :", max_size=8)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6)
BODIES = st.sampled_from([b"", b"{}", b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"x" * 100_000]) | (
    st.binary(max_size=60)
)
ENDS = st.sampled_from(["HTTP/1.1\r\n", "HTTP/1.1\r\nHost: a\r\n"] * 4 + ["HTTP/1.0\r\n"]) | (
    st.sampled_from(["HTTP/2.0\r\n", "HTTP/9\r\n", "\r\n", "HTTP/1.1\n", "HTTP/1.1\r\n" * 2])
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as it is sent, most of them understood."""
    lines = [f"{draw(METHODS)} {draw(TARGETS)} {draw(ENDS)}"]
    lines += [f"{name}: {value}\r\n" for name, value in draw(HEADERS)]
    return "".join([*lines, "\r\n"]).encode("latin-1", "replace") + draw(BODIES)


def _field(draw: st.DrawFn, field: FieldDescriptor, depth: int) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_MESSAGE:
            return _filled(draw, field.message_type._concrete_class(), depth + 1)
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return draw(st.binary(max_size=30) | st.just(b"x" * 100_000))
        case FieldDescriptor.CPPTYPE_STRING:
            return draw(ODD | st.sampled_from(PAGES) | st.text(max_size=30))
        case FieldDescriptor.CPPTYPE_BOOL:
            return draw(st.booleans())
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return draw(st.floats(width=32))
        case FieldDescriptor.CPPTYPE_ENUM:
            return draw(st.sampled_from([value.number for value in field.enum_type.values]))
    return draw(st.integers(0, 2**31 - 1) | st.integers(0, 3))


def _filled(draw: st.DrawFn, message: Message, depth: int) -> Message:
    """A message with some of its fields set, to whatever their types allow."""
    fields = list(message.DESCRIPTOR.fields)
    most = 0 if depth > 5 or not fields else 1 if depth == 0 else 4
    for field in draw(st.lists(st.sampled_from(fields), max_size=most)) if most else []:
        if field.is_repeated:
            for _ in range(draw(st.sampled_from([1, 2, 40]))):
                value = _field(draw, field, depth)
                if isinstance(value, Message) and not hasattr(getattr(message, field.name), "add"):
                    continue  # a map
                getattr(message, field.name).append(value)
        elif isinstance(value := _field(draw, field, depth), Message):
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message of Streamlit's protocol, a few of them with bytes changed."""
    data = bytearray(_filled(draw, BackMsg(), 0).SerializeToString())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3])) if data else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame of a WebSocket (RFC 6455, section 5.2), with any flags, lengths and masks."""
    data = draw(messages() | st.binary(max_size=130) | st.just(b"x" * 70_000))
    first = draw(
        st.sampled_from([0x82, 0x81, 0x02, 0x80, 0x88, 0x89, 0x8A, 0xC2]) | st.integers(0, 255)
    )
    length = draw(st.sampled_from([len(data)] * 6 + [0, 1, 2**16, 2**31, 2**63, 2**64 - 1]))
    masked = draw(st.sampled_from([0x80] * 6 + [0]))
    if length < 126:
        head = bytes([first, masked | length])
    elif length < 2**16:
        head = bytes([first, masked | 126]) + length.to_bytes(2)
    else:
        head = bytes([first, masked | 127]) + length.to_bytes(8)
    return head + (bytes(4) if masked else b"") + data


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("hosted")
    (folder / "hosted.yaml").write_text("megabytes: 2\nvisits: 50\n", encoding="utf-8")
    with served(folder / "log", KVE_HOSTED=str(folder / "hosted.yaml")) as address:
        yield address, folder / "log"


def exchange(address: str, sent: list[bytes], seconds: float = 0.1) -> bytes:
    """What a server says to bytes before it closes the connection, or is silent for a while."""
    host, port = address.removeprefix("http://").split(":")
    said = b""
    connection = socket.create_connection((host, int(port)), timeout=LONGEST)
    with connection, suppress(ConnectionError, TimeoutError):
        for data in sent:
            connection.sendall(data)
        connection.settimeout(seconds)
        while piece := connection.recv(1 << 16):
            said += piece
    return said


def check(server: tuple[str, Path], said: bytes) -> None:
    """The server told nothing about itself, wrote no trace, and answers."""
    address, log = server
    for secret in (str(ROOT), sys.prefix, str(Path.home()), "Traceback"):
        assert secret.encode() not in said
    began = time.monotonic()
    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=LONGEST) as answer:
        assert answer.status == 200
    assert time.monotonic() - began < LONGEST
    written = log.read_text(errors="replace")
    assert "Traceback" not in written, written[-4_000:]


def try_request(server: tuple[str, Path], request: bytes) -> None:
    said = exchange(server[0], [request])
    for line in said.split(b"\r\n"):
        if line.startswith(b"HTTP/1."):
            assert int(line.split()[1]) < 500, (request[:300], said[:300])
    check(server, said)


def try_frames(server: tuple[str, Path], sent: list[bytes]) -> None:
    key = secrets.token_hex(8).encode()
    opening = (
        b"GET /_stcore/stream HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: streamlit\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
    check(server, exchange(server[0], [opening, *sent]))


def try_messages(server: tuple[str, Path], sent: list[bytes]) -> None:
    said = b""
    with suppress(ConnectionClosed), tab(server[0]) as visit:
        for data in sent:
            visit.send(data)
            with suppress(TimeoutError):
                while True:
                    said += visit.heard(0.05).SerializeToString()
    check(server, said)


@pytest.mark.slow
@FEW
@given(requests())
def test_any_request_is_answered_or_refused(server: tuple[str, Path], request: bytes) -> None:
    try_request(server, request)


@pytest.mark.slow
@FEW
@given(st.lists(frames(), max_size=4))
def test_any_frames_end_at_most_their_own_visit(
    server: tuple[str, Path], sent: list[bytes]
) -> None:
    try_frames(server, sent)


@pytest.mark.slow
@FEW
@given(st.lists(messages(), max_size=4))
def test_any_messages_of_the_protocol_are_harmless(
    server: tuple[str, Path], sent: list[bytes]
) -> None:
    try_messages(server, sent)


@pytest.mark.nightly
@MANY
@given(requests(), st.lists(frames(), max_size=4), st.lists(messages(), max_size=4))
def test_thousands_of_each(
    server: tuple[str, Path], request: bytes, framed: list[bytes], sent: list[bytes]
) -> None:
    try_request(server, request)
    try_frames(server, framed)
    try_messages(server, sent)
