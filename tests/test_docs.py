"""What the docs say of files, commands and targets, against what there is."""

import pkgutil
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, get_args

import pytest

import analysis
from analysis.backbones.catalog import DtypeName
from analysis.cli.parser import parse
from analysis.dimension.estimators import Cloud, EstimatorName
from analysis.dimension.selection import RuleName
from analysis.embedding.method_spelling import KINDS
from analysis.embedding.methods import MethodName
from analysis.embedding.postprocessing import PostprocessingName
from analysis.embedding.prompts import Role
from analysis.experiments.specs import SPECS
from analysis.rerouting.plan import KeyPosition

if TYPE_CHECKING:
    from analysis.backbones.backbone import Backbone

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "notes.md"])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"^(?:\.venv/bin/)?python -m analysis (.+)$|^kv-embedding (.+)$")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(
    r"(?<![\w/.~-])(?:(?:analysis|pages|tests|benchmarks|docs|assets)/[\w./-]*|[\w/]+\.py)"
)
_IN_FILE = re.compile(r"`([\w/]+\.py)`(?: |: | \()`(\w+)")
"""A file and a name that stands in it: `file.py` `name`, `file.py`: `name`, `file.py` (`name`)."""
_DOTTED = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
_ENTRY = re.compile(r"^( *)([\w.-]+/?)  +\S", re.MULTILINE)
FOREIGN = {"figure", "grid", "numpy", "st", "sys", "util"}
"""What a dotted name may begin with that is not of this project."""
_FILE = re.compile(r"\.(gguf|html|journal|json|jsonl|md|npy|parquet|part|py|toml|tsv|txt|yaml)$")
"""The end of a name with a dot that is a file's."""


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


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def file_of(name: str, page: Path) -> Path | None:
    """What a page calls ``name``: a path from the root, from `analysis/`, or a lone file's name."""
    for folder in (ROOT, ROOT / "analysis", page.parent):
        if (folder / name).exists():
            return folder / name
    alike = [] if "/" in name else [path for path in SOURCES if path.name == name]
    return alike[0] if len(alike) == 1 else None


SOURCES = [
    path
    for folder in ("analysis", "pages", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
]


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


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_exist(page: Path) -> None:
    paths = {path.rstrip(".") for path in _PATH.findall(page.read_text(encoding="utf-8"))}
    assert not {path for path in paths if file_of(path, page) is None}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_names_stand_in_their_files(page: Path) -> None:
    for path, name in _IN_FILE.findall(prose(page)):
        file = file_of(path, page)
        assert file, path
        assert re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")), (path, name)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_dotted_names_resolve(page: Path) -> None:
    for code in _CODE.findall(prose(page)):
        match = _DOTTED.fullmatch(code)
        if match and match[1] not in FOREIGN and not _FILE.search(match[2]):
            assert resolved(match[1], match[2]) is not None, code


def resolved(first: str, rest: str) -> object:
    """What a dotted name of this project means; its first part may be a module without folders."""
    root = "" if first == "analysis" else "analysis."
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in SOURCES
        if path.stem == first
    ]
    for name in (root + first, *modules):
        try:
            return pkgutil.resolve_name(name + rest)
        except (ImportError, AttributeError):
            continue
    return None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_are_understood(page: Path) -> None:
    known = {name for spec in SPECS.values() for name in spec.options()}
    known |= {
        "address",
        "compare",
        "engine",
        "help",
        "json",
        "output",
        "port",
        "version",
        "workers",
    }
    known |= set(re.findall(r'"--([a-z-]+)"', (ROOT / "benchmarks" / "soak.py").read_text()))
    for code in _CODE.findall(prose(page)):
        assert set(re.findall(r"(?<!\S)--([a-z-]+)", code)) <= known, code


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_environment_variables_are_read(page: Path) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert all(name in code for name in re.findall(r"KVE_[A-Z]+", page.read_text("utf-8")))


def test_the_tree_of_the_readme_exists() -> None:
    """Each line of the tree names a file or folder under the one it is indented below."""
    (tree,) = (b for b in _FENCE.findall((ROOT / "README.md").read_text("utf-8")) if "app.py" in b)
    above: dict[int, Path] = {-1: ROOT}
    for indent, name in re.findall(_ENTRY, tree):
        parent = above[max(depth for depth in above if depth < len(indent))]
        above = {depth: path for depth, path in above.items() if depth < len(indent)}
        above[len(indent)] = parent / name
        assert (parent / name).exists(), name
    folders = {
        path.name for path in (ROOT / "analysis").iterdir() if (path / "__init__.py").exists()
    }
    assert folders == set(re.findall(r"^  ([a-z]+)/ ", tree, re.MULTILINE))


_GLOBAL = re.compile(
    r"^@(?:lru_)?cache\b|lru_cache\(|st\.cache_|ContextVar\[|"
    r"^_?[A-Z_]+\b[^=\n]*= (?:FairLock|OrderedDict|WeakValueDictionary|threading\.)|"
    r"^_[A-Z]+: (?:list|dict|set)\b.*= (?:\[\]|\{\}|set)|"
    r"os\.environ\b(?:\.setdefault|\[.*\] =)|field_size_limit|filterwarnings|getLogger|"
    r"meta_path\.insert|Interface\.register|signal\.signal\(|os\.dup2\(",
    re.MULTILINE,
)
"""Caches, locks and registers of a module, and what is changed in other libraries."""


def test_global_state_is_listed() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Global state")[2].partition("\n## ")[0]
    listed = {file_of(name, ROOT) for name in re.findall(r"`([\w/]+\.py)`", table)}
    sources = [*(ROOT / "analysis").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    stateful = {path for path in sources if _GLOBAL.search(path.read_text(encoding="utf-8"))}
    assert listed - {ROOT / "analysis" / "__init__.py"} == stateful


def test_the_walk_of_a_text_is_the_one_in_the_docs(llama: "Backbone") -> None:
    """The functions of the list are called in its order, and all its modules are different."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("**One text through")[2].partition("\n\n**")[0]
    steps = re.findall(r"^\d+\. `([\w/]+\.py)`: `(\w+)`", section, re.MULTILINE)
    walk = [(str(file_of(path, ROOT)), name) for path, name in steps]
    assert len({path for path, _ in walk}) == len(walk) <= 10
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        call = frame.f_code.co_filename, frame.f_code.co_name
        if event == "call" and call in walk and call not in calls:
            calls.append(call)

    sys.setprofile(note)
    try:
        analysis.encode(llama, ["One text.", "Another, longer one."], layers="2-3")
    finally:
        sys.setprofile(None)
    assert calls == walk


def test_pages_are_named_as_the_app_names_them() -> None:
    """The tour and the table of the README, against the menu and the questions of the pages."""
    app = (ROOT / "app.py").read_text(encoding="utf-8")
    pages = {}
    for name, title in re.findall(r'^    "(\w+)": "(.+)",$', app, re.MULTILINE):
        code = (ROOT / "pages" / f"{name}.py").read_text(encoding="utf-8")
        (pages[title],) = re.findall(r'page_header\(\s*"([^"]+)"', code)
    assert pages.pop("Documentation") == "Documentation"  # which is in no menu
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    stops = dict(re.findall(r"^## \d+\. ([^:]+): (.+)$", tour, re.MULTILINE))
    assert stops == {title: ask[0].lower() + ask[1:] for title, ask in pages.items()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| {title} | {ask} " in readme for title, ask in pages.items())


@pytest.mark.parametrize("name", ["README.md", "docs/tour.md"])
def test_labels_stand_on_the_pages(name: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pages").rglob("*.py"))
    text = (ROOT / name).read_text(encoding="utf-8")
    labels = re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", text)
    assert labels
    assert not [label for label in labels if label not in code]


def test_the_families_are_counted() -> None:
    """The README's numbers, against the rows of docs/backbones.md, three of which are weights."""
    table = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    rerouted = len(re.findall(r"^\| (?!family )\w", table, re.MULTILINE)) - 3
    refused = len(re.findall(r"^- \w+ cannot be re-routed", table, re.MULTILINE))
    counts = f"{rerouted} families that can be re-routed, {refused} that cannot and three sets"
    assert counts in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_public_names_are_documented() -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    assert not {name for name in analysis.__all__ if not re.search(rf"\b{name}\b", page)}


@pytest.mark.parametrize(
    "values",
    [DtypeName, MethodName, RuleName, EstimatorName, Cloud, KeyPosition, Role, PostprocessingName],
    ids=[
        "dtype",
        "method",
        "rule",
        "estimator",
        "cloud",
        "key_position",
        "role",
        "post_processing",
    ],
)
def test_the_values_of_options_are_documented(
    values: object, request: pytest.FixtureRequest
) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    option = request.node.callspec.id
    (row,) = re.findall(rf"^\| `{option}` \| (.+) \|$", page, re.MULTILINE)
    assert re.findall(r"`([\w-]+)`", row) == list(literals(values))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "setting"])
def test_the_parts_of_methods_are_documented(kind: str) -> None:
    page = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {kind} \| (.+) \|$", page, re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", row)) == set(KINDS[kind])


def literals(values: object) -> Iterator[str]:
    """The strings of a Literal, or of a union of several."""
    for value in get_args(values):
        yield from [value] if isinstance(value, str) else literals(value)
