"""No output is an input: refused before a model is loaded, whatever the path is called."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.backbones import backbone as backbones
from analysis.cli.main import main
from analysis.errors import CorpusError, RecipeError
from analysis.experiments.spec import option_of
from analysis.experiments.specs import SPECS
from analysis.parallel import sharded_encoding
from analysis.recipes import named_files
from analysis.recipes.answers import answer
from analysis.recipes.recipe import Recipe
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

TEXTS = "one text\nanother text\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with inputs under several names; loading a backbone is a failure."""

    def load(*arguments: Any, **options: Any) -> Any:
        raise AssertionError(f"a backbone was loaded: {arguments}, {options}")

    monkeypatch.setattr(backbones, "load", load)
    monkeypatch.chdir(tmp_path)
    for name in ("t.txt", "o.npy.part", "o.npy.journal", "o.npy.lock"):
        Path(name).write_text(TEXTS)
    Path("link.txt").symlink_to("t.txt")
    os.link("t.txt", "hard.txt")
    Path("linked").symlink_to(tmp_path)
    for folder in ("set", "model", "copies/texts"):
        Path(folder).mkdir(parents=True)
    Path("copies/texts/mine.txt").write_text(TEXTS)
    Path("model/config.json").write_text("{}")
    Path("m.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("KVE_CORPORA", "copies")
    recipe = "version: 1\ncommand: space\ncorpus: t.txt\noutput: maps.html\n"
    Path("r.yaml").write_text(recipe)
    for name in ("set/left.parquet", "set/right.parquet"):
        Path(name).write_text(TEXTS)
    Path("into-itself.yaml").write_text(recipe.replace("maps.html", "into-itself.yaml"))
    Path("out").mkdir()
    Path("out/report.html").write_text(recipe)
    return tmp_path


WRITTEN_OVER = {
    "the same": "encode --input t.txt --output t.txt",
    "another spelling": "encode --input t.txt --output ./set/../t.txt",
    "absolute": "encode --input t.txt --output {here}/t.txt",
    "a link as output": "encode --input t.txt --output link.txt",
    "a link as input": "encode --input link.txt --output t.txt",
    "a hard link": "encode --input hard.txt --output t.txt",
    "through a linked folder": "encode --input t.txt --output linked/t.txt",
    "the unfinished array": "encode --input o.npy.part --output o.npy",
    "the journal": "encode --input o.npy.journal --output o.npy",
    "the lock": "encode --input o.npy.lock --output o.npy",
    "in the model's folder": "encode --input t.txt --backbone model --output model/config.json",
    "the GGUF file": "encode --input t.txt --backbone m.gguf --output m.gguf",
    "maps over texts": "space --corpus t.txt --output t.txt",
    "maps over a local copy": "space --corpus mine --output copies/texts/mine.txt",
    "maps over the other model": "space --right-backbone m.gguf --output m.gguf",
    "maps over vectors": "space --vectors mine=t.txt --output t.txt",
    "maps over the texts of vectors": "space --vectors a=a.npy --vectors-texts t.txt "
    "--output t.txt",
    "exported vectors over vectors": "space --vectors a=set/left.parquet --vectors b=b.npy "
    "--output m.html --export set",
    "exported vectors over texts": "space --corpus set/right.parquet --output m.html "
    "--export ./set",
    "mteb's files in the model": "mteb --tasks STSBenchmark --backbone model --output model/out",
    "a recipe over its texts": "run r.yaml --output t.txt",
    "a recipe over itself": "run into-itself.yaml",
    "results over the recipe": "run out/report.html --output out",
}


@pytest.mark.parametrize("command", WRITTEN_OVER.values(), ids=WRITTEN_OVER)
def test_an_output_that_is_an_input_is_refused(
    files: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    assert main(command.format(here=files).split()) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    if command != "run r.yaml --output t.txt":  # a folder is wanted there
        assert "which is read; name another output." in output.err
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before


def test_redirected_standard_input_is_an_input(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del files
    with Path("t.txt").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["encode", "--input", "-", "--output", "link.txt"]) == 2
    assert "link.txt cannot be written: it is standard input" in capsys.readouterr().err


def test_standard_output_is_no_input(
    files: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``dimension --corpus t.txt >> t.txt`` of a shell has it."""
    del files
    kept = os.dup(1)
    try:
        for name, words in (("t.txt", "--corpus link.txt"), ("hard.txt", "--corpus t.txt")):
            with Path(name).open("a") as output:
                os.dup2(output.fileno(), 1)
            assert main(["dimension", *words.split()]) == 2
            message = capfd.readouterr().err
            assert f"Standard output goes to {words.split()[1]}, which is read" in message
        with Path("t.txt").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            assert main(["encode", "--input", "-", "--output", "o.npy"]) == 2
            assert "Standard output goes to standard input" in capfd.readouterr().err
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert Path("t.txt").read_text() == TEXTS


def test_scripts_and_grids_are_refused_too(files: Path) -> None:
    del files
    values = {"input": "t.txt", "output": "t.txt"}
    with pytest.raises(CorpusError, match=r"t\.txt, which is read") as caught:
        answer(SPECS["encode"].read(values))
    assert_one_sentence(caught.value)
    grid: tuple[dict[str, list[Any]], ...] = (
        {"input": ["t.txt"], "output": ["o1.npy"]},
        {"input": ["hard.txt"], "output": ["link.txt"]},
    )
    points = [point.spec for point in Recipe.of("encode", {}, grid).points()]
    with pytest.raises(CorpusError, match=r"link\.txt cannot be written"):
        named_files.check(points)
    same = Recipe.of("encode", values | {"output": "o1.npy"}, ({"method": ["mean", "echo"]},))
    with pytest.raises(RecipeError, match=r"^o1\.npy is written 2 times") as twice:
        named_files.check([point.spec for point in same.points()])
    assert_one_sentence(twice.value)


MAPS = {"corpus": "t.txt", "output": "m.html"}
TWICE: dict[str, tuple[dict[str, Any], dict[str, list[Any]], list[str]]] = {
    "two spellings": ({}, {"output": ["m.html", "out/../m.html"]}, []),
    "a link": ({}, {"output": ["m.html", "linked/m.html"]}, []),
    "one folder of vectors": (
        {"export": "vectors"},
        {"output": ["a.html", "b.html"], "seed": [0]},
        [],
    ),
    "vectors over a map": ({"output": "out/left.parquet", "export": "out"}, {}, []),
    "results over a map": ({"output": "out/report.html"}, {}, ["out/report.html"]),
}


@pytest.mark.parametrize("case", TWICE)
@pytest.mark.usefixtures("files")
def test_no_file_is_written_twice(case: str) -> None:
    values, grid, results = TWICE[case]
    points = Recipe.of("space", MAPS | values, (grid,) if grid else ()).points()
    with pytest.raises(RecipeError, match="is written 2 times, so that only the last") as caught:
        named_files.check([point.spec for point in points], [], [Path(name) for name in results])
    assert_one_sentence(caught.value)


@pytest.mark.usefixtures("files")
def test_files_of_their_own_are_written() -> None:
    grid: dict[str, list[Any]] = {"output": ["a.html", "b.html"]}
    points = [point.spec for point in Recipe.of("space", MAPS, (grid,)).points()]
    named_files.check(points, [], [Path("out/report.html")])


def test_other_outputs_are_not_refused(files: Path) -> None:
    del files
    Path("lee50").mkdir()
    questions: dict[str, dict[str, Any]] = {
        "encode": {"input": "t.txt", "output": "t.npy", "backbone": "model"},
        "space": {"corpus": "lee50", "output": "lee50/maps.html"},  # a name, not that folder
        "mteb": {"tasks": ["STSBenchmark"], "output": "."},
    }
    for command, values in questions.items():
        named_files.check([SPECS[command].read(values)])


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("encode --input t.txt --output -", r"Standard output takes no .* ends in \.npy"),
        ("encode --input t.txt --output vectors.csv", r"'vectors\.csv' would hold a NumPy array"),
        ("space --corpus t.txt --output maps.PNG", r"'maps\.PNG' would hold a web page"),
        ("encode --input t.txt --output {long}.npy", "cannot be written: File name too long"),
        ("encode --input t.txt --output around", "'around' cannot be written: "),
        ("encode --input t.txt --output pipe", "pipe cannot be written: it is not a file"),
        ("encode --input t.txt --output /dev/null", "/dev/null cannot be written: it is not a"),
        ("encode --input t.txt --output set", "set cannot be written: it is a folder"),
        ("encode --input t.txt --output no/a.npy", "There is no folder no to write into"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    files: Path, capsys: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    Path("around").symlink_to("around")
    os.mkfifo("pipe")
    before = set(files.iterdir())
    assert main(command.format(long="x" * 300).split()) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(message, output.err), output.err
    assert_one_sentence(output.err.removesuffix("\n").replace("'", ""))
    assert set(files.iterdir()) == before


@pytest.mark.parametrize("ending", ["part", "journal", "lock"])
def test_files_of_others_beside_an_output_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    tiny_models.save_folder(tmp_path / "llama")
    (tmp_path / "t.txt").write_text(TEXTS)
    (precious := tmp_path / f"o.npy.{ending}").write_text("a download")
    words = f"encode --backbone {tmp_path}/llama --layers 1 --input {tmp_path}/t.txt --output"
    assert main([*words.split(), str(tmp_path / "o.npy")]) == 2
    assert "was not written by an encoding" in capsys.readouterr().err
    assert precious.read_text() == "a download"
    precious.write_bytes(b"")  # as a killed run may leave it
    assert main([*words.split(), str(tmp_path / "o.npy")]) == 0
    assert not precious.exists()


def test_every_option_that_names_a_file_is_covered() -> None:
    for spec in SPECS.values():
        for name, field in spec.options().items():
            option = option_of(field)
            metavar = (option.metavar or "").partition(".")[0]
            named = metavar in ("FILE", "NAME=FILE", "FOLDER", "CORPUS", "MODEL")
            assert named == bool(option.reads or option.writes), (spec.command, name)


def test_python_callers_are_refused(files: Path) -> None:
    del files
    from analysis.corpora.streams import Lines

    unused: Callable[..., Any] = lambda: None  # noqa: E731
    with pytest.raises(CorpusError, match="which is read"):
        sharded_encoding.encode(unused, unused, Lines("t.txt"), Path("link.txt"), unused)  # type: ignore[arg-type]
