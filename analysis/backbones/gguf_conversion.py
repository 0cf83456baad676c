"""GGUF files, converted once into folders that transformers loads in about a second.

Parsing a GGUF takes 10 to 40 s. The conversion (safetensors, tokenizer and a provenance file with
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
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import BackboneError
from ..runtime.paths import cache_home
from ..storage import cache_faults
from .gguf_header import check_header
from .gguf_reading import fast_reading
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
        BackboneError: the file is not a GGUF that transformers can read, it changed while it was
            converted, or the cache cannot be read or written.
    """
    folder = conversion_folder(gguf)
    if intact(folder):
        return folder
    with filling(folder.parent, gguf.name), FileLock(f"{folder}.lock"):
        if intact(folder):
            return folder
        damaged = folder.exists() and not _outdated(folder)
        verb = "Rebuilding the damaged copy of" if damaged else "Converting"
        progress(f"{verb} {gguf.name} (once; this takes up to a minute)")
        for leftover in folder.parent.glob(f"{folder.name}.part-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial, replaced = (
            folder.with_name(f"{folder.name}.part-{uuid.uuid4().hex}") for _ in range(2)
        )
        try:
            partial.mkdir()
            _convert(gguf, partial)
            if folder.exists():  # another user's can be moved where it cannot be deleted
                folder.rename(replaced)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)
    return folder


@contextmanager
def filling(folder: Path, name: str) -> Iterator[None]:
    """Create a folder of the cache; raise one sentence if it, or a file in it, cannot be written.

    Args:
        folder: the folder that the block writes to.
        name: what is written, for the sentence.

    Raises:
        BackboneError: the disk is full, or the folder may not be written to.
    """
    from safetensors import SafetensorError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, SafetensorError) as error:  # safetensors wraps a full disk in its own error
        reason = cache_faults.explained(error, folder, "written")
        raise BackboneError(f"{name} could not be converted, because {reason}") from error


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    source = Source(gguf.name, "gguf", str(gguf))
    with explained(source), _alone(gguf, folder) as place, fast_reading():
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
    digest = sha256(gguf)
    if not folder.name.startswith(_name(gguf, digest)):
        raise BackboneError(
            f"{gguf.name} changed while it was converted; try again when it is complete."
        )
    provenance = {
        "source": gguf.name,
        "sha256": digest,
        "dtype": "float32",
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files},
        "versions": _versions(),
    }
    (folder / PROVENANCE).write_text(json.dumps(provenance, indent=1))
    for path in files:  # safetensors gives others no permission, whatever the umask is
        path.chmod((folder / PROVENANCE).stat().st_mode & 0o777)


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
    with fast_reading(vocabulary=False):
        return AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)


def conversion_folder(gguf: Path) -> Path:
    """Where the conversion of a GGUF of this content lies, or will lie."""
    return cache_home() / "backbones" / _name(gguf, sha256(gguf))


def _name(gguf: Path, digest: str) -> str:
    stem = re.sub(r"[^\w.-]", "_", gguf.stem)
    return f"{stem}-{digest[:16]}"


def intact(folder: Path, *, weights: bool = True) -> bool:
    """Whether the installed versions wrote a conversion, and each file is as it was written.

    Args:
        folder: folder of the conversion.
        weights: whether to verify the checksum of the weights too, which takes a moment.

    Raises:
        BackboneError: it is there and cannot be read, which is no damage.
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
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError as error:
        place = Path(error.filename or folder)
        raise BackboneError(cache_faults.explained(error, place, "read")) from None
    except (ValueError, KeyError, TypeError, AttributeError):
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
