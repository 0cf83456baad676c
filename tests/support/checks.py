"""Checks that several test files share."""

import re


def assert_one_sentence(error: BaseException | str) -> None:
    """An error or a finding that a person meets is one plain sentence."""
    text = str(error)
    assert "\n" not in text
    assert 20 < len(text) < 420
    assert text.endswith(".")
    assert re.match(r"[\w/]", text)


def unexpected(complaints: list[str]) -> list[str]:
    """Complaints other than Streamlit looking below a page's path for its own files."""
    probing = re.compile(r"404.*/_stcore/")
    return [complaint for complaint in complaints if not probing.search(complaint)]
