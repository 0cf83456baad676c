"""One sentence on what is wrong with a backbone's files, or with fetching them."""

import errno
import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import BackboneError, one_line, quoted
from ..runtime import network
from .sources import Source

MOST_PARTS = 10_000
"""Layers, heads or experts that a decoder may have; the largest known have a few hundred."""
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_COUNTED = re.compile("layer|head|expert")


def check_size(source: Source, config: Any) -> None:
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


def check_architecture(source: Source, config: Any) -> None:
    """Refuse a configuration whose architecture is of another family than its model type.

    Two families often have the same tensors and compute them differently.

    Args:
        source: where the backbone is from, for errors.
        config: its transformers configuration.

    Raises:
        BackboneError: naming both.
    """
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    def family_of(name: object) -> str | None:
        kind = getattr(getattr(transformers, str(name), None), "config_class", None)
        return getattr(kind, "model_type", None)

    families = {config.model_type, config.get_text_config(decoder=True).model_type}
    # Some families have a configuration of their own and the model of another.
    families.add(family_of(MODEL_MAPPING_NAMES.get(config.model_type)))
    for name in getattr(config, "architectures", None) or ():
        if family_of(name) not in (None, *families):
            raise BackboneError(
                f"The config.json of {source.name} is at odds with itself: its model_type is "
                f"{config.model_type} and its architecture {name}; fetch it again."
            )


@contextmanager
def explained(source: Source, part: str = "") -> Iterator[None]:
    """Turn a loader's exception about ``source`` into one sentence that says what to do.

    Args:
        source: where the backbone is from.
        part: what of it is read, such as its tokenizer.

    Raises:
        BackboneError: whenever the block raises.
    """
    try:
        yield
    except BackboneError:
        raise
    except Exception as error:
        raise BackboneError(network.without_token(_sentence(source, error, part))) from error


def _sentence(source: Source, error: Exception, part: str) -> str:
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    name = source.location if source.kind != "packaged" else source.name
    causes = network.causes(error)

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    text = " ".join(str(cause) for cause in causes)
    if token := network.refused_token(error):
        return (
            f"The hub refused {token}, so {name} was not fetched: it is mistyped "
            "or has expired. Set a new one, or none, since a public model needs none."
        )
    if any_is(hub.GatedRepoError):
        return f"{name} is gated: accept its licence on the hub and set HF_TOKEN."
    if any_is(hub.RevisionNotFoundError):
        return f"{name} has no revision {quoted(source.revision)}; check it, or leave it out."
    if any_is(hub.RepositoryNotFoundError):
        return f"The hub has no model {name} that you may read; check the id, or set HF_TOKEN."
    if source.kind == "hub" and any(
        isinstance(cause, OSError) and cause.errno in _CANNOT_WRITE for cause in causes
    ):
        return (
            f"{name} could not be written to the hub's cache {constants.HF_HUB_CACHE} "
            f"({one_line(error)}); free some space there, or set HF_HOME to a folder that can be "
            "written."
        )
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
    if "untagged enum" in text:
        return (
            f"The tokenizer.json of {name} is damaged or newer than the installed tokenizers "
            f"{importlib.metadata.version('tokenizers')} can read; update transformers and "
            "tokenizers, or fetch it again."
        )
    if "backend tokenizer" in text:
        return f"{name} holds a tokenizer that cannot be read; add its tokenizer.json."
    if unknown := re.search(r"model type `(.*?)` but Transformers does not recognize", text):
        return (
            f"{name} is of a family, {quoted(unknown[1])}, that the installed transformers does "
            "not know; update transformers or choose another."
        )
    if part:
        return (
            f"The {part} of {name} cannot be read ({one_line(error)}); fetch its files again or "
            "choose another."
        )
    return (
        f"{name} cannot be read as a {source.kind} backbone ({one_line(error)}); check it or "
        "choose another."
    )


def overflowed(name: str, dtype: str) -> BackboneError:
    """The error to raise where states are not finite numbers.

    Args:
        name: name of the backbone.
        dtype: the dtype that it computes in.
    """
    return BackboneError(
        f"{name} overflowed in {dtype}; load it in float32."
        if dtype != "float32"
        else f"{name} gives states that are not finite numbers, in float32 too; its weights are "
        "damaged or do not fit this text: fetch them again, or choose another."
    )
