"""Packed linear layers give what the plain ones give."""

import copy
import pickle

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones import packed_linear
from analysis.backbones.backbone import Backbone
from analysis.backbones.packed_linear import PackedLinear
from analysis.rerouting import forward_pass
from analysis.rerouting.attention import relative_distance
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import Plan

HAS_BFLOAT16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _linear(dtype: torch.dtype, bias: bool = True) -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(24, 40, bias=bias).to(dtype).eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", packed_linear.DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(24,), (1, 24), (3, 5, 24), (2, 700, 24), (0, 24)])
def test_packed_layers_equal_plain_ones(
    dtype: torch.dtype, bias: bool, shape: tuple[int, ...]
) -> None:
    model = torch.nn.Sequential(_linear(dtype, bias))
    given = torch.randn(shape).to(dtype)
    plain = model(given)
    assert packed_linear.pack(model) == int(dtype == torch.float32 or HAS_BFLOAT16)
    with torch.inference_mode():
        result = model(given)
    assert result.dtype == dtype
    tolerance = 1e-6 if dtype == torch.float32 else 8e-3
    torch.testing.assert_close(result, plain, atol=tolerance, rtol=tolerance)


@pytest.mark.skipif(not HAS_BFLOAT16, reason="the CPU has no units for bfloat16")
@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(24, 40), (25, 9), (576, 192), (1536, 576)])
def test_a_row_does_not_depend_on_how_many_are_given(
    monkeypatch: pytest.MonkeyPatch, inputs: int, outputs: int, tiles: bool
) -> None:
    """Sums that cancel, so that another order of summing would be seen; in tiles on every CPU."""
    if not tiles and torch.cpu._is_amx_tile_supported():
        pytest.skip("this CPU has tiles, and its rows do depend on their number without")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    layer = torch.nn.Linear(inputs, outputs).bfloat16().eval().requires_grad_(False)
    half = inputs // 2
    layer.weight[:, inputs - half :] = layer.weight[:, :half].flip(1)
    model = torch.nn.Sequential(layer)
    states = torch.randn(1100, inputs).bfloat16()
    states[:, inputs - half :] = -states[:, :half].flip(1)
    plain = model(states)
    packed_linear.pack(model)
    full = model(states)
    torch.testing.assert_close(full, plain, atol=8e-3, rtol=8e-3)
    for count in (1, 2, 20, 63, 64, 65, 300, 540, 1024):
        for begin in (0, 7, 1100 - count):
            part = slice(begin, begin + count)
            assert torch.equal(model(states[part]), full[part])


@pytest.mark.parametrize("inputs", [24, 576])
def test_a_row_alone_is_computed_as_among_others(inputs: int) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(inputs, 64).eval().requires_grad_(False))
    packed_linear.pack(model)
    states = torch.randn(9, inputs)
    assert torch.equal(torch.cat([model(one[None]) for one in states]), model(states))


@given(st.integers(1, 5000), st.sets(st.sampled_from(packed_linear.TILES[:-1])))
def test_statesare_cut_into_tiles_largest_first(count: int, larger: set[int]) -> None:
    tiles = (*sorted(larger, reverse=True), packed_linear.TILES[-1])
    cut = packed_linear.cut_rows(count * tiles[-1], tiles)
    assert sum(cut) == count * tiles[-1]
    assert cut == sorted(cut, reverse=True)
    assert set(cut) <= set(tiles)


def test_a_slice_with_gaps_between_its_statesis_read_right() -> None:
    model = torch.nn.Sequential(_linear(torch.float32))
    given = torch.randn(4, 9, 48)[:, ::2, :24]
    plain = model(given)
    packed_linear.pack(model)
    torch.testing.assert_close(model(given), plain)


def test_what_cannot_be_packed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Special(torch.nn.Linear):
        pass

    hooked = _linear(torch.float32)
    hooked.forward = hooked.forward  # type: ignore[method-assign]
    others = [Special(3, 3), hooked, _linear(torch.float16), torch.nn.LayerNorm(3)]
    assert packed_linear.pack(torch.nn.Sequential(*others)) == 0
    model = torch.nn.Sequential(_linear(torch.float32))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("", (), {"available": 10_000}))
    assert packed_linear.pack(model) == 0
    assert type(model[0]) is torch.nn.Linear


def test_a_cpu_without_units_for_a_dtype_is_given_the_plain_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As oneDNN refuses to lay out bfloat16 without AVX-512."""
    monkeypatch.setattr(packed_linear, "_has_kernel", lambda dtype: dtype == torch.float32)
    model = torch.nn.Sequential(_linear(torch.bfloat16), _linear(torch.float32))
    assert packed_linear.pack(model) == 1
    assert type(model[0]) is torch.nn.Linear


def test_a_packed_layer_keeps_its_parameters_and_its_place() -> None:
    shared = _linear(torch.float32)
    model = torch.nn.ModuleDict({"first": shared, "again": shared, "rest": torch.nn.LayerNorm(40)})
    weights = dict(shared.named_parameters())
    assert packed_linear.pack(model) == 1
    packed = model["first"]
    assert isinstance(packed, PackedLinear)
    assert packed is model["again"]
    assert list(model) == ["first", "again", "rest"]
    assert all(dict(packed.named_parameters())[name] is weights[name] for name in weights)
    assert list(packed.state_dict()) == ["weight", "bias"]
    assert not packed.training
    assert packed_linear.pack(model) == 0, "what is packed stays as it is"


def test_a_copy_of_a_packed_layer_has_weights_of_its_own() -> None:
    model = torch.nn.Sequential(_linear(torch.float32))
    packed_linear.pack(model)
    given = torch.randn(3, 24)
    expected = model(given)
    twin = pickle.loads(pickle.dumps(model))
    for copied in (copy.deepcopy(model), twin):
        assert torch.equal(copied(given), expected)
        assert copied[0]._packed_weight is not model[0]._packed_weight


def test_a_changed_dtype_takes_the_plain_way() -> None:
    model = torch.nn.Sequential(_linear(torch.float32))
    packed_linear.pack(model)
    given = torch.randn(3, 24).double()
    expected = torch.nn.functional.linear(given, *(p.double() for p in model[0].parameters()))
    assert torch.equal(model.double()(given), expected)


def test_gradients_take_the_plain_way() -> None:
    model = torch.nn.Sequential(_linear(torch.float32))
    packed_linear.pack(model)
    given = torch.ones(2, 24, requires_grad=True)
    model(given).sum().backward()
    assert given.grad is not None


def test_packing_real_weights_changes_nothing_but_rounding(
    smollm2: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The packaged backbone against its own layers called in PyTorch's way."""
    ids = torch.arange(3, 63).view(3, 20)
    lengths = torch.full((3,), 20)
    request = PassRequest(ids, lengths, Plan((4, 29)))
    packed = forward_pass.run(smollm2.model, request).final
    layers = [m for m in smollm2.model.modules() if isinstance(m, torch.nn.Linear)]
    assert {type(layer) for layer in layers} == {PackedLinear}
    monkeypatch.setattr(PackedLinear, "forward", torch.nn.Linear.forward)
    plain = forward_pass.run(smollm2.model, request).final
    assert 0 < relative_distance(plain, packed) < 1e-4
