"""The same recipe on the same machine gives the same bytes, whatever was computed before."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.cli.main import main
from analysis.corpora.packaged import CALIBRATION
from analysis.corpora.registry import load_texts
from analysis.embedding import batching, cached_encoder, encoder, trace_cache
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS
from analysis.embedding.trace import Trace
from analysis.experiments.specs import SPECS
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.tiny_models import backbone_of, byte_tokenizer, plain, save_headed

TEXTS = [f"The {'boat is by the house ' * (i % 9)}on day {i}." for i in range(60)]
LAYERS = ["--layers", "2-3"]
PAIRS = "sentence1\tsentence2\tscore\n" + "".join(
    f"{a}\t{b}\t{i % 5}\n" for i, (a, b) in enumerate(pairwise(TEXTS[:14]))
)
ASKED: dict[str, list[str]] = {
    "encode": [*LAYERS, "--input", "texts.txt", "--output", "out.npy"],
    "dimension": ["--corpus", "texts.txt", "--samples", "40"],
    "sts": [*LAYERS, "--corpus", "pairs.tsv", "--method", "kv-embedding", "--method", "echo"],
    "score": [*LAYERS, "--corpus", "pairs.tsv", "--post-processing", "centre"],
    "long-texts": [*LAYERS, "--part", "6", "--method", "mean", "--tokens", "48"],
    "causal": [*LAYERS, "--first", "A boat by day.", "--second", "A boat by night."],
    "ablation": [*LAYERS, "--search", "single layers", "--corpus", "pairs.tsv"],
    "rules": ["--corpus", "pairs.tsv"],
    "output-layers": [*LAYERS, "--corpus", "pairs.tsv", "--method", "kv-embedding"],
    "sensitivity": ["--on", "labelled", "--corpus", "chatterbot", "--part", "30", "--top", "3"],
    "stability": [
        *("--on", "labelled", "--corpus", "chatterbot", "--part", "60", "--parts", "2"),
        *("--top", "3"),
    ],
    "transfer": [
        *("--corpus", "pairs.tsv", "--chosen-on", "labelled", "--chosen-corpus", "chatterbot"),
        *("--objective", "judgements", "--chosen-part", "30", "--top", "3", "--random-sets", "2"),
    ],
    "parts": [*LAYERS, "--corpus", "pairs.tsv"],
    "prompts": [*LAYERS, "--corpus", "pairs.tsv", "--template", "eol", "--template", "So {text}"],
    "words": [*LAYERS, "--corpus", "texts.txt", "--samples", "7", "--method", "kv-embedding"],
    "space": [*LAYERS, "--corpus", "texts.txt", "--projection", "pca", "--output", "out.html"],
}
"""Every command that computes; mteb's own evaluation is tested in test_mteb."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    save_headed(folder / "llama")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    (folder / "pairs.tsv").write_text(PAIRS)
    return folder


def test_every_command_that_computes_is_tried() -> None:
    assert {*ASKED, "backbones", "doctor", "mteb"} >= set(SPECS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            one, marks=[pytest.mark.nightly] if one in ("rules", "long-texts", "transfer") else []
        )
        for one in ASKED
    ],
)
def test_a_command_gives_the_same_bytes_from_an_empty_cache_and_from_a_full_one(
    command: str,
    files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(cache: str) -> tuple[Any, dict[str, bytes]]:
        trace_cache.forget()
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        monkeypatch.chdir(work)
        monkeypatch.setenv("KVE_CACHE", str(tmp_path / cache))
        words = [
            str(files / word) if word.startswith(("texts.", "pairs.")) else word
            for word in ASKED[command]
        ]
        told = ["--backbone", str(files / "llama"), "--dtype", "float32", "--json"]
        assert main([command, *told, *words]) == 0
        result = json.loads(capsys.readouterr().out)
        if isinstance(result, dict):
            result.pop("seconds", None)
        written = {path.name: path.read_bytes() for path in work.iterdir()}
        for path in work.iterdir():
            path.unlink()
        return result, written

    first = run("one")
    assert run("one") == first, "from the store"
    assert run("other") == first, "computed again"
    assert bool(first[1]) == ("--output" in ASKED[command])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "dtype"),
    [
        ("llama", "float32"),
        ("llama", "bfloat16"),
        pytest.param("qwen3", "bfloat16", marks=pytest.mark.nightly),
        ("gemma3", "float32"),
        pytest.param("qwen3", "float32", marks=pytest.mark.nightly),
        pytest.param("gemma3", "bfloat16", marks=pytest.mark.nightly),
    ],
)
def test_an_embedding_does_not_depend_on_what_it_was_computed_beside(
    family: str, dtype: str
) -> None:
    import torch

    model = plain(family).to(getattr(torch, dtype))
    _independent(backbone_of(model, byte_tokenizer(), family), TEXTS[::3])


@pytest.mark.weights
@pytest.mark.nightly
def test_nor_on_real_weights(smollm2: Backbone) -> None:
    _independent(smollm2, list(load_texts(CALIBRATION).texts[:40]))


def _independent(backbone: Backbone, texts: list[str]) -> None:
    for method in (
        DEFAULT,
        DEFAULT.under(Plan((2, 3))),
        METHODS["echo"],
        METHODS["token-prepending"],
        *map(VARIANTS.__getitem__, ("reverse-eol", "aligned-wva", "va", "htp")),
        *map(VARIANTS.__getitem__, ("contrastive-prompting", "re-attention")),
    ):
        full = encoder.encode(backbone, texts, method).embeddings
        for part in (slice(0, None, 3), slice(1, 4), slice(-1, None), slice(None, None, -1)):
            result = encoder.encode(backbone, texts[part], method).embeddings
            np.testing.assert_array_equal(result, full[part])
        wide = encoder.encode(backbone, texts, method, batch_tokens=4096).embeddings
        np.testing.assert_array_equal(wide, full)
        by_length = encoder.encode(replace(backbone, separate="a test"), texts, method).embeddings
        np.testing.assert_array_equal(by_length, full)
        traced = Trace(backbone, texts, method.under(PLAIN)).embed(method.plan)
        np.testing.assert_array_equal(traced, full)


def test_texts_share_a_batch_only_where_they_have_as_many_tokens(
    tiny: Callable[[str], Backbone],
) -> None:
    ready = batching.prepare(tiny("llama"), TEXTS, DEFAULT)
    assert max(len(batch.rows) for batch in ready.batches) > 1
    for batch in ready.batches:
        assert len(set(batch.lengths.tolist())) == 1
        assert batch.ids.numel() == int(batch.lengths.sum()), "nothing is padded"
    assert max(len(batches) for batches in ready.passes) > 3, "lengths share a pass"
    apart = batching.prepare(replace(tiny("llama"), separate="a test"), TEXTS, DEFAULT)
    assert all(len(batches) == 1 for batches in apart.passes)
    assert len(apart.passes) > 2 * len(ready.passes)


@pytest.mark.slow
def test_history_leaves_no_trace(
    llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed() -> Any:
        return cached_encoder.encode_methods(llama, TEXTS, [DEFAULT.under(Plan((2,)))])[
            0
        ].embeddings

    fresh = embed()
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "other"))
    for part in (TEXTS[::5], TEXTS[3:20], [TEXTS[50]]):
        cached_encoder.encode_methods(llama, part, [DEFAULT.under(Plan((2,))), METHODS["mean"]])
    np.testing.assert_array_equal(embed(), fresh)
