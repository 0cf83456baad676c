"""The rules of the house: imports point one way, and everything says what it is."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (
    "errors",
    "notices",
    "journal",
    "turns",
    "hosting",
    "engines",
    "tables",
    "texts",
    "reading",
    "beir",
    "passages",
    "packaged",
    "hub_sets",
    "corpora",
    "plans",
    "positions",
    "attention",
    "rerouting",
    "forward",
    "catalogue",
    "sources",
    "explaining",
    "gguf_header",
    "conversion",
    "fetching",
    "placement",
    "packing",
    "backbone",
    "prompting",
    "pooling",
    "postprocessing",
    "methods",
    "batches",
    "encoder",
    "clouds",
    "dimension",
    "selection",
    "searches",
    "significance",
    "geometry",
    "evaluation",
    "measures",
    "windows",
    "space",
    "comparison",
    "causality",
    "store",
    "vectors",
    "made",
    "curves",
    "traces",
    "embeddings",
    "maps",
    "study",
    "sweeps",
    "ablation",
    "listening",
    "scoring",
    "sharing",
    "ranking",
    "parts",
    "embedder",
    "mteb_encoder",
    "shipped",
    "runs",
    "report",
    "theme",
    "score_figures",
    "dimension_figures",
    "rerouting_figures",
    "causal_figures",
    "space_figures",
    "ablation_figures",
    "library",
    "vectorizer",
    "langchain",
    "llamaindex",
    "files",
    "shards",
    "options",
    "doctor",
    "asked",
    "score_commands",
    "commands",
    "recipe",
    "scripts",
    "replay",
    "findings",
    "results",
    "result_figures",
    "result_page",
    "__main__",
)
"""Modules of ``analysis``; each may import those before it."""

ANALYSIS = sorted((ROOT / "analysis").glob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
MODULES = [ROOT / "app.py", *ANALYSIS, *PAGES, *sorted((ROOT / "tests").glob("*.py"))]
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f000-\U0001faff]")
"""Pictographs, symbols and dingbats, and the mark that makes a sign one of them."""


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_order_names_every_module() -> None:
    assert sorted(ORDER) == [path.stem for path in ANALYSIS if path.stem != "__init__"]


@pytest.mark.parametrize("path", ANALYSIS, ids=named)
def test_a_module_imports_only_earlier_ones(path: Path) -> None:
    allowed = ORDER[: ORDER.index(path.stem)] if path.stem in ORDER else ()
    used = {match[1] for name in imports(path) if (match := re.match(r"analysis\.(\w+)", name))}
    assert used & set(ORDER) <= set(allowed)
    assert not used - set(ORDER)
    assert not roots(path) & {"streamlit", "pages", "tests", "app"}


@pytest.mark.parametrize("path", [ROOT / "app.py", *PAGES], ids=named)
def test_pages_leave_computing_to_the_library(path: Path) -> None:
    assert not roots(path) & {"torch", "transformers", "sklearn", "umap", "skdim", "tests"}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_opens_with_what_it_holds(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", "?", ","))


@pytest.mark.parametrize("path", ANALYSIS, ids=named)
def test_what_the_library_offers_says_what_it_does(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


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
    for path in (ROOT / "app.py", *ROOT.glob("pages/*.py"), *ROOT.glob("analysis/*.py")):
        assert ":has(" not in path.read_text("utf-8"), path
