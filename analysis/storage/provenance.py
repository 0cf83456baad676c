"""What made a result: backbone, weights, dtype, device, versions; stored beside it."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from . import result_store

T = TypeVar("T")


@dataclass(frozen=True)
class Provenance:
    """What made a result: backbone, weights, dtype, device, versions; whether it shipped."""

    backbone: str
    weights: str
    dtype: str
    device: str
    versions: tuple[tuple[str, str], ...]
    shipped: bool = False

    @property
    def sentence(self) -> str:
        """For captions: the backbone, dtype and versions, and whether this was computed here."""
        named = dict(self.versions)
        where = "shipped with the project" if self.shipped else "computed on this machine"
        return (
            f"{self.backbone} in {self.dtype} on {self.device}, torch {named['torch']}, "
            f"transformers {named['transformers']}; {where}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """The entry of a stored result that says what made it; ``restored`` reads it."""
        return {"made": asdict(self)}


def now(*, backbone: str, weights: str, dtype: str, device: str) -> Provenance:
    """The provenance of what is computed here and now, by the installed versions."""
    versions = tuple(sorted(result_store.versions().items()))
    return Provenance(backbone, weights, dtype, device, versions)


def restored(facts: dict[str, Any], otherwise: Provenance) -> Provenance:
    """The provenance of a stored result, from its facts; ``otherwise`` where they have none."""
    stored = facts.get("made")
    if stored is None:
        return otherwise
    pairs = tuple((str(k), str(v)) for k, v in stored["versions"])
    return Provenance(**stored | {"versions": pairs, "shipped": facts["shipped"]})


def others(of: Any, arrays: dict[str, Any]) -> list[str]:
    """The fields of a dataclass that are not arrays."""
    return [field.name for field in fields(of) if field.name not in arrays]


def rebuilt(kind: type[T], facts: dict[str, Any], arrays: dict[str, Any]) -> T:
    """A stored dataclass, from its facts and its arrays."""
    return kind(**arrays, **{name: facts[name] for name in others(kind, arrays)})
