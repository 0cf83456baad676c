"""Each baseline gives its authors' vectors: their prompt, a plain forward of transformers, pooling.

Nothing of this project is used on the expected side. Prompts and tidying are quoted from the
authors' public code as it was on 2026-11-28: kongds/scaling_sentemb, Yibin-Lei/MetaEOL and
fuyuchenIfyw/token_prepending. Echo's is the zero-shot prompt of its paper.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS, VARIANTS, Method
from tests.support import properties
from tests.support.properties import Case

TEXTS = (
    "The old bridge was closed after the storm.",
    "is it raining?",
    "no stop at the end",
    'She said "no" twice',
    "what?!",
    "a trailing space ",
)
EOL = 'This sentence : "*sent 0*" means in one word:"'
PLACED = 'This sentence : <PST> "*sent 0*" means in one word:"'
INSIDE = 'This sentence : "<PST>*sent 0*" means in one word:"'
META = (
    "In this task, you're presented with a text excerpt. Your task is to categorize the excerpt "
    "into a broad category such as 'Education', 'Technology', 'Health', 'Business', 'Environment', "
    "'Politics', or 'Culture'. These categories help in organizing content for better "
    'accessibility and targeting. For this task, this sentence : "*sent 0*" should be classified '
    'under one general category in one word:"',
    "In this task, you're given a statement and you need to determine whether it's presenting an "
    "'Opinion' or a 'Fact'. This distinction is vital for information verification, educational "
    'purposes, and content analysis. For this task, this sentence : "*sent 0*" discriminates '
    'between opinion and fact in one word:"',
    "In this task, you're given a review from an online platform. Your task is to generate a "
    "rating for the product based on the review on a scale of 1-5, where 1 means 'extremely "
    "negative' and 5 means 'extremely positive'. For this task, this sentence : \"*sent 0*\" "
    'reflects the sentiment in one word:"',
    "In this task, you're reading a personal diary entry. Your task is to identify the predominant "
    "emotion expressed, such as joy, sadness, anger, fear, or love. For this task, this sentence : "
    '"*sent 0*" conveys the emotion in one word:"',
    "In this task, you're presented with two sentences. Your task is to assess whether the "
    "sentences convey the same meaning. Use 'identical', 'similar', 'different', or 'unrelated' to "
    'describe the relationship. To enhance the performance of this task, this sentence : "*sent '
    '0*" means in one word:"',
    "In this task, you're given a sentence and a phrase. Your task is to determine if the phrase "
    "can be a contextual synonym within the given sentence. Options include 'yes', 'no', or "
    "'partially'. To enhance the performance of this task, this sentence : \"*sent 0*\" means in "
    'one word:"',
    "In this task, you're examining a news article. Your task is to extract the most critical fact "
    'from the article. For this task, this sentence : "*sent 0*" encapsulates the key fact in one '
    'word:"',
    "In this task, you're reviewing a scientific abstract. Your task is to identify the main "
    "entities (e.g., proteins, diseases) and their relations (e.g., causes, treats). For this "
    'task, this sentence : "*sent 0*" highlights the primary entity or relation in one word:"',
)
ECHO = "Rewrite the following paragraph: *sent 0*. The rewritten paragraph: *sent 0*"


REAL = pytest.param("smollm2", marks=[pytest.mark.weights, pytest.mark.slow])


@pytest.fixture(params=["llama", "gemma3", "gpt2", REAL])
def case(request: pytest.FixtureRequest) -> Case:
    return properties.case(request.param)


def tidied(text: str) -> str:
    """Word lists joined, as the authors' loader gives them, and tidied as their batcher does."""
    sentence = " ".join(text.split())
    if sentence[-1] not in ".?\"'":
        sentence += "."
    sentence = sentence.replace('"', "'")
    return sentence[:-1] + "." if sentence[-1] == "?" else sentence


def asked(text: str) -> str:
    """The project's own tidying before it was the published one: a question mark stays."""
    return tidied(text)[:-1] + "?" if text.strip().endswith("?") else tidied(text)


def states(case: Case, ids: list[int], layer: int = -1) -> torch.Tensor:
    """The states (T, D) that enter a layer, counted as transformers' ``hidden_states``."""
    with torch.inference_mode():
        output = case.plain(
            input_ids=torch.tensor([ids]), use_cache=False, output_hidden_states=True
        )
    hidden: torch.Tensor = output.hidden_states[layer][0]
    return hidden


def last(case: Case, prompt: str) -> torch.Tensor:
    return states(case, case.backbone.tokenizer(prompt)["input_ids"])[-1]


def prepended(case: Case, prompt: str) -> torch.Tensor:
    """Token Prepending: <PST> added to the vocabulary, with the embedding of an asterisk."""
    tokenizer = copy.deepcopy(case.backbone.tokenizer)
    tokenizer.add_tokens(["<PST>"])
    ids = tokenizer(prompt)["input_ids"]
    place = ids.index(tokenizer.convert_tokens_to_ids("<PST>"))
    ids[place] = tokenizer.encode("*", add_special_tokens=False)[-1]
    layers = case.plain.h if hasattr(case.plain, "h") else case.plain.layers
    exit_layer = max(2, len(layers) // 5)

    def overwrite(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        held = (args[0] if args else kwargs["hidden_states"]).clone()
        held[:, place] = held[:, -1]
        return ((held, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": held})

    hooks = [
        layer.register_forward_pre_hook(overwrite, with_kwargs=True)
        for layer in layers[1:exit_layer]
    ]
    try:
        return states(case, ids, -2)[-1]
    finally:
        for hook in hooks:
            hook.remove()


def second_copy(case: Case, template: str, text: str) -> torch.Tensor:
    """Echo: the mean over the tokens of the second copy."""
    prompt = template.replace("*sent 0*", text)
    encoded = case.backbone.tokenizer(prompt, return_offsets_mapping=True)
    begin = len(prompt) - len(text)
    rows = [i for i, (_, stop) in enumerate(encoded["offset_mapping"]) if stop > begin]
    return states(case, encoded["input_ids"])[rows].mean(0)


Reference = Callable[[Case, str], torch.Tensor]
REFERENCES: dict[str, Reference] = {
    "prompt-eol": lambda case, text: last(case, EOL.replace("*sent 0*", tidied(text))),
    "token-prepending": lambda case, text: prepended(
        case, PLACED.replace("*sent 0*", tidied(text))
    ),
    "meta-eol": lambda case, text: torch.stack(
        [last(case, prompt.replace("*sent 0*", tidied(text))) for prompt in META]
    ).mean(0),
    "echo": lambda case, text: second_copy(case, ECHO, text),
    "prompt-eol-question": lambda case, text: last(case, EOL.replace("*sent 0*", asked(text))),
    "token-prepending-inside": lambda case, text: prepended(
        case, INSIDE.replace("*sent 0*", asked(text))
    ),
    "echo-sentence": lambda case, text: second_copy(
        case, "Rewrite the following sentence: *sent 0*\nThe rewritten sentence: *sent 0*", text
    ),
    "echo-again": lambda case, text: second_copy(
        case, "Document:*sent 0*\nDocument again:*sent 0*", text
    ),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n == "meta-eol")) for n in REFERENCES],
)
def test_a_baseline_gives_its_authors_vectors(case: Case, name: str) -> None:
    method: Method = (METHODS | VARIANTS)[name]
    result: NDArray[np.float32] = encode(case.backbone, TEXTS, method).embeddings
    for text, vector in zip(TEXTS, result, strict=True):
        expected = REFERENCES[name](case, text)
        expected = expected / expected.norm()
        np.testing.assert_allclose(vector, expected.numpy(), atol=2e-5, err_msg=text)


def test_every_published_row_has_a_reference() -> None:
    """Of the others, the paper's own and the plain poolings are tested beside their code."""
    assert set(METHODS) - set(REFERENCES) == {
        *("kv-embedding", "prompt-only", "re-routing-only", "pooling-only"),
        *("mean", "last-token", "bidirectional"),
    }


def test_variants_are_other_values_under_other_names() -> None:
    assert not METHODS.keys() & VARIANTS.keys()
    for name, variant in VARIANTS.items():
        assert variant.name == name
        base = next(base for base in METHODS.values() if name.startswith(f"{base.name}-"))
        assert variant.identity != base.identity
        assert variant.summary.startswith(base.name)
