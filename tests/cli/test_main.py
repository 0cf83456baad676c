"""The command line's contract: what goes in, what comes out, and what is said of bad input."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from analysis.backbones import backbone
from analysis.cli.main import main
from analysis.embedding import encoder, finishing
from analysis.embedding.methods import METHODS
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import Plan
from tests.support import tiny_models

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
TEXTS = tuple(f"The {a} is by the {b}." for a in WORDS for b in WORDS if a < b)
PAIRS = "sentence1\tsentence2\tscore\n" + "".join(
    f"{first}\t{second}\t{number % 7}\n" for number, (first, second) in enumerate(pairwise(TEXTS))
)


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output read as one JSON document, and nothing else."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command in this process."""

    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        output = capsys.readouterr()
        return Answer(code, output.out, output.err)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two backbones of a few kilobytes, good files and bad ones."""
    folder = tmp_path_factory.mktemp("files")
    tiny_models.save_folder(folder / "llama")
    tiny_models.save_folder(folder / "falcon", "falcon")
    tiny_models.save_folder(folder / "bert", "bert")
    (folder / "no-model").mkdir()
    for name, content in {
        "texts.txt": "\n".join(TEXTS) + "\n",
        "five.txt": "\n".join(TEXTS[:5]),
        "one.txt": TEXTS[0],
        "empty.txt": "",
        "blank.txt": "one text\n\nanother\n",
        "pairs.tsv": PAIRS,
        "two-pairs.tsv": "\n".join(PAIRS.split("\n")[:3]),
        "bad-score.tsv": PAIRS + "One text.\tAnother text.\tvery alike\n",
        "no-score.csv": "sentence1,sentence2\na,b\nc,d\ne,f\n",
        "labels.tsv": "text\tlabel\n" + "".join(f"a {i}\tl {i}\n" for i in range(6)),
        "texts.pdf": "some text\n",
        "broken.gguf": "not a GGUF file",
    }.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "latin.txt").write_bytes("Das Schloß\n".encode("latin-1"))
    return folder


@pytest.fixture
def model(files: Path, empty_cache: Path) -> tuple[str, ...]:  # noqa: ARG001
    """The options that choose the tiny backbone, nothing being stored yet."""
    return ("--backbone", str(files / "llama"))


# What comes out


def test_encode_writes_what_the_library_encodes(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.npy"
    plan = ("--layers", "2-3,5", "--bias", "2.5")
    result = ask(
        "encode", *model, *plan, "--input", files / "five.txt", "--output", output, "--json"
    ).document
    rows = np.load(output, allow_pickle=False)
    assert (rows.shape, rows.dtype) == ((5, tiny_models.HIDDEN), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    expected = encoder.encode(
        backbone.load(model[1], dtype="float32"),
        TEXTS[:5],
        METHODS["kv-embedding"].under(Plan((2, 3, 5), 2.5)),
    )
    np.testing.assert_allclose(rows, expected.embeddings, atol=1e-6)
    assert result["layers"] == [2, 3, 5]
    assert (result["bias"], result["texts"], result["hidden"]) == (2.5, 5, tiny_models.HIDDEN)
    assert (result["method"], result["dtype"]) == ("kv-embedding", "float32")


@pytest.mark.slow
def test_heads_are_ranked_chosen_and_scored(ask: Ask, model: tuple[str, ...], files: Path) -> None:
    corpus = ("--on", "labelled", "--corpus", "chatterbot", "--part", "30")
    rows = ask("sensitivity", *model, *corpus, "--top", "3", "--json").document
    assert len(rows) == tiny_models.LAYERS * 4
    chosen = [row for row in rows if row["chosen"]]
    assert [row["derivative"] for row in rows] == sorted(
        (row["derivative"] for row in rows), reverse=True
    )
    heads = ",".join(f"{row['layer']}.{row['head']}" for row in chosen)
    assert len(chosen) == 3
    assert all(row["layer"] >= 1 and row["items"] == 30 for row in chosen)
    pairs = ("--corpus", files / "pairs.tsv", "--json")
    (scored,) = ask("sts", *model, "--heads", heads, *pairs).document
    (plain,) = ask("sts", *model, "--layers", "none", *pairs).document
    assert scored["layers"] == []
    assert scored["heads"]
    assert plain.get("heads") is None
    both = ask("sts", *model, "--heads", heads, "--layers", "1", *pairs)
    assert (both.code, both.err.count("\n")) == (2, 1)
    assert "Choose layers or heads, not both" in both.err
    for wrong in ("1.9", "99", "x", "1.1,1.1"):
        refused = ask("sts", *model, "--heads", wrong, *pairs)
        assert (refused.code, refused.out) == (2, "")


@pytest.mark.slow
def test_any_layer_is_read(ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path) -> None:
    rows = {}
    for layer in ("2", "-4", "-1"):
        output = tmp_path / f"{layer}.npy"
        source = ("--input", files / "five.txt", "--output", output)
        ask("encode", *model, "--method", "mean", "--output-layer", layer, *source, "--json")
        rows[layer] = np.load(output)
    np.testing.assert_array_equal(rows["2"], rows["-4"])
    loaded = backbone.load(model[1])
    for layer, vectors in rows.items():
        expected = analysis.encode(loaded, TEXTS[:5], "mean", output_layer=int(layer))
        np.testing.assert_array_equal(vectors, expected)
    pairs = ("--method", "mean", "--corpus", files / "pairs.tsv", "--layers", "none")
    (scored, *_) = ask("score", *model, "--output-layer", "2", *pairs, "--json").document
    assert scored["output_layer"] == 2
    (usual, *_) = ask("score", *model, *pairs, "--json").document
    assert "output_layer" not in usual
    assert usual["value"] != scored["value"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_encode_knows_every_method(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path, method: str
) -> None:
    output = tmp_path / "out.npy"
    plan = ("--layers", "none", "--method", method)
    ask("encode", *model, *plan, "--input", files / "five.txt", "--output", output, "--json")
    expected = encoder.encode(backbone.load(model[1]), TEXTS[:5], METHODS[method])
    np.testing.assert_allclose(np.load(output), expected.embeddings, atol=1e-6)


def test_encode_reads_standard_input_and_windows_line_ends(
    ask: Ask, model: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {}
    for name, data in {"unix": b"one text\nanother", "windows": b"one text\r\nanother\r\n"}.items():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        output = tmp_path / f"{name}.npy"
        common = ("--layers", "all", "--input", "-", "--output", output)
        assert ask("encode", *model, *common, "--json").document["texts"] == 2
        rows[name] = np.load(output)
    np.testing.assert_array_equal(rows["unix"], rows["windows"])


def test_a_bias_of_minus_infinity_shuts_the_plan_out(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path
) -> None:
    rows = []
    for name, plan in {"shut": ("all", "--bias=-inf"), "none": ("none",)}.items():
        output = tmp_path / f"{name}.npy"
        common = ("--input", files / "five.txt", "--output", output, "--json")
        result = ask("encode", *model, "--layers", *plan, *common).document
        assert result["bias"] == (None if name == "shut" else 1.0)
        rows.append(np.load(output))
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_what_was_left_out_is_said_with_the_score(
    ask: Ask, model: tuple[str, ...], tmp_path: Path
) -> None:
    """Queries that are documents, as in ArguAna and Quora, and documents that repeat."""
    texts = {"a": "the boat", "b": "a boat", "c": "the bank", "d": "the loan", "e": "a boat"}
    for name, keys in {"corpus": texts, "queries": "ad"}.items():
        records = [json.dumps({"_id": key, "text": texts[key]}) for key in keys]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(records))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\tb\t1\nd\tc\t1\n")
    answer = ask("score", "--on", "retrieval", "--corpus", tmp_path, *model, "--layers=1", "--json")
    for row in answer.document:
        assert "each left out of its own ranking: 2." in row["note"]
        assert "repeat the text of another: 1;" in row["note"]
    assert answer.document[0]["note"] in answer.err


@pytest.mark.slow
def test_dimension_gives_the_curve_its_band_and_the_selected_layers(
    ask: Ask, model: tuple[str, ...], files: Path
) -> None:
    corpus = ("--corpus", files / "texts.txt", "--samples", "40", "--seed", "3")
    result = ask("dimension", *model, *corpus, "--json").document
    assert {"curve", "band", "selected", "duplicates_dropped", "samples"} <= set(result)
    assert len(result["curve"]) == len(result["band"]) == tiny_models.LAYERS
    for value, (low, high) in zip(result["curve"], result["band"], strict=True):
        assert 0 < low <= value <= high
    assert set(result["selected"]) <= set(range(1, tiny_models.LAYERS))
    assert result["samples"] + result["duplicates_dropped"] >= 40
    again = ask("dimension", *model, *corpus, "--json").document
    assert again == result
    other = ask("dimension", *model, *corpus[:-1], "4", "--json").document
    assert other["curve"] != result["curve"]


@pytest.mark.slow
def test_dimension_counts_the_duplicates_it_leaves_out(
    ask: Ask, model: tuple[str, ...], tmp_path: Path
) -> None:
    corpus = tmp_path / "twice.txt"
    corpus.write_text("\n".join(TEXTS + TEXTS[:7]), encoding="utf-8")
    result = ask("dimension", *model, "--corpus", corpus, "--json").document
    assert result["samples"] + result["duplicates_dropped"] == len(TEXTS) + 7
    assert result["duplicates_dropped"] >= 7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on", "part", "names", "things"),
    [
        ("pairs", "20", ["Spearman", "Pearson"], "pairs"),
        ("labelled", "60", ["kNN accuracy (k = 5)", "V-measure"], "texts"),
        ("retrieval", "10", ["nDCG@10", "recall@10"], "queries"),
    ],
)
def test_score_measures_and_compares(
    ask: Ask, model: tuple[str, ...], on: str, part: str, names: list[str], things: str
) -> None:
    methods = ("--method", "kv-embedding", "--method", "mean", "--layers", "2-3")
    answer = ask("score", *model, "--on", on, "--part", part, *methods, "--json")
    rows = answer.document
    assert [row["measure"] for row in rows] == names * 2
    assert [row["method"] for row in rows] == ["kv-embedding"] * 2 + ["mean"] * 2
    for row in rows:
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        assert row[things] == int(part) < row["of"]
    lines = answer.err.splitlines()
    assert [line.partition(":")[0] for line in lines[-2:]] == names
    assert all("mean" in line and "kv-embedding" in line for line in lines[-2:])


@pytest.mark.slow
def test_score_reads_files_and_post_processes(
    ask: Ask, model: tuple[str, ...], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "FITTED_ON", 50)
    asked = ("score", *model, "--method", "mean", "--corpus", files / "pairs.tsv", "--json")
    plain, centred = ask(*asked), ask(*asked, "--post-processing", "centre")
    assert plain.document[0]["value"] != centred.document[0]["value"]
    assert centred.document[0]["post_processing"] == "centre"


def test_a_method_is_composed_on_the_command_line_or_in_a_file(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "FITTED_ON", 20)
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nprompt: 'About {text}:'\nchange: re-routing@1-2\nbias: 2\n"
        "pooling: last\npost-processing: centre\n"
    )
    text = 'mine="About {text}:"+re-routing@1-2+bias@2+last+centre'
    asked = ("score", *model, "--corpus", files / "pairs.tsv", "--json")
    spelled, read = (
        ask(*asked, "--method", method).document for method in (text, tmp_path / "mine.yaml")
    )
    assert spelled == read
    assert (spelled[0]["method"], spelled[0]["parts"]) == ("mine", text.removeprefix("mine="))
    assert (spelled[0]["layers"], spelled[0]["bias"]) == ([1, 2], 2.0)
    assert spelled[0]["post_processing"] == "centre"
    output = tmp_path / "out.npy"
    ask("encode", *model, "--input", files / "five.txt", "--output", output, "--method", text)
    loaded = backbone.load(model[1], dtype="float32")
    expected = analysis.encode(loaded, TEXTS[:5], text)
    np.testing.assert_allclose(np.load(output), expected, atol=1e-6)
    alone = Embedder(loaded, text, cached=False).encode_document(TEXTS[:1])
    np.testing.assert_allclose(alone, expected[:1], atol=1e-6)


def test_sts_scores_every_method_asked_for(ask: Ask, model: tuple[str, ...], files: Path) -> None:
    methods = ("--method", "kv-embedding", "--method", "mean")
    plan = ("--layers", "1-2", "--bias", "0.5")
    answer = ask("sts", *model, *methods, *plan, "--corpus", files / "pairs.tsv", "--json")
    first, second = answer.document
    assert (first["method"], second["method"]) == ("kv-embedding", "mean")
    assert (first["layers"], first["bias"]) == ([1, 2], 0.5)
    assert (second["layers"], second["bias"]) == ([], None)
    for result in (first, second):
        assert result["pairs"] == len(TEXTS) - 1
        assert -100 <= result["ci_low"] <= result["spearman"] <= result["ci_high"] <= 100
        assert (result["backbone"], result["dtype"]) == ("llama", "float32")
        assert result["corpus"].endswith("pairs.tsv")


def test_space_writes_one_page_that_needs_nothing_else(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path
) -> None:
    output = tmp_path / "maps.html"
    methods = ("--method", "mean", "--method", "kv-embedding", "--layers", "all")
    corpus = ("--corpus", files / "five.txt")
    result = ask("space", *model, *methods, *corpus, "--output", output, "--json").document
    page = output.read_text(encoding="utf-8")
    assert TEXTS[0] in page
    assert "<script src" not in page
    assert result["methods"] == ["mean", "kv-embedding"]
    assert 0 <= result["neighbours_kept"] <= 1
    assert "PCA" in result["projection"].upper()  # five texts are too few for UMAP
    for name in ("one.html", "two.html"):
        beside = (*corpus, "--output", tmp_path / name, "--plotly", "beside", "--json")
        assert ask("space", *model, *methods, *beside).code == 0
        assert (tmp_path / name).stat().st_size < 100_000
        assert 'src="plotly.min.js"' in (tmp_path / name).read_text(encoding="utf-8")
    assert (tmp_path / "plotly.min.js").stat().st_size > 1_000_000


def test_backbones_lists_facts_and_reasons(ask: Ask, files: Path) -> None:
    (result,) = ask("backbones", "--backbone", files / "llama", "--json").document
    assert (result["layers"], result["hidden"]) == (tiny_models.LAYERS, tiny_models.HIDDEN)
    assert result["memory"]["float32"] == 4 * result["parameters"]
    assert result["device_reason"]
    assert result["dtype_reason"]


@pytest.mark.slow
@pytest.mark.weights
def test_backbones_lists_what_is_packaged_and_the_papers(ask: Ask) -> None:
    result = {facts["name"]: facts for facts in ask("backbones", "--json").document}
    assert result["smollm2"]["layers"] == 30
    assert result["smollm2"]["licence"] == "Apache-2.0"
    llama = result["meta-llama/Llama-3.1-8B"]
    assert {"Qwen/Qwen3-4B", "mistralai/Mistral-7B-v0.1"} < set(result)
    assert llama["memory"]["bfloat16"] == 15_009_849_344
    assert "gated" in llama["needs"]


def test_a_spread_backbone_encodes_the_same(ask: Ask, files: Path, tmp_path: Path) -> None:
    model = ("--backbone", files / "llama", "--layers", "2", "--input", files / "texts.txt")
    for device in ("cpu", "spread"):
        ask("encode", *model, "--device", device, "--output", tmp_path / f"{device}.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "cpu.npy"), np.load(tmp_path / "spread.npy"))


def test_without_json_people_read_tables(ask: Ask, model: tuple[str, ...], files: Path) -> None:
    answer = ask("sts", *model, "--layers", "none", "--corpus", files / "pairs.tsv")
    assert answer.code == 0
    header, row = answer.out.splitlines()
    assert "spearman" in header
    assert "kv-embedding" in row
    assert "layers" in ask("backbones", "--backbone", files / "llama").out


def test_a_family_that_cannot_be_rerouted_still_encodes(
    ask: Ask,
    files: Path,
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    output = tmp_path / "out.npy"
    common = ("--input", files / "five.txt", "--output", output, "--json")
    result = ask("encode", "--backbone", files / "falcon", "--layers", "auto", *common).document
    assert result["layers"] == []
    assert np.load(output).shape == (5, tiny_models.HIDDEN)


# Bad input

BAD: dict[str, tuple[str, str]] = {
    "no subcommand": ("", "required"),
    "unknown subcommand": ("train", "train"),
    "unknown option": ("sts {model} --speed 9", "--speed"),
    "unknown method": ("sts {model} --method magic", "kv-embedding"),
    "unknown dtype": ("sts {model} --dtype int3", "bfloat16"),
    "unknown device": ("sts {model} --device abacus", "abacus"),
    "unknown rule": ("dimension {model} --rule best", "paper"),
    "unknown estimator": ("dimension {model} --corpus {f}/texts.txt --estimator x", "twonn"),
    "unknown backbone": ("sts --backbone nothing-here", "smollm2"),
    "folder without a model": ("sts --backbone {f}/no-model", "config.json"),
    "missing GGUF file": ("sts --backbone {f}/none.gguf", "GGUF"),
    "broken GGUF file": ("sts --backbone {f}/broken.gguf", "broken.gguf"),
    "not a decoder": ("sts --backbone {f}/bert", "causal decoder"),
    "hub id offline": ("sts --backbone nobody-here/nothing-there", "nobody-here/nothing-there"),
    "no input": ("encode {model} --output {o}/x.npy", "--input"),
    "missing input": ("encode {model} --input {f}/none.txt --output {o}/x.npy", "none.txt"),
    "input is a folder": ("encode {model} --input {f} --output {o}/x.npy", "cannot be read"),
    "empty input": ("encode {model} --input {f}/empty.txt --output {o}/x.npy", "empty.txt"),
    "blank line": (
        "encode {model} --input {f}/blank.txt --output {o}/x.npy",
        "blank.txt, line 2: no text",
    ),
    "not UTF-8": ("encode {model} --input {f}/latin.txt --output {o}/x.npy", "UTF-8"),
    "no output folder": ("encode {model} --input {f}/one.txt --output {o}/no/x.npy", "no"),
    "output is a folder": ("encode {model} --input {f}/one.txt --layers 1 --output {o}", "written"),
    "role": ("encode {model} --input {f}/one.txt --output {o}/x.npy --role King", "Query"),
    "layer out of range": ("sts {pairs} --layers 99", "0 to 5"),
    "layers reversed": ("sts {pairs} --layers 5-2", "reversed"),
    "layers repeated": ("sts {pairs} --layers 3,1-4", "repeated"),
    "layers nonsense": ("sts {pairs} --layers many", "many"),
    "head out of range": ("sts {pairs} --heads 1.9", "heads from 0 to 3"),
    "heads nonsense": ("sts {pairs} --heads many", "many"),
    "head repeated": ("sts {pairs} --heads 1.1,1", "repeated"),
    "heads and layers": ("sts {pairs} --heads 1.1 --layers 1", "not both"),
    "heads of no method": ("sensitivity {pairs} --method mean", "re-routes no heads"),
    "too few pairs for heads": ("sensitivity {model} --corpus {f}/pairs.tsv --part 10", "20"),
    "no number of heads": ("sensitivity {pairs} --top 0", "whole number of at least 1"),
    "no choice of heads": ("sensitivity {pairs} --choose best", "choose from top"),
    "too few pairs to halve": (
        "sensitivity {model} --on labelled --corpus chatterbot --part 30 --top auto",
        "too few for 2 parts",
    ),
    "output layer out of range": ("sts {pairs} --output-layer 6", "layers 0 to 5, or -6 to -1"),
    "output layer before the first": ("sts {pairs} --output-layer -7", "-6 to -1"),
    "output layer nonsense": ("sts {pairs} --output-layer last", "a layer must be a whole number"),
    "output layer 1.5": ("sts {pairs} --output-layer 1.5", "a layer must be a whole number"),
    "every output layer of sums": ("output-layers {pairs} --method va", "has no output layer"),
    "one of every output layer": ("output-layers {pairs} --output-layer 1", "Unrecognized"),
    "layers empty": ("sts {pairs} --layers=", "0 to 5"),
    "family refuses layers": (
        "sts --backbone {f}/falcon --corpus {f}/pairs.tsv --layers 1",
        "falcon cannot be re-routed",
    ),
    "bias nan": ("sts {pairs} --layers 1 --bias nan", "bias"),
    "bias inf": ("sts {pairs} --layers 1 --bias inf", "bias"),
    "bias abc": ("sts {pairs} --layers 1 --bias abc", "abc"),
    "samples 0": ("dimension {model} --samples 0", "at least 1"),
    "samples abc": ("dimension {model} --samples abc", "abc"),
    "samples 5": ("dimension {model} --corpus {f}/texts.txt --samples 5", "20"),
    "seed abc": ("dimension {model} --seed abc", "abc"),
    "seed negative": ("dimension {model} --corpus {f}/texts.txt --seed -1", "seed"),
    "seed too large": ("space {maps} --corpus {f}/texts.txt --seed 4294967296", "seed"),
    "five texts": ("dimension {model} --corpus {f}/five.txt", "20"),
    "unknown corpus": ("dimension {model} --corpus nothing", "chatterbot"),
    "unknown suffix": ("dimension {model} --corpus {f}/texts.pdf", "texts.pdf"),
    "bad score": ("sts {model} --corpus {f}/bad-score.tsv", "bad-score.tsv, line"),
    "no score": ("sts {model} --corpus {f}/no-score.csv", "score"),
    "too few pairs": ("sts {model} --corpus {f}/two-pairs.tsv", "at least 3"),
    "unknown pairs": ("sts {model} --corpus nothing", "lee50"),
    "one method": ("space {model} --method mean --output {o}/x.html", "two maps"),
    "three methods": (
        "space {model} --method mean --method echo --method mean --output {o}/x.html",
        "two maps",
    ),
    "no folder for the page": ("space {model} --output {o}/no/x.html", "no"),
    "page is a folder": ("space {model} --corpus {f}/five.txt --layers 1 --output {o}", "written"),
    "one text on a map": ("space {maps} --corpus {f}/one.txt", "at least 3"),
    "blank ending": ("causal {model} --first a --second=''", "Sentence B is empty"),
    "same texts": ("causal {model} --first 'a b' --second 'a b'", "are the same"),
    "no texts for words": ("words {model}", "(--text) or a corpus (--corpus), and not both"),
    "texts and a corpus": ("words {model} --text a --corpus {f}/five.txt", "and not both"),
    "a blank text": ("words {model} --text a --text=''", "Text 2 is empty"),
    "no last token": ("words {model} --text a --method mean", "mean reads tokens by mean"),
    "too many words": ("words {model} --text a --top 21", "1 to 20 words are kept"),
    "no words of a decoder alone": (
        "words {model} --text a --layers 1",
        "llama has no unembedding",
    ),
    "one label each": ("score {model} --on labelled --corpus {f}/labels.tsv", "too few"),
    "constant part": ("parts {model} --on labelled --corpus {f}/labels.tsv --part 1", "label"),
    "no second backbone": ("space {maps} --corpus {f}/texts.txt --right-backbone no", "smollm2"),
    "layers of the second": (
        "space {maps} --corpus {f}/texts.txt --right-backbone {f}/llama --right-layers 99",
        "0 to 5",
    ),
    "distance of 5": ("space {maps} --corpus {f}/texts.txt --min-dist 5", "0 to 1"),
    "unknown device for facts": ("backbones --device abacus", "abacus"),
    "unknown facts": ("backbones --backbone nothing-here", "smollm2"),
}


def bad_line(name: str, model: tuple[str, ...], files: Path, tmp_path: Path) -> list[str]:
    """The words of a line of ``BAD``."""
    chosen = " ".join(model)
    return shlex.split(
        BAD[name][0].format(
            f=files,
            o=tmp_path,
            model=chosen,
            pairs=f"{chosen} --corpus {files}/pairs.tsv",
            maps=f"{chosen} --layers 1 --output {tmp_path}/x.html",
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_code_2_and_one_sentence(
    ask: Ask, model: tuple[str, ...], files: Path, tmp_path: Path, name: str
) -> None:
    arguments, message = bad_line(name, model, files, tmp_path), BAD[name][1]
    before = sorted(path for path in tmp_path.rglob("*.*") if "cache" not in path.parts)
    answer = ask(*arguments, "--json") if arguments else ask()
    assert answer.code == 2
    assert answer.out == ""
    *progress, sentence = answer.err.splitlines()
    assert all(note.startswith(("Loading ", "Converting ", "Fetching ")) for note in progress)
    assert message in sentence
    assert sentence.endswith((".", "install"))
    assert "Traceback" not in answer.err
    assert "_bias" not in sentence
    assert "_count" not in sentence
    assert sorted(p for p in tmp_path.rglob("*.*") if "cache" not in p.parts) == before


BEFORE_WEIGHTS = (
    *("missing input", "blank line", "no output folder", "output is a folder"),
    *("layer out of range", "layers reversed", "layers nonsense", "samples 5", "five texts"),
    *("output layer out of range", "output layer nonsense"),
    *("head out of range", "heads nonsense", "heads of no method", "too few pairs for heads"),
    *("unknown corpus", "bad score", "too few pairs", "one text on a map", "page is a folder"),
    *("unknown device", "seed too large", "blank ending", "same texts", "one label each"),
    *("no second backbone", "layers of the second", "distance of 5", "constant part"),
)


@pytest.mark.parametrize("name", BEFORE_WEIGHTS)
def test_texts_files_and_options_are_checked_before_weights_are_loaded(
    ask: Ask,
    model: tuple[str, ...],
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    from transformers import AutoModel

    def load(*_: object, **__: object) -> None:
        pytest.fail("weights were loaded")

    monkeypatch.setattr(AutoModel, "from_pretrained", load)
    answer = ask(*bad_line(name, model, files, tmp_path))
    assert answer.code == 2
    assert BAD[name][1] in answer.err


# As other programs meet it


def _shell(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        cwd=ROOT,
        input=given,
        capture_output=True,
        timeout=120,
        env=os.environ | {"PYTHONWARNINGS": "default", "OMP_NUM_THREADS": "1"},
        check=False,
    )


@pytest.mark.slow
def test_a_pipe_gets_pure_json_while_progress_goes_to_standard_error(
    model: tuple[str, ...], tmp_path: Path
) -> None:
    output = tmp_path / "out.npy"
    common = ("--layers", "1", "--input", "-", "--output", output, "--json")
    done = _shell("encode", *model, *common, given="Grüße\nWörter\n".encode())
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["texts"] == 2
    assert re.search(rb"Loading llama in b?float(16|32) on cpu", done.stderr)
    assert np.load(output).shape == (2, tiny_models.HIDDEN)


def test_without_a_folder_to_write_to_a_sentence_says_which(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.gettempdir", refuse)
        answer = ask("backbones")
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("No temporary folder can be written, or its disk is full;")
    monkeypatch.delenv("KVE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "~nobody-of-this-name")
    answer = ask("doctor")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("This user has no home folder to keep results in; set KVE_CACHE")


def test_options_are_read_without_what_takes_seconds_to_import() -> None:
    code = (
        "import sys; from analysis.cli.parser import parse; parse(['doctor']); "
        "assert not {'torch', 'transformers', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.slow
def test_a_shell_gets_code_2_and_one_line() -> None:
    done = _shell("sts", "--backbone", "nobody-here/nothing-there", "--json")
    assert done.returncode == 2
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1, done.stderr.decode()
    assert b"hub cannot be reached" in done.stderr


@pytest.mark.slow
@pytest.mark.weights
def test_scores_that_ship_come_at_once(ask: Ask) -> None:
    """The default question on the default backbone, whose automatic layers ship too."""
    (result,) = ask("sts", "--dtype", "float32", "--device", "cpu", "--json").document
    assert (result["method"], result["corpus"], result["pairs"]) == ("kv-embedding", "lee50", 1225)
    assert result["ci_low"] < result["spearman"] < result["ci_high"]
    assert result["layers"] == sorted(result["layers"])
    assert 1 <= len(result["layers"]) <= 4
