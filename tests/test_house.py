"""The rules of the house: imports point one way, and everything says what it is."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ANALYSIS = sorted((ROOT / "analysis").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
MODULES = [ROOT / "app.py", *ANALYSIS, *PAGES, *sorted((ROOT / "tests").rglob("*.py"))]
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f000-\U0001faff]")
"""Pictographs, symbols and dingbats, and the mark that makes a sign one of them."""


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ANALYSIS, ids=named)
def test_the_library_knows_no_page(path: Path) -> None:
    barred = {"streamlit", "pages", "tests", "benchmarks", "analysis"}
    if path == ROOT / "analysis" / "cli" / "app.py":  # serves the pages, and knows no more of them
        barred.remove("streamlit")
    assert not roots(path) & barred


@pytest.mark.parametrize("path", [ROOT / "app.py", *PAGES], ids=named)
def test_pages_leave_computing_to_the_library(path: Path) -> None:
    assert not roots(path) & {"torch", "transformers", "sklearn", "umap", "skdim", "tests"}


def test_no_emoji() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    found = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        except UnicodeDecodeError:
            continue  # a picture or a stored result
        if hits := EMOJI.findall(text):
            found[name] = hits
    assert not found


def test_no_style_asks_what_an_element_holds() -> None:
    """With ``:has()`` a browser styles the page anew for every label that Plotly measures."""
    for path in (ROOT / "app.py", *ROOT.glob("pages/**/*.py"), *ROOT.glob("analysis/**/*.py")):
        assert ":has(" not in path.read_text("utf-8"), path
