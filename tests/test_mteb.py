"""mteb's own evaluation, run for real on local data: its scores are ours, its files are there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
from conftest import assert_one_sentence
from datasets import Dataset, DatasetDict
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.sts import AbsTaskSTS

from analysis import corpora, evaluation, measures, mteb_encoder
from analysis.__main__ import main
from analysis.backbone import Backbone
from analysis.embedder import Embedder
from analysis.errors import CorpusError, PlanError
from analysis.methods import DEFAULT, METHODS
from analysis.mteb_encoder import MtebEncoder, evaluate, named_tasks
from analysis.rerouting import Plan

PLAN = Plan((2, 3))


def pairs_of(evaldata: Path, count: int) -> corpora.Pairs:
    data = (evaldata / "sts" / "stsb-dev.tsv").read_bytes()
    return corpora.first(corpora.read_pairs("stsb-dev.tsv", data), count, 0)


def sts_task(pairs: corpora.Pairs) -> Any:
    """mteb's own STSBenchmark, its data taken from ``pairs`` instead of the hub."""

    class Local(type(mteb.get_task("STSBenchmark"))):  # type: ignore[misc]
        def load_data(self, **_: Any) -> None:
            rows = {
                "sentence1": [pairs.texts[i] for i in pairs.left],
                "sentence2": [pairs.texts[i] for i in pairs.right],
                "score": pairs.scores.tolist(),
            }
            self.dataset = DatasetDict({"test": Dataset.from_dict(rows)})
            self.data_loaded = True

    assert issubclass(Local, AbsTaskSTS)
    return Local()


def retrieval_task(found: corpora.Retrieval) -> Any:
    """mteb's own SciFact on the queries and documents of ``found``."""

    class Local(type(mteb.get_task("SciFact"))):  # type: ignore[misc]
        def load_data(self, **_: Any) -> None:
            self.dataset = {
                "default": {
                    "test": {
                        "corpus": Dataset.from_list(
                            [{"id": f"d{i}", "text": d} for i, d in enumerate(found.documents)]
                        ),
                        "queries": Dataset.from_list(
                            [{"id": f"q{i}", "text": q} for i, q in enumerate(found.queries)]
                        ),
                        "relevant_docs": {
                            f"q{i}": {f"d{j}": grade for j, grade in row.items()}
                            for i, row in enumerate(found.relevance)
                        },
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    assert issubclass(Local, AbsTaskRetrieval)
    return Local()


def written(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.rglob(f"{name}.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["kv-embedding", "meta-eol", "bidirectional"])
def test_an_sts_task_scores_what_ours_does(
    tiny: Callable[[str], Backbone], evaldata: Path, tmp_path: Path, name: str
) -> None:
    pairs = pairs_of(evaldata, 60)
    embedder = Embedder(tiny("llama"), METHODS[name], PLAN)
    (row,) = evaluate(MtebEncoder(embedder), [sts_task(pairs)], tmp_path)
    cosines = evaluation.cosines(np.asarray(embedder.encode(pairs.texts)), pairs)
    expected = measures.agreement(cosines, pairs)[0].value
    assert 100 * row["main_score"] == pytest.approx(expected, abs=1e-3)
    assert (row["task"], row["split"], row["reused"]) == ("STSBenchmark", "test", False)
    (stored,) = written(tmp_path, "STSBenchmark")["scores"]["test"]
    assert stored["cosine_spearman"] == pytest.approx(row["main_score"], abs=1e-6)
    (again,) = evaluate(MtebEncoder(embedder), [sts_task(pairs)], tmp_path)
    assert again["reused"]
    assert again["main_score"] == pytest.approx(row["main_score"], abs=1e-5)


def test_a_retrieval_task_gives_queries_their_role(
    tiny: Callable[[str], Backbone], tmp_path: Path
) -> None:
    found = corpora.first(corpora.load_retrieval("chatterbot-answers"), 8, 0, documents=20)
    embedder = Embedder(tiny("llama"), DEFAULT, PLAN)
    (row,) = evaluate(MtebEncoder(embedder), [retrieval_task(found)], tmp_path)
    expected, _ = measures.retrieval(
        np.asarray(embedder.encode_query(found.queries)),
        np.asarray(embedder.encode_document(found.documents)),
        found.relevance,
    )
    assert 100 * row["main_score"] == pytest.approx(expected.value, abs=1e-3)
    (stored,) = written(tmp_path, "SciFact")["scores"]["test"]
    assert stored["ndcg_at_10"] == pytest.approx(row["main_score"], abs=1e-6)


def test_another_plan_is_another_model(tiny: Callable[[str], Backbone]) -> None:
    metas = [
        MtebEncoder(Embedder(tiny("llama"), METHODS[name], plan, max_tokens=cut)).mteb_model_meta
        for name, plan, cut in (
            ("kv-embedding", PLAN, None),
            ("kv-embedding", Plan((1,)), None),
            ("kv-embedding", PLAN, 64),
            ("mean", PLAN, None),
        )
    ]
    assert len({meta.revision for meta in metas}) == 4
    assert metas[0].name == "kv-embedding-explorer/tiny-llama--kv-embedding"
    assert metas[0].embed_dim == tiny("llama").facts.hidden


@pytest.mark.weights
def test_the_command_runs_a_task_on_real_weights(
    evaldata: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = pairs_of(evaldata, 30)
    monkeypatch.setattr(mteb_encoder, "named_tasks", lambda _: [sts_task(pairs)])
    code = main(
        [
            *("mteb", "--method", "mean", "--tasks", "STSBenchmark", "--output", str(tmp_path)),
            *("--dtype", "float32", "--device", "cpu", "--json"),
        ]
    )
    said = capsys.readouterr()
    assert code == 0, said.err
    (row,) = json.loads(said.out)
    assert row["method"] == "mean"
    assert row["main_score"] > 0.2
    assert Path(row["file"]).is_file()
    assert written(tmp_path, "STSBenchmark")["task_name"] == "STSBenchmark"


def test_tasks_go_by_name_or_are_refused() -> None:
    assert [task.metadata.name for task in named_tasks(["STSBenchmark"])] == ["STSBenchmark"]
    with pytest.raises(PlanError, match=r"did you mean .*STSBenchmark") as raised:
        named_tasks(["STSBenchmrk"])
    assert_one_sentence(raised.value)


def test_data_that_cannot_be_had_is_said(
    tiny: Callable[[str], Backbone], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = mteb.get_task("STSBenchmark")

    def offline(**_: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(task, "load_data", offline)
    with pytest.raises(CorpusError, match="cannot be had") as raised:
        evaluate(MtebEncoder(Embedder(tiny("llama"))), [task], tmp_path)
    assert_one_sentence(raised.value)
