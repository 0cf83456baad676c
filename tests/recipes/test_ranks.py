"""Ranks in answers: rows agree with the scores, and grids over corpora are summarised."""

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from analysis.cli.main import main
from analysis.recipes import charts, findings, ranks
from tests.support import tiny_models
from tests.support.visits import OWN_PAIRS

METHODS = ("mean", "kv-embedding", "echo", "last-token")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny backbone and rated pairs of a few words."""
    where = tmp_path_factory.mktemp("ranks")
    tiny_models.save_folder(where / "llama")
    (where / "pairs.tsv").write_text(OWN_PAIRS)
    return where


@pytest.mark.parametrize(
    ("command", "value", "options"),
    [
        ("sts", "spearman", []),
        ("score", "value", ["--on", "pairs"]),
        pytest.param(
            *("long-texts", "value", ["--part", "6", "--tokens", "96"]), marks=pytest.mark.slow
        ),
    ],
)
def test_rows_have_the_ranks_of_their_scores(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, value: str, options: list[str]
) -> None:
    named = [part for name in METHODS for part in ("--method", name)]
    corpus = [] if command == "long-texts" else ["--corpus", str(folder / "pairs.tsv")]
    asked = [command, "--backbone", str(folder / "llama"), "--layers", "1", "--json"]
    assert main([*asked, *corpus, *options, *named]) == 0
    rows = json.loads(capsys.readouterr().out)
    keys = {tuple(row.get(name) for name in ("measure", "place", "tokens")) for row in rows}
    for key in keys:
        members = [
            row
            for row in rows
            if tuple(row.get(name) for name in ("measure", "place", "tokens")) == key
        ]
        expected = stats.rankdata([-row[value] for row in members])
        assert [row["rank"] for row in members] == list(expected)
        for row in members:
            assert 1 <= row["rank_low"] <= row["rank_high"] <= row["ranked"] == len(METHODS)
            assert set(row["level_with"]) <= set(METHODS) - {row["method"]}


def _row(corpus: str, method: str, value: float, **more: Any) -> dict[str, Any]:
    return {
        **{"method": method, "corpus": corpus, "measure": "Spearman", "value": value},
        **{"ci_low": value - 1, "ci_high": value + 1, "layers": []},
        **{"grid": {"backbone": "smollm2", "corpus": corpus}},
        **more,
    }


GRID = [
    _row(f"corpus {number}", method, 50.0 + 5 * place + number)
    for number in range(12)
    for place, method in enumerate(("low", "middle", "high"))
]


def test_a_grid_over_corpora_is_summarised_by_setting() -> None:
    second = [
        row | {"grid": row["grid"] | {"backbone": "other"}, "value": 99 - row["value"]}
        for row in GRID
    ]
    found = ranks.summaries([*GRID, *second])
    assert list(found) == ["smollm2", "other"]
    assert found["smollm2"].names == ("high", "middle", "low")
    assert list(found["other"].means) == [1, 2, 3]
    assert found["other"].names == ("low", "middle", "high")
    *_, last = findings.sentences("score", GRID)
    assert last.startswith("smollm2: Mean ranks: high 1.0, middle 2.0, low 3.0. Friedman's test")
    (chart,) = [each for each in charts.draw("score", GRID) if each.name == ranks.NAME]
    assert list(chart.table["mean rank"]) == [1, 2, 3]
    assert chart.figure is not None


def test_each_corpus_counts_by_its_main_measure() -> None:
    further = [row | {"measure": "Pearson", "value": -row["value"]} for row in GRID]
    mixed = [each for pair in zip(GRID, further, strict=True) for each in pair]
    assert ranks.summaries(mixed)["smollm2"] == ranks.summaries(GRID)["smollm2"]


@pytest.mark.parametrize(
    "rows",
    [
        GRID[:3],
        [row for row in GRID if row["method"] != "low"],
        GRID[:-1],
        [*GRID, GRID[0]],
    ],
    ids=["one corpus", "two methods", "a method that a corpus lacks", "a method twice"],
)
def test_what_cannot_be_summarised_has_no_summary(rows: list[dict[str, Any]]) -> None:
    assert not ranks.summaries(rows)
    assert ranks.drawn(rows) is None


def test_ranks_at_one_place_are_said_with_what_is_level() -> None:
    ranked = {"rank_low": 1.0, "rank_high": 2.0, "ranked": 2}
    rows = [
        _row("lee50", "mean", 50, rank=2.0, level_with=["echo"], **ranked),
        _row("lee50", "echo", 51, rank=1.0, level_with=["mean"], **ranked),
    ]
    *_, last = findings.sentences("score", rows)
    assert last == (
        "Ranks, 1 is the best: echo 1 [1, 2], mean 2 [1, 2]; neighbours that cannot be told "
        "apart: echo and mean."
    )
    old = [_row("lee50", "mean", 50), _row("lee50", "echo", 51)]
    assert not any("Ranks" in sentence for sentence in findings.sentences("score", old))
