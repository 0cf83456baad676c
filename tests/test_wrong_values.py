"""Values of the wrong kind, given to every option of every public function: refused, or harmless.

What numpy and PyTorch make of a right value means the same as the plain one.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import analysis
from analysis.backbones.backbone import Backbone
from analysis.embedding.prompts import BARE
from analysis.errors import BackboneError, CorpusError, ExplorerError, PlanError
from tests.support.checks import assert_one_sentence

kv: Any = analysis
TEXTS = [f"{number} boats lie by the bank." for number in range(25)]
PAIRS = kv.Pairs("own", TEXTS, np.arange(24), np.arange(1, 25), np.arange(24) % 5, "")
CORPUS = {"name": "own", "texts": TEXTS, "source": ""}

VALUES: dict[str, Any] = {
    "None": None,
    "minus one": -1,
    "half": 0.5,
    "not a number": float("nan"),
    "large": 10**30,
    "a word": "x",
    "nothing": "",
    "half a character": "\ud800",
    "long": "x" * 5000,
    "bytes": b"x",
    "a list": [None],
    "a list of lists": [[1], [1, 2]],
    "a dictionary": {},
    "a set": {1},
    "an array": np.array(["x", "y"]),
    "a path": Path("x"),
    "an object": object(),
    "a class": int,
}

FUNCTIONS: dict[str, dict[str, Any]] = {
    "load_backbone": {},
    "dimensions": {"texts": TEXTS, "samples": 24},
    "select_layers": {"layers": "2-3"},
    "encode": {"texts": TEXTS, "layers": "2-3"},
    "score": {"corpus": PAIRS, "methods": "kv-embedding", "layers": "2-3"},
    "words": {"texts": TEXTS[:2], "layers": "2-3"},
    "output_layers": {"corpus": PAIRS, "layers": "2-3"},
    "sensitivity": {"corpus": PAIRS},
    "choose_heads": {"corpus": PAIRS, "count": 2},
    "stability": {"corpus": PAIRS, "count": 2, "parts": 2},
    "compare": {"scores": None},
    "ranks": {"scores": None},
    "mean_ranks": {},
    "plot": {},
    "load_texts": {"source": "chatterbot"},
    "load_labelled": {"source": "chatterbot"},
    "load_pairs": {"source": "lee50"},
    "load_retrieval": {},
    "load_vectors": {"name": "mine", "file": "vectors.npy"},
    "Texts": CORPUS,
    "Pairs": {**CORPUS, "left": [0], "right": [1], "scores": [1.0]},
    "Retrieval": {
        **{"name": "own", "source": ""},
        **{"queries": TEXTS[:1], "documents": TEXTS, "relevance": ({0: 1},)},
    },
    "Precomputed": {"name": "mine", "vectors": np.eye(25), "texts": TEXTS},
    "Plan": {"layers": (1,)},
    "Method": {
        **{"name": "mine", "summary": "", "prompt": kv.PROMPTS["bare"]},
        **{"pooling": "last", "change": kv.CHANGES["re-routing"]},
    },
    "Embedder": {"layers": "2-3"},
    "answer": {},
}
UNCHECKED = {"progress", "name", "summary", "source", "note", "total", "origin", "workspace"}
"""Words that are only shown, and what is called."""


@pytest.fixture(scope="module")
def backbone(folder_of: Callable[[str], str]) -> Backbone:
    loaded: Backbone = kv.load_backbone(folder_of("llama"), dtype="float32", device="cpu")
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.usefixtures("empty_cache")
def test_a_value_of_the_wrong_kind_is_refused_in_one_sentence(
    name: str,
    backbone: Backbone,
    folder_of: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("vectors.npy", np.eye(5))
    function = getattr(analysis, name)
    parameters = inspect.signature(function).parameters
    given = dict(FUNCTIONS[name])
    if name == "load_backbone":
        given = {"name": folder_of("llama"), "device": "cpu", "dtype": "float32"}
    if "backbone" in parameters:
        given["backbone"] = backbone
    if "scores" in given and given["scores"] is None:
        given["scores"] = kv.score(backbone, PAIRS, ["mean", "echo"])
    for option in parameters:
        if option in UNCHECKED and (name, option) != ("load_backbone", "name"):
            continue
        for kind, value in VALUES.items():
            try:
                function(**{**given, option: value})
            except ExplorerError as error:
                if not re.fullmatch(r"[\w/'].{20,600}\.", str(error)):
                    pytest.fail(f"{name}({option}={kind}): {error}")
            except Exception as error:
                pytest.fail(f"{name}({option}={kind}): {type(error).__name__}: {error}")


def test_numbers_and_names_of_numpy_and_torch_mean_the_same(
    llama: Backbone, folder_of: Callable[[str], str]
) -> None:
    def curve(seed: Any, samples: Any = 20) -> Any:
        return kv.dimensions(llama, TEXTS, seed=seed, samples=samples)

    plain, other = curve(1), curve(np.int64(1), np.int32(20))
    np.testing.assert_array_equal(other.curve.resampled, plain.curve.resampled)
    assert (other.seed, type(other.seed)) == (1, int)
    for option, values in {
        "max_tokens": (60, np.int64(60)),
        "output_layer": (2, np.int16(2)),
        "bias": (2, np.float32(2)),
    }.items():
        first, second = (
            kv.score(llama, PAIRS, layers=layers, **{option: value})[0].measure("Spearman").value
            for value, layers in zip(values, ([2, 3], np.arange(2, 4)), strict=True)
        )
        assert first == second
    on = kv.load_backbone(folder_of("llama"), dtype="float32", device=torch.device("cpu")).device
    assert on.value == "cpu"


WRONG: dict[str, tuple[Callable[[Backbone, str], object], type[ExplorerError], str]] = {
    # each of these was taken without a word, or was another error
    "a choice of special tokens": (
        lambda _, folder: kv.load_backbone(folder, special_tokens="Parse"),
        PlanError,
        "choose one of text, parse",
    ),
    "a seed of None": (
        lambda b, _: kv.dimensions(b, TEXTS, samples=20, seed=None),
        PlanError,
        "The seed must be a whole number",
    ),
    "a rule that is not used": (
        lambda b, _: kv.encode(b, TEXTS, layers="2", rule="lowst"),
        PlanError,
        "no selection rule 'lowst'",
    ),
    "a layer that does not exist": (
        lambda b, _: kv.select_layers(b, [99]),
        PlanError,
        "Layer 99 does not exist",
    ),
    "a layer alone": (lambda b, _: kv.encode(b, TEXTS, layers=3), PlanError, "not 3"),
    "an output layer that does not exist": (
        lambda _, folder: kv.words(
            kv.load_backbone(folder, dtype="float32", device="cpu"), TEXTS[0], output_layer=99
        ),
        PlanError,
        "Output layer 99 does not exist",
    ),
    "a prompt without the text": (
        lambda *_: kv.Method("own", "", kv.own_prompt("In one word:"), "last"),
        PlanError,
        "no field {text}",
    ),
    "a plan that is none": (
        lambda *_: kv.Method("own", "", kv.own_prompt(BARE), "last", plan=(2, 3)),
        PlanError,
        r"takes a Plan, such as Plan\(\(2, 3\)\)",
    ),
    "a method that is none": (
        lambda b, _: kv.score(b, PAIRS, 3),
        PlanError,
        "type int is no method",
    ),
    "an objective that there is not": (
        lambda b, _: kv.sensitivity(b, PAIRS, objective="judgement"),
        PlanError,
        "no objective 'judgement'",
    ),
    "a teacher that is none": (
        lambda b, _: kv.sensitivity(b, PAIRS, objective="agreement", teacher=3),
        PlanError,
        "type int is no method",
    ),
    "parts of no items": (
        lambda b, _: kv.stability(b, PAIRS, parts=0),
        PlanError,
        "number of parts must be a whole number of at least 2, not 0",
    ),
    "columns that are names": (
        lambda *_: kv.load_pairs("lee50", columns=("a", "b")),
        CorpusError,
        r"such as Columns\('text'\)",
    ),
    "an array in place of its file": (
        lambda *_: kv.load_vectors("mine", np.eye(3)),
        CorpusError,
        "Precomputed takes those in memory",
    ),
    "another dtype than that of a loaded backbone": (
        lambda b, _: kv.Embedder(b, "mean", dtype="float16"),
        PlanError,
        "loaded in float32",
    ),
    "another device than that of a loaded backbone": (
        lambda b, _: kv.Embedder(b, "mean", device="cuda"),
        PlanError,
        "is on cpu",
    ),
    "a device that is none": (
        lambda _, folder: kv.load_backbone(folder, device=None),
        BackboneError,
        "cannot be used on this machine",
    ),
    "a question that is none": (lambda *_: kv.answer("score"), ExplorerError, "Score()"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named(
    case: str, llama: Backbone, folder_of: Callable[[str], str]
) -> None:
    call, kind, message = WRONG[case]
    with pytest.raises(kind, match=message) as caught:
        call(llama, folder_of("llama"))
    assert_one_sentence(caught.value)


def test_what_is_given_beside_a_loaded_backbone_may_be_its_own(llama: Backbone) -> None:
    for device in ("cpu", "cpu:0", torch.device("cpu")):
        embedder = kv.Embedder(llama, "mean", dtype="float32", device=device)
        assert embedder.backbone is llama
        assert embedder.encode(TEXTS[:2], device=device).shape[0] == 2


def test_every_public_function_is_tried() -> None:
    shown_only = {"METHODS", "PROMPTS", "CHANGES", "READINGS", "ExplorerError", "own_prompt"}
    results = {"Answer", "Backbone", "ByLayer", "Chosen", "Difference", "Dimensions", "MeanRanks"}
    results |= {"Measure", "Rank", "Score", "Sensitivity", "Stability", "Words"}
    assert set(kv.__all__) - shown_only - results == set(FUNCTIONS)
