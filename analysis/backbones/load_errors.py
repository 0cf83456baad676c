"""One sentence on what is wrong with a backbone's files, or with fetching them."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BackboneError, one_line
from .sources import Source

VOCABULARIES = ("tokenizer.json", "tekken.json", "*.model", "vocab.*")
"""Files one of which holds a tokenizer's vocabulary."""
MOST_PARTS = 10_000
"""Layers, heads or experts that a decoder may have; the largest known have a few hundred."""
_COUNTED = re.compile("layer|head|expert")
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


def check_files(source: Source, folder: Path) -> None:
    """Refuse files that are missing, cut short or pickled, before any of them loads.

    Without the tokenizer's, transformers would create an empty one for some families.

    Args:
        source: where the backbone is from, for errors.
        folder: the folder of its files.

    Raises:
        BackboneError: naming the first file that is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if not any(True for pattern in VOCABULARIES for _ in folder.glob(pattern)):
        raise BackboneError(f"{source.name} holds no tokenizer; add its tokenizer.json.")
    again = "connect to the hub and load it again" if source.kind == "hub" else "fetch it again"
    names = _weight_files(source, folder)
    if not names and (pickled := sorted(folder.glob("*.bin"))):
        raise BackboneError(
            f"{source.name} has only pickled weights ({pickled[0].name}), which can run code and "
            "are never loaded; convert them to safetensors."
        )
    if not names:
        raise BackboneError(
            f"{source.name} has no complete safetensors weights; {again}, or convert pickled ones "
            "(.bin), which are never loaded."
        )
    if absent := [name for name in names if not (folder / name).is_file()]:
        raise BackboneError(
            f"{source.name} lacks {len(absent)} of its {len(names)} weight files ({absent[0]} "
            f"among them); {again}."
        )
    for name in names:
        try:
            with safe_open(folder / name, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise BackboneError(
                f"{name} of {source.name} is damaged or cut short ({one_line(error)}); {again}."
            ) from error


def _weight_files(source: Source, folder: Path) -> list[str]:
    """Names of the safetensors files that transformers would load from ``folder``."""
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return sorted({str(name) for name in index["weight_map"].values()})
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackboneError(
            f"{INDEX} of {source.name}, which lists its weights, is damaged; fetch it again."
        ) from error


def check_config(source: Source, config: Any) -> None:
    """Refuse a configuration of absurd size before a model is built from it.

    Args:
        source: where the backbone is from, for errors.
        config: its transformers configuration.

    Raises:
        BackboneError: it has more layers, heads or experts than :data:`MOST_PARTS`.
    """
    for section in (config, config.get_text_config(decoder=True)):
        for name, value in section.to_dict().items():
            if isinstance(value, int) and value > MOST_PARTS and _COUNTED.search(name):
                raise BackboneError(
                    f"The configuration of {source.name} says {name} is {value:,}, more than any "
                    "decoder has; fetch it again or choose another."
                )


def check_complete(source: Source, loading_info: dict[str, Any]) -> None:
    """Refuse weights that lack a tensor: transformers would fill it at random.

    Args:
        source: where the backbone is from, for errors.
        loading_info: the report of ``from_pretrained``.

    Raises:
        BackboneError: a tensor is missing.
    """
    if missing := sorted(loading_info["missing_keys"]):
        raise BackboneError(
            f"{source.name} lacks {len(missing)} of its weights ({missing[0]} among them); fetch "
            "all its files again."
        )


@contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turn a loader's exception about ``source`` into one sentence that says what to do.

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
    if any_is(hub.IncompleteSnapshotError):
        return (
            f"{name} is only partly in the local hub cache and the hub cannot be reached; connect "
            "once, so that the rest is fetched."
        )
    if source.kind == "hub" and (
        any_is(hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError)
        or "connect" in text.lower()
    ):
        return (
            f"{name} is not in the local hub cache and the hub cannot be reached; connect once, "
            "or use a packaged backbone, a local folder or a GGUF file."
        )
    if "not a valid JSON" in text:
        return f"The config.json of {name} is not valid JSON; fetch it again."
    if "backend tokenizer" in text:
        return f"{name} holds a tokenizer that cannot be read; add its tokenizer.json."
    if unknown := re.search(r"model type `(.*?)` but Transformers does not recognize", text):
        return (
            f"{name} is of a family, {unknown[1]!r}, that the installed transformers does not "
            "know; update transformers or choose another."
        )
    return (
        f"{name} cannot be read as a {source.kind} backbone ({one_line(error)}); check it or "
        "choose another."
    )
