"""What the benchmarks count, and that the page says what was stored. Nothing here is timed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import measuring
from benchmarks.__main__ import CLAIMS, PAGE, RESULTS, main, page
from benchmarks.measuring import Ratio, compare, of_repetitions


def _calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    clock = {"ours": iter([100.0, 1.0, 2.0, 3.0]), "theirs": iter([100.0, 2.0, 2.0, 2.0])}

    def seconds(work: object) -> float:
        name = work()  # type: ignore[operator]
        calls.append(name)
        return next(clock[name])

    monkeypatch.setattr(measuring, "seconds", seconds)
    return calls


def test_ratios_are_of_paired_repetitions_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _calls(monkeypatch)
    how = {"on": "texts", "target": 0.4, "scale": 2.0, "repetitions": 3}
    result = compare("a", lambda: "ours", "b", lambda: "theirs", **how)  # type: ignore[arg-type]
    assert (result.ratio, result.low, result.high) == (0.5, 0.25, 0.75)
    assert (result.ours, result.theirs, result.reached) == (2.0, 4.0, False)
    assert calls == ["ours", "theirs", "theirs", "ours"] * 2


def test_speeds_are_the_other_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    _calls(monkeypatch)
    how = {"on": "texts", "target": 0.9, "at_least": True, "repetitions": 3}
    result = compare("a", lambda: "ours", "b", lambda: "theirs", **how)  # type: ignore[arg-type]
    assert (result.ratio, result.high) == (1.0, 2.0)
    assert result.low == pytest.approx(2 / 3)
    assert result.reached is True
    assert replace(result, target=None).reached is None
    assert replace(result, target=1.5).reached is False


def test_ratios_of_numbers_measured_elsewhere() -> None:
    result = of_repetitions(
        "a", "b", np.array([[1.0, 4.0], [3.0, 4.0]]), on="c", target=1, unit="MB"
    )
    assert (result.ratio, result.ours, result.theirs, result.unit) == (0.5, 2.0, 4.0, "MB")


def test_the_page_is_made_from_the_stored_numbers() -> None:
    """Fails when numbers, notes or the page's making changed: python -m benchmarks write."""
    assert page(json.loads(RESULTS.read_text(encoding="utf-8"))) == PAGE.read_text(encoding="utf-8")


def test_every_claim_is_stored_and_every_miss_explained() -> None:
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert set(result["claims"]) == set(CLAIMS)
    told = PAGE.read_text(encoding="utf-8")
    explained = told[told.index("## Targets that are missed") :].split("\n## ")[0]
    for ratio in (Ratio(**one) for ratios in result["claims"].values() for one in ratios):
        if ratio.reached is False:
            assert f"**{ratio.claim}**" in explained


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warp"]) == 2
    assert "There is no benchmark 'warp'; use rerouting_cost" in capsys.readouterr().out
