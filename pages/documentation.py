"""The project's documentation, one document at a time, as it lies in ``docs``."""

import re
from collections.abc import Mapping
from urllib.parse import quote

import streamlit as st

from analysis.runtime.paths import DOCS
from pages.shared import address, display, header

DOCUMENTS = (
    *("tour", "method", "evaluation", "results", "recipes", "library", "backbones"),
    *("performance", "scale", "mteb", "reliability", "architecture", "dependencies"),
)
"""Documents in the order in which they are offered, by their files."""
_PICTURE = re.compile(r"^!\[[^\]\n]*\]\([^)\n]*\)\n+", re.MULTILINE)
_LINK = re.compile(r"\[([^\]\n]+)\]\((?!https?:|#)(?:(\w+)\.md(#[\w-]+)?|[./\w-]+)\)")


def read(name: str) -> tuple[str, str]:
    """The title of a document, and what follows it."""
    title, _, text = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition("\n")
    return title.removeprefix("# "), text


def linked(text: str, titles: Mapping[str, str]) -> str:
    """A document as Markdown, whose links lead to this page.

    Pictures of the pages are left out, and so are links to what is not shown here.
    """

    def link(found: re.Match[str]) -> str:
        words, other, place = found.groups(default="")
        if other not in titles:
            return words
        return f"[{words}](documentation?document={quote(titles[other])}{place})"

    return _LINK.sub(link, _PICTURE.sub("", text))


header.page_header(
    "Documentation",
    "How the method works, what the numbers mean, what was measured, and how to go on in Python "
    "or a terminal. **Choose a document.**",
)
documents = {name: read(name) for name in DOCUMENTS}
titles = {name: title for name, (title, _) in documents.items()}
chosen = st.selectbox(
    "Document",
    DOCUMENTS,
    format_func=titles.__getitem__,
    key="document",
    bind="query-params",
)
address.note_label("document", titles[chosen])
st.header(display.escaped(titles[chosen]))
st.container(key="document_text").markdown(linked(documents[chosen][1], titles))
