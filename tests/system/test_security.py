"""What a server lets its visitors load, send and make other visitors see; see SECURITY.md."""

import ast
import json
import re
import shutil
import sys
import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from analysis import doctor
from analysis.backbones import backbone, facts, leases, sources
from analysis.backbones.gguf_header import check_header
from analysis.cli.main import main
from analysis.corpora import beir, columns, registry
from analysis.embedding import trace_cache
from analysis.embedding.prompts import check_text
from analysis.errors import BackboneError, CorpusError, ExplorerError, HostingError
from analysis.runtime import hosting
from pages.shared import display
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence
from tests.support.visits import OWN_PAIRS, ROOT, opened, sentence, shown, unescaped, upload, well


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on which only what is packaged can be loaded."""
    monkeypatch.setenv("KVE_HOSTED", "1")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """``told(yaml)``: a server with settings."""

    def tell(text: str) -> None:
        path = tmp_path / f"hosted-{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("KVE_HOSTED", str(path))

    return tell


# Hosted mode


@pytest.mark.parametrize("setting", ["", "0", " "])
def test_everything_is_free_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch, setting: str, folder_of: Callable[[str], str]
) -> None:
    monkeypatch.setenv("KVE_HOSTED", setting)
    assert hosting.hosted() is None
    assert sources.resolve(folder_of("llama")).kind == "folder"
    assert sources.resolve("owner/name@main").kind == "hub"
    check_text("x" * 10_000_000, 1)


@pytest.mark.parametrize("name", ["/etc/passwd", "..", "owner/name", "a.gguf", "Qwen/Qwen3-4B"])
def test_a_hosted_server_loads_no_other_backbone(
    hosted: None,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for load in (sources.resolve, facts.describe, backbone.load):
        with pytest.raises(BackboneError, match=f"does not load '{name}'; it offers") as caught:
            load(name)
        assert_one_sentence(caught.value)
    assert main(["backbones", "--backbone", name]) == 2
    assert "does not load" in capsys.readouterr().err


def test_a_hosted_server_offers_what_is_packaged_and_listed(
    hosted: None,  # noqa: ARG001
    told: Callable[[str], None],
) -> None:
    assert set(sources.offered()) <= {"smollm2", "gemma3-270m"}
    told("backbones: [owner/name@abc]\ncorpora: [stsb-test]\nrows: 7\n")
    assert "owner/name@abc" in sources.offered()
    assert sources.resolve("owner/name@abc").revision == "abc"
    with pytest.raises(BackboneError):
        sources.resolve("owner/name")
    assert {"lee50", "stsb-test"} <= set(registry.names("pairs"))
    assert "stsb-dev" not in registry.names("pairs")
    limits = hosting.hosted()
    assert limits is not None
    assert (limits.rows, limits.megabytes) == (7, 10)


@pytest.mark.parametrize("kind", ["pairs", "texts", "labelled", "retrieval"])
def test_a_hosted_server_reads_no_path(
    hosted: None,  # noqa: ARG001
    tmp_path: Path,
    kind: str,
) -> None:
    path = tmp_path / "own.tsv"
    path.write_text(OWN_PAIRS, encoding="utf-8")
    load: Callable[[str], object] = getattr(registry, f"load_{kind}")
    for name in (str(path), "/etc/passwd", "stsb-dev", "scifact"):
        with pytest.raises(CorpusError, match=r"This server does not read .*; it has ") as caught:
            load(name)
        assert_one_sentence(caught.value)
    if kind != "retrieval":
        with pytest.raises(CorpusError, match="does not read"):
            registry.columns_of(str(path), kind)  # type: ignore[arg-type]
    for name in registry.names(kind, offline=True):  # type: ignore[arg-type]
        load(name)


def test_a_hosted_server_has_its_operators_copies(
    hosted: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "sts").mkdir()
    (tmp_path / "sts" / "own.tsv").write_text(OWN_PAIRS, encoding="utf-8")
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path))
    assert "own" in registry.names("pairs")
    assert len(registry.load_pairs("own").scores) == 10


def test_a_hosted_server_takes_so_much(told: Callable[[str], None]) -> None:
    told("megabytes: 1\nrows: 9\ncharacters: 50\n")
    with pytest.raises(CorpusError, match=r"own\.tsv has 10 rows, and this server takes 9;"):
        columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    for read in (columns.read_pairs, beir.read_retrieval):
        with pytest.raises(CorpusError, match=r"has 1\.1 MB, and this server takes 1 MB; send a"):
            read("own.tsv", b"x" * 1_100_000)
    with pytest.raises(CorpusError, match="Text 3 has 51 characters, and this server takes 50;"):
        check_text("x" * 51, 3)
    check_text("x" * 50, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is '/none.yaml': write 0, 1 or the path of a YAML file of settings that can be"),
        ("[", "is not readable YAML in line 1"),
        ("rows: &a 1\ncells: *a", "repeats a value by an alias in line 2"),
        ("- a", "its settings may be backbones, corpora, megabytes, rows, cells, characters"),
        ("backbone: [a]", "its settings may be backbones"),
        ("backbones: a", "its backbones must be a list of names"),
        ("rows: many", "its rows must be a whole number above 0"),
        ("rows: true", "its rows must be a whole number above 0"),
        ("megabytes: -1", "its megabytes must be a whole number above 0"),
    ],
)
def test_a_setting_that_cannot_be_read_closes_every_door(
    told: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    told(text or "")
    if text is None:
        monkeypatch.setenv("KVE_HOSTED", "/none.yaml")
    doors: list[Callable[[], object]] = [
        lambda: sources.resolve("smollm2"),
        lambda: registry.load_pairs("lee50"),
        lambda: columns.read_pairs("a.tsv", OWN_PAIRS.encode()),
        lambda: check_text("x", 1),
        sources.offered,
    ]
    for door in doors:
        with pytest.raises(HostingError, match=message):
            door()


@pytest.mark.slow
@pytest.mark.weights
def test_pages_of_a_hosted_server(
    monkeypatch: pytest.MonkeyPatch, folder_of: Callable[[str], str]
) -> None:
    """A link cannot name what the menu lacks, be it loaded for someone else or not."""
    name = folder_of("llama")
    lent = leases.lease(name)
    monkeypatch.setenv("KVE_HOSTED", "1")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["backbone"] = name
    app.run()
    assert "This server does not load" in sentence(app)
    assert "135 million parameters" in shown(app), "the default stands"
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.session_state["backbone"] = name
    assert "This server does not load" in sentence(app.run())
    assert lent in leases.active()


@pytest.mark.parametrize("hosting_on", [False, True])
def test_visitors_read_no_path_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hosting_on: bool
) -> None:
    monkeypatch.setenv("KVE_HOSTED", str(int(hosting_on)))
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "cache"))
    for text in (
        f"{tmp_path}/cache cannot be written: disk full",
        f"Run {sys.executable} -m pip install x.",
        f"{ROOT}/app.py and {Path.home()}/x",
    ):
        shown = hosting.without_paths(text)
        assert (shown != text) is hosting_on
        assert hosting_on is not any(
            str(folder) in shown for folder in (tmp_path, ROOT, Path.home(), sys.prefix)
        )
    messages = " ".join(str(check) for check in doctor.checks())
    assert (str(tmp_path) in messages) is not hosting_on
    assert (
        str(tmp_path) in display.escaped(f"{tmp_path}/cache").replace("\\", "")
    ) is not hosting_on


def test_an_unforeseen_error_shows_no_trace(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(**tiny_llama)
    monkeypatch.setattr("analysis.experiments.causal.movement", lambda *_, **__: 1 / 0)
    app.run()
    (shown_error,) = app.exception
    assert "ZeroDivisionError" not in shown_error.message
    assert "division" not in shown_error.message
    assert not any("analysis" in line for line in shown_error.stack_trace)


def test_only_this_machine_is_served_unless_asked_otherwise() -> None:
    settings_ = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings_["server"]["address"] == "127.0.0.1"
    assert settings_["client"]["showErrorDetails"] == "none"
    assert settings_["client"]["disableDataExport"] is True
    assert settings_["browser"]["gatherUsageStats"] is False
    assert "enableXsrfProtection" not in settings_["server"], "on by default"


# What people write, on other people's screens


MARKUP = "![x](http://evil/x.png) [y](http://evil) <b>z</b> $a$ `c` :red[d] *e* www.evil.example"


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("http://evil.example", r"(https?:\/\/|www(?=\.))([-.\w]+)([^ \t\r\n]*)"),
        ("HTTPS://evil.example www.evil.example", r"(https?:\/\/|www(?=\.))([-.\w]+)"),
        ("me@evil.example", r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)"),
        (":streamlit: :material_home: :smile: 12:30:45", r":[\w+-][\w_+-]*:"),
        ("a -> b <- c <-> d -- e >= f <= g ~= h", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"),
        ("-> a --", r"(^|\s)(->|--)(\s|$)"),
    ],
)
def test_what_streamlit_rewrites_after_markdown_is_cut(text: str, rewritten: str) -> None:
    """The patterns are those of Streamlit's frontend; the cut is not seen."""
    assert re.search(rewritten, text, re.IGNORECASE)
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", display.escaped(text))
    assert not re.search(rewritten, shown, re.IGNORECASE)
    assert shown.replace("\u2060", "") == text == unescaped(display.escaped(text))


def test_markdown_shows_what_was_written() -> None:
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(display.escaped(MARKUP))
    assert html.count("<") == 2, "one paragraph, nothing in it"
    assert "&lt;b&gt;z&lt;/b&gt;" in html


@pytest.mark.slow
def test_names_and_messages_are_no_markdown(tiny_llama: dict[str, str]) -> None:
    app = opened("similarity", own_pairs=True, **tiny_llama)
    upload(app, OWN_PAIRS.replace("score", MARKUP.replace("\t", " ")), f"{MARKUP[:23]}.tsv")
    messages = [str(one.value) for kind in (app.markdown, app.caption) for one in kind]
    assert any("evil" in one for one in messages)
    own = "**KV-Embedding Explorer**"  # the line above every page, with its one link
    assert not any("![" in one or "](http" in one for one in messages if not one.startswith(own))
    app.text_input(key="layers").set_value("![x](http://e/x.png)").run()
    assert "![x](http://e/x" in sentence(app)
    assert "![" not in str(app.error[0].value)


def test_pages_write_html_only_of_their_own() -> None:
    """``st.html`` is given constants and what figures escape; Markdown never takes HTML."""
    allowed = {
        "_PRIMARY_TEXT",
        "_OVER",
        "_STYLE",
        "TEXT_DIRECTION",
        "prompt_strip",
        "movement_strip",
    }
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword):
                assert node.arg not in ("unsafe_allow_html", "unsafe_allow_javascript"), path
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "html":
                names = {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(node.args[0])}
                assert names & allowed, f"{path.name}:{node.lineno}"


def test_a_page_of_maps_runs_no_text() -> None:
    text = "</script><script>alert(1)</script>"
    page = go.Figure(go.Scatter(x=[1], y=[1], text=[text], customdata=[text])).to_html()
    assert "<script>alert" not in page


@pytest.mark.parametrize("name", ["../../evil.tsv", "/etc/evil.tsv", "C:\\evil.tsv"])
def test_the_name_of_an_upload_is_no_path(
    tiny_llama: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    app = opened(**tiny_llama)
    monkeypatch.chdir(tmp_path)
    well(upload(app, OWN_PAIRS, name))
    assert "10" in shown(app)
    assert list(tmp_path.rglob("*evil*")) == []


# What is never loaded


def test_nothing_is_pickled() -> None:
    """No module of ours imports a pickler; caches on disk and in memory hold plain values."""
    for path in [
        ROOT / "app.py",
        *(ROOT / "pages").rglob("*.py"),
        *(ROOT / "analysis").rglob("*.py"),
    ]:
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {getattr(node, "module", None), *(alias.name for alias in node.names)}
                assert not names & {"pickle", "joblib", "dill", "cloudpickle", "shelve"}, path
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("st.cache_data", "torch.load"), path
            if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "trust_remote_code"):
                assert ast.unparse(node.value) == "False", path


def test_what_a_visit_leaves_on_the_disk_is_no_pickle(
    tiny_llama: dict[str, str], empty_cache: Path
) -> None:
    well(opened("rerouting", own_pairs=True, **tiny_llama))
    trace_cache.forget()
    files = [path for path in empty_cache.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert kinds, "something is stored"
    assert not kinds & {".pkl", ".pickle", ".pt", ".bin", ".joblib"}
    for path in files:
        assert not path.read_bytes().startswith(b"\x80\x04"), path


# Headers


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    tiny_models.write_gguf(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_folder(tmp_path_factory.mktemp("folder") / "llama")


def test_good_headers_pass(gguf: Path) -> None:
    check_header(gguf)


@pytest.mark.parametrize("at", [8, 16])
@pytest.mark.parametrize("count", [2**63, 2**40, 10**6])
def test_absurd_counts_are_refused_at_once(gguf: Path, tmp_path: Path, at: int, count: int) -> None:
    """An array of 2**40 numbers, as these become a few bytes further on, filled the memory."""
    data = bytearray(gguf.read_bytes())
    data[at : at + 8] = count.to_bytes(8, "little")
    (tmp_path / "a.gguf").write_bytes(data)
    with pytest.raises(BackboneError, match="more than the file holds") as caught:
        check_header(tmp_path / "a.gguf")
    assert_one_sentence(caught.value)


def test_an_endless_array_is_refused(tmp_path: Path) -> None:
    key = b"general.x"
    array = (9).to_bytes(4, "little") + (0).to_bytes(4, "little") + (2**60).to_bytes(8, "little")
    head = b"GGUF" + (3).to_bytes(4, "little") + (0).to_bytes(8, "little")
    head += (1).to_bytes(8, "little") + len(key).to_bytes(8, "little") + key + array
    (tmp_path / "a.gguf").write_bytes(head + bytes(100))
    with pytest.raises(BackboneError, match="more than the file holds"):
        facts.describe(str(tmp_path / "a.gguf"))


@pytest.mark.slow
@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 9_000), st.binary(min_size=1, max_size=8)), max_size=3))
def test_a_changed_gguf_header_is_refused_or_read_in_little_memory(
    gguf: Path, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    from gguf import GGUFReader

    data = bytearray(gguf.read_bytes())
    for at, put in changes:
        data[at : at + len(put)] = put
    path = tmp_path_factory.getbasetemp() / "changed.gguf"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        check_header(path)
        GGUFReader(path)
    except (ExplorerError, ValueError, KeyError, UnicodeDecodeError):
        pass  # what the reader raises after our own check becomes a sentence: see explained
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6


def _changed(folder: Path, target: Path, changes: list[tuple[int, bytes]]) -> Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    data = bytearray((folder / "model.safetensors").read_bytes())
    for at, put in changes:
        data[at : at + len(put)] = put
    (target / "model.safetensors").write_bytes(data)
    return target


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4_000), st.binary(min_size=1, max_size=4)), max_size=2))
def test_a_changed_safetensors_header_is_refused_or_loaded(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    target = _changed(folder, tmp_path_factory.getbasetemp() / "changed", changes)
    try:
        loaded = backbone.load(str(target), dtype="float32")
    except ExplorerError:
        return
    assert loaded.layers == tiny_models.LAYERS
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())


@pytest.mark.parametrize("size", [2**63, 2**40, 0, 1])
def test_an_absurd_safetensors_header_is_refused(folder: Path, tmp_path: Path, size: int) -> None:
    target = _changed(folder, tmp_path / "llama", [(0, size.to_bytes(8, "little"))])
    with pytest.raises(BackboneError, match="damaged or cut short") as caught:
        backbone.load(str(target))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", ["num_hidden_layers", "num_key_value_heads"])
def test_a_configuration_of_absurd_size_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "llama"
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | {name: 10**9}))
    with pytest.raises(BackboneError, match=f"{name} is 1,000,000,000, more than") as caught:
        facts.describe(str(target))
    assert_one_sentence(caught.value)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Settings are read once; each test has its own."""
    hosting._read.cache_clear()
    yield
    hosting._read.cache_clear()
