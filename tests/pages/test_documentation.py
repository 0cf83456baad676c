"""The documentation in the app: every document, with links that lead to one another."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.visits import ROOT, opened, unescaped, well

DOCUMENTS = {path.stem: path for path in (ROOT / "docs").glob("*.md")}


def title(path: Path) -> str:
    return path.read_text("utf-8").partition("\n")[0].removeprefix("# ")


def text(app: AppTest) -> str:
    return max((shown.value for shown in app.markdown), key=len)


def links(app: AppTest) -> Iterator[str]:
    yield from re.findall(r"\]\((documentation[^)]*)\)", text(app))


def anchors(path: Path) -> set[str]:
    """The names by which a document's headings are linked."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_document_is_offered_by_its_title() -> None:
    app = well(opened("documentation"))
    assert sorted(app.selectbox(key="document").options) == sorted(map(title, DOCUMENTS.values()))
    assert app.header[0].value == "A tour of the pages"
    assert not app.sidebar.text_input


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_opens_a_document_whole_and_its_links_lead_somewhere(name: str) -> None:
    path = DOCUMENTS[name]
    app = well(opened("documentation", document=title(path)))
    assert [unescaped(heading.value) for heading in app.header] == [title(path)]
    written = re.sub(r"^!\[.*\)\n+", "", path.read_text("utf-8"), flags=re.MULTILINE)
    words = re.sub(r"\]\([^)\s]+\)|\[", "", written.partition("\n")[2])
    assert re.sub(r"\]\([^)\s]+\)|\[", "", text(app)).split() == words.split()
    assert not re.search(r"\]\((?!http|documentation|#)[^)\s]*\.\w+", text(app))
    titles = {title(other): other for other in DOCUMENTS.values()}
    for link in links(app):
        parts = urlsplit(link)
        (other,) = parse_qs(parts.query)["document"]
        assert not parts.fragment or parts.fragment in anchors(titles[other])
