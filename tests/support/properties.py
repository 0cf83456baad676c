"""The exact properties of re-routing, each a function of a case: a family and its weights.

A case holds a backbone as this project runs it and the same weights in a model it never touched.
A property raises AssertionError where it fails and returns what it measured, a few words for the
table of docs/backbones.md; ``outcome`` runs each once a process, so that the tests and the table
cannot say different things.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch

from analysis.backbones import packed_linear
from analysis.backbones.backbone import Backbone
from analysis.rerouting import forward_pass
from analysis.rerouting.kernels import Form
from analysis.rerouting.pass_request import PassRequest, PassResult
from analysis.rerouting.plan import OFF, PLAIN, Head, Plan
from tests.support import tiny_models
from tests.support.slow_attention import Slow, attending
from tests.support.tiny_models import LONG, WINDOW

FORMS: tuple[Form, ...] = ("closed", "concatenated")
REAL = ("smollm2", "smollm2-as-mistral", "gemma3-270m")
"""Real weights; the last two with sliding windows short enough for the texts here."""
REAL_CASES = [
    pytest.param(
        name,
        marks=[pytest.mark.weights, pytest.mark.slow if name == "smollm2" else pytest.mark.nightly],
    )
    for name in REAL
]
"""The same for tests: the first on every change, the others every night."""
LEE50 = {"mean": 56.2, "last-token": 37.2, "prompt-eol": 46.6, "prompt-only": 61.4}
"""Methods' Spearman x 100 of SmolLM2 on lee50, measured with an independent prototype."""


@dataclass(frozen=True, eq=False)
class Case:
    """A backbone, the same weights in a model that this project never touched, and its windows."""

    backbone: Backbone
    plain: Any
    window: Callable[[int], int | None]
    tolerance: float = 2e-5
    """Largest difference allowed to what is computed another way, relative to the largest state."""

    @property
    def layer_sets(self) -> dict[str, tuple[int, ...]]:
        """The selections tried; where a family mixes, one layer of the window slides, one not."""
        layers = self.backbone.reroutable
        middle = len(layers) // 3
        return {
            "none": (),
            "first": layers[:1],
            "last": layers[-1:],
            "window": layers[middle : middle + 2],
            "all": layers,
        }

    def plan(self, name: str, bias: float = 1.0) -> Plan:
        """The plan of a named layer set."""
        return Plan(self.layer_sets[name], bias)

    def tokens(self, *lengths: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Random right-padded ids (B, T) and their lengths (B,)."""
        drawn = torch.Generator().manual_seed(seed)
        ids = torch.randint(
            3, self.backbone.facts.vocabulary, (len(lengths), max(lengths)), generator=drawn
        )
        for row, length in enumerate(lengths):
            ids[row, length:] = 0
        return ids, torch.tensor(lengths)

    def run(
        self, ids: torch.Tensor, lengths: torch.Tensor, *args: Any, **wishes: Any
    ) -> PassResult:
        """A pass of the backbone, from the arguments of its request."""
        request = PassRequest(ids, lengths, *args, **wishes)
        return forward_pass.run(self.backbone.model, request)

    def close(self, result: torch.Tensor, expected: torch.Tensor, times: float = 1.0) -> None:
        """Equal to float32 rounding, which grows with the largest number around."""
        assert result.shape == expected.shape
        scale = max(1.0, float(expected.abs().max()))
        assert float((result - expected).abs().max()) <= times * self.tolerance * scale


@cache
def case(name: str) -> Case:
    """A tiny family's case, or one of ``REAL``; made once, models are frozen."""
    if name not in REAL:
        return Case(
            tiny_models.tiny(name),
            tiny_models.plain(name),
            lambda layer: tiny_models.window_of(name, layer),
            # Recurrent layers work chunk by chunk, and padding on the left moves the chunks.
            2e-5 if len(tiny_models.tiny(name).reroutable) == tiny_models.LAYERS else 1e-4,
        )
    from transformers import AutoModel, MistralConfig, MistralModel

    from analysis.backbones import backbone, download, sources

    if name == "smollm2":
        loaded = backbone.load(name, dtype="float32", device="cpu")
        folder = download.folder_of(sources.resolve(name))
        plain = AutoModel.from_pretrained(folder, dtype=torch.float32)
        return Case(loaded, _frozen(plain), lambda _layer: None, 3e-4)
    if name == "smollm2-as-mistral":
        llama = case("smollm2").plain
        same = {k: v for k, v in llama.config.to_dict().items() if k != "model_type"}
        config = MistralConfig(**same | {"sliding_window": WINDOW, "architectures": None})
        models = []
        for _ in "ab":
            with torch.device("meta"):
                model = MistralModel(config)
            model.to_empty(device="cpu")
            model.rotary_emb = type(model.rotary_emb)(config)
            model.load_state_dict(llama.state_dict(), assign=True)
            models.append(_frozen(model))
        backbone_ = tiny_models.backbone_of(models[0], None, name)
        return Case(backbone_, models[1], lambda _layer: WINDOW, 3e-4)
    folder = download.folder_of(sources.resolve(name))
    models = [
        _frozen(AutoModel.from_pretrained(folder, dtype=torch.float32, sliding_window=WINDOW))
        for _ in "ab"
    ]
    slides = [kind == "sliding_attention" for kind in models[0].config.layer_types]
    loaded = tiny_models.backbone_of(models[0], None, name)
    return Case(loaded, models[1], lambda layer: WINDOW if slides[layer] else None, 1e-4)


def _frozen(model: Any) -> Any:
    model = model.eval().requires_grad_(False)
    packed_linear.pack(model)  # as a backbone is, so that equal numbers are equal to the bit
    return model


def nothing_rerouted(case: Case) -> str:
    """1. No selected layer, or b = -inf: the plain model; nearly so when the bias is very low."""
    ids, lengths = case.tokens(LONG, LONG - 4, 1)
    layers = range(case.backbone.layers)
    with torch.inference_mode():
        expected = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
    for form in FORMS:
        for plan in (PLAIN, Plan((), 5.0), case.plan("all", OFF)):
            result = case.run(ids, lengths, plan, form=form, keep_inputs=layers)
            assert torch.equal(result.final, expected.last_hidden_state)
            for layer in layers:
                assert torch.equal(result.inputs[layer], expected.hidden_states[layer])
        shut = case.run(ids, lengths, case.plan("all", -1e4), form=form).final
        case.close(shut, expected.last_hidden_state)
    return "equal to the bit"


def earlier_tokens(case: Case) -> str:
    """2. Earlier tokens learn of the last one from the first selected layer's output on."""
    layers = case.backbone.layers
    ids, lengths = case.tokens(LONG)
    other = ids.clone()
    other[0, -1] = 3 if ids[0, -1] != 3 else 4

    def moved(plan: Plan, form: Form) -> list[torch.Tensor]:
        """Per state of the model, the distance (T,) between each token's two states."""
        a, b = (
            case.run(x, lengths, plan, form=form, keep_inputs=range(layers)) for x in (ids, other)
        )
        states = [a.inputs[i] - b.inputs[i] for i in range(layers)]
        return [x[0].norm(dim=-1) for x in (*states, a.pre_norm - b.pre_norm, a.final - b.final)]

    for form in FORMS:
        for name in case.layer_sets:
            plan = case.plan(name)
            first = plan.layers[0] if plan.layers else layers + 1
            for number, distances in enumerate(moved(plan, form)):
                assert distances[-1] > 0
                if number <= first:
                    assert (distances[:-1] == 0).all(), "before the first selected layer"
                else:  # a token outside every sliding window hears of it too
                    assert (distances[:-1] > 0).all(), "after it"
    return "moved by exactly 0"


def last_token(case: Case) -> str:
    """3. At the first selected layer the last token weighs itself by 1 + e^b, nothing else."""
    ids, lengths = case.tokens(LONG)
    for form in FORMS:
        for first in case.layer_sets["window"]:
            for bias in (-2.0, 1.0):
                plan = Plan((first,), bias)
                keep = {"keep_at": (torch.tensor([0]), lengths - 1)}
                result = case.run(ids, lengths, plan, form=form, **keep).outputs[first]
                real = torch.ones_like(ids).bool()
                slow = Slow((first,), bias, real, case.window, self_weighted=True)
                with attending(case.plain, slow):
                    states = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
                if first + 1 < case.backbone.layers:
                    case.close(result, states.hidden_states[first + 1][:, -1])
    return "holds"


def batch_and_padding(case: Case) -> str:
    """4. A text's states do not depend on its batch, its padding or the padding's side."""
    ids, lengths = case.tokens(LONG, 2, LONG - 4, 1)
    wider = torch.nn.functional.pad(ids, (0, 7))
    for form in FORMS:
        for name in ("none", "window", "all"):
            plan = case.plan(name)
            together = [
                case.run(ids, lengths, plan, form=form).final,
                case.run(wider, lengths, plan, form=form).final,
                left_padded(case, ids, lengths, plan, form, pads=3),
            ]
            for row, length in enumerate(lengths.tolist()):
                one = slice(row, row + 1)
                alone = case.run(ids[one, :length], lengths[one], plan, form=form).final[0]
                for states in together:
                    case.close(states[row, :length], alone)
    other = ids.masked_fill(torch.arange(LONG) >= lengths[:, None], 7)
    a, b = (case.run(x, lengths, case.plan("all")).final for x in (ids, other))
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(a[row, :length], b[row, :length]), "what padding holds does not matter"
    return "holds"


def left_padded(
    case: Case, ids: torch.Tensor, lengths: torch.Tensor, plan: Plan, form: Form, pads: int
) -> torch.Tensor:
    """States of right-padded ``ids`` from a pass padded on the left, in their places of before."""
    rows, width = len(ids), ids.shape[1] + pads
    moved = torch.zeros(rows, width, dtype=torch.int64)
    mask, positions = torch.zeros_like(moved), torch.zeros_like(moved)
    for row, length in enumerate(lengths.tolist()):
        moved[row, width - length :] = ids[row, :length]
        mask[row, width - length :] = 1
        positions[row, width - length :] = torch.arange(length)
    request = PassRequest(moved, torch.full((rows,), width), plan, form)
    with torch.inference_mode(), forward_pass.running(request):
        states = case.backbone.model(
            input_ids=moved, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
    assert states.isfinite().all(), "what pads hold must not poison what is added to it"
    return torch.stack(
        [row.roll(int(length), 0) for row, length in zip(states, lengths, strict=True)]
    )


def forms_and_formula(case: Case) -> str:
    """5. The closed form, the concatenated form and the formula written as a loop agree."""
    for width in (LONG, 2, 1):
        ids, lengths = case.tokens(width, max(1, width - 4))
        real = torch.arange(width) < lengths[:, None]
        for name in case.layer_sets:
            for bias in (-2.0, 0.0, 1.0, 5.0) if name == "window" else (1.0,):
                plan = case.plan(name, bias)
                slow = Slow(plan.layers, bias, real, case.window)
                with attending(case.plain, slow):
                    expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state[real]
                for form in FORMS:
                    result = case.run(ids, lengths, plan, form=form, keep_gates=True)
                    case.close(result.final[real], expected)
                    assert set(result.gates) == set(plan.layers)
                    for layer, gate in result.gates.items():
                        assert gate.dtype == torch.float32
                        assert 0 <= gate.min() <= gate.max() <= 1
                        weights = slow.gates[layer].transpose(1, 2)[real]
                        case.close(gate.transpose(1, 2)[real], weights, times=4)
    return f"within {case.tolerance:.0e}"


def key_at_first(case: Case) -> str:
    """6. The key moved to the place before the first token: there, as if the token stood there.

    At the first layer a state depends on its token alone, and rotary positions on distances
    alone: re-routing with b = 0 is the plain model with the final token put in front as well.
    """
    if "first" not in case.backbone.key_positions:
        return "own only"
    ids, lengths = case.tokens(WINDOW - 2, WINDOW - 3, 1)
    if case.backbone.reroutable[0] == 0:
        for row, length in enumerate(lengths.tolist()):
            one = slice(row, row + 1)
            text = ids[one, :length]
            with torch.inference_mode():
                doubled = torch.cat([text[:, -1:], text], 1)
                expected = case.plain(doubled, use_cache=False, output_hidden_states=True)
            for form in FORMS:
                result = case.run(
                    ids, lengths, Plan((0,), 0.0, "first"), form=form, keep_inputs=[1]
                ).inputs[1]
                case.close(result[row, :length], expected.hidden_states[1][0, 1:])
    for name in ("first", "last", "window", "all"):
        layers = case.layer_sets[name]
        closed, concatenated = (
            case.run(ids, lengths, Plan(layers, 1.0, "first"), form=form).final for form in FORMS
        )
        case.close(closed, concatenated)
        own = case.run(ids, lengths, Plan(layers)).final
        assert name != "all" or not torch.allclose(closed, own, rtol=1e-3)
    return "holds"


def resumed(case: Case) -> str:
    """7. A pass that starts late, from kept states, ends as the whole pass does, to the bit."""
    ids, lengths = case.tokens(LONG, LONG - 4, 1)
    layers = case.backbone.layers
    plain = case.run(ids, lengths, keep_inputs=range(layers))
    for name in ("first", "window", "last"):
        plan = case.plan(name)
        start = plan.layers[0]
        full = case.run(ids, lengths, plan, form=case.backbone.form)
        late = case.run(
            *(ids, lengths, plan, case.backbone.form),
            start=start,
            start_states=plain.inputs[start],
        )
        assert torch.equal(late.final, full.final)
    return "equal to the bit"


def single_heads(case: Case) -> str:
    """8. Heads re-route by themselves, each with its own bias, by the formula; the others do not.

    A layer whose heads are all named is the layer, and heads that are all off are the plain model,
    both to the bit. A head that does not re-route has gate 0.
    """
    ids, lengths = case.tokens(LONG, LONG - 4, 1)
    real = torch.arange(LONG) < lengths[:, None]
    count = case.backbone.facts.heads
    first, second = (*case.layer_sets["window"], *case.layer_sets["window"])[:2]
    named = {first: {0: 1.0}, second: {0: 2.5, count - 1: -1.0}}
    heads = [Head(*at, None if b == 1.0 else b) for at, b in _flat(named).items()]
    biases = {layer: [of.get(head, OFF) for head in range(count)] for layer, of in named.items()}
    slow = Slow((), 1.0, real, case.window, heads=biases)
    with attending(case.plain, slow):
        expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state[real]
    plain = case.run(ids, lengths)
    for form in FORMS:
        result = case.run(ids, lengths, Plan(heads=tuple(heads)), form=form, keep_gates=True)
        case.close(result.final[real], expected)
        for layer, gate in result.gates.items():
            case.close(gate.transpose(1, 2)[real], slow.gates[layer].transpose(1, 2)[real], times=4)
            for head in range(count):
                assert bool(gate[:, head].any()) == (head in named[layer])
        every = Plan(heads=tuple(Head(first, head) for head in range(count)))
        whole = case.run(ids, lengths, Plan((first,)), form=form).final
        assert torch.equal(case.run(ids, lengths, every, form=form).final, whole)
        off = Plan(heads=tuple(Head(first, head, OFF) for head in range(count)))
        assert torch.equal(case.run(ids, lengths, off, form=form).final, plain.final)
    return "holds"


def _flat(named: dict[int, dict[int, float]]) -> dict[tuple[int, int], float]:
    return {(layer, head): bias for layer, of in named.items() for head, bias in of.items()}


PROPERTIES: dict[str, Callable[[Case], str]] = {
    "nothing re-routed": nothing_rerouted,
    "earlier tokens before the first selected layer": earlier_tokens,
    "last token's weight": last_token,
    "batch and padding": batch_and_padding,
    "forms and formula": forms_and_formula,
    "key at first": key_at_first,
    "resumed pass": resumed,
    "single heads": single_heads,
}


QUICK = ("nothing re-routed", "earlier tokens before the first selected layer", "resumed pass")
"""Those that the families of ``tiny_models.OTHERS`` are tried on in every run."""


@cache
def outcome(name: str, of: str) -> str:
    """What property ``of`` found on the case ``name``; raises AssertionError where it fails."""
    return PROPERTIES[of](case(name))
