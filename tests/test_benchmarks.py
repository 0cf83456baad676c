"""What the benchmarks count, and that the page says what was stored. Nothing here is timed."""

import json

import pytest

from benchmarks import measuring
from benchmarks.__main__ import PAGE, RESULTS, page
from benchmarks.measuring import Ratio, compare


def test_ratios_are_of_paired_repetitions_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    clock = {"ours": iter([100.0, 1.0, 2.0, 3.0]), "theirs": iter([100.0, 2.0, 2.0, 2.0])}

    def seconds(work: object) -> float:
        name = work()  # type: ignore[operator]
        calls.append(name)
        return next(clock[name])

    monkeypatch.setattr(measuring, "_seconds", seconds)
    how = {"on": "texts", "target": 0.4, "scale": 2.0, "repetitions": 3}
    found = compare("a", lambda: "ours", "b", lambda: "theirs", **how)  # type: ignore[arg-type]
    assert (found.ratio, found.low, found.high) == (0.5, 0.25, 0.75)
    assert (found.ours, found.theirs, found.reached) == (2.0, 4.0, False)
    assert calls == ["ours", "theirs", "theirs", "ours"] * 2


def test_the_page_is_made_from_the_stored_numbers() -> None:
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    ratios = [Ratio(**ratio) for ratio in stored["ratios"]]
    assert page(stored["machine"], ratios) == PAGE.read_text(encoding="utf-8")
