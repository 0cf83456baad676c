"""Rules of the whole tree that neither ruff nor import-linter knows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f000-\U0001faff]")
"""Pictographs, symbols and dingbats, and the mark that makes a sign one of them."""


def test_no_emoji() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    emoji = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
        except UnicodeDecodeError:
            continue  # a picture or a stored result
        if hits := EMOJI.findall(text):
            emoji[name] = hits
    assert not emoji


def test_long_modules_say_why() -> None:
    for limit, paths in (
        (150, ROOT.glob("pages/*.py")),
        (300, (*ROOT.glob("analysis/**/*.py"), *ROOT.glob("pages/**/*.py"))),
    ):
        for path in paths:
            lines = path.read_text("utf-8").splitlines()
            assert len(lines) <= limit or f"than {limit} lines" in "\n".join(lines[:5]).lower(), (
                path
            )


def test_the_library_never_names_its_own_root() -> None:
    """Its imports are relative, since the wheel renames its folder."""
    for path in ROOT.glob("analysis/**/*.py"):
        assert not re.search(r"^\s*(from|import) analysis\b", path.read_text("utf-8"), re.M), path


def test_no_style_asks_what_an_element_holds() -> None:
    """With ``:has()`` a browser styles the page anew for every label that Plotly measures."""
    for path in (ROOT / "app.py", *ROOT.glob("pages/**/*.py"), *ROOT.glob("analysis/**/*.py")):
        assert ":has(" not in path.read_text("utf-8"), path


def test_messages_quote_through_one_function() -> None:
    """A representation in a message could be of any length: :func:`analysis.errors.quoted`."""
    for path in (*ROOT.glob("pages/**/*.py"), *ROOT.glob("analysis/**/*.py")):
        for line in path.read_text("utf-8").splitlines():
            values = re.findall(r"\{([^{}]*)!r[:}]", line)
            short = all(value.startswith("shorten(") or value == "previous" for value in values)
            assert short or "AttributeError" in line or "BLANK!r" in line, f"{path}: {line}"
