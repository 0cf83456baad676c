"""From a state to the vocabulary: a backbone's own final norm and unembedding.

Backbones are loaded as bare decoders. The unembedding is loaded when it is asked for first, and
freed with the backbone. Logits are computed by the code of transformers' causal language model of
the family, without its decoder, so scaling, soft caps and biases are the family's own.
"""

import copy
import threading
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch

from ..errors import BackboneError, one_line
from ..rerouting.pass_request import PassRequest
from ..rerouting.torch_state import steady
from . import devices, passes, unembedding_files
from .backbone import Backbone

_ROWS = 16_384
"""Rows of an unembedding in half precision that are computed at a time in float32."""


@dataclass(frozen=True, eq=False)
class Unembedding:
    """What turns final states into logits.

    Attributes:
        weight: (V, D), a row for each token of the vocabulary, in the backbone's dtype and on its
            device; not to be changed.
        tied: whether the input embeddings are this weight.
        model: transformers' causal language model without its decoder.
    """

    weight: torch.Tensor
    tied: bool
    model: Any

    @steady()
    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The logits that the family computes, in float32 whatever the weights' dtype.

        Args:
            states: (N, D) after the final norm, see :func:`final_states`.

        Returns:
            float32 (N, V) on the unembedding's device.
        """
        with torch.inference_mode():
            states = states.to(self.weight.device).float()
            output = self.model(inputs_embeds=states[None], use_cache=False)
        logits: torch.Tensor = output.logits[0].float()
        return logits


def unembedding(backbone: Backbone) -> Unembedding:
    """The unembedding of a backbone, loaded once.

    Args:
        backbone: the decoder.

    Raises:
        BackboneError: its files hold none and none is tied to the embeddings, they have changed
            since it was loaded, or transformers has no causal language model of the family.
        OutOfMemory: it does not fit into memory.
    """
    with _LOADING:
        if backbone not in _LOADED:
            _LOADED[backbone] = _load(backbone)
        return _LOADED[backbone]


def final_states(backbone: Backbone, states: torch.Tensor) -> torch.Tensor:
    """What the decoder makes of states that leave its last layer: its final norm.

    Args:
        backbone: the decoder.
        states: (N, D), outputs of any layer.

    Returns:
        (N, D) in the backbone's dtype.

    Raises:
        BackboneError: the states are not finite numbers afterwards.
    """
    rows = len(states)
    request = PassRequest(
        torch.zeros(rows, 1, dtype=torch.int64),
        torch.ones(rows, dtype=torch.int64),
        start=backbone.layers,
        start_states=states.to(backbone.model.dtype)[:, None],  # type: ignore[arg-type]
    )
    with backbone.lock:
        final = passes.run(backbone, request).final[:, 0]
    if not bool(torch.isfinite(final).all()):
        raise backbone.overflowed()
    return final


_LOADED: "WeakKeyDictionary[Backbone, Unembedding]" = WeakKeyDictionary()
_LOADING = threading.Lock()


class _States(dict[int, torch.Tensor]):
    """A decoder's output: the final states, and None for whatever else a family asks for."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__({0: states})
        self.last_hidden_state = states

    def __getattr__(self, name: str) -> None:
        return None


class _NoDecoder(torch.nn.Module):
    """Stands for the decoder of a causal language model: gives the states that it is given."""

    @property
    def decoder(self) -> "_NoDecoder":
        """Some families call a decoder inside."""
        return self

    def forward(self, *_args: Any, inputs_embeds: torch.Tensor, **_more: Any) -> _States:
        return _States(inputs_embeds)


class _Float32Linear(torch.nn.Module):
    """A linear layer computed in float32, some rows of its weight at a time."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        blocks = (
            [self.weight] if self.weight.dtype == torch.float32 else torch.split(self.weight, _ROWS)
        )
        product = torch.cat([states @ block.float().T for block in blocks], -1)
        return product if self.bias is None else product + self.bias


@steady()
def _load(backbone: Backbone) -> Unembedding:
    model = _skeleton(backbone)
    decoder = next(
        (name for name, part in model.named_children() if isinstance(part, type(backbone.model))),
        None,
    )
    output = model.get_output_embeddings()
    if decoder is None or not isinstance(output, torch.nn.Linear):
        raise _unreachable(backbone, "its causal language model is built in an unknown way")
    expected = {
        name: part
        for name, part in model.named_parameters(remove_duplicate=False)
        if not name.startswith(f"{decoder}.")
    }
    (module,) = (name for name, part in model.named_modules() if part is output)
    embedding = f"{module}.weight"
    parts = _weights(backbone, model, decoder, expected, embedding)
    tied = parts[embedding] is backbone.model.get_input_embeddings().weight  # type: ignore[operator]
    setattr(model, decoder, _NoDecoder())
    for name, part in list(model.named_modules()):
        if isinstance(part, torch.nn.Linear):
            model.set_submodule(
                name, _Float32Linear(parts[f"{name}.weight"], parts.get(f"{name}.bias"))
            )
        else:
            for own, _ in list(part.named_parameters(recurse=False)):
                value = parts[f"{name}.{own}" if name else own].float()
                setattr(part, own, torch.nn.Parameter(value, requires_grad=False))
    loaded = Unembedding(parts[embedding], tied, model.eval())
    try:
        loaded.logits(torch.zeros(1, backbone.facts.hidden))
    except Exception as error:  # whatever an unknown family asks of its decoder
        raise _unreachable(backbone, one_line(error)) from error
    return loaded


def _skeleton(backbone: Backbone) -> Any:
    """Transformers' causal language model of the family, without weights."""
    from transformers import AutoModelForCausalLM

    config: Any = copy.deepcopy(backbone.model.config)
    config.dtype = torch.float32  # transformers makes it the default of the process for a moment
    if hasattr(config, "output_router_logits"):
        config.output_router_logits = False
    if backbone.source and (tied := unembedding_files.ties(backbone.source)) is not None:
        config.tie_word_embeddings = tied
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, attn_implementation="eager", trust_remote_code=False
            )
    except Exception as error:
        raise _unreachable(backbone, one_line(error)) from error


def _weights(
    backbone: Backbone,
    model: Any,
    decoder: str,
    expected: dict[str, torch.nn.Parameter],
    embedding: str,
) -> dict[str, torch.Tensor]:
    """The tensors of an unembedding by name: those of the files, or those that are tied."""
    name, loaded = backbone.facts.name, cast(Any, backbone.model)
    device, dtype = next(loaded.parameters()).device, loaded.dtype
    tied = {
        part: loaded.get_parameter(source.removeprefix(f"{decoder}."))
        for part, source in model.all_tied_weights_keys.items()
        if part in expected
    }

    def check(numbers: int) -> None:
        what, size = f"The unembedding of {name}", numbers * dtype.itemsize
        devices.check_room(str(device), what, size, backbone.dtype.value)

    found = (
        unembedding_files.read(backbone.source, model, expected, embedding, check)
        if backbone.source
        else {}
    )
    if found and backbone.fingerprint != unembedding_files.fingerprint_now(
        str(backbone.source), backbone.tokenizer
    ):
        raise BackboneError(f"The files of {name} have changed since it was loaded; load it again.")
    weights: dict[str, torch.Tensor] = {}
    for part, parameter in expected.items():
        if part not in found and part not in tied:
            raise BackboneError(
                f"{name} has no unembedding: it is a decoder alone, without {part} and without "
                "embeddings that are tied to it; choose the causal language model."
            )
        if part in found and found[part].shape != parameter.shape:
            raise BackboneError(
                f"The unembedding of {name} does not fit its config.json: {part} has the shape "
                f"{tuple(found[part].shape)} and should have {tuple(parameter.shape)}; fetch all "
                "its files again."
            )
        weight = found[part].to(device, dtype) if part in found else tied[part]
        if part in tied and torch.equal(weight, tied[part]):
            weight = tied[part]
        if weight.is_meta or not bool(weight.isfinite().all()):
            raise _unreachable(backbone, f"{part} is on the disk, or holds no finite numbers")
        weights[part] = weight
    return weights


def _unreachable(backbone: Backbone, reason: str) -> BackboneError:
    return BackboneError(
        f"The unembedding of {backbone.facts.name} ({backbone.facts.family}) cannot be reached: "
        f"{reason}; choose another backbone."
    )
