"""Similarity on two backbones: rows, ranks, warning, changes, and what the view is offered as."""

import json
import shlex
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.cli.main import main
from tests.support.visits import charts, numbers, opened, sentence, show_tab, shown, unfolded, well

pytestmark = pytest.mark.slow
BOTH = ["mean", "kv-embedding"]


def test_methods_on_both_backbones_are_ranked_compared_and_reproduced(
    tiny_llama: dict[str, str], folder_of: Callable[[str], str]
) -> None:
    link: dict[str, Any] = {"score_method": BOTH, "score_beside": folder_of("qwen2")}
    app = well(opened("similarity", **tiny_llama, **link))
    named = [*BOTH, *(f"{name} \u00b7 tiny-qwen2" for name in BOTH)]
    (figure, *_) = charts(app)
    assert sorted(figure["data"][0]["y"]) == sorted(named)
    assert "cannot be put down to either" in shown(app)
    values = dict(zip(figure["data"][0]["y"], numbers(figure["data"][0]["x"]), strict=True))
    command = unfolded(app).code[0].value
    assert f"--beside={folder_of('qwen2')}" in command
    said = StringIO()
    with redirect_stdout(said):
        main([*shlex.split(command.removeprefix("python -m analysis ")), "--json"])
    rows = [row for row in json.loads(said.getvalue()) if row["measure"] == "Spearman"]
    assert {row["method"]: row["value"] for row in rows} == values
    show_tab(app, "Comparisons")
    forest = charts(app)[-1]
    by_name = {name.replace("<br>", ""): x for name, x in _dots(forest).items()}
    changes = {row["method"]: row["change"] for row in rows if "\u00b7" in row["method"]}
    assert set(by_name) == set(changes)
    for name, change in changes.items():
        np.testing.assert_allclose(by_name[name], change)


def test_one_method_is_compared_without_a_warning_and_a_bad_backbone_is_named(
    tiny_llama: dict[str, str], folder_of: Callable[[str], str]
) -> None:
    link: dict[str, Any] = {"score_method": ["mean"], "score_beside": folder_of("qwen2")}
    app = well(opened("similarity", own_pairs=True, **tiny_llama, **link))
    assert len(charts(app)[0]["data"][0]["y"]) == 2
    assert "cannot be put down" not in shown(app)
    app.text_input(key="score_beside_typed").set_value("nothing-here").run()
    assert "There is no backbone called 'nothing-here'" in sentence(app)
    assert len(charts(app)[0]["data"][0]["y"]) == 2, "the one before stays"


def test_layers_that_it_lacks_are_chosen_anew(tiny_llama: dict[str, str], tmp_path: Path) -> None:
    from tests.support import tiny_models

    path = tmp_path / "smaller.gguf"
    tiny_models.write_gguf(path)
    link: dict[str, Any] = {"score_method": ["kv-embedding"], "score_beside": str(path)}
    app = well(opened("similarity", own_pairs=True, **tiny_llama, **link))
    assert "There is no layer 3" in shown(app)
    assert "Now: the automatic choice." in shown(app)
    assert len(charts(app)[0]["data"][0]["y"]) == 2


def _dots(figure: dict[str, Any]) -> dict[str, float]:
    (trace,) = figure["data"]
    return dict(zip(trace["y"], numbers(trace["x"]), strict=True))
