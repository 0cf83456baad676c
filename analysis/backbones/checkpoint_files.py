"""A backbone's files, checked before any weight is read: complete, readable, not at odds.

What transformers would make up for what is missing (an empty tokenizer, random weights) or pass
over (a scheme that it does not know, a tensor that lies in two files) is refused here, in one
sentence each.
"""

import fnmatch
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import BackboneError, one_line
from ..runtime import git_lfs
from . import other_formats
from .other_formats import CONFIG
from .sources import Source

TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")
"""Settings of a tokenizer that transformers reads beside its vocabulary."""
VOCABULARIES = ("tokenizer.json", "tekken.json", "*.model", "vocab.*")
"""Files one of which holds a tokenizer's vocabulary."""
BESIDE_VOCABULARY = ("merges.txt", "added_tokens.json")
"""Files that transformers reads beside a vocabulary, where there is no tokenizer.json."""
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = ("F64", "F32", "F16", "BF16")
"""Dtypes, as safetensors names them, of weights that need no scheme to be read."""
_DISTRIBUTED = "shard-*-model-*-of-*.safetensors"
"""Files of a distributed checkpoint, which transformers would read in place of the weights."""


class Tensor(NamedTuple):
    """A tensor in a file of weights: the file, and its dtype as safetensors names it."""

    file: str
    dtype: str


def check_config(source: Source, folder: Path) -> None:
    """Refuse a configuration that is not there, cannot be read or is no JSON object.

    Args:
        source: where the backbone is from, for errors.
        folder: the folder of its files.

    Raises:
        BackboneError: naming what is wrong.
    """
    _check_readable(source, folder / CONFIG)
    _settings(source, folder / CONFIG)


def check_files(source: Source, folder: Path, *, packed: bool = False) -> None:
    """Refuse files that are missing, cut short, pickled or at odds with each other.

    Args:
        source: where the backbone is from, for errors.
        folder: the folder of its files.
        packed: whether the configuration names a scheme for weights that are not plain numbers.

    Raises:
        BackboneError: naming the first file that is missing or damaged.
    """
    _check_tokenizer(source, folder)
    tensors = _tensors(source, folder)
    for name, tensor in tensors.items():
        if not packed and tensor.dtype not in FLOATS and name.endswith("weight"):
            raise BackboneError(
                f"{source.name} holds weights in {tensor.dtype} ({name} among them) and its "
                "config.json does not say how to read them; choose the model before it was "
                "quantised, or a GGUF file of it."
            )


def weight_files(source: Source, folder: Path) -> list[str]:
    """Names of the safetensors files that transformers loads from ``folder``.

    Raises:
        BackboneError: there are none, some are missing, or their index is damaged.
    """
    index = _index(source, folder)
    names = [_entry(source, folder)] if index is None else sorted(set(index.values()))
    if distributed := sorted(folder.glob(_DISTRIBUTED)):
        raise BackboneError(
            f"{source.name} holds a distributed checkpoint ({distributed[0].name}); save it as one "
            "model with save_pretrained and give that folder."
        )
    if names == [WEIGHTS] and not _exists(folder / WEIGHTS):
        raise BackboneError(_no_weights(source, folder))
    if absent := [name for name in names if not _exists(folder / name)]:
        raise BackboneError(
            f"{source.name} lacks {len(absent)} of its {len(names)} weight files ({absent[0]} "
            f"among them); {_again(source)}."
        )
    return names


def _check_tokenizer(source: Source, folder: Path) -> None:
    """Refuse a tokenizer that is missing or unreadable; transformers may create an empty one."""
    names = [path.name for path in folder.iterdir()]  # a glob passes over links to nothing
    vocabularies = [
        folder / name for pattern in VOCABULARIES for name in sorted(fnmatch.filter(names, pattern))
    ]
    if not vocabularies:
        raise BackboneError(f"{source.name} holds no tokenizer; add its tokenizer.json.")
    beside = [folder / name for name in BESIDE_VOCABULARY if name in names]
    for path in (*vocabularies, *beside):
        _check_readable(source, path)
    for name in TOKENIZER_SETTINGS:
        if _exists(folder / name):
            _check_readable(source, folder / name)
            _settings(source, folder / name)


def _tensors(source: Source, folder: Path) -> dict[str, Tensor]:
    """The tensors that are loaded, by name, from the headers of their files."""
    from safetensors import SafetensorError, safe_open

    tensors: dict[str, Tensor] = {}
    for file in weight_files(source, folder):
        _check_readable(source, folder / file)
        try:
            with safe_open(folder / file, framework="pt") as opened:
                dtypes = {str(n): str(opened.get_slice(n).get_dtype()) for n in opened.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise BackboneError(
                f"{file} of {source.name} is damaged or cut short ({one_line(error)}); "
                f"{_again(source)}."
            ) from error
        for name, dtype in dtypes.items():
            if name in tensors:
                raise BackboneError(
                    f"{source.name} holds {name} twice, in {tensors[name].file} and in {file}; "
                    f"{_again(source)}."
                )
            tensors[name] = Tensor(file, dtype)
    if absent := sorted(set(_index(source, folder) or ()) - set(tensors)):
        raise BackboneError(
            f"{source.name} lacks {len(absent)} of its weights ({absent[0]} among them), which its "
            f"index lists and no file holds; {_again(source)}."
        )
    return tensors


def _entry(source: Source, folder: Path) -> str:
    """The name of the file of weights, or of their index, that transformers begins with."""
    if named := _settings(source, folder / CONFIG).get("transformers_weights"):
        return str(named)
    return INDEX if _exists(folder / INDEX) and not _exists(folder / WEIGHTS) else WEIGHTS


def _index(source: Source, folder: Path) -> dict[str, str] | None:
    """The file of each tensor of weights in several files; None where they lie in one."""
    entry = _entry(source, folder)
    if not entry.endswith(".json"):
        return None
    _check_readable(source, folder / entry)
    try:
        listed = _settings(source, folder / entry)["weight_map"]
        return {str(tensor): str(file) for tensor, file in listed.items()}
    except (BackboneError, KeyError, AttributeError) as error:
        raise BackboneError(
            f"{entry} of {source.name}, which lists its weights, is damaged; {_again(source)}."
        ) from error


def _no_weights(source: Source, folder: Path) -> str:
    """The sentence for a folder without safetensors weights, by what it holds instead."""
    others = [p.name for p in _entries(folder) if p.suffix not in (".json", ".safetensors")]
    if match := other_formats.recognised(others):
        kind, first = match
        return (
            f"{source.name} holds no safetensors weights but {kind.description} ({first}); "
            f"{kind.advice}."
        )
    return f"{source.name} has no complete safetensors weights; {_again(source)}."


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.name != other_formats.ADAPTER)


def _settings(source: Source, path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        BackboneError: it is none.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise BackboneError(
            f"The {path.name} of {source.name} is not valid JSON; {_again(source)}."
        )
    return settings


def _check_readable(source: Source, path: Path) -> None:
    """Refuse a file that cannot be opened, is empty, or stands for another that was not fetched."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(git_lfs.BEGINNING))
    except FileNotFoundError:
        problem = "links to a file that is not there" if path.is_symlink() else "is missing"
        raise BackboneError(f"{path.name} of {source.name} {problem}; {_again(source)}.") from None
    except OSError as error:
        raise BackboneError(
            f"{path.name} of {source.name} cannot be read ({error.strerror or error}); make it a "
            "file that you may read."
        ) from None
    if git_lfs.is_pointer(beginning):
        raise BackboneError(git_lfs.refusal(f"{path.name} of {source.name}"))
    if not beginning:
        raise BackboneError(f"{path.name} of {source.name} is empty; {_again(source)}.")


def _exists(path: Path) -> bool:
    """Whether anything has this name, a link to a file that is not there included."""
    return os.path.lexists(path)


def _again(source: Source) -> str:
    return "connect to the hub and load it again" if source.kind == "hub" else "fetch it again"
