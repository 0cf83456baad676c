"""Finds the decoder in a transformers model: its text part, its layers, its skeleton."""

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
