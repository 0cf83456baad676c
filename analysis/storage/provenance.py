"""What makes a result and what decides it: backbone, dtype, device, versions; stored beside it."""

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from ..backbones.backbone import Backbone
from ..embedding.methods import Method
from ..errors import EngineError
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress as Progress
from ..runtime.events import quiet as quiet
from . import result_store

T = TypeVar("T")


@dataclass(frozen=True)
class Made:
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


def made(backbone: Backbone) -> Made:
    """What makes results here and now."""
    return Made(
        backbone.facts.name,
        backbone.fingerprint,
        backbone.dtype.value,
        backbone.device.value,
        tuple(sorted(result_store.versions().items())),
    )


def made_facts(backbone: Backbone) -> dict[str, Any]:
    """What makes results here and now, as a result is stored with it."""
    return asdict(made(backbone))


def made_of(backbone: Backbone, facts: dict[str, Any]) -> Made:
    """What made a stored result."""
    stored = facts.get("made")
    if stored is None:
        return made(backbone)
    pairs = tuple((str(k), str(v)) for k, v in stored["versions"])
    return Made(**stored | {"versions": pairs, "shipped": facts["shipped"]})


def check_same(backbone: Backbone, known: Backbone) -> None:
    """Refuse a worker's ``backbone`` that would give other numbers than the ``known`` one.

    Raises:
        EngineError: it has other weights, another dtype or runs on another kind of device.
    """
    if weights_of(backbone) != weights_of(known):
        raise EngineError(
            f"One worker runs {backbone.facts.name} in {backbone.dtype.value} on "
            f"{backbone.device.value}, another in {known.dtype.value} on {known.device.value} or "
            "with other weights; give --dtype, --device and a revision."
        )


def identity(
    backbone: Backbone, method: Method, plan: Plan = PLAIN, *, max_tokens: int | None = None
) -> str:
    """A digest of all that decides embeddings besides the texts and the packages' versions."""
    plan = plan if method.reroutes else PLAIN
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    return result_store.digest(weights_of(backbone), how_of(method, plan), limit)


def decisive(backbone: Backbone, method: Method, plan: Plan) -> dict[str, Any]:
    """What of a request decides its embeddings, texts aside, for the key of a result."""
    return {**weights_of(backbone), **how_of(method, plan)}


def weights_of(backbone: Backbone) -> dict[str, Any]:
    """What of the backbone decides numbers."""
    return {
        "weights": backbone.fingerprint,
        "family": backbone.facts.family,
        "dtype": backbone.dtype.value,
        "device": backbone.device.value.split(":")[0],
    }


def how_of(method: Method, plan: Plan) -> dict[str, Any]:
    """What of the method and plan decides numbers; a method's name and summary do not."""
    bias = plan.bias if plan.active else 0.0
    return {
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "tidy": method.tidy.__name__,
        **_special(method),
        "layers": list(plan.active),
        "bias": bias,
        **({"key": plan.key_position} if plan.active and plan.key_position != "own" else {}),
    }


def _special(method: Method) -> dict[str, Any]:
    """What a method does that most do not; left out where it does not, as results are stored so."""
    found = {
        "further": list(method.further),
        "bidirectional": not method.causal,
        "prepending": method.prepending and asdict(method.prepending),
        "output": method.output + 1,
    }
    return {name: value for name, value in found.items() if value}


def others(of: Any, arrays: dict[str, Any]) -> list[str]:
    """The fields of a dataclass that are not arrays."""
    return [field.name for field in fields(of) if field.name not in arrays]


def rebuilt(kind: type[T], facts: dict[str, Any], arrays: dict[str, Any]) -> T:
    """A stored dataclass, from its facts and its arrays."""
    return kind(**arrays, **{name: facts[name] for name in others(kind, arrays)})
