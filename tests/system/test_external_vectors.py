"""Vectors made elsewhere at every door of a command: those of a method give the method's numbers.

A method's vectors are written by ``encode`` and brought back. Scores, changes and maps are then
those of the method itself, to the last digit.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import analysis
from analysis.backbones.backbone import Backbone
from analysis.cli.main import main
from analysis.corpora import registry, sampling
from analysis.embedding import finishing
from analysis.errors import CorpusError, RecipeError
from analysis.experiments.specs import Space
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence
from tests.support.visits import OWN_PAIRS

METHODS = ("echo", "mean")
LABELLED = "text\tlabel\n" + "".join(
    f"The {animal} number {i} is {'old' if i % 2 else 'new'}.\t{animal}\n"
    for i in range(8)
    for animal in ("dog", "cat", "owl")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny backbone, corpora, and the vectors of echo for all of their texts."""
    where = tmp_path_factory.mktemp("external")
    tiny_models.save_folder(where / "llama")
    (where / "pairs.tsv").write_text(OWN_PAIRS)
    (where / "labelled.tsv").write_text(LABELLED)
    retrieval = registry.load_retrieval("chatterbot-answers")
    part = sampling.scored_part(retrieval, 6)
    lists = {
        "pairs.txt": registry.load_pairs(where / "pairs.tsv").texts,
        "labelled.txt": registry.load_texts(where / "labelled.tsv").texts,
        "documents.txt": part.documents,
        "queries.txt": part.queries,
    }
    for name, texts in lists.items():  # one file a list, so that batches are the same
        (where / name).write_text("\n".join(texts))
        options = [f"--input={where / name}", f"--output={where / name}.npy", "--method=echo"]
        assert main(["encode", f"--backbone={where / 'llama'}", "--dtype=float32", *options]) == 0
    every = [text for texts in lists.values() for text in texts]
    rows = np.concatenate([np.load(where / f"{name}.npy") for name in lists])
    np.save(where / "all.npy", rows)
    (where / "all.tsv").write_text("text\n" + "\n".join(every))
    parquet.write_table(pa.table({"text": every, "embedding": [*rows]}), where / "all.parquet")
    return where


def _rows(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[dict[str, Any]]:
    capsys.readouterr()
    code = main([*map(str, words), "--dtype=float32", "--json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    rows: list[dict[str, Any]] = json.loads(output.out)
    return rows


NUMBERS = ("value", "spearman", "pearson", "ci_low", "ci_high", "rank", "rank_low", "rank_high")


@pytest.mark.parametrize("file", ["all.parquet", "all.npy"])
@pytest.mark.parametrize(
    "asked",
    [
        "sts --corpus={0}/pairs.tsv",
        "score --corpus={0}/pairs.tsv --part=8",
        "score --on=labelled --corpus={0}/labelled.tsv",
        "score --on=retrieval --part=6",
    ],
)
def test_the_vectors_of_a_method_score_as_the_method_does(
    folder: Path, capsys: pytest.CaptureFixture[str], asked: str, file: str
) -> None:
    words = [*asked.format(folder).split(), f"--backbone={folder / 'llama'}", "--method=echo"]
    words += [f"--vectors=mine={folder / file}"]
    if file.endswith(".npy"):
        words += [f"--vectors-texts={folder / 'all.tsv'}"]
    rows = _rows(capsys, *words)
    own = [row for row in rows if row["method"] == "echo"]
    brought = [row for row in rows if row["method"] == "mine"]
    assert len(own) == len(brought) > 0
    for one, other in zip(own, brought, strict=True):
        assert [one.get(name) for name in NUMBERS] == [other.get(name) for name in NUMBERS]
        assert other.get("change", 0) == 0
        assert other["backbone"].startswith(f"vectors from {file}, dimension 48, digest ")
        assert "template" not in other
        assert other["layers"] == []


def test_vectors_without_texts_are_those_of_the_corpus_in_its_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--corpus={folder / 'pairs.tsv'}", f"--backbone={folder / 'llama'}", "--method=echo"]
    given = f"--vectors=mine={folder / 'pairs.txt.npy'}"
    for part in ([], ["--part=8"]):
        own, *_, brought, _ = _rows(capsys, "score", *words, *part, given)
        assert (own["method"], brought["method"]) == ("echo", "mine")
        assert own["value"] == brought["value"]


def test_exported_vectors_are_read_back_to_the_same_bits(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [f"--corpus={folder / 'labelled.tsv'}", f"--backbone={folder / 'llama'}"]
    words += ["--projection=pca", f"--output={tmp_path / 'a.html'}"]
    methods = ["--method=echo", "--method=kv-embedding", "--layers=1"]
    row: Any = _rows(capsys, "space", *words, *methods, f"--export={tmp_path / 'out'}")
    assert row["export"] == str(tmp_path / "out")
    texts = registry.load_texts(folder / "labelled.tsv").texts
    rows = dict(
        zip(
            (folder / "labelled.txt").read_text().split("\n"),
            np.load(folder / "labelled.txt.npy"),
            strict=True,
        )
    )
    back = analysis.load_vectors("back", tmp_path / "out" / "left.parquet")
    np.testing.assert_allclose(
        back.encode(texts).embeddings, [rows[text] for text in texts], atol=1e-6
    )
    kept = [
        f"--vectors={side}={tmp_path / 'out' / f'{side}.parquet'}" for side in ("left", "right")
    ]
    again: Any = _rows(capsys, "space", *words, *kept, f"--export={tmp_path / 'again'}")
    assert again["neighbours_kept"] == row["neighbours_kept"]
    assert again["trustworthiness"] == row["trustworthiness"]
    for side in ("left", "right"):
        first, second = (
            parquet.read_table(tmp_path / name / f"{side}.parquet") for name in ("out", "again")
        )
        for column in ("text", "label", "embedding"):
            assert first[column].equals(second[column])
    facts = parquet.read_schema(tmp_path / "out" / "right.parquet").metadata
    assert facts[b"method"] == b"kv-embedding"
    assert facts[b"layers"] == b"[1]"
    assert facts[b"dtype"] == b"float32"


def test_the_map_of_vectors_is_the_methods(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [f"--corpus={folder / 'labelled.tsv'}", f"--backbone={folder / 'llama'}"]
    words += ["--projection=pca", f"--vectors=mine={folder / 'all.parquet'}"]
    row: Any = _rows(capsys, "space", *words, "--method=echo", f"--output={tmp_path / 'a.html'}")
    assert row["methods"] == ["echo", "mine"]
    assert row["neighbours_kept"] == 1
    assert row["backbones"][1].startswith("vectors from all.parquet")
    row = _rows(capsys, "space", *words, f"--output={tmp_path / 'b.html'}", "--layers=1")
    assert row["methods"] == ["kv-embedding", "mine"]
    assert "mine" in (tmp_path / "b.html").read_text()
    second = f"--vectors=again={folder / 'all.parquet'}"
    row = _rows(capsys, "space", *words, second, f"--output={tmp_path / 'c.html'}")
    assert row["methods"] == ["mine", "again"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": ("mean", "echo"), "vectors": ("a=a.npy",)}, "two maps, .* not 3"),
        ({"method": ("mean",)}, "two maps, .* not 1"),
        ({"vectors": ("a=a.npy", "b=b.npy", "c=c.npy")}, "two maps"),
        ({"vectors": ("a=a.npy",), "right_backbone": "smollm2"}, "which have no backbone"),
    ],
)
def test_maps_take_two_spaces(options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        Space(output="maps.html", **options)
    assert_one_sentence(caught.value)


def test_post_processing_is_fitted_on_vectors_of_the_calibration_texts(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "FITTED_ON", 20)
    pairs = registry.load_pairs("lee50")
    pairs = sampling.draw(pairs, 10, 0)
    calibration = sampling.sample(registry.load_texts("news-sentences"), 20, 0).texts
    texts = (*pairs.texts, *calibration)
    rows = analysis.encode(llama, texts, "mean")
    for step in ("none", "centre", "whiten"):
        own, brought = analysis.score(
            llama,
            pairs,
            ["mean", analysis.Precomputed("mine", rows, texts)],
            post_processing=step,
        )
        assert own.first.to_dict() == brought.first.to_dict()
    lacking = analysis.Precomputed("mine", rows[:-1], texts[:-1])
    with pytest.raises(CorpusError, match="The step centre is fitted on 20 texts of") as caught:
        analysis.score(llama, pairs, [lacking], post_processing="centre")
    assert "mine has no vector for 1 of 20 texts" in str(caught.value)
    assert_one_sentence(caught.value)


def test_the_library_loads_what_the_command_does(llama: Backbone, folder: Path) -> None:
    pairs = registry.load_pairs(folder / "pairs.tsv")
    own = analysis.load_vectors("mine", folder / "all.parquet")
    lines = analysis.load_vectors(
        "lines", folder / "all.npy", texts=registry.load_texts(folder / "all.tsv").texts
    )
    first, second = analysis.score(llama, pairs, [own, lines])
    assert first.measures[0].value == second.measures[0].value
    assert (first.name, second.name) == ("mine", "lines")
    assert [rank.rank for rank in analysis.ranks([first, second])] == [1.5, 1.5]
    assert first.to_dict()["provenance"]["backbone"] == own.source
    with pytest.raises(CorpusError, match="Two vectors are called 'mine'"):
        analysis.score(llama, pairs, [own, own])


def test_a_score_of_vectors_is_kept_for_any_backbone(llama: Backbone, folder: Path) -> None:
    """Its key is the digest of the vectors; the backbone that is loaded beside them is not in it"""
    from analysis.experiments.score_store import key_of

    pairs = registry.load_pairs(folder / "pairs.tsv")
    own = analysis.load_vectors("mine", folder / "all.parquet")
    other = analysis.load_vectors("other", folder / "all.parquet")
    assert key_of(llama, pairs, own) == key_of(llama, pairs, other)
    assert own.digest in str(own.identity)


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


BAD: dict[str, tuple[bytes, str, str]] = {
    "no name": (b"", "a.npy", "vectors are given as NAME=FILE"),
    "no file": (b"", "mine=", "vectors are given as NAME=FILE"),
    "a method's name": (b"", "echo=a.npy", "cannot be called 'echo', which is a method"),
    "a file that is nowhere": (b"", "mine=none.npy", "cannot be read .No such file or directory."),
    "words": (b"0.1 0.2", "mine=a.npy", "is not an array as numpy saves one"),
    "another suffix": (b"0.1", "mine=a.txt", "is no file of vectors that is read"),
    "too few": (_npy(np.ones((3, 2))), "mine=a.npy", "3 vectors without texts, and .* texts"),
    "zeros": (_npy(np.zeros((3, 2))), "mine=a.npy", "Row 1 of mine is all zero"),
    "not finite": (_npy(np.full((3, 2), np.nan)), "mine=a.npy", "Row 1 of mine holds"),
    "one axis": (_npy(np.ones(3)), "mine=a.npy", "is not a table of vectors"),
}


@pytest.mark.parametrize(("data", "given", "said"), BAD.values(), ids=BAD)
def test_bad_vectors_end_with_one_sentence_before_a_backbone_is_loaded(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    given: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.npy", "a.txt"):
        Path(name).write_bytes(data)
    for command in ("sts", "score", "space --output=maps.html"):
        corpus = folder / ("labelled.tsv" if command.startswith("space") else "pairs.tsv")
        words = [*command.split(), f"--corpus={corpus}", f"--backbone={folder / 'llama'}"]
        capsys.readouterr()
        assert main([*words, f"--vectors={given}"]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        (line,) = output.err.splitlines()
        with pytest.raises(CorpusError, match=said):
            raise CorpusError(line)
        assert line.endswith(".")
