"""Finds the decoder in a transformers model: its text part, its layers, its skeleton."""

from collections.abc import Sequence
from typing import Any

import torch

from ..errors import BackboneError


def build_skeleton(config: Any) -> Any:
    """The model of a transformers configuration without its weights, on the meta device."""
    from transformers import AutoModel

    with torch.device("meta"):
        return AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )


def text_decoder(model: Any) -> Any:
    """The text decoder of a multimodal model; any other model itself."""
    composite = model.config.get_text_config(decoder=True) is not model.config
    return model.get_decoder() if composite else model


def routers(model: Any, layers: Sequence[torch.nn.Module]) -> list[tuple[torch.nn.Module, int]]:
    """The routers of a mixture of experts, as the family's code names them to transformers.

    Args:
        model: the decoder.
        layers: its layers in order.

    Returns:
        In the layers' order, each with the place of its logits in what it returns; none in families
        without experts.
    """
    named = (getattr(model, "_can_record_outputs", None) or {}).get("router_logits", [])
    found = []
    for layer in layers:
        for name, module in layer.named_modules():
            for recorder in named if isinstance(named, list | tuple) else [named]:
                within = getattr(recorder, "layer_name", None) or ""
                kind: Any = getattr(recorder, "target_class", recorder)
                if isinstance(module, kind) and name.endswith(within):
                    found.append((module, getattr(recorder, "index", 0)))
    return found


def decoder_layers(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The model's decoder layers in order.

    Raises:
        BackboneError: there is no list of ``num_hidden_layers`` modules.
    """
    number = model.config.get_text_config(decoder=True).num_hidden_layers  # type: ignore[union-attr, operator]
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == number:
            return list(module)
    raise BackboneError(
        f"The decoder layers of this {type(model).__name__} cannot be found; choose another family."
    )
