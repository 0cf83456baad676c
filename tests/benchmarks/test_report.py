"""The results page is what the stored runs say, and what runs say is what they computed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling
from analysis.corpora.types import Pairs, Texts
from analysis.embedding.methods import METHODS
from benchmarks.report import page as page_report
from benchmarks.report import runs, tables
from benchmarks.report.page import page
from benchmarks.report.runs import Run, stored
from tests.support import encoding

WORDS = ("rain", "river", "bank", "loan", "king", "bread", "train", "song", "house", "boat")
RNG = np.random.default_rng(0)


@pytest.fixture
def made(
    tiny: Callable[[str], Backbone],
    empty_cache: Path,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Run]:
    """Every kind of run on small corpora of this test's own and a tiny backbone; none stored."""
    texts = tuple(f"the {a} and the {b}" for a in WORDS for b in WORDS)
    pairs = Pairs(
        "made", texts[:80], np.arange(40), np.arange(40, 80), RNG.random(40), "made", total=90
    )
    questions = sampling.draw(registry.load_retrieval("chatterbot-answers"), 12, 0, documents=30)
    monkeypatch.setattr(registry, "load_pairs", lambda _: pairs)
    monkeypatch.setattr(registry, "load_retrieval", lambda _: questions)
    monkeypatch.setattr(registry, "load_texts", lambda name: Texts(name, texts, "made"))
    monkeypatch.setattr(runs, "QUERIES", 8)
    monkeypatch.setattr(runs, "DOCUMENTS", 20)
    monkeypatch.setattr(runs, "PART", 40)
    monkeypatch.setattr(runs, "STORED", tmp_path)
    monkeypatch.setattr(backbones, "load", lambda *_, **__: tiny("llama"))
    return {one.name: one for one in runs.runs() if one.backbone == runs.BACKBONES[0]}


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


@pytest.mark.parametrize("backbone", runs.BACKBONES)
def test_all_runs_of_a_backbone_reroute_the_same_layers(backbone: str) -> None:
    layers = {
        tuple(r["layers"])
        for (name, _), r in stored().items()
        if name == backbone and "layers" in r
    }
    assert len(layers) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stsb-dev", "scifact-mini", "qmsum-test.512", "stsb-dev.windows"])
def test_a_run_is_computed_stored_and_told(
    made: dict[str, Run], tiny: Callable[[str], Backbone], name: str
) -> None:
    one = made[name]
    assert one.left(stored())
    runs.keep(one, one.compute(tiny("llama")))
    assert not one.left(stored())
    text = page(stored())
    assert f"## {one.backbone}" in text
    assert "nan" not in text.lower().replace("finance", "")
    assert f"{one.backbone} on {one.name}," not in text
    if one.methods:
        result = json.loads(one.path.read_text(encoding="utf-8"))
        assert set(result["scores"]) == set(one.methods)
        for method in one.methods:
            assert f"| {method} |" in text
    else:
        assert "best on the other half" in text


@pytest.mark.slow
def test_scores_on_the_page_are_the_librarys(
    made: dict[str, Run], tiny: Callable[[str], Backbone]
) -> None:
    one = made["stsb-dev"]
    runs.keep(one, one.compute(tiny("llama")))
    vectors = encoding.embeddings(tiny("llama"), registry.load_pairs("").texts, METHODS["mean"])
    from scipy.stats import spearmanr

    pairs = registry.load_pairs("")
    cosines = (vectors[pairs.left] * vectors[pairs.right]).sum(axis=1)
    expected = 100 * spearmanr(cosines, pairs.scores).statistic
    scores, ahead = (line for line in page(stored()).splitlines() if line.startswith("| mean |"))
    assert f"| {expected:.1f} [" in scores
    result = json.loads(made["stsb-dev"].path.read_text(encoding="utf-8"))
    by = result["scores"]
    delta = by["kv-embedding"]["Spearman"][0] - by["mean"]["Spearman"][0]
    (found,) = (d for d in result["differences"]["Spearman"] if d["first"] == "mean")
    value = f"{delta:+.1f}"
    clear = found["p_holm"] < 0.05 and not found["ci_low"] <= 0 <= found["ci_high"]
    assert f"| {f'**{value}**' if clear else value} [{-found['ci_high']:+z.1f}, " in ahead


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


@pytest.mark.slow
def test_what_is_missing_is_run_and_nothing_twice(
    made: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [made["stsb-dev"], made["stsb-test"]]
    monkeypatch.setattr(runs, "runs", lambda: iter(some))
    runs.run()
    assert not any(one.left(stored()) for one in some)
    written = some[0].path.stat().st_mtime_ns
    result = json.loads(some[1].path.read_text(encoding="utf-8"))
    del result["scores"]["echo"]
    runs.keep(some[1], result)
    assert some[1].left(stored()), "a method is missing"
    runs.run()
    assert not some[1].left(stored())
    assert some[0].path.stat().st_mtime_ns == written


def test_other_words_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert page_report.main(["compute"]) == 2
    assert "run|write" in capsys.readouterr().err
