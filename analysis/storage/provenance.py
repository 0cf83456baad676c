"""Where a result comes from: backbone, weights, dtype, device, versions; stored with it."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from . import result_store

T = TypeVar("T")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Attributes:
        backbone: name of the backbone.
        weights: fingerprint of its weights.
        dtype: dtype of weights and states.
        device: where it was computed; "" of vectors that were made elsewhere.
        versions: name and version of each package that computes.
        shipped: whether the result ships with the project.
    """

    backbone: str
    weights: str
    dtype: str
    device: str
    versions: tuple[tuple[str, str], ...]
    shipped: bool = False

    @property
    def sentence(self) -> str:
        """For captions: the backbone, dtype and versions, and whether this was computed here."""
        if not self.device:  # vectors made elsewhere
            return self.backbone
        version_of = dict(self.versions)
        where = "shipped with the project" if self.shipped else "computed on this machine"
        return (
            f"{self.backbone} in {self.dtype} on {self.device}, torch {version_of['torch']}, "
            f"transformers {version_of['transformers']}; {where}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The provenance as an entry of a stored result's facts; ``restored`` reads it."""
        return {"made": asdict(self)}


def now(*, backbone: str, weights: str, dtype: str, device: str) -> Provenance:
    """The provenance of a result computed now, with the installed versions.

    Args:
        backbone: name of the backbone.
        weights: fingerprint of its weights.
        dtype: dtype of weights and states.
        device: where it computes.
    """
    versions = tuple(sorted(result_store.versions().items()))
    return Provenance(backbone, weights, dtype, device, versions)


def restored(facts: dict[str, Any], current: Provenance) -> Provenance:
    """The provenance of a stored result, from its facts; ``current`` where they have none.

    The backbone has the name that it is asked for now: the same weights may have been another
    folder, or another spelling of a path, when the result was computed.

    Args:
        facts: facts of the stored result, with ``shipped``.
        current: the provenance of a result that the backbone would compute now.
    """
    stored = facts.get("made")
    if stored is None:
        return current
    pairs = tuple((str(k), str(v)) for k, v in stored["versions"])
    return Provenance(
        **stored | {"backbone": current.backbone, "versions": pairs, "shipped": facts["shipped"]}
    )


def plain_fields(result: Any, arrays: dict[str, Any]) -> list[str]:
    """The names of a dataclass's fields that are not among ``arrays``."""
    return [field.name for field in fields(result) if field.name not in arrays]


def rebuilt(kind: type[T], facts: dict[str, Any], arrays: dict[str, Any]) -> T:
    """Rebuild a stored dataclass from its facts and its arrays."""
    return kind(**arrays, **{name: facts[name] for name in plain_fields(kind, arrays)})
