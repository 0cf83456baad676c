"""GGUF files, converted once into folders that transformers loads in about a second.

Parsing a GGUF takes 15-50 s. The conversion (safetensors, tokenizer and a provenance file with
checksums) lies in the cache folder. It is written to a temporary folder and then moved, and
rebuilt when damaged.
"""

import copy
import hashlib
import importlib.metadata
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import BackboneError
from ..runtime.paths import cache_home
from .gguf_header import check_header
from .load_errors import explained
from .loaded_checks import check_complete
from .sources import Progress, Source

PROVENANCE = "provenance.json"


def converted(gguf: Path, progress: Progress = lambda _: None) -> Path:
    """A folder with the GGUF's weights as float32 safetensors, its tokenizer and provenance.

    Converted on first use, atomically and by one process at a time; later calls verify every
    file's size and sha256 and rebuild what does not match.

    Args:
        gguf: path of the GGUF file.
        progress: called with a sentence before a conversion.

    Raises:
        BackboneError: the file is not a GGUF that transformers can read, or the disk is full.
    """
    folder = conversion_folder(gguf)
    if intact(folder):
        return folder
    with _writing(folder.parent, gguf), FileLock(f"{folder}.lock"):
        if intact(folder):
            return folder
        damaged = folder.exists() and not _outdated(folder)
        verb = "Rebuilding the damaged copy of" if damaged else "Converting"
        progress(f"{verb} {gguf.name} (once; this takes up to a minute)")
        for leftover in folder.parent.glob(f"{folder.name}.part-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
        try:
            _convert(gguf, partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


@contextmanager
def _writing(folder: Path, gguf: Path) -> Iterator[None]:
    """Create ``folder``; raise one sentence if it, or a file in it, cannot be written.

    Raises:
        BackboneError: the disk is full, or the folder is read-only.
    """
    from safetensors import SafetensorError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in its own error
        reason = getattr(error, "strerror", None) or error
        raise BackboneError(
            f"{gguf.name} could not be converted into {folder}: {reason}; free some space there "
            "or set KVE_CACHE."
        ) from error


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    source = Source(gguf.name, "gguf", str(gguf))
    with explained(source), _alone(gguf, folder) as place, _quiet():
        config = config_of_gguf(gguf, conversion_folder(gguf))
        tokenizer = AutoTokenizer.from_pretrained(
            place, gguf_file=gguf.name, trust_remote_code=False
        )
        model, loading_info = AutoModel.from_pretrained(
            place,
            gguf_file=gguf.name,
            config=config,
            dtype=torch.float32,
            trust_remote_code=False,
            output_loading_info=True,
        )
    check_complete(source, loading_info)
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    provenance = {
        "source": gguf.name,
        "sha256": sha256(gguf),
        "dtype": "float32",
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files},
        "versions": _versions(),
    }
    (folder / PROVENANCE).write_text(json.dumps(provenance, indent=1))


@contextmanager
def _alone(gguf: Path, folder: Path) -> Iterator[Path]:
    """A folder that holds the GGUF file and nothing else.

    transformers would also read an adapter, and settings of a tokenizer, that lie beside the file,
    and its checksum would not tell.
    """
    with tempfile.TemporaryDirectory(
        prefix=f"{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as place:
        link = Path(place) / gguf.name
        try:
            link.symlink_to(gguf)
        except OSError:  # Windows asks for a permission
            shutil.copyfile(gguf, link)
        yield Path(place)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bar of the tensors off the terminal; it has no switch for it."""
    from transformers import modeling_gguf_pytorch_utils

    theirs: Any = modeling_gguf_pytorch_utils
    bar = theirs.tqdm
    theirs.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        theirs.tqdm = bar


def _versions() -> dict[str, str]:
    """Versions of the packages that decide what a conversion holds."""
    return {name: importlib.metadata.version(name) for name in ("transformers", "gguf")}


def config_of_gguf(gguf: Path, folder: Path) -> Any:
    """The transformers configuration in a GGUF's header.

    Args:
        gguf: path of the GGUF file.
        folder: folder of its conversion, whose name identifies the content.

    Raises:
        BackboneError: the header announces more than the file holds.
        Exception: what transformers raises where it cannot read it.
    """
    return copy.deepcopy(_config_of(gguf, folder))


@lru_cache(maxsize=8)
def _config_of(gguf: Path, _folder: Path) -> Any:
    """Cached, since a header takes seconds to read; the folder's name identifies the content."""
    from transformers import AutoConfig

    check_header(gguf)
    return AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)


def conversion_folder(gguf: Path) -> Path:
    """Where the conversion of a GGUF of this content lies, or will lie."""
    stem = re.sub(r"[^\w.-]", "_", gguf.stem)
    return cache_home() / "backbones" / f"{stem}-{sha256(gguf)[:16]}"


def intact(folder: Path, *, weights: bool = True) -> bool:
    """Whether the installed versions wrote a conversion, and each file is as it was written.

    Args:
        folder: folder of the conversion.
        weights: whether to verify the checksum of the weights too, which takes a moment.
    """
    try:
        files = json.loads((folder / PROVENANCE).read_text())["files"]
        return not _outdated(folder) and all(
            (folder / name).stat().st_size == facts["bytes"]
            and (
                (name.endswith(".safetensors") and not weights)
                or sha256(folder / name) == facts["sha256"]
            )
            for name, facts in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _outdated(folder: Path) -> bool:
    """Whether other versions of the packages that convert wrote a conversion."""
    try:
        versions = json.loads((folder / PROVENANCE).read_text())["versions"]
        return any(versions.get(name) != version for name, version in _versions().items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
