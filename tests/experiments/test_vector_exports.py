"""Vectors as files for other programs, read back by those who read them."""

import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from analysis.corpora import vector_files
from analysis.corpora.types import Texts
from analysis.embedding.external import Precomputed
from analysis.embedding.methods import METHODS
from analysis.experiments.space import Space
from analysis.experiments.vector_exports import VectorExport, exported
from analysis.rerouting.plan import Plan
from analysis.spaces.projection import Projection
from analysis.storage.provenance import Provenance

TEXTS = ("a boat", "=1+1", "two\tcells\nand a line", "śledź")
ROWS = np.random.default_rng(0).standard_normal((4, 576)).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
MADE = Provenance("smollm2", "f00d", "bfloat16", "cpu", (("torch", "2"),))
METHOD = METHODS["kv-embedding"].under(Plan((2, 3), 0.5))


def export(labels: tuple[str, ...] | None = None, tags: list[str] | None = None) -> VectorExport:
    points = Projection(np.zeros((4, 2)), "pca", "")
    space = Space(METHOD.name, METHOD.plan, ROWS, points, MADE)
    return exported(space, Texts("corpus", TEXTS, "", labels=labels), METHOD, of=9, tags=tags)


@pytest.mark.parametrize("labels", [None, ("b", "a", "b", "c")])
def test_the_parquet_is_read_as_vectors_from_elsewhere_to_the_same_bits(
    labels: tuple[str, ...] | None,
) -> None:
    data = export(labels, ["", "mine", "", ""]).parquet()
    held = vector_files.read("ours.parquet", data)
    assert held.texts == TEXTS
    back = Precomputed("ours", held.rows, held.texts)
    assert back.vectors.tobytes() == ROWS.tobytes()
    assert back.encode(TEXTS[::-1]).embeddings.tobytes() == ROWS[::-1].tobytes()
    table = parquet.read_table(io.BytesIO(data))
    assert table.column_names == ["text", *(["label"] if labels else []), "tag", "embedding"]
    assert table["tag"].to_pylist() == ["", "mine", "", ""]
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 576)


def test_what_the_vectors_are_goes_along() -> None:
    table = parquet.read_table(io.BytesIO(export().part([2, 0]).parquet()))
    facts = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    expected = {"backbone": "smollm2", "weights": "f00d", "dtype": "bfloat16", "corpus": "corpus"}
    assert facts.items() >= expected.items()
    assert (facts["method"], facts["layers"], facts["bias"]) == ("kv-embedding", "[2, 3]", "0.5")
    assert (facts["texts"], facts["of"], facts["dimension"]) == ("2", "9", "576")
    assert json.loads(facts["versions"]) == {"torch": "2"}
    assert table["text"].to_pylist() == [TEXTS[2], TEXTS[0]]
    assert "tag" not in table.column_names
    np.testing.assert_array_equal(np.stack(table["embedding"].to_numpy()), ROWS[[2, 0]])


def test_an_array_alone() -> None:
    np.testing.assert_array_equal(np.load(io.BytesIO(export().npy())), ROWS)


@pytest.mark.parametrize("labels", [None, ("b", "a", "b", "c")])
def test_tensorboards_projector_has_a_line_for_each_text(labels: tuple[str, ...] | None) -> None:
    with zipfile.ZipFile(io.BytesIO(export(labels).projector())) as archive:
        vectors, metadata, readme = (
            archive.read(name).decode() for name in ("vectors.tsv", "metadata.tsv", "README.txt")
        )
    back = np.loadtxt(io.StringIO(vectors), np.float32, delimiter="\t")
    np.testing.assert_array_equal(back, ROWS)  # nine digits tell all float32 apart
    lines = metadata.removesuffix("\n").split("\n")
    texts = ["a boat", "'=1+1", "two cells and a line", "śledź"]
    if labels:  # the projector takes the first line for names of columns only if there are several
        assert lines[0] == "text\tlabel"
        texts = [f"{text}\t{label}" for text, label in zip(texts, labels, strict=True)]
        lines = lines[1:]
    assert lines == texts
    assert "backbone: smollm2" in readme
    assert "layers: [2, 3]" in readme
