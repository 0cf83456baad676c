"""A recipe run: rows with their place in the grid, and where one fails."""

from typing import Any

import pytest

from analysis.errors import PlanError
from analysis.recipes import runner
from analysis.recipes.recipe import Recipe
from analysis.runtime import events


def test_rows_say_where_they_are_and_what_fails_says_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Recipe.of("score", {}, ({"bias": [0.0, 2.0], "method": [["mean", "echo"]]},))

    def run_points(points: Any, _engine: Any) -> Any:
        for point in points:
            if point.spec.values()["bias"] == 2.0:
                raise PlanError("It does not fit.")
            yield [{"value": float("nan")}, {"value": 1.5}]

    monkeypatch.setattr(runner, "run_points", run_points)
    notes: list[str] = []
    rows = runner.rows(one)
    place = {"bias": 0.0, "method": "mean, echo"}
    with events.listening(notes.append):
        assert next(rows) == {"grid": place, "value": None}
        assert next(rows) == {"grid": place, "value": 1.5}
        with pytest.raises(PlanError, match=r"At bias 2\.0, method mean, echo: It does not fit\."):
            next(rows)
    assert notes == [f"{n} of 2: bias {b}, method mean, echo" for n, b in ((1, 0.0), (2, 2.0))]
