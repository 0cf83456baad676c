"""Rows of chosen heads: their types, and what charts and findings say of them."""

from collections.abc import Callable

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Texts
from analysis.embedding.methods import DEFAULT
from analysis.errors import RecipeError
from analysis.experiments.chosen_heads import choose
from analysis.experiments.head_choices import ChoiceName
from analysis.experiments.specs import Sensitivity
from analysis.recipes import charts, findings, row_types
from analysis.rerouting import head_lists

LABELLED = Texts(
    "made",
    tuple(f"{'tides' if number % 3 else 'cats'} {number}" for number in range(48)),
    "",
    tuple(str(number % 2) for number in range(48)),
)


@pytest.mark.parametrize(
    ("how", "count"),
    [
        ("steps", 5),
        pytest.param("single", 3, marks=pytest.mark.slow),
        pytest.param("top", None, marks=pytest.mark.slow),
    ],
)
def test_rows_say_what_was_chosen_how_and_at_which_cost(
    how: ChoiceName, count: int | None, tiny: Callable[[str], Backbone]
) -> None:
    chosen = choose(tiny("llama"), LABELLED, DEFAULT, how=how, count=count)
    rows = chosen.to_rows()
    row_types.check("sensitivity", rows)
    sentence, *further = findings.sentences("sensitivity", rows)
    assert f"by {how}" in sentence
    assert f"{chosen.passes:.1f} passes" in sentence
    assert f"{chosen.value:.3f} with them and {chosen.plain:.3f} without" in sentence
    assert f"--heads {head_lists.format_heads((), chosen.plan.heads)}:" in sentence
    assert ("found on halves" in sentence) == (count is None)
    drawn = charts.draw("sensitivity", rows)
    assert len(drawn) == 1 + (how == "single")
    assert all(chart.figure is not None for chart in drawn)
    if chosen.rank_correlations is not None:
        outside, inside = chosen.rank_correlations
        assert further == [
            f"The rank correlation of derivatives and exact effects is {outside:.2f} outside the "
            f"first fifth of the layers and {inside:.2f} inside it."
        ]
        assert np.isfinite([row["effect"] for row in rows]).all()
    else:
        assert further == []
    if how == "steps":
        own = {(row["layer"], row["head"]): row["own_bias"] for row in rows if row["chosen"]}
        assert own == {head[:2]: head.bias for head in chosen.plan.heads}


def test_a_number_of_heads_is_a_count_or_auto() -> None:
    assert Sensitivity.read({"top": "auto"}).count is None
    assert Sensitivity.read({"top": "24"}).count == Sensitivity.read({"top": 24}).count == 24
    assert Sensitivity.read({}).count == 60
    assert Sensitivity.read({"top": "auto", "choose": "greedy"}).words() == [
        *("sensitivity", "--choose=greedy", "--top=auto")
    ]
    for wrong in (0, "0", "many", 1.5, "-3"):
        with pytest.raises(RecipeError, match="Option --top: a count must be a whole number"):
            Sensitivity.read({"top": wrong})
    with pytest.raises(RecipeError, match="choose from top, relinearised, single, greedy, steps"):
        Sensitivity.read({"choose": "best"})
