"""The weights of a backbone's unembedding, read from the files that its decoder was loaded from."""

import math
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch

from ..errors import BackboneError, one_line
from . import checkpoint_files, download, sources
from .checkpoint_files import FLOATS
from .fingerprint import fingerprint
from .gguf_reading import fast_reading
from .sources import Source

Tensors = dict[str, torch.Tensor]


def read(
    name: str,
    model: Any,
    own: Collection[str],
    embedding: str,
    check: Callable[[int], object],
) -> Tensors:
    """The tensors of an unembedding, as far as the backbone's files hold them.

    Args:
        name: the source of the backbone.
        model: transformers' causal language model of its configuration, on the meta device.
        own: names of the tensors that it has beside its decoder.
        embedding: that of them whose rows are the vocabulary.
        check: called with the number of weights before they are read; may refuse them.

    Returns:
        Tensors on the CPU by name, those of a GGUF file as float32; empty for the files of a
        decoder alone.

    Raises:
        BackboneError: they cannot be read, or are no plain numbers.
    """
    source = sources.resolve(name)
    if source.kind not in ("packaged", "gguf"):
        return _in_checkpoint(source, model, own, check)
    untied = set(own) - set(model.all_tied_weights_keys)
    return _in_gguf(source, untied, embedding, check) if untied else {}


def ties(name: str) -> bool | None:
    """Whether a model that also sees ties its unembedding; None for others, whose decoder says it.

    Args:
        name: the source of the backbone.
    """
    config = download.config_of(sources.resolve(name))
    composite = config.get_text_config(decoder=True) is not config
    return bool(getattr(config, "tie_word_embeddings", False)) if composite else None


def fingerprint_now(name: str, tokenizer: Any) -> str:
    """The fingerprint that a backbone loaded from a source would have now.

    Args:
        name: the source of the backbone.
        tokenizer: its fast tokenizer.
    """
    source = sources.resolve(name)
    return fingerprint(source, download.folder_of(source), tokenizer)


def _in_checkpoint(
    source: Source, model: Any, own: Collection[str], check: Callable[[int], object]
) -> Tensors:
    from safetensors import safe_open
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming

    renamings = [
        step for step in get_model_conversion_mapping(model) if isinstance(step, WeightRenaming)
    ]

    def known_as(stored: str) -> str | None:
        """The name in ``own`` of a stored tensor; a model that also sees has one in front."""
        for step in renamings:
            stored, _ = step.rename_source_key(stored)
        return next((name for name in own if f".{stored}".endswith(f".{name}")), None)

    folder, found = download.folder_of(source), Tensors()
    for file in checkpoint_files.weight_files(source, folder):
        with safe_open(folder / file, framework="pt") as opened:
            for stored in opened.keys():  # noqa: SIM118
                if (name := known_as(stored)) is None:
                    continue
                tensor = opened.get_slice(stored)
                if tensor.get_dtype() not in FLOATS:
                    raise BackboneError(
                        f"The unembedding of {source.name} is quantised ({stored} holds "
                        f"{tensor.get_dtype()}) and is not read; choose the model before it was "
                        "quantised, or a GGUF file of it."
                    )
                check(math.prod(tensor.get_shape()))
                found[name] = opened.get_tensor(stored)
    return found


def _in_gguf(
    source: Source, own: Collection[str], embedding: str, check: Callable[[int], object]
) -> Tensors:
    path: Path = download.gguf_file(source)
    names = {"output.weight": embedding, "output.bias": embedding.replace("weight", "bias")}
    found = Tensors()
    try:
        with fast_reading(vocabulary=False):
            import gguf

            for tensor in gguf.GGUFReader(path).tensors:
                if names.get(tensor.name) in own:
                    check(int(tensor.n_elements))
                    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
                    found[names[tensor.name]] = torch.from_numpy(values.copy())
    except (OSError, ValueError, NotImplementedError) as error:
        raise BackboneError(
            f"The unembedding of {source.name} cannot be read ({one_line(error)}); fetch the file "
            "again."
        ) from error
    return found
