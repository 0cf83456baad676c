"""What a file or folder is that holds no model in Hugging Face format, and the way out."""

import json
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ..errors import BackboneError
from ..runtime import git_lfs

CONFIG, ADAPTER = "config.json", "adapter_config.json"
_PICKLED = "pickled weights, which can run code and are never loaded"
_SAFETENSORS = "convert them to safetensors, or take a version of the model that has those"
_CONVERT = "take the model's version in Hugging Face format"


class Format(NamedTuple):
    """A format that is not loaded: patterns of its files, what it is, and what to do."""

    patterns: tuple[str, ...]
    description: str
    advice: str


FORMATS = (
    Format(("*.gguf",), "a GGUF file", "give the path of the .gguf file on your disk"),
    Format(
        ("model_index.json",), "a pipeline of diffusers", "choose a decoder-only language model"
    ),
    Format(("consolidated*", "params.json"), "weights in their makers' own format", _CONVERT),
    Format(
        ("*.zip", "*.tar", "*.tgz", "*.tar.*", "*.7z", "*.rar"), "an archive", "unpack it first"
    ),
    Format(("*.onnx",), "an ONNX model", _CONVERT),
    Format(("openvino_model.*",), "an OpenVINO model", _CONVERT),
    Format(("*.mlpackage", "*.mlmodelc", "*.mlmodel"), "a Core ML model", _CONVERT),
    Format(("*.npz",), "weights of NumPy or MLX", _CONVERT),
    Format(("saved_model.pb", "*.h5", "*.keras"), "a TensorFlow or Keras model", _CONVERT),
    Format(("*.tflite",), "a TensorFlow Lite model", _CONVERT),
    Format(("*.msgpack",), "weights of Flax", _CONVERT),
    Format(("*.nemo",), "a NeMo model", _CONVERT),
    Format(("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle"), _PICKLED, _SAFETENSORS),
    Format(
        ("*.safetensors",),
        "weights",
        "put the config.json and the tokenizer of their model beside them and give the folder",
    ),
    Format(("*.json",), "a part of a model", "give the folder that holds all of it"),
)


def recognised(names: Iterable[str]) -> tuple[Format, str] | None:
    """The first format that a file of these names belongs to, with that name."""
    ordered = sorted(names)
    for kind in FORMATS:
        for name in ordered:
            if any(fnmatch(name.lower(), pattern) for pattern in kind.patterns):
                return kind, name
    return None


def refuse_file(path: Path, name: str) -> None:
    """Refuse a file that is given where a folder or a ``.gguf`` file is expected.

    Args:
        path: the file.
        name: as the user gave it.

    Raises:
        BackboneError: always.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(len(git_lfs.BEGINNING))
    except OSError as error:
        raise BackboneError(f"{name} cannot be read: {error.strerror or error}.") from None
    if git_lfs.is_pointer(beginning):
        raise BackboneError(git_lfs.refusal(name))
    if beginning.startswith(b"GGUF"):
        raise BackboneError(f"{name} is a GGUF file; give it a name that ends in .gguf.")
    if (match := recognised([path.name])) is None:
        raise BackboneError(
            f"{name} is a file and no model; give the folder of a model in Hugging Face format, or "
            "a .gguf file."
        )
    kind, _ = match
    raise BackboneError(f"{name} is {kind.description}; {kind.advice}.")


def refuse_folder(path: Path, name: str) -> None:
    """Refuse a folder without a configuration, naming what it holds instead.

    Args:
        path: the folder.
        name: as the user gave it.

    Raises:
        BackboneError: always.
    """
    try:
        names = [entry.name for entry in path.iterdir()]
    except OSError as error:
        raise BackboneError(f"{name} cannot be read: {error.strerror or error}.") from None
    if ADAPTER in names:
        raise BackboneError(adapter_alone(name, (path / ADAPTER).read_bytes()))
    inner = sorted(p.parent for pattern in ("*", "*/*") for p in path.glob(f"{pattern}/{CONFIG}"))
    if inner and "model_index.json" not in names:  # parts of a pipeline have configurations
        raise BackboneError(
            f"{name} holds no config.json, but {inner[0]} does; give the folder of a model itself."
        )
    refuse_names(names, name)


def refuse_names(names: Iterable[str], name: str) -> None:
    """Refuse a folder or a repository without a configuration by the names of its files.

    Args:
        names: names of its files.
        name: as the user gave it.

    Raises:
        BackboneError: always.
    """
    if match := recognised(names):
        kind, first = match
        raise BackboneError(
            f"{name} holds no config.json but {kind.description} ({first}); {kind.advice}."
        )
    raise BackboneError(
        f"{name} holds no config.json; give a model in Hugging Face format, or a .gguf file itself."
    )


def adapter_alone(name: str, config: bytes) -> str:
    """The sentence for an adapter without the model that it belongs to.

    Args:
        name: the folder or repository, as the user gave it.
        config: content of its ``adapter_config.json``.
    """
    return (
        f"{name} is {_adapter(config)}, and no model; merge them with peft (merge_and_unload, then "
        "save_pretrained) and give the folder of the result."
    )


def note_on_adapter(name: str, folder: Path) -> str | None:
    """The note on an adapter that lies beside a model and is not put on; None without one.

    Args:
        name: the model.
        folder: its folder.
    """
    if not (folder / ADAPTER).is_file():
        return None
    return (
        f"Beside {name} lies {_adapter((folder / ADAPTER).read_bytes())}, which is not put on: "
        "numbers are those of the model alone. For the adapted model, merge them with peft "
        "(merge_and_unload) and give the folder of the result."
    )


def _adapter(config: bytes) -> str:
    """An adapter's kind and base in words."""
    try:
        settings = dict(json.loads(config))
    except (ValueError, TypeError):
        settings = {}
    kind = str(settings.get("peft_type") or "").upper()
    base = str(settings.get("base_model_name_or_path") or "")
    words = {"LORA": "a LoRA adapter"}.get(kind, f"an adapter ({kind})" if kind else "an adapter")
    return words + (f" of {base[:100]}" if base else "")
