"""What attention gives, summed over layers: in part, under plans, resumed, and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.embedding.encoder import encode, encode_methods
from analysis.embedding.method_parts import CHANGES, READINGS
from analysis.embedding.methods import METHODS, VARIANTS, Method, variant
from analysis.embedding.trace import Trace
from analysis.errors import BackboneError, PlanError
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.tiny_models import LAYERS, tiny

WVA, VA = VARIANTS["aligned-wva"], VARIANTS["va"]
TEXTS = ("The old bridge was closed.", "rain", "a longer text of several words, which is padded")
FAMILIES = ["llama", "gemma3", "gemma2", "gpt_oss"]


def over(method: Method, first: int, last: int) -> Method:
    return replace(method, reading=replace(method.reading, layers=(first, last)))


@pytest.mark.parametrize("method", [WVA, VA], ids=lambda m: m.name)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_range_of_layers_is_the_sum_of_each_alone(family: str, method: Method) -> None:
    backbone = tiny(family)

    def pooled(first: int, last: int) -> np.ndarray:
        return encode(backbone, TEXTS, over(method, first, last)).pooled

    alone = [pooled(layer, layer) for layer in range(LAYERS)]
    for first, last in ((1, 3), (0, -1), (-2, -1)):
        expected = sum(alone[range(LAYERS)[first] : range(LAYERS)[last] + 1])
        np.testing.assert_allclose(pooled(first, last), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("what", ["outputs", "values"])
@pytest.mark.parametrize("family", FAMILIES)
def test_padding_and_the_rest_of_the_batch_change_nothing(family: str, what: str) -> None:
    backbone = tiny(family)
    ids = torch.randint(3, 200, (3, 11), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([4, 11, 7])

    def summed(rows: slice, width: int) -> torch.Tensor:
        request = PassRequest(
            *(ids[rows, :width], lengths[rows].clamp(max=width), Plan((2,)), backbone.form),
            sum_up=what,  # type: ignore[arg-type]
            sum_layers=range(LAYERS),
        )
        result = forward_pass.run(backbone.model, request).summed
        assert result is not None
        return result

    together = summed(slice(None), 11)
    for row, length in enumerate(lengths.tolist()):
        alone = summed(slice(row, row + 1), length)
        torch.testing.assert_close(together[row, :length], alone[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("base", [WVA, over(VA, 1, 2)], ids=lambda m: m.name)
def test_plans_share_passes_and_traces(base: Method) -> None:
    backbone = tiny("llama")
    rerouted = replace(base, change=CHANGES["re-routing"])
    plans = (PLAIN, Plan((1, 3)), Plan((5,)), Plan((1, 2)))
    methods = [rerouted.under(plan) for plan in plans]
    alone = [encode(backbone, TEXTS, method).embeddings for method in methods]
    for encoding, expected in zip(encode_methods(backbone, TEXTS, methods), alone, strict=True):
        np.testing.assert_allclose(encoding.embeddings, expected, atol=2e-6)
    trace = Trace(backbone, TEXTS, rerouted)
    for plan, expected in zip(plans, alone, strict=True):
        np.testing.assert_allclose(trace.embed(plan), expected, atol=2e-6)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)


def test_values_are_as_wide_as_the_key_value_heads() -> None:
    backbone = tiny("llama")
    embedder = Embedder(backbone, "va")
    width = backbone.facts.kv_heads * backbone.facts.head_size
    assert embedder.get_embedding_dimension() == width
    assert np.asarray(embedder.encode(TEXTS)).shape == (len(TEXTS), width)
    assert width != backbone.facts.hidden


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(BackboneError, match=r"layers \[0, 1, 2, 3, 4, 5\] of .* do not show"):
        encode(tiny("falcon"), TEXTS, WVA)
    with pytest.raises(PlanError, match="layers 3 to 1, which are reversed"):
        encode(tiny("llama"), TEXTS, over(WVA, 3, 1))
    with pytest.raises(PlanError, match="Output layer 6 does not exist"):
        encode(tiny("llama"), TEXTS, over(WVA, 0, 6))
    with pytest.raises(PlanError, match="reads attention-outputs sums them over layers"):
        variant(WVA, output_layer=-2)


def test_keys_tell_readings_apart() -> None:
    readings = [*READINGS.values(), replace(READINGS["values"], layers=(0, -2))]
    identities = [str(replace(METHODS["mean"], reading=reading).identity) for reading in readings]
    assert len({*identities}) == len(readings)
