"""What pages share in showing things, without a page around it."""

import pytest

from pages.shared import downloads


def test_strips_are_taken_along_as_a_page_that_runs_no_text() -> None:
    strip = '<div dir="ltr">one</div>'
    page = downloads.strips_page("Tokens of <a>", [("Plain & bare", strip), ("Re-routed", strip)])
    assert page.startswith("<!doctype html>")
    assert page.count(strip) == 2
    assert "Tokens of &lt;a&gt;" in page
    assert "Plain &amp; bare" in page
    assert "<a>" not in page


@pytest.mark.parametrize(
    ("name", "file"), [("Gate by token", "gate-by-token"), ("../x: y?", "x-y")]
)
def test_a_file_is_called_after_its_figure(name: str, file: str) -> None:
    assert downloads.file_name(name) == file
