"""A Hugging Face hub in this process: it answers the real client as the real one does.

No socket opens. What the client raises, and what transformers makes of that, is theirs.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import huggingface_hub
import pytest
from huggingface_hub.utils._http import default_client_factory

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """One repository with the files of ``folder``, or a ``refusal`` of everything.

    A ``gated`` one lists its files and gives none. ``sizes`` are pretended; ``requests`` holds
    the method and path of each. A request with an access token is refused unless it is ``token``,
    as the hub refuses one that has expired, of public models too.
    """

    hub_id: str = "someone/model"
    folder: Path | None = None
    gated: bool = False
    token: str | None = None
    wrong_token: str = "Invalid credentials in Authorization header"
    refusal: Callable[[], httpx.Response] | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def fetched(self) -> list[str]:
        """Names of the files whose content was asked for."""
        return [
            path.rpartition("/")[2]
            for verb, path in self.requests
            if "/resolve/" in path and verb == "GET"
        ]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the hub says to one request."""
        path = request.url.path
        self.requests.append((request.method, path))
        if self.refusal:
            return self.refusal()
        sent = request.headers.get("authorization")
        if sent is not None and sent != f"Bearer {self.token}":
            return refused(401, "", self.wrong_token)
        if self.folder is None or self.hub_id not in path:
            return refused(404, "RepoNotFound")
        files = {p.name: p.read_bytes() for p in sorted(self.folder.iterdir()) if p.is_file()}
        if path.startswith("/api/models/"):
            revision = path.split("/revision/")[-1].split("/tree/")[-1].partition("/")[0]
            if revision not in ("main", COMMIT):
                return refused(404, "RevisionNotFound")
            listed = [
                {
                    "type": "file",
                    "path": name,
                    "size": self.sizes.get(name, len(data)),
                    "oid": hashlib.sha1(data).hexdigest(),
                }
                for name, data in files.items()
            ]
            listing = {
                "id": self.hub_id,
                "sha": COMMIT,
                "siblings": [{"rfilename": n} for n in files],
            }
            return httpx.Response(200, json=listed if "/tree/" in path else listing)
        _, _, rest = path.partition("/resolve/")
        revision, _, name = rest.partition("/")
        if self.gated:
            return refused(403 if sent else 401, "GatedRepo")
        if revision not in ("main", COMMIT):
            return refused(404, "RevisionNotFound")
        if name not in files:
            return refused(404, "EntryNotFound")
        data = files[name]
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{hashlib.sha1(data).hexdigest()}"',
            "Content-Length": str(
                self.sizes.get(name, len(data)) if request.method == "HEAD" else len(data)
            ),
        }
        return httpx.Response(
            200, headers=headers, content=b"" if request.method == "HEAD" else data
        )


def refused(status: int, code: str, message: str = "") -> httpx.Response:
    """An answer of the hub that the client turns into one of its errors."""
    headers = {"X-Error-Message": message or code} | ({"X-Error-Code": code} if code else {})
    return httpx.Response(status, headers=headers, json={"error": message or code})


def no_network() -> httpx.Response:
    """What a client without a network meets."""
    raise httpx.ConnectError("[Errno -3] Temporary failure in name resolution")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """The client talks to a fake hub, and caches in a folder of the test's own."""
    fake = FakeHub()
    for name, value in (("HF_HUB_OFFLINE", False), ("HF_HUB_CACHE", str(tmp_path / "hub"))):
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    transport = httpx.MockTransport(fake.answer)
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=transport))
    yield fake
    huggingface_hub.set_client_factory(default_client_factory)
