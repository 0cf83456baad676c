"""mteb's own tasks on a method, end to end and without a network."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import huggingface_hub
import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

mteb = pytest.importorskip("mteb")

from datasets import Dataset, DatasetDict  # noqa: E402
from mteb.abstasks import AbsTaskRetrieval, AbsTaskSTS  # noqa: E402
from mteb.abstasks.aggregate_task_metadata import AggregateTaskMetadata  # noqa: E402
from mteb.abstasks.aggregated_task import AbsTaskAggregate  # noqa: E402
from mteb.abstasks.task_metadata import TaskMetadata  # noqa: E402
from mteb.mocks import MOCK_TASK_TEST_GRID  # noqa: E402
from mteb.models.model_meta import ModelMeta  # noqa: E402
from mteb.models.models_protocols import EncoderProtocol  # noqa: E402
from mteb.results import TaskResult  # noqa: E402

from analysis.cli.main import main  # noqa: E402
from analysis.corpora import registry  # noqa: E402
from analysis.corpora.types import Pairs  # noqa: E402
from analysis.embedding import encoder  # noqa: E402
from analysis.embedding.methods import METHODS, variant  # noqa: E402
from analysis.errors import CorpusError, PlanError  # noqa: E402
from analysis.evaluation import similarity  # noqa: E402
from analysis.integrations import mteb as mteb_encoder  # noqa: E402
from analysis.integrations import mteb_tasks  # noqa: E402
from analysis.integrations.mteb import MtebEncoder  # noqa: E402
from analysis.integrations.sentence_transformers import Embedder  # noqa: E402
from analysis.rerouting.plan import PLAIN, Plan  # noqa: E402
from analysis.runtime import network  # noqa: E402

METHOD = METHODS["kv-embedding"]
BARE_METHODS = ("re-routing-only", "pooling-only", "mean", "last-token", "bidirectional")
PLAN = Plan((2, 3), 2.0)


def metadata(name: str, kind: Literal["STS", "Retrieval"], metric: str) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        dataset={"path": "nobody/nothing", "revision": "0" * 40},
        description="Made by a test.",
        type=kind,
        modalities=["text"],
        category="t2t",
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=metric,
    )


def sts_task(pairs: Pairs, name: str = "OwnSTS") -> Any:
    class OwnSTS(AbsTaskSTS):
        """Rated pairs of this project as a task."""

        def load_data(self, num_proc: int | None = None, **_: Any) -> None:  # noqa: ARG002
            columns = {
                "sentence1": [pairs.texts[at] for at in pairs.left],
                "sentence2": [pairs.texts[at] for at in pairs.right],
                "score": pairs.scores.tolist(),
            }
            self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
            self.data_loaded = True

    OwnSTS.metadata = metadata(name, "STS", "cosine_spearman")
    return OwnSTS()


DOCUMENTS = {
    "d1": "The boat is on the river.",
    "d2": "The bank gives a loan.",
    "d3": "Bread is made of flour.",
    "d4": "",
}
QUERIES = {"q1": "Where is the boat?", "q2": "Who gives a loan?"}
RELEVANT = {"q1": {"d1": 1}, "q2": {"d2": 1}}


def retrieval_task() -> Any:
    class OwnRetrieval(AbsTaskRetrieval):
        """Four documents, one of them empty, and two queries."""

        def load_data(self, num_proc: int | None = None, **_: Any) -> None:  # noqa: ARG002
            documents = [{"id": k, "title": "", "text": v} for k, v in DOCUMENTS.items()]
            self.dataset = {
                "default": {
                    "test": {
                        "corpus": Dataset.from_list(documents),
                        "queries": Dataset.from_list(
                            [{"id": k, "text": v} for k, v in QUERIES.items()]
                        ),
                        "relevant_docs": RELEVANT,
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    OwnRetrieval.metadata = metadata("OwnRetrieval", "Retrieval", "ndcg_at_10")
    return OwnRetrieval()


def fewer(pairs: Pairs, count: int, characters: int) -> Pairs:
    """The first pairs, their texts cut short, numbered anew."""
    left = [pairs.texts[at][:characters] for at in pairs.left[:count]]
    right = [pairs.texts[at][:characters] for at in pairs.right[:count]]
    texts = tuple(dict.fromkeys([*left, *right]))
    return Pairs(
        pairs.name,
        texts,
        np.array([texts.index(text) for text in left]),
        np.array([texts.index(text) for text in right]),
        pairs.scores[:count],
        pairs.source,
    )


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    return fewer(registry.load_pairs("lee50"), 60, 40)


def own_score(backbone: Backbone, pairs: Pairs, plan: Plan = PLAN) -> float:
    vectors = encoder.encode(backbone, pairs.texts, METHOD.under(plan)).embeddings
    return similarity.agreement(similarity.cosines(vectors, pairs), pairs)[0].value


def results(
    backbone: Backbone, tasks: Sequence[Any], folder: Path, plan: Plan = PLAN
) -> list[mteb_encoder.Result]:
    own = MtebEncoder(Embedder(backbone, METHOD.under(plan)))
    return list(mteb_encoder.run(own, tasks, folder))


def test_it_follows_the_protocol_and_says_what_it_is() -> None:
    backbone = tiny_models.tiny("llama")
    own = MtebEncoder(Embedder(backbone, METHOD.under(PLAN)))
    assert isinstance(own, EncoderProtocol)
    result = own.mteb_model_meta
    assert result.name is not None
    shown = "kv-embedding-explorer/tiny-llama--kv-embedding--layers-2-3--bias-2--"
    assert result.name.startswith(shown)
    assert (result.embed_dim, result.max_tokens) == (tiny_models.HIDDEN, tiny_models.CONTEXT)
    assert result.n_parameters == backbone.facts.parameters
    metas = [
        MtebEncoder(made).mteb_model_meta
        for made in (
            Embedder(backbone, METHOD.under(PLAN)),
            Embedder(backbone, METHOD.under(Plan((2, 3), 1.0))),
            Embedder(backbone, METHOD),
            Embedder(backbone, METHOD.under(PLAN), max_tokens=50),
            Embedder(backbone, METHODS["mean"].under(PLAN)),
            Embedder(tiny_models.tiny("qwen2"), METHOD.under(PLAN)),
            Embedder(backbone, variant(METHOD.under(PLAN), pooling="mean")),
        )
    ]
    for differing in ("name", "revision"):
        values = [getattr(each, differing) for each in metas]
        assert len(set(values)) == 7
        assert getattr(result, differing) == values[0]


@pytest.mark.parametrize(
    ("method", "instructs"),
    [(name, name not in BARE_METHODS) for name in METHODS],
)
def test_a_prompt_is_an_instruction_and_a_bare_text_has_none(method: str, instructs: bool) -> None:
    own = MtebEncoder(Embedder(tiny_models.tiny("llama"), METHODS[method]))
    assert own.mteb_model_meta.use_instructions is instructs


@pytest.mark.slow
def test_an_sts_task_scores_as_this_project_does(
    pairs: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = tiny_models.tiny("llama")
    (result,) = results(backbone, [sts_task(pairs)], tmp_path)
    assert 100 * result.score == pytest.approx(own_score(backbone, pairs), abs=1e-4)
    assert (result.task, result.split, result.subset) == ("OwnSTS", "test", "default")
    assert (result.metric, result.reused) == ("cosine_spearman", False)
    assert result.file.is_relative_to(tmp_path)
    (row,) = json.loads(result.file.read_text())["scores"]["test"]
    assert row["main_score"] == pytest.approx(result.score, abs=1e-6)
    assert capsys.readouterr().out == ""


@pytest.mark.weights
@pytest.mark.nightly
def test_the_packaged_backbone_scores_alike(
    evaldata: Path, tmp_path: Path, smollm2: Backbone
) -> None:
    pairs = fewer(registry.load_pairs(str(evaldata / "sts" / "stsb-dev.tsv")), 30, 80)
    plan = Plan((29,))
    (result,) = results(smollm2, [sts_task(pairs)], tmp_path, plan)
    assert result.score == pytest.approx(own_score(smollm2, pairs, plan) / 100, abs=1e-6)


def test_a_retrieval_task_takes_queries_as_queries(tmp_path: Path) -> None:
    backbone = tiny_models.tiny("llama")
    own = MtebEncoder(Embedder(backbone, METHOD.under(PLAN)))
    (result,) = mteb_encoder.run(own, [retrieval_task()], tmp_path)
    assert own.blank == 1
    texts = [text or mteb_encoder.BLANK for text in DOCUMENTS.values()]
    method = METHOD.under(PLAN)
    documents = encoder.encode(backbone, texts, method, role="Context").embeddings
    queries = encoder.encode(backbone, list(QUERIES.values()), method, role="Query").embeddings
    cosines = queries @ documents.T
    places = [int((row > row[at]).sum()) for at, row in enumerate(cosines)]  # q1: d1, q2: d2
    expected = np.mean([1 / np.log2(2 + place) for place in places])
    assert result.score == pytest.approx(expected, abs=1e-4)  # mteb rounds it


def test_results_that_are_there_are_taken(pairs: Pairs, tmp_path: Path) -> None:
    backbone = tiny_models.tiny("llama")
    (first,) = results(backbone, [sts_task(pairs)], tmp_path)
    unread = sts_task(pairs)
    unread.load_data = lambda **_: pytest.fail("the data were read again")
    (again,) = results(backbone, [unread], tmp_path)
    assert again.reused
    assert again.file == first.file
    assert again.score == pytest.approx(first.score, abs=1e-6)
    (other,) = results(backbone, [sts_task(pairs)], tmp_path, PLAIN)
    assert not other.reused
    assert other.file != first.file
    first.file.write_text("{")
    with pytest.raises(CorpusError, match="delete it") as caught:
        results(backbone, [unread], tmp_path)
    assert_one_sentence(caught.value)


def test_a_task_of_tasks_is_the_mean_of_its_parts(pairs: Pairs, tmp_path: Path) -> None:
    class Both(AbsTaskAggregate):
        """Two tasks as one."""

        metadata = AggregateTaskMetadata(
            **metadata("Both", "STS", "cosine_spearman").model_dump(
                include={"name", "description", "type", "eval_splits", "main_score"}
            ),
            tasks=[sts_task(pairs, "First"), sts_task(fewer(pairs, 30, 40), "Second")],
        )

    backbone = tiny_models.tiny("llama")
    first, second, both = results(backbone, [*Both.metadata.tasks, Both()], tmp_path)
    assert both.score == pytest.approx((first.score + second.score) / 2, abs=1e-6)
    assert both.file.exists()
    (alone,) = results(backbone, [Both()], tmp_path / "alone")
    assert alone.score == pytest.approx(both.score, abs=1e-6)
    assert {file.name for file in alone.file.parent.glob("*.json")} >= {"First.json", "Both.json"}
    (again,) = results(backbone, [Both()], tmp_path / "alone")
    assert again.reused


MOCKS = {task.metadata.name: type(task) for task in MOCK_TASK_TEST_GRID}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOCKS)
def test_every_type_of_task_runs_and_mteb_reads_its_file(name: str, tmp_path: Path) -> None:
    task = MOCKS[name]()
    rows = results(tiny_models.tiny("llama"), [task], tmp_path)
    assert {(row.split, row.subset) for row in rows} == {
        (split, subset) for split in task.eval_splits for subset in task.hf_subsets
    }
    (model,) = mteb.ResultCache(tmp_path).load_results()
    (read,) = model.task_results
    again = TaskResult.from_disk(rows[0].file)
    for row in rows:
        assert np.isfinite(row.score)
        for stored in (read, again):
            (score,) = (
                each for each in stored.scores[row.split] if each["hf_subset"] == row.subset
            )
            assert score["main_score"] == pytest.approx(row.score, abs=1e-6)
    reread = results(tiny_models.tiny("llama"), [MOCKS[name]()], tmp_path)
    assert all(row.reused for row in reread)
    assert [row.score for row in reread] == pytest.approx([row.score for row in rows], abs=1e-6)


@pytest.mark.slow
def test_the_mock_tasks_cover_every_type_of_text_task() -> None:
    tasks = mteb.get_tasks(
        modalities=["text"], exclusive_modality_filter=True, exclude_superseded=False
    )
    covered = {task.metadata.type for task in MOCK_TASK_TEST_GRID}
    assert len({task.metadata.type for task in tasks} & covered) == 12
    others = [task for task in tasks if task.metadata.type not in covered]
    assert {task.metadata.type for task in others} <= {"Any2AnyRetrieval"}
    assert all(isinstance(task, AbsTaskRetrieval) for task in others)
    assert any(len(MOCKS[name]().hf_subsets) > 1 for name in MOCKS)


def test_mtebs_tables_show_each_plan_with_its_settings(pairs: Pairs, tmp_path: Path) -> None:
    backbone = tiny_models.tiny("llama")
    plans = (PLAN, PLAIN, Plan((2, 3), 1.0), Plan((2,), 2.0))
    scores = {}
    for plan in plans:
        (row,) = results(backbone, [sts_task(pairs)], tmp_path, plan)
        own = MtebEncoder(Embedder(backbone, METHOD.under(plan))).mteb_model_meta
        scores[own.name] = row.score
        stored = json.loads((row.file.parent / "model_meta.json").read_text())
        assert ModelMeta.model_validate_json_resolved(json.dumps(stored)).name == own.name
        settings = stored["loader_kwargs"]
        assert (settings["layers"], settings["pooling"]) == (list(plan.active), "hybrid")
        assert settings["bias"] == (plan.bias if plan.active else 0.0)
        assert settings["backbone"] == "tiny llama"
    loaded = mteb.ResultCache(tmp_path).load_results()
    (shown,) = loaded.to_dataframe().to_dict("records")
    assert {name: shown[name] for name in scores} == pytest.approx(scores, abs=1e-6)
    long = loaded.to_dataframe(format="long")
    assert dict(zip(long["model_name"], long["score"], strict=True)) == pytest.approx(
        scores, abs=1e-6
    )


# Benchmarks


@pytest.mark.slow
def test_a_benchmarks_name_stands_for_its_tasks() -> None:
    benchmark = mteb.get_benchmark("MTEB(eng, v2)")
    tasks = mteb_tasks.find_tasks(["MTEB(eng, v2)", "STSBenchmark", "STS17"])
    assert len(benchmark.tasks) == 41
    assert [task.metadata.name for task in tasks] == [
        *(task.metadata.name for task in benchmark.tasks),
        "STS17",  # once more, with all its languages
    ]
    english = [task for task in tasks if task.metadata.name == "STS17"]
    assert english[0].hf_subsets == ["en-en"]
    assert len(english[1].hf_subsets) > 5


def test_only_what_a_benchmark_takes_of_a_task_is_shown(tmp_path: Path) -> None:
    kind = MOCKS["MockMultilingualSTSTask"]
    backbone = tiny_models.tiny("llama")
    rows = results(backbone, [kind()], tmp_path)
    assert {row.subset for row in rows} == {"eng", "fra"}
    one_language = kind().filter_languages(["fra"])
    (row,) = results(backbone, [one_language], tmp_path)
    assert (row.subset, row.reused) == ("fra", True)


def test_data_that_cannot_be_had_are_one_sentence(tmp_path: Path) -> None:
    (task,) = mteb_tasks.find_tasks(["STSBenchmark"])
    with pytest.raises(CorpusError, match="STSBenchmark could not be fetched") as caught:
        results(tiny_models.tiny("llama"), [task], tmp_path)
    assert_one_sentence(caught.value)


def test_where_the_hub_is_out_of_reach_the_cache_alone_is_read(
    pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(network, "hub_unreachable", lambda: "huggingface.co did not answer")
    offline = []
    cached = sts_task(pairs)
    load = cached.load_data

    def load_data(**options: Any) -> None:
        offline.append(huggingface_hub.constants.is_offline_mode())
        load(**options)

    cached.load_data = load_data
    (result,) = results(tiny_models.tiny("llama"), [cached], tmp_path)
    assert result.score
    assert offline == [True]
    assert not huggingface_hub.constants.is_offline_mode()
    (task,) = mteb_tasks.find_tasks(["STSBenchmark"])
    with pytest.raises(CorpusError, match="did not answer") as caught:
        results(tiny_models.tiny("llama"), [task], tmp_path)
    assert_one_sentence(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("STSBenchmrk", "STSBenchmark"),
        ("scifact", "SciFact"),
        ("no such thing at all", "no task or benchmark"),
        ("MTEB(eng,v2)", r"MTEB\(eng, v2\)"),
        ("CIFAR10", "text"),
        ("MIEB(eng)", "text"),
    ],
)
def test_tasks_that_cannot_be_run_are_refused(name: str, message: str) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        mteb_tasks.find_tasks([name])
    assert_one_sentence(caught.value)


# The command line


@pytest.fixture
def ask(
    pairs: Pairs,
    monkeypatch: pytest.MonkeyPatch,
    empty_cache: Path,  # noqa: ARG001
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Run the command on a tiny backbone, mteb knowing the two tasks above only."""
    folder = tiny_models.save_folder(tmp_path / "llama")
    known = {"OwnSTS": lambda: sts_task(pairs), "OwnRetrieval": retrieval_task}

    def get_tasks(tasks: list[str] | None = None, **_: Any) -> list[Any]:
        return [known[name]() for name in (known if tasks is None else tasks)]

    monkeypatch.setattr(mteb, "get_tasks", get_tasks)

    def run(*arguments: str) -> tuple[int, str, str]:
        model = ("--backbone", str(folder), "--dtype", "float32", "--layers", "2-3")
        code = main(["mteb", *model, "--bias", "2", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.mark.slow
def test_the_command_writes_and_reuses(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    output = tmp_path / "new" / "folder"
    wanted = ("--tasks", "OwnSTS", "OwnRetrieval", "--output", str(output), "--json")
    code, out, err = ask(*wanted)
    assert code == 0, err
    first = json.loads(out)
    assert [row["task"] for row in first] == ["OwnSTS", "OwnRetrieval"]
    assert not any(row["reused"] for row in first)
    for row in first:
        (kept,) = json.loads(Path(row["file"]).read_text())["scores"][row["split"]]
        assert kept["main_score"] == pytest.approx(row["main_score"], abs=1e-6)
    assert "1 texts are empty" in err
    code, out, err = ask(*wanted)
    again = json.loads(out)
    assert all(row["reused"] for row in again)
    assert [row["file"] for row in again] == [row["file"] for row in first]
    assert "OwnSTS was computed before" in err
    code, out, err = ask(*wanted[:-1])
    assert code == 0
    assert "cosine_spearman" in out


@pytest.mark.slow
def test_the_command_refuses_in_one_sentence(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, out, err = ask("--tasks", "OwnST", "--output", str(tmp_path / "out"))
    assert (code, out) == (2, "")
    assert "the nearest by name: OwnSTS" in err
    taken = tmp_path / "file"
    taken.write_text("")
    code, out, err = ask("--tasks", "OwnSTS", "--output", str(taken))
    assert (code, out) == (2, "")
    assert "cannot be written" in err
