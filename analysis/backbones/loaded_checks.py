"""A loaded model, checked before it is used: complete, its own, and made of finite numbers."""

from typing import Any

from ..errors import BackboneError
from .sources import Source

LEAST_COVERED, MOST_UNUSED = 0.9, 1024
"""A tokenizer that names a smaller share of the embedding's rows, and leaves more of them unused,
is another model's. Published decoders leave up to 1,000 rows unused, to round their number up."""


def check_loaded(source: Source, model: Any, loading_info: dict[str, Any], tokenizer: Any) -> None:
    """Refuse a model whose files do not belong together.

    Args:
        source: where the backbone is from, for errors.
        model: the loaded model.
        loading_info: the report of ``from_pretrained``.
        tokenizer: its fast tokenizer.

    Raises:
        BackboneError: weights are missing, of another size, left over in the decoder's layers or
            not finite, or the tokenizer is another model's.
    """
    check_complete(source, loading_info)
    _check_left_over(source, model, loading_info)
    _check_finite(source, model)
    _check_tokenizer(source, model, tokenizer)


def check_complete(source: Source, loading_info: dict[str, Any]) -> None:
    """Refuse weights that lack a tensor, or have one of another size: it would be random.

    Args:
        source: where the backbone is from, for errors.
        loading_info: the report of ``from_pretrained``.

    Raises:
        BackboneError: a tensor is missing or of another size than the configuration says.
    """
    if other_sizes := sorted(loading_info["mismatched_keys"]):
        name, in_file, by_config = other_sizes[0]
        raise BackboneError(
            f"The weights of {source.name} do not fit its config.json: {name} has the shape "
            f"{tuple(in_file)} and should have {tuple(by_config)}; fetch all its files again."
        )
    missing = sorted(loading_info["missing_keys"])
    renamed = [
        key
        for key in sorted(loading_info["unexpected_keys"])
        if missing and key.endswith(f".{missing[0]}")
    ]
    if renamed:
        raise BackboneError(
            f"{source.name} names a weight {renamed[0]} that should be called {missing[0]}; save "
            "the model itself with save_pretrained, without what was wrapped around it."
        )
    if missing:
        raise BackboneError(
            f"{source.name} lacks {len(missing)} of its weights ({missing[0]} among them); fetch "
            "all its files again."
        )


def _check_left_over(source: Source, model: Any, loading_info: dict[str, Any]) -> None:
    """Refuse weights of the decoder's layers that the configuration has no place for.

    A head or another tower is left over rightly. A bias, a norm or a layer that is left over
    belongs to another architecture or to more layers than the configuration says.
    """
    from .decoder import decoder_layers, text_decoder

    modules = dict(model.named_modules())
    layers = decoder_layers(text_decoder(model))
    path = next(n for n, module in modules.items() if list(module.children()) == layers)
    left_over = []
    for key in sorted(loading_info["unexpected_keys"]):
        start = key.find(f"{path}.")
        name = key[start:] if start >= 0 else ""
        if start not in (0, len(model.base_model_prefix) + 1) or "inv_freq" in name:
            continue
        parent = modules.get(name.rpartition(".")[0])
        if parent is None or hasattr(parent, "weight"):
            left_over.append(key)
    if left_over:
        raise BackboneError(
            f"The weights of {source.name} do not fit its config.json, which has no place for "
            f"{len(left_over)} of them ({left_over[0]} among them); fetch all its files again."
        )


def _check_finite(source: Source, model: Any) -> None:
    """Refuse weights that are not finite numbers, and an embedding of nothing but zeros."""
    import torch

    for name, weight in model.named_parameters():
        if weight.is_meta or not weight.numel():  # on the disk, where its states tell
            continue
        least, most = torch.aminmax(weight.detach())
        if not bool(least.isfinite() and most.isfinite()):
            raise BackboneError(
                f"{name} of {source.name} holds numbers that are not finite (NaN or infinity) in "
                f"{str(weight.dtype).removeprefix('torch.')}; fetch it again, or choose another."
            )
    embedding = model.get_input_embeddings().weight
    if not embedding.is_meta and not bool(embedding.any()):
        raise BackboneError(
            f"The embedding of {source.name} holds nothing but zeros, as an interrupted download "
            "leaves them; fetch it again."
        )


def _check_tokenizer(source: Source, model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that does not fit the embedding.

    Special tokens may lie beyond it: those of Gemma's pictures do in its text models.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    numbers = set(tokenizer.get_vocab().values()) - special
    beyond = [number for number in numbers if number >= rows]
    unused = rows - len(numbers | special)
    if beyond or (unused > MOST_UNUSED and unused > (1 - LEAST_COVERED) * rows):
        raise BackboneError(
            f"The tokenizer of {source.name} has {len(numbers | special):,} tokens and its "
            f"embedding {rows:,} rows, so it is another model's; fetch all its files again."
        )
