"""What the docs say of files, commands and targets, against what there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.cli.parser import parse

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"^(?:\.venv/bin/)?python -m analysis (.+)$|^kv-embedding (.+)$")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[str]:
    """What follows the program's name in the page's blocks of code, without shell operators."""
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if match := _PROGRAM.match(line.strip()):
                yield (match[1] or match[2]).partition(" #")[0].partition(" | ")[0]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_what_is_there(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_are_understood(page: Path) -> None:
    for command in commands(page):
        parse(shlex.split(command))


def test_commands_are_found_in_the_docs() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_targets_of_make_are_there(page: Path) -> None:
    rules = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    text = page.read_text(encoding="utf-8")
    spoken = re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)", text)
    spoken += [
        target
        for block in _FENCE.findall(text)
        for target in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)
    ]
    assert set(spoken) <= set(rules)
