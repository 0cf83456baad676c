"""Tokens weighed by the last one's attention: in every family, batched, re-routed, and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode, encode_methods
from analysis.embedding.method_parts import CHANGES
from analysis.embedding.methods import METHODS, VARIANTS, Method, variant
from analysis.embedding.pooling import POOLINGS, weights
from analysis.embedding.prompted import Prompted
from analysis.embedding.read_prompts import read_prompts
from analysis.errors import BackboneError, PlanError
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import properties
from tests.support.shared_plans import assert_plans_share
from tests.support.tiny_models import FAMILIES, LONG, MORE, OTHERS, PARTLY, tiny

REBA = VARIANTS["re-attention"]
TEXTS = ("The old bridge was closed.", "rain", "a longer text of several words, which is padded")
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] * bool(at % 9))
    for at, name in enumerate((*FAMILIES, *MORE, *PARTLY, *OTHERS))
]


@pytest.mark.parametrize("name", EVERY)
def test_it_is_the_largest_of_the_last_tokens_weights(name: str) -> None:
    """Against the weights of all tokens, which one-hot values give layer by layer."""
    case = properties.case(name)
    lengths = (LONG, LONG - 4, 1)
    ids, ends = case.tokens(*lengths)
    result = case.run(ids, ends, keep_attention=True).attention
    assert result is not None
    largest = torch.zeros(len(ids), ids.shape[1])
    for layer in case.backbone.reroutable:
        table = case.run(ids, ends, keep_weights_of=layer).weights.amax(1)
        rows = table[torch.arange(len(ids)), ends - 1]
        largest = torch.maximum(largest, rows)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(result[row], largest[row], rtol=1e-4, atol=1e-5)
        assert not result[row, length:].any()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma3", "gemma2", "gpt_oss"])
def test_a_text_longer_than_a_block_is_weighed_alike(family: str) -> None:
    case = properties.case(family)
    ids, ends = case.tokens(300, 270)
    result = case.run(ids, ends, keep_attention=True).attention
    assert result is not None
    rows = torch.arange(2)
    tables = (
        case.run(ids, ends, keep_weights_of=layer).weights.amax(1)[rows, ends - 1]
        for layer in case.backbone.reroutable
    )
    expected = torch.stack(list(tables)).amax(0)
    for row, length in enumerate((300, 270)):
        torch.testing.assert_close(
            result[row, :length], expected[row, :length], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("family", ["llama", "gemma3", "gemma2", "gpt_oss"])
def test_neighbours_and_their_padding_change_nothing(family: str) -> None:
    backbone = tiny(family)
    together = encode(backbone, TEXTS, REBA).embeddings
    alone = np.concatenate([encode(backbone, (text,), REBA).embeddings for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    case = properties.case(family)
    ids, lengths = case.tokens(4, 11, 7)
    padded = case.run(ids, lengths, keep_attention=True).attention
    assert padded is not None
    for row, length in enumerate(lengths.tolist()):
        single = case.run(ids[row : row + 1, :length], lengths[row : row + 1], keep_attention=True)
        assert single.attention is not None
        torch.testing.assert_close(padded[row, :length], single.attention[0], rtol=1e-4, atol=1e-5)


def rerouted(method: Method) -> Method:
    return replace(method, change=CHANGES["re-routing"])


@pytest.mark.parametrize("family", ["llama", "gpt_oss"])
def test_plans_share_passes_and_traces(family: str) -> None:
    backbone, base = tiny(family), rerouted(REBA)
    plans = (PLAIN, Plan((1, 3)), Plan((5,)), Plan((1, 2)))
    assert_plans_share(backbone, base, plans, TEXTS)


def test_methods_of_one_prompt_and_another_pooling_keep_their_numbers() -> None:
    backbone = tiny("llama")
    methods = [REBA, replace(REBA, pooling="last"), replace(REBA, pooling="hybrid")]
    for encoding, method in zip(encode_methods(backbone, TEXTS, methods), methods, strict=True):
        expected = encode(backbone, TEXTS, method).embeddings
        np.testing.assert_array_equal(encoding.embeddings, expected)


def test_the_weights_of_a_known_attention() -> None:
    """(A + A^T) / 2 halves what is off the diagonal, and a row is made to sum to 1."""
    prompts = [Prompted((5, 6, 7), ((0, 3),)), Prompted((5,), ((0, 1),))]
    attention = torch.tensor([[0.4, 0.2, 0.3], [1.0, 0.0, 0.0]])
    expected = torch.tensor([[0.2, 0.1, 0.3], [0.6, 0.0, 0.0]]) / 0.6
    torch.testing.assert_close(weights(prompts, "attended", attention), expected)


def test_what_is_shown_is_what_is_pooled() -> None:
    backbone = tiny("llama")
    (shown,) = read_prompts(backbone, TEXTS[0], REBA)
    assert shown.weights.sum() == pytest.approx(1)
    assert (shown.weights > 0).all()
    (prompt,) = prepare(backbone, TEXTS[:1], REBA).prompts[0]
    assert len(prompt.spans) == 2
    with torch.inference_mode():
        case = properties.case("llama")
        output = case.plain(input_ids=torch.tensor([prompt.ids]), use_cache=False)
    expected = torch.from_numpy(shown.weights) @ output.last_hidden_state[0]
    result = encode(backbone, TEXTS[:1], REBA).embeddings[0]
    np.testing.assert_allclose(result, (expected / expected.norm()).numpy(), atol=2e-5)


def test_it_goes_with_every_prompt_and_reading() -> None:
    backbone = tiny("gemma3")
    for name in ("kv-embedding", "token-prepending", "meta-eol"):
        method = replace((METHODS | VARIANTS)[name], pooling="attended")
        assert np.isfinite(encode(backbone, TEXTS, method).embeddings).all()
    for name in ("aligned-wva", "va", "contrastive-prompting"):
        method = replace(VARIANTS[name], pooling="attended")
        assert np.isfinite(encode(backbone, TEXTS, method).embeddings).all()
    assert variant(METHODS["kv-embedding"], pooling="attended").pooling == "attended"
    assert POOLINGS["attended"].by_attention


def test_what_cannot_be_weighed_is_refused() -> None:
    with pytest.raises(
        BackboneError, match="re-attention weighs tokens by attention, which tiny f"
    ):
        encode(tiny("falcon"), TEXTS, REBA)
    with pytest.raises(PlanError, match=r"bidirectional weighs tokens .* under the causal mask"):
        replace(METHODS["bidirectional"], pooling="attended")
