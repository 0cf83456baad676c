"""Fetching a backbone, and folders and hub ids that cannot be: each ends in one sentence."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from conftest import assert_one_sentence

from analysis import fetching
from analysis.errors import BackboneError
from analysis.fetching import config_of
from analysis.sources import resolve


def test_a_hub_id_that_is_not_here_needs_the_hub() -> None:
    for call in (config_of, fetching.folder_of):
        with pytest.raises(BackboneError, match="not in the local hub cache") as caught:
            call(resolve("nobody/nothing"))
        assert_one_sentence(caught.value)


def hub_error(name: str) -> Exception:
    """One of the hub's errors, made without its response."""
    from huggingface_hub import errors

    kind: type[Exception] = getattr(errors, name)
    return kind.__new__(kind, "401")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (lambda: hub_error("GatedRepoError"), "is gated: accept its licence"),
        (lambda: hub_error("RevisionNotFoundError"), "has no revision 'v9'"),
        (lambda: hub_error("RepositoryNotFoundError"), "no model someone/model that you may read"),
        (lambda: ConnectionError("timed out"), "the hub cannot be reached"),
        (lambda: ValueError("set trust_remote_code=True"), "never allowed here"),
        (lambda: OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (lambda: RuntimeError(), "RuntimeError"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_the_hub_says_becomes_one_sentence(
    error: Callable[[], Exception],
    advice: str,
    wrapped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        if not wrapped:
            raise error()
        try:
            raise error()
        except Exception as cause:
            raise OSError(f"could not fetch\n  the files: {cause!r}") from cause

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    said: list[str] = []
    with pytest.raises(BackboneError, match=advice) as caught:
        fetching.folder_of(resolve("someone/model@v9"), said.append)
    assert_one_sentence(caught.value)
    assert "someone/model" in str(caught.value)
    assert said == ["Fetching someone/model from the Hugging Face hub"]
