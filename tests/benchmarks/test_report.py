"""The results page is what the stored runs say, and what runs say is what they computed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling
from analysis.corpora.types import Pairs, Texts
from analysis.embedding.methods import METHODS
from analysis.evaluation.bootstrap import DRAWS
from analysis.evaluation.measures import measure
from analysis.experiments.score_result import Corpus
from benchmarks.report import advice, records, runs, tables, windows
from benchmarks.report import page as page_report
from benchmarks.report import sets as all_sets
from benchmarks.report.page import page
from benchmarks.report.runs import stored
from benchmarks.report.sets import BACKBONES, BASE, PAIRS, Set
from tests.support import encoding

WORDS = ("rain", "river", "bank", "loan", "king", "bread", "train", "song", "house", "boat")
RNG = np.random.default_rng(0)
SOME = ("kv-embedding", "prompt-only", "mean", "mean, centred", "prompt-eol")


@pytest.fixture
def made(
    tiny: Callable[[str], Backbone],
    empty_cache: Path,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Set]:
    """Every set, small and of this test's own, some methods and a tiny backbone; none stored."""
    texts = tuple(f"the {a} and the {b}" for a in WORDS for b in WORDS)
    pairs = Pairs(
        "made", texts[:80], np.arange(40), np.arange(40, 80), RNG.random(40), "made", total=90
    )
    labelled = Texts("made", texts, "made", tuple(WORDS[i % 10] for i in range(100)))
    questions = sampling.draw(registry.load_retrieval("chatterbot-answers"), 12, 0, documents=30)
    monkeypatch.setattr(registry, "load_pairs", lambda _: pairs)
    monkeypatch.setattr(registry, "load_texts", lambda _: labelled)
    data: dict[str, Corpus] = {"pairs": pairs, "labelled": labelled, "retrieval": questions}
    small = tuple(replace(one, load=partial(data.__getitem__, one.kind)) for one in all_sets.SETS)
    for module in (runs, page_report):
        monkeypatch.setattr(module, "SETS", small)
    for module in (runs, page_report, tables):
        monkeypatch.setattr(module, "rows", lambda *_: SOME)
    monkeypatch.setattr(windows, "PART", 40)
    monkeypatch.setattr(runs, "STORED", tmp_path)
    monkeypatch.setattr(runs, "_loaded", lambda _: tiny("llama"))
    return {one.name: one for one in small}


def test_the_page_is_what_the_stored_runs_say() -> None:
    """Fails when a run or the page's making changed: python -m benchmarks.report write."""
    assert page_report.PAGE.read_text(encoding="utf-8") == page(stored())


def test_stored_runs_are_whole_and_say_what_made_them() -> None:
    found = stored()
    assert found
    for (backbone, name), result in found.items():
        made = result["made"]
        assert made["backbone"] == backbone, name
        assert made["dtype"] in ("float32", "bfloat16")
        assert made["device"] == "cpu"
        assert dict(made["versions"])["torch"].startswith("2.13")
        for measures in result.get("scores", {}) if "differences" in result else ():
            for value, low, high in result["scores"][measures].values():
                assert low <= value <= high
                assert low >= -100
                assert high <= 100


@pytest.mark.parametrize("backbone", BACKBONES)
def test_all_runs_of_a_backbone_reroute_the_same_layers(backbone: str) -> None:
    layers = {
        tuple(r["layers"])
        for (name, _), r in stored().items()
        if name == backbone and "layers" in r
    }
    assert len(layers) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stsb-dev", "banking77-test", "scifact-mini", "qmsum-test.512"])
def test_a_set_is_scored_stored_and_told(made: dict[str, Set], name: str) -> None:
    one, backbone = made[name], BACKBONES[0]
    assert runs.left(backbone, one, SOME) == [*SOME]
    runs.keep(backbone, one, SOME)
    assert runs.left(backbone, one, SOME) == []
    text = page(stored())
    assert f"## {backbone}" in text
    assert "nan" not in text.lower().replace("finance", "")
    assert set(stored()[backbone, name]["scores"]) == set(SOME)
    for method in SOME:
        assert f"| {method} |" in text


@pytest.mark.slow
def test_windows_are_scored_stored_and_told(made: dict[str, Set]) -> None:  # noqa: ARG001
    runs.run(BACKBONES[:1], ["windows"])
    assert "best on the other half" in page(stored())


@pytest.mark.slow
def test_scores_on_the_page_are_the_librarys(
    made: dict[str, Set], tiny: Callable[[str], Backbone]
) -> None:
    runs.keep(BACKBONES[0], made["stsb-dev"], SOME)
    pairs = registry.load_pairs("")
    vectors = encoding.embeddings(tiny("llama"), pairs.texts, METHODS["mean"])
    cosines = (vectors[pairs.left] * vectors[pairs.right]).sum(axis=1)
    expected = 100 * stats.spearmanr(cosines, pairs.scores).statistic
    scores, ahead = (line for line in page(stored()).splitlines() if line.startswith("| mean |"))
    assert f"| {expected:.1f} [" in scores
    result = stored()[BACKBONES[0], "stsb-dev"]
    by = result["scores"]
    delta = by[BASE]["Spearman"][0] - by["mean"]["Spearman"][0]
    (found,) = (d for d in result["differences"]["Spearman"] if d["first"] == "mean")
    value = f"{delta:+.1f}"
    clear = found["p_holm"] < 0.05 and not found["ci_low"] <= 0 <= found["ci_high"]
    assert f"| {f'**{value}**' if clear else value} [{-found['ci_high']:+z.1f}, " in ahead


@pytest.mark.slow
def test_what_is_missing_is_run_and_nothing_twice(made: dict[str, Set]) -> None:
    backbone, kinds = BACKBONES[0], ["pairs"]
    runs.run([backbone], kinds)
    before = stored()
    paths = [runs.path(backbone, made[name], method) for name in PAIRS for method in SOME]
    written = {path: path.stat().st_mtime_ns for path in paths}
    missing = runs.path(backbone, made["sts12"], "prompt-eol")
    missing.unlink()
    assert runs.left(backbone, made["sts12"], SOME) == ["prompt-eol"]
    runs.run([backbone], kinds)
    assert [path for path in paths if path.stat().st_mtime_ns != written[path]] == [missing]
    for key, result in stored().items():
        assert result["differences"] == before[key]["differences"]


def _measured(shift: float) -> dict[str, object]:
    drawn = np.linspace(0.3, 0.5, 401) + shift
    return {"Spearman": measure("Spearman", 0.4 + shift, drawn, 9, "pairs", "groups")}


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (0.05, "Ask for one word instead of averaging the bare text: prompt-eol against mean +5.0"),
        (-0.05, "Average the bare text rather than ask for one word: prompt-eol against mean -5.0"),
        (0.0, "One word or an average: try both: prompt-eol against mean +0.0"),
    ],
)
def test_the_advice_follows_from_the_numbers(shift: float, said: str) -> None:
    measures = {"mean": _measured(0), "prompt-eol": _measured(shift)}
    results = {name: {"measures": measures} for name in PAIRS}
    assert [line[: len(said)] for line in advice.sentences(results)] == [said]
    del results[PAIRS[0]]
    assert advice.sentences(results) == []


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    drawn = RNG.random(4000)
    drawn[7] = np.nan
    one = measure("Spearman", 0.5, drawn, 9, "pairs", "groups")
    record = records.Record("mean, centred", {"Spearman": one}, {"of": None, "cut": 2})
    records.write(tmp_path / "a" / "b.npz", record)
    again = records.read(tmp_path / "a" / "b.npz")
    assert (again.method, again.facts) == (record.method, record.facts)
    (found,) = again.measures.values()
    assert found.to_dict() == pytest.approx(one.to_dict(), abs=5e-5)
    np.testing.assert_allclose(found.drawn, one.drawn, atol=records.STEP / 2 + 1e-7)


def test_records_hold_scores_and_no_text_or_rating_of_a_corpus() -> None:
    paths = sorted(runs.STORED.rglob("*.npz"))
    assert paths
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            drawn = {name: file[name] for name in file.files if name != "facts"}
        found = records.read(path)
        assert set(drawn) == set(found.measures), path
        assert all(draws.shape == (DRAWS,) for draws in drawn.values()), path
        known = {"of", "cut", "made", "layers", "bias", "spelling", "documents", "tokens"}
        assert set(found.facts) == known, path


def test_the_mean_over_sets_has_the_interval_of_independent_sets() -> None:
    """Its spread is that of one set, divided by the root of the number of sets."""
    each = [
        measure("Spearman", 0.5, 0.5 + 0.02 * RNG.standard_normal(4000), 9, "pairs", "groups")
        for _ in range(4)
    ]
    found = records.mean(each, "sets")
    assert found.value == pytest.approx(50)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * 2 / 2, rel=0.1)


def test_bold_is_what_is_clear_after_correction() -> None:
    """A clear difference in favour, one that Holm's correction takes, one against, one not run."""
    sides = {"mean": (-2.0, -3.0, -1.0, 0.01), "echo": (-2.0, -3.0, -1.0, 0.06)}
    sides |= {"prompt-eol": (4.0, 2.0, 6.0, 0.001)}
    stored_ones = [
        {
            "delta": delta,
            "ci_low": low,
            "ci_high": high,
            "items": 9,
            "first": name,
            "second": "kv-embedding",
            "things": "pairs",
            "of": None,
            "p": p,
            "p_holm": p,
        }
        for name, (delta, low, high, p) in sides.items()
    ]
    text = tables.compared(
        {"made": {"differences": {"Spearman": stored_ones}}}, ["made"], "Spearman"
    )
    assert "| mean | **+2.0** [+1.0, +3.0] |" in text
    assert "| echo | +2.0 [+1.0, +3.0] |" in text
    assert "| prompt-eol | **-4.0** [-6.0, -2.0] |" in text
    assert "| last-token | not run |" in text


def test_other_words_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert page_report.main(["compute"]) == 2
    assert page_report.main(["run", "stsb"]) == 2
    assert page_report.main([]) == 2
    assert "run|write" in capsys.readouterr().err
