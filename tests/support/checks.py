"""Checks that several test files share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from analysis.runtime import events


def assert_one_sentence(error: BaseException | str) -> None:
    """An error or a finding that a person meets is one plain sentence."""
    text = str(error)
    assert "\n" not in text
    assert 20 < len(text) < 420
    assert text.endswith(".")
    assert re.match(r"[\w/]", text)


@contextmanager
def sentences() -> Iterator[list[str]]:
    """What is said inside the block, each in one sentence."""
    said: list[str] = []
    with events.listening(said.append):
        yield said
    for sentence in said:
        assert_one_sentence(sentence)


def unexpected(complaints: list[str]) -> list[str]:
    """Complaints other than Streamlit looking below a page's path for its own files."""
    probing = re.compile(r"404.*/_stcore/")
    return [complaint for complaint in complaints if not probing.search(complaint)]
