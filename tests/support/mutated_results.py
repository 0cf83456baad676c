"""Results of every command that is drawn, and the same with one thing changed and a new seal."""

import copy
import json
from random import Random
from typing import Any

from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results, read_file
from analysis.runtime.paths import ASSETS
from analysis.storage import result_store

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 5e-324, 2**53 + 1, 10**400, -(10**25)),
    *("", "x", "\0", "-1", "nan", "<b>", "=1", "x" * 11_000, "\ud800", "\U0001f642" * 50, "grid"),
    *([], [[]], [None], [0], [1, 1], [-1], [10**6], ["x"], [[1], [2]], [0.5], [[0, 1]] * 3),
    *({}, {"a": 1}, {"a": [1]}, {"a": {"b": 1}}, {"": None}),
)
"""Values to put in the place of others."""


def seeds() -> dict[str, dict[str, Any]]:
    """The documents of small results: of each command that is drawn, and of shipped studies."""
    made = {"versions": {"torch": "2"}, "python": "3", "machine": "x", "day": "2026-01-01"}
    measured = {"value": 50.0, "ci_low": 40.0, "ci_high": 60.0, "texts_cut": 0, "layers": [1, 2]}
    changed = {
        **{"against": "mean", "change": 3.0, "change_low": 1.0, "change_high": 5.0},
        **{"p": 0.01, "p_holm": None, "pairs": 9, "of": None, "corpus": "lee50"},
    }
    tried = {"backbone": "smollm2", "dtype": "float32", "method": "kv-embedding", "bias": 1.0}
    rows: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
        "sts": (
            {},
            [
                {**tried, "method": name, "corpus": "lee50", "pairs": 9, "texts": 8}
                | {"spearman": 50.0, "ci_low": 40.0, "ci_high": 60.0, "pearson": 1.0}
                for name in ("mean", "echo")
            ],
        ),
        "score": (
            {},
            [
                {**tried, "measure": measure, **measured, **changed}
                for measure in ("Spearman", "Pearson")
            ],
        ),
        "ablation": (
            {},
            [
                {**tried, "rank": rank, "spearman": 60.0, "layers": layers, "corpus": "lee50"}
                | {"change": 1.0, "ci_low": 0.5, "ci_high": 1.5, "pairs": 9, "of": None}
                for rank, layers in enumerate(([1], [1, 2], []), 1)
            ],
        ),
        "dimension": (
            {},
            [
                {**tried, "corpus": "lee50", "rule": "paper", "samples": 60, "selected": [1]}
                | {"curve": [1.0, 2.0, None], "band": [[0.5, 1.5], [1.0, 3.0], [None, None]]}
                | {"frequency": [0.0, 1.0, 0.5], "estimator": "twonn", "cloud": "last"}
            ],
        ),
        "long-texts": (
            {},
            [
                {**tried, "measure": "nDCG@10", **measured, "queries": 9, "corpus": "x"}
                | {"place": place, "tokens": tokens}
                for place, tokens in (("start", None), ("middle", 512))
            ],
        ),
        "causal": (
            {"first": "a b", "second": "a c"},
            [
                {"token": token, "control token": False, "plain": 0.0, "re-routed": 0.5}
                for token in ("a", "<s>")
            ],
        ),
    }
    thought = {
        **{**tried, "bias": None, "prompt": 1, "layers": [1], "read": True, "rank": 1},
        **{"word": "a", "token": 3, "probability": 0.5, "entropy": 2.0},
    }
    counted = {
        **{"corpus": "lee50", "texts": 9, "count": 2, "ci_low": 0.1, "ci_high": 0.6},
        **{
            "different": 4,
            "entropy_low": 1.0,
            "entropy_high": 3.0,
            "corpus_entropy": 2.5,
            "information": 0.5,
        },
    }
    sided = [
        {**thought, "model": model, "layer": layer}
        for model in ("plain", "re-routed")
        for layer in (0, 1)
    ]
    rows |= {
        "words": ({"text": ["a"]}, [{**row, "text": "a", "number": 1} for row in sided]),
        "words of a corpus": ({"corpus": "lee50"}, [row | counted for row in sided]),
    }
    chosen = {
        **{"corpus": "lee50", "objective": "judgements", "items": 9, "choice": "single"},
        **{"count": 1, "value": 0.5, "plain": 0.4, "passes": 4.0, "correlation": 0.5},
        **{"held_out": [[1, 0.5], [2, 0.4]], "correlation_first_fifth": None},
    }
    rows["sensitivity"] = (
        {},
        [
            {**tried, **chosen, "layer": layer, "head": head, "derivative": 0.1 * head - 0.2}
            | {"chosen": layer == head, "effect": 0.1 * layer, "own_bias": None}
            for layer in (1, 2)
            for head in (0, 2)
        ],
    )
    read = {
        **{"lowest": [1], "best": 1, "held_out_layers": [1, 2], "held_out": 1.0},
        **{"held_out_low": -1.0, "held_out_high": 3.0, "held_out_items": 9, "correlation": -0.5},
        **{"correlation_low": -0.9, "correlation_high": 0.1, "correlation_p": 0.2},
        **{"correlation_layers": 3, "dimension": 4.0, "dimension_low": 3.0, "dimension_high": 5.0},
    }
    last = dict.fromkeys(("against", "change", "change_low", "change_high", "p", "p_holm"))
    rows["output-layers"] = (
        {},
        [
            {**tried, "measure": "Spearman", **measured, **changed, **read, "rank": 3 - layer}
            | {"output_layer": layer, **(last if layer == 2 else {})}
            for layer in range(3)
        ],
    )
    results = {
        command: Results(Recipe.of(command.split()[0], values), tuple(members), made)
        for command, (values, members) in rows.items()
    }
    for name in ("rules", "parts", "long-texts", "heads", "prompts", "stability"):
        shipped = read_file(ASSETS / "studies" / f"{name}.json")
        rows_of = shipped.rows[:9]
        results[f"the study {name}"] = Results(shipped.recipe, rows_of, shipped.provenance)
    return {name: json.loads(result.to_json()) for name, result in results.items()}


def mutated(document: dict[str, Any], random: Random) -> str:
    """The document with one to three things changed, with the digest of what it then holds."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.15:
            _change_recipe(document, random)
        elif random.random() < 0.1:
            _change(document["made"], random)
        else:
            _change(document["rows"], random)
    document["digest"] = result_store.digest(document["recipe"], document["rows"])
    return json.dumps(document)


def _change(value: Any, random: Random) -> None:
    """Change a part of nested lists and maps: replace it, drop it, repeat it, or rename it."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = random.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and random.random() < 0.85:
            value = inner
            continue
        action = random.random()
        if action < 0.6:
            value[key] = copy.deepcopy(random.choice(ODD))
        elif action < 0.8:
            del value[key]
        elif isinstance(value, list):
            value.append(copy.deepcopy(inner))
        else:
            value[random.choice(("grid", "layers", "rank", "corpus", "new", ""))] = inner
        return


def _change_recipe(document: dict[str, Any], random: Random) -> None:
    commands = ("sts", "score", "rules", "parts", "dimension", "causal", "backbones", "long-texts")
    text = document["recipe"]
    if random.random() < 0.5:
        command = random.choice(commands)
        needed = {"first": "a b", "second": "a c"} if command == "causal" else {}
        document["recipe"] = files.write(Recipe.of(command, needed))
    else:
        at = random.randrange(len(text))
        document["recipe"] = text[:at] + random.choice("\0:[{&*!'\n 9x") + text[at + 1 :]
