"""Re-routed attention as arithmetic, of any shape, against its formula; masks; memory."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any, Literal
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.masking_utils import (
    causal_mask_function,
    chunked_causal_mask_function,
    sdpa_mask,
    sliding_window_causal_mask_function,
)

from analysis.rerouting import forward_pass, masks
from analysis.rerouting.attention import closed_form, concatenated_form, gather_last
from analysis.rerouting.kernels import Form
from analysis.rerouting.masks import Band, Mask
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import Plan
from tests.support.slow_attention import rerouted
from tests.support.tiny_models import BENT

FORMS: tuple[Form, ...] = ("closed", "concatenated")
OFF = -math.inf


def assert_close(result: torch.Tensor, expected: torch.Tensor, tolerance: float = 2e-5) -> None:
    """Equal to float32 rounding, which grows with the largest number around."""
    assert result.shape == expected.shape
    scale = max(1.0, float(expected.abs().max()))
    assert float((result - expected).abs().max()) <= tolerance * scale


@st.composite
def attentions(draw: st.DrawFn) -> dict[str, Any]:
    """Queries, keys and values of any shape, with any padding, sliding window and bias."""
    rows, kv_heads, groups = (draw(st.integers(1, 3)) for _ in range(3))
    width, depth, value_depth = draw(st.integers(1, 10)), *(draw(st.integers(1, 9)) for _ in "kv")
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    spread = draw(st.sampled_from([0.1, 1.0, 4.0]))

    def random(heads: int, size: int) -> torch.Tensor:
        return spread * torch.randn(rows, heads, width, size, generator=generator)

    side = draw(st.sampled_from(["none", "right", "left"]))
    lengths = [width if side == "none" else draw(st.integers(1, width)) for _ in range(rows)]
    starts = [width - n if side == "left" else 0 for n in lengths]
    return {
        "query": random(kv_heads * groups, depth),
        "key": random(kv_heads, depth),
        "value": random(kv_heads, value_depth),
        "real": [(start, start + n) for start, n in zip(starts, lengths, strict=True)],
        "window": draw(st.none() | st.integers(1, width)),
        "scale": draw(st.sampled_from([1.0, 0.37])),
        "bias": draw(st.floats(-6, 6) | st.just(-1e4) | st.just(OFF)),
        "mask_kind": draw(st.sampled_from(["bool", "inf", "min"])),
        "block": draw(st.integers(1, 12)),
    }


def mask_of(
    sees: Callable[[int, int, int], bool],
    rows: int,
    width: int,
    kind: Literal["bool", "inf", "min"],
) -> torch.Tensor:
    """The mask (B, 1, T, T) in each of the ways that transformers writes one."""
    seen = torch.tensor(
        [[[sees(b, i, j) for j in range(width)] for i in range(width)] for b in range(rows)]
    )[:, None]
    if kind == "bool":
        return seen
    low = OFF if kind == "inf" else torch.finfo(torch.float32).min
    return torch.zeros(seen.shape).masked_fill(~seen, low)


@pytest.mark.slow
@settings(max_examples=150)
@given(drawn=attentions())
def test_forms_equal_the_formula_for_any_shape(drawn: dict[str, Any]) -> None:
    query, key, value = drawn["query"], drawn["key"], drawn["value"]
    real, window, scale, bias = (drawn[name] for name in ("real", "window", "scale", "bias"))
    rows, width = len(query), query.shape[2]
    last = [stop - 1 for _, stop in real]

    def sees(b: int, i: int, j: int) -> bool:
        begin, stop = real[b]
        return begin <= j <= i < stop and (window is None or i - j < window)

    expected, weights = rerouted(query, key, value, last, sees, scale, bias)
    ends = torch.tensor(last)
    pair = gather_last(key, ends), gather_last(value, ends)
    same_masks: list[Mask] = [mask_of(sees, rows, width, drawn["mask_kind"])]
    if all(begin == 0 for begin, _ in real):  # padding on the right needs no mask
        same_masks.append(Band(width if window is None else window))
        same_masks += [None] if window is None else []
    rows_real = torch.tensor([[begin <= i < stop for i in range(width)] for begin, stop in real])
    for mask in same_masks:
        with patch.object(masks, "BLOCK", drawn["block"]):
            both = (
                closed_form(query, key, value, pair, mask, scale, bias),
                concatenated_form(query, key, value, pair, mask, scale, bias, keep_gate=True),
            )
        for result, gate in both:
            assert gate is not None
            assert_close(result.transpose(1, 2)[rows_real], expected.transpose(1, 2)[rows_real])
            assert_close(gate.transpose(1, 2)[rows_real], weights.transpose(1, 2)[rows_real])
            assert 0 <= float(gate[~gate.isnan()].min()) <= float(gate[~gate.isnan()].max()) <= 1


def test_closed_form_with_the_prefix_off_is_the_kernel_to_the_bit() -> None:
    query, key, value = (torch.randn(2, 4, 9, 16) for _ in range(3))
    pair = key[:, :, -1:], value[:, :, -1:]
    result, gate = closed_form(query, key, value, pair, None, 0.25, OFF)
    plain = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=0.25
    )
    assert torch.equal(result, plain)
    assert (gate == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_follow_the_wide_one(dtype: torch.dtype) -> None:
    query, key, value = (
        torch.randn(2, 4, 9, 16, generator=torch.Generator().manual_seed(i)) for i in range(3)
    )
    wide, _ = closed_form(query, key, value, (key[:, :, -1:], value[:, :, -1:]), None, 0.25, 1.0)
    query, key, value = (x.to(dtype) for x in (query, key, value))
    for form in (closed_form, concatenated_form):
        result, _ = form(query, key, value, (key[:, :, -1:], value[:, :, -1:]), None, 0.25, 1.0)
        assert result.dtype == dtype
        assert_close(result.float(), wide, 2e-2)


# Masks


@pytest.mark.parametrize("window", [1, 3, 8, 12])
@pytest.mark.parametrize("block", [1, 4, 100])
def test_bands_are_the_mask_that_transformers_makes(window: int, block: int) -> None:
    expected = sdpa_mask(
        batch_size=1,
        q_length=11,
        kv_length=11,
        mask_function=sliding_window_causal_mask_function(window),
        allow_is_causal_skip=False,
    )
    assert expected is not None
    result = torch.zeros(11, 11, dtype=torch.bool)
    with patch.object(masks, "BLOCK", block):
        for rows, columns, seen in Band(window).blocks(11, torch.device("cpu")):
            result[rows, columns] = seen[0, 0]
    assert torch.equal(result, expected[0, 0])


def kind_of(mask_function: Callable[..., Any], **asked: Any) -> str:
    """What our mask function gives for transformers' one."""
    make = masks.mask_or_band(sdpa_mask, always=False)
    sizes = {"batch_size": 2, "q_length": 9, "kv_length": 9} | asked
    mask = make(mask_function=mask_function, **sizes)
    return "dense" if isinstance(mask, torch.Tensor) else str(mask and f"Band({mask.window})")


def test_only_what_is_a_band_gets_one() -> None:
    sliding, padding = (
        sliding_window_causal_mask_function(4),
        torch.tensor([[1] * 9, [0] + [1] * 8]),
    )
    assert kind_of(causal_mask_function) == "None"
    assert kind_of(sliding, local_size=4) == "Band(4)"
    assert kind_of(sliding_window_causal_mask_function(9), local_size=9) == "Band(9)"
    assert kind_of(sliding_window_causal_mask_function(10), local_size=10) == "None"
    chunked = chunked_causal_mask_function(4, torch.zeros(2, dtype=torch.int64))
    assert kind_of(chunked, local_size=4) == "dense"
    assert kind_of(sliding, local_size=4, attention_mask=padding) == "dense"
    assert kind_of(sliding, local_size=4, allow_is_causal_skip=False) == "dense"
    assert kind_of(sliding, local_size=4, q_length=3) == "dense", "queries after a cache"


# Long texts


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the number of elements of the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // 4)
        return out


MEASURED_ALWAYS = (
    ("llama", "own", "closed"),
    ("llama", "first", "concatenated"),
    ("mistral", "own", "concatenated"),
    ("gemma3", "own", "closed"),
    *((family, "own", "concatenated") for family in BENT),
)
"""Of all families, key positions and forms, those that are measured in every run."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "key_position", "form"),
    [
        pytest.param(*case, marks=[] if case in MEASURED_ALWAYS else pytest.mark.nightly)
        for case in product(("llama", "mistral", "gemma3", *BENT), ("own", "first"), FORMS)
    ],
)
def test_memory_grows_with_the_tokens_not_their_square(
    family: str, key_position: str, form: Form, tiny: Callable[..., Any]
) -> None:
    model, largest = tiny(family).model, []
    for tokens in (2048, 4096):
        ids = torch.randint(3, 250, (1, tokens), generator=torch.Generator().manual_seed(0))
        plan = Plan(tuple(range(6)), 1.0, key_position)  # type: ignore[arg-type]
        with LargestTensor() as seen:
            forward_pass.run(model, PassRequest(ids, torch.tensor([tokens]), plan, form))
        largest.append(seen.elements)
    assert largest[1] <= 2.1 * largest[0]
    assert largest[1] < 4096 * 4096 / 2


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 700])
@pytest.mark.parametrize("tokens", [4096, pytest.param(8192, marks=pytest.mark.nightly)])
def test_long_texts_are_exact(tokens: int, window: int | None) -> None:
    """Against attention with the whole T x (T + 1) table of logits, in float64."""
    query, key, value = (
        torch.randn(1, heads, tokens, 16, generator=torch.Generator().manual_seed(heads + i))
        for i, heads in enumerate((2, 1, 1))
    )
    bias, last = 1.0, torch.tensor([tokens - 1])
    pair = gather_last(key, last), gather_last(value, last)
    i, j = torch.arange(tokens)[:, None], torch.arange(tokens)
    hidden = (j > i) if window is None else (j > i) | (j <= i - window)
    mask: Mask = None if window is None else Band(window)
    both = [
        form(query, key, value, pair, mask, 0.25, bias)[0]
        for form in (closed_form, concatenated_form)
    ]
    for head in range(2):
        q, k, v = query[0, head].double(), key[0, 0].double(), value[0, 0].double()
        logits = (0.25 * q @ k.T).masked_fill_(hidden, OFF)
        logits = torch.cat([0.25 * (q @ k[-1:].T) + bias, logits], 1)
        expected = torch.cat([v[-1:], v]).T @ logits.softmax(1).T
        for result in both:
            assert_close(result[0, head], expected.T.float())


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mistral", "gemma3", "gemma2"])
def test_a_text_of_many_blocks_is_the_plain_model_when_nothing_is_rerouted(
    family: str, tiny: Callable[..., Any]
) -> None:
    from tests.support import tiny_models

    ids = torch.randint(3, 250, (2, 900), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = tiny_models.plain(family)(input_ids=ids, use_cache=False).last_hidden_state
    request = PassRequest(ids, torch.tensor([900, 900]))
    result = forward_pass.run(tiny(family).model, request).final
    assert_close(result, expected)
