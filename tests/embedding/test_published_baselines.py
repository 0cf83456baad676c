"""Each baseline gives its authors' vectors: their prompt, a plain forward of transformers, pooling.

Nothing of this project is used on the expected side. Prompts and tidying are quoted from the
authors' public code as it was on 2026-11-28: kongds/scaling_sentemb, Yibin-Lei/MetaEOL,
fuyuchenIfyw/token_prepending, ZBWpro/PretCoTandKE, zifengcheng/CP, cqdyf099/ReBA and
snap-research/HTP. Echo's is the zero-shot prompt of its paper.
"""

import copy
import re
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
    "Two sentences. Are they cut? Yes!",
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
    return with_copies(case, ids, [(place, len(ids) - 1)])[-1]


def hierarchical(case: Case, text: str) -> torch.Tensor:
    """HTP: a <PST> before each sentence and as many <B-PST> in front, with that of an asterisk.

    A sentence's last state goes to both; the mean leaves them and what the tokenizer adds out.
    """
    sentence = text.strip()
    sentence += "" if sentence.endswith((".", "!", "?", '"')) else "."
    parts = re.split(r"(?<=[.!?])(?= )", sentence)
    tokenizer = copy.deepcopy(case.backbone.tokenizer)
    tokenizer.add_tokens(["<PST>", "<B-PST>"])
    marked = "<B-PST>" * len(parts) + "".join("<PST>" + part for part in parts)
    ids = tokenizer(marked)["input_ids"]
    inner, outer = (
        [place for place, token in enumerate(ids) if token == tokenizer.convert_tokens_to_ids(name)]
        for name in ("<PST>", "<B-PST>")
    )
    ends = [*(place - 1 for place in inner[1:]), len(ids) - 1]
    pooled = [place for place in range(outer[-1] + 1, len(ids)) if place not in inner]
    star = tokenizer.encode("*", add_special_tokens=False)[-1]
    read = [star if place in (*inner, *outer) else token for place, token in enumerate(ids)]
    copies = [*zip(inner, ends, strict=True), *zip(outer, ends, strict=True)]
    return with_copies(case, read, copies)[pooled].mean(0)


def with_copies(case: Case, ids: list[int], copies: list[tuple[int, int]]) -> torch.Tensor:
    """The output of the last layer but one where early layers' inputs are copied."""
    layers = layers_of(case)
    slots, sources = map(list, zip(*copies, strict=True))

    def overwrite(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        held = (args[0] if args else kwargs["hidden_states"]).clone()
        held[:, slots] = held[:, sources]
        return ((held, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": held})

    hooks = [
        layer.register_forward_pre_hook(overwrite, with_kwargs=True)
        for layer in layers[1 : max(2, len(layers) // 5)]
    ]
    try:
        return states(case, ids, -2)
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


def mean_of_last(case: Case, *prompts: str) -> torch.Tensor:
    """The last tokens' states of several prompts at the last layer but one, averaged."""
    return torch.stack(
        [states(case, case.backbone.tokenizer(prompt)["input_ids"], -2)[-1] for prompt in prompts]
    ).mean(0)


def layers_of(case: Case) -> Any:
    return case.plain.h if hasattr(case.plain, "h") else case.plain.layers


def seen(case: Case, prompt: str, modules: list[torch.nn.Module]) -> list[torch.Tensor]:
    """What each module gives for the prompt's tokens, (T, its channels)."""
    given: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _, __, output: given.append(output[0].float()))
        for module in modules
    ]
    try:
        states(case, case.backbone.tokenizer(prompt)["input_ids"])
    finally:
        for hook in hooks:
            hook.remove()
    return given


def projections(case: Case) -> list[torch.nn.Module]:
    """The output projections of attention."""
    return [
        layer.attn.c_proj if hasattr(layer, "attn") else layer.self_attn.o_proj
        for layer in layers_of(case)
    ]


def aligned_wva(case: Case, text: str) -> torch.Tensor:
    """AlignedWVA: the output projection of attention at the last token, summed over layers."""
    given = seen(case, EOL.replace("*sent 0*", tidied(text)), projections(case))
    return torch.stack([rows[-1] for rows in given]).sum(0)


def contrasted(case: Case, text: str, strength: float = 0.5) -> torch.Tensor:
    """Contrastive prompting: C (A - B) into the output projection of layer L/8, at the last token.

    The authors run the prompt for what is irrelevant first, with a hook that keeps what goes in.
    """
    module = projections(case)[max(1, round(len(projections(case)) / 8))]
    kept: list[torch.Tensor] = []

    def keep(_: Any, args: tuple[torch.Tensor, ...]) -> None:
        kept.append(args[0][0, -1].clone())

    def steer(_: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        held = args[0].clone()
        held[0, -1] = strength * (held[0, -1] - kept[0])
        return (held,)

    prompts = (IRRELEVANT, EOL)
    for prompt, hook in zip(prompts, (keep, steer), strict=True):
        handle = module.register_forward_pre_hook(hook)
        try:
            ids = case.backbone.tokenizer(prompt.replace("*sent 0*", tidied(text)))["input_ids"]
            result = states(case, ids, -2)[-1]
        finally:
            handle.remove()
    return result


def va(case: Case, text: str) -> torch.Tensor:
    """VA: the value vectors of all heads, averaged over tokens and layers."""
    layers = layers_of(case)
    if hasattr(layers[0], "attn"):  # GPT-2 has queries, keys and values in one projection
        given = [rows.chunk(3, -1)[2] for rows in seen(case, text, [x.attn.c_attn for x in layers])]
    else:
        given = seen(case, text, [layer.self_attn.v_proj for layer in layers])
    return torch.stack([rows.mean(0) for rows in given]).mean(0)


def re_attention(case: Case, text: str) -> torch.Tensor:
    """ReBA: the last row of the largest (A + A^T) / 2 over layers and heads weighs the tokens."""
    ids = case.backbone.tokenizer(text + text)["input_ids"]
    before = case.plain.config._attn_implementation
    case.plain.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            output = case.plain(
                input_ids=torch.tensor([ids]), use_cache=False, output_attentions=True
            )
    finally:
        case.plain.set_attn_implementation(before)
    matrix = torch.zeros(len(ids), len(ids))
    for layer in output.attentions:
        for head in layer[0]:
            matrix = torch.maximum(matrix, (head + head.T) / 2)
    row = matrix[-1] / matrix[-1].sum()
    pooled: torch.Tensor = (row[:, None] * output.last_hidden_state[0]).sum(0)
    return pooled


IRRELEVANT = 'The irrelevant information of this sentence : "*sent 0*" means in one word:"'
COT = 'After thinking step by step , this sentence : "*sent 0*" means in one word:"'
KNOWLEDGE = (
    "The essence of a sentence is often captured by its main subjects and actions, while "
    "descriptive terms provide additional but less central details. With this in mind , this "
    'sentence : "*sent 0*" means in one word:"'
)


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
    "pretended-cot": lambda case, text: mean_of_last(case, COT.replace("*sent 0*", tidied(text))),
    "knowledge": lambda case, text: mean_of_last(case, KNOWLEDGE.replace("*sent 0*", tidied(text))),
    "pretended-cot-knowledge": lambda case, text: mean_of_last(
        case, *(prompt.replace("*sent 0*", tidied(text)) for prompt in (KNOWLEDGE, COT))
    ),
    "reverse-eol": lambda case, text: torch.stack(
        [
            last(case, EOL.replace("*sent 0*", tidied(way)))
            for way in (text, " ".join(text.split()[::-1]))
        ]
    ).mean(0),
    "aligned-wva": aligned_wva,
    "va": va,
    "contrastive-prompting": contrasted,
    "re-attention": re_attention,
    "htp": hierarchical,
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
        base = next((m for m in METHODS.values() if name.startswith(f"{m.name}-")), None)
        if base is None:  # newer than the methods, and no form of one
            assert name in REFERENCES or variant.reading.routers  # that of test_router_weights.py
            continue
        other = {**variant.identity, "reroutes": variant.reroutes}
        assert other != {**base.identity, "reroutes": base.reroutes}
        assert variant.summary.startswith(base.name)
