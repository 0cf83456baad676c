"""Vectors that a visit uploads: scored and mapped beside the methods, and never in the address."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from streamlit.testing.v1 import AppTest

from analysis.backbones import backbone
from analysis.corpora import columns, registry
from analysis.embedding import cached_encoder
from analysis.embedding.methods import METHODS
from pages.shared import vector_uploads
from tests.support.visits import (
    OWN_PAIRS,
    charts,
    opened,
    shown,
    turn_to,
    unfolded,
    well,
)

TEXTS = columns.read_pairs("own.tsv", OWN_PAIRS.encode()).texts


def _parquet(texts: Any, rows: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": texts, "embedding": [*rows], **more}), file)
    return file.getvalue()


def _npy(rows: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def _mean(tiny_llama: dict[str, str], texts: tuple[str, ...]) -> Any:
    loaded = backbone.load(tiny_llama["backbone"], dtype="float32")
    (encoding,) = cached_encoder.encode_methods(loaded, texts, [METHODS["mean"]])
    return encoding.embeddings


def _open(app: AppTest) -> AppTest:
    app.session_state["open Vectors from elsewhere"] = True
    return app.run()


def _add(app: AppTest, name: str, data: bytes) -> AppTest:
    app.file_uploader(key="vectors_file").upload(name, data)
    app.run()
    return app.button(key="vectors_add").click().run()


def test_uploaded_vectors_are_scored_beside_the_methods(tiny_llama: dict[str, str]) -> None:
    rows = _mean(tiny_llama, TEXTS)
    app = _open(opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama))
    _add(well(app), "minilm.parquet", _parquet(TEXTS, rows))
    (trace,) = charts(well(app))[0]["data"]
    values = dict(zip(trace["y"], trace["text"], strict=True))
    assert values.keys() == {"mean", "minilm"}
    assert len({text.partition(",")[0] for text in values.values()}) == 1
    assert "vectors from minilm.parquet, dimension 48, digest" in shown(app)
    assert not any("minilm" in str(value) for value in app.query_params.values())
    reproduced = "\n".join(code.value for code in unfolded(app).code)
    assert "--vectors=minilm=minilm.parquet" in reproduced
    assert "--text-column=text" in reproduced
    app.toggle(key="shape").set_value(True).run()
    (shapes,) = (t.value for t in well(app).dataframe if "alignment" in t.value)
    assert shapes["space"].tolist() == ["mean", "minilm"]
    turn_to(app, "causal_limits")
    turn_to(app, "similarity")
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean", "minilm"}
    _open(app)
    app.button(key="remove vectors minilm").click().run()
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean"}


def test_an_array_takes_the_order_of_the_corpus_or_a_file_of_texts(
    tiny_llama: dict[str, str],
) -> None:
    rows = _mean(tiny_llama, TEXTS)
    app = _open(opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama))
    _add(app, "in order.npy", _npy(rows))
    app.file_uploader(key="vectors_file").upload("back.npy", _npy(rows[::-1]))
    app.run()
    (texts,) = (f for f in app.file_uploader if str(f.key).startswith("vectors_texts_"))
    texts.upload("back.txt", "\n".join(TEXTS[::-1]).encode())
    app.run()
    app.button(key="vectors_add").click().run()
    (trace,) = charts(well(app))[0]["data"]
    assert {*trace["y"]} == {"mean", "in-order", "back"}
    assert len({text.partition(",")[0] for text in trace["text"]}) == 1
    app.number_input(key="pairs_most_own.tsv").set_value(5).run()
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean", "in-order", "back"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.npy", b"0.1 0.2", "is not an array as numpy saves one"),
        ("a.npy", _npy(np.zeros((20, 2))), "is all zero"),
        ("a.npy", _npy(np.ones((3, 2))), "3 vectors without texts"),
        ("a.parquet", _parquet(["x", "y"], np.eye(2)), "has no vector for 20 of 20 texts"),
        ("echo.parquet", _parquet(TEXTS[:2], np.eye(2)), ""),
    ],
)
def test_bad_vectors_are_one_sentence_and_the_page_goes_on(
    tiny_llama: dict[str, str], name: str, data: bytes, said: str
) -> None:
    app = _open(opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama))
    app.file_uploader(key="vectors_file").upload(name, data)
    app.run()
    if name == "echo.parquet":  # a method's name is not proposed
        (field,) = (f for f in app.text_input if str(f.key).startswith("vectors_name_"))
        assert field.value == "echo-vectors"
        field.set_value("echo").run()
        said = "cannot be called 'echo'"
    if not app.warning:
        app.button(key="vectors_add").click().run()
    assert said in shown(app).replace("\\", "")
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean"}


def test_a_visit_keeps_a_few_vectors(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_uploads, "MOST", 1)
    app = _open(opened("similarity", own_pairs=True, score_method=["mean"], **tiny_llama))
    data = _parquet(TEXTS, np.random.default_rng(0).normal(size=(len(TEXTS), 4)))
    _add(_add(app, "a.parquet", data), "b.parquet", data)
    assert "keeps 1 vectors at most" in shown(app)
    assert {*charts(well(app))[0]["data"][0]["y"]} == {"mean", "a"}


@pytest.mark.slow
def test_uploaded_vectors_are_the_right_map(tiny_llama: dict[str, str]) -> None:
    distinct = [*dict.fromkeys(registry.load_texts("chatterbot").texts)]
    noise = np.random.default_rng(0).normal(size=(len(distinct), 8))
    app = _open(opened("embedding_space", space_left="mean", **tiny_llama))
    _add(app, "noise.parquet", _parquet(distinct, noise))
    app.selectbox(key="vectors_shown").set_value("noise").run()
    text = shown(well(app))
    assert "vectors from noise.parquet, dimension 8" in text
    reproduced = "\n".join(code.value for code in unfolded(app).code)
    assert "--method=mean" in reproduced
    assert "--vectors=noise=noise.parquet" in reproduced
