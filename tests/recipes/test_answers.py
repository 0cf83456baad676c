"""One request, one answer: file, command and script give the same numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.cli.main import main
from analysis.errors import ResultsError
from analysis.recipes import files, scripts
from analysis.recipes.answers import Answer
from analysis.recipes.recipe import Recipe
from tests.support import tiny_models
from tests.support.visits import OWN_PAIRS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny backbone, and pairs and texts of a few words."""
    where = tmp_path_factory.mktemp("recipes")
    tiny_models.save_headed(where / "llama")
    tiny_models.save_folder(where / "other", "gpt2")
    (where / "pairs.tsv").write_text(OWN_PAIRS)
    (where / "texts.txt").write_text("".join(f"{i} boats lie by bank {i}.\n" for i in range(40)))
    return where


OPTIONS: dict[str, dict[str, Any]] = {
    "dimension": {"corpus": "texts.txt", "samples": 30, "seed": 3, "bare": True},
    "score": {
        "corpus": "pairs.tsv",
        "method": ["mean", "kv-embedding"],
        "layers": "1,3",
        "bias": -0.5,
        "norm": "pre",
        "output-layer": -2,
        "part": 8,
        "post-processing": "centre",
    },
    "long-texts": {
        "corpus": "chatterbot-answers",
        "part": 4,
        "method": ["mean"],
        "tokens": [8, 16],
    },
    "causal": {"first": "The bank was old.", "second": "The bank was 'new'.", "layers": "2-3"},
    "words": {"text": ["The bank was 'old'.", "A <b>boat</b>."], "layers": "2-3", "top": 2},
    "sensitivity": {
        "on": "labelled",
        "corpus": "chatterbot",
        "part": 30,
        "choose": "steps",
        "top": 4,
    },
    "output-layers": {"corpus": "pairs.tsv", "method": ["mean", "kv-embedding"], "layers": "1"},
    "ablation": {"corpus": "pairs.tsv", "search": "single layers", "layers": "0", "bias": 2.0},
    "space": {
        "corpus": "texts.txt",
        "samples": 20,
        "layers": "all",
        "right-layers": "1",
        "right-backbone": "other",
        "projection": "pca",
        "output": "maps.html",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [pytest.param(one, marks=[pytest.mark.nightly] * (one == "long-texts")) for one in OPTIONS],
)
def test_file_command_and_script_give_the_same_numbers(
    command: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    empty_cache: Path,  # noqa: ARG001
) -> None:
    monkeypatch.chdir(folder)
    one = Recipe.of(command, {"backbone": "llama", **OPTIONS[command]})
    assert main([*one.arguments(), "--json"]) == 0
    by_command = json.loads(capsys.readouterr().out)
    Path("recipe.yaml").write_text(files.write(one), encoding="utf-8")
    assert main(["run", "recipe.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == by_command
    rows = tuple(by_command if isinstance(by_command, list) else [by_command])
    answer = Answer(one.spec, rows)
    charts = answer.charts()
    assert all(len(chart.table) for chart in charts)
    if command == "space":
        with pytest.raises(ResultsError, match="has no figure"):
            answer.plot()
    else:
        assert answer.plot() == charts[0].figure
    assert bool(answer.sentences) == (command not in ("space", "causal"))
    names: dict[str, Any] = {}
    exec(scripts.python(one), names)
    assert json.loads(json.dumps(names["result"].to_dict())) == by_command
