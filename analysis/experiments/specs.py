"""What can be asked: one typed, frozen value a question.

A spec is the only place where an option is written down: its name, type, default, allowed values
and meaning. The command line, recipes, links, scripts and the widgets of the pages all derive from
it (:mod:`analysis.recipes`), so a page, the command it offers and the recipe it saves are the same
request. Whatever is in a spec decides the answer; how the answer is printed is not.
"""

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from ..backbones.catalog import DEFAULT as DEFAULT_BACKBONE
from ..backbones.catalog import Precision
from ..corpora.packaged import CALIBRATION
from ..corpora.registry import USUAL
from ..dimension.estimators import Cloud, EstimatorName
from ..dimension.selection import RuleName
from ..embedding.methods import MethodName, Norm
from ..embedding.pooling import Pooling
from ..embedding.postprocessing import PostprocessingName
from ..embedding.prompts import Role, Separator
from ..errors import RecipeError
from ..rerouting.plan import KeyPosition
from ..spaces.projection import How as Projection
from .searches import SearchName


@dataclass(frozen=True)
class Option:
    """How a field is written on the command line.

    ``metavar`` stands for its value in the help; ``repeated`` says that each value of a tuple has
    the option's name before it; ``group`` is the heading it stands under.
    """

    metavar: str | None = None
    repeated: bool = False
    group: str | None = None


def _as_tuple(value: Any) -> Any:
    """One value where several are allowed, as a person writes it."""
    if value is None or isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, list) else (value,)


def _finite_or_off(bias: float) -> float:
    if math.isnan(bias) or bias == math.inf:
        raise ValueError("the bias must be a number or -inf")
    return bias


Several = BeforeValidator(_as_tuple)
Bias = Annotated[float, AfterValidator(_finite_or_off)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
DtypeName = Literal["auto"] | Precision
EngineName = Literal["local", "ray"]
CorpusKind = Literal["pairs", "labelled", "retrieval"]
Methods = Annotated[tuple[MethodName, ...], Several, Option(repeated=True), Field(min_length=1)]
_PARTS = "how kv-embedding and prompt-only are done"
_ENGINE = "where the work is done"


class Spec(BaseModel):
    """What all specs share; ``command`` is the spec's name, ``summary`` what it answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)
    command: ClassVar[str]
    summary: ClassVar[str]

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        """The spec's fields by the names of its options, as ``"key-position"``."""
        return {name.replace("_", "-"): field for name, field in cls.model_fields.items()}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """The spec with ``values`` by the names of its options; the rest is as by default.

        Raises:
            RecipeError: there is no such option, one is missing, or a value is not allowed.
        """
        known = cls.options()
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                hint = f"use {near[0]!r}." if near else f"it has {', '.join(known) or 'none'}."
                raise RecipeError(f"The command {cls.command} has no option {name!r}: {hint}")
        fields = {name.replace("-", "_"): value for name, value in values.items()}
        try:
            return cls(**{name: value for name, value in fields.items() if value is not None})
        except ValidationError as error:
            raise RecipeError(cls._sentence(error)) from None

    @classmethod
    def _sentence(cls, error: ValidationError) -> str:
        """The first thing that is wrong, in one sentence."""
        problem = error.errors(include_url=False)[0]
        name = str(problem["loc"][0]).replace("_", "-") if problem["loc"] else ""
        given = _short(repr(problem["input"]))
        match problem["type"]:
            case "missing":
                return f"The command {cls.command} needs the option --{name}; give it."
            case "literal_error":
                return (
                    f"Option --{name}: invalid choice: {given}; choose from "
                    f"{', '.join(choices(cls.options()[name]) or ())}."
                )
            case "greater_than_equal" | "less_than" | "int_parsing" | "int_from_float" | "int_type":
                return f"Option --{name}: {_WHOLE[name == 'seed']}, not {given}."
            case "float_parsing" | "float_type":
                return f"Option --{name}: must be a number, not {given}."
            case "value_error":
                reason = str(problem["msg"]).removeprefix("Value error, ")
                return f"Option --{name}: {reason}, not {given}."
        return f"Option --{name}: {given} is not allowed ({problem['msg']})."

    def values(self) -> dict[str, Any]:
        """The spec's values by the names of its options; a tuple as a list."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in ((n, getattr(self, n.replace("-", "_"))) for n in self.options())
        }

    def changed(self) -> dict[str, Any]:
        """Those of :meth:`values` that are not as by default."""
        options, values = self.options(), self.values()
        return {
            name: value
            for name, value in values.items()
            if options[name].is_required() or getattr(self, _field(name)) != options[name].default
        }

    def words(self, *, all_values: bool = False) -> list[str]:
        """The spec as a shell gives it: its command, then the options that are not as by default."""
        words = [self.command]
        for name, value in (self.values() if all_values else self.changed()).items():
            field = self.options()[name]
            if value is None:
                continue
            if isinstance(value, bool):
                words += [f"--{name}"] if value else []
            elif isinstance(value, list) and option_of(field).repeated:
                words += [f"--{name}={part}" for part in value]
            elif isinstance(value, list):
                words += [f"--{name}", *map(str, value)]
            else:
                words.append(f"--{name}={value}")
        return words


_WHOLE = {
    False: "a count must be a whole number of at least 1",
    True: "a seed must be a whole number from 0 to 2**32 - 1",
}


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:40]} ... {text[-20:]}"


def _field(option: str) -> str:
    return option.replace("-", "_")


def option_of(field: FieldInfo) -> Option:
    """How a field is written on the command line."""
    return next((part for part in field.metadata if isinstance(part, Option)), Option())


def choices(field: FieldInfo) -> tuple[str, ...] | None:
    """The values that a field allows, where they can be listed."""
    found = tuple(_literals(field.annotation))
    return found or None


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _literals(part)


class OnBackbone(Spec):
    """A spec that runs a backbone."""

    backbone: Annotated[str, Option("NAME|HUB_ID|FOLDER|FILE.gguf")] = DEFAULT_BACKBONE
    dtype: DtypeName = "auto"
    device: Annotated[str, Option("auto|cpu|cuda|mps|spread")] = "auto"


class WithLayers(OnBackbone):
    """A spec that re-routes chosen layers."""

    layers: Annotated[str, Option("auto|none|all|26-29|3,5,9")] = "auto"
    rule: Annotated[RuleName, Field(description="for --layers auto")] = "paper"


class Rerouting(OnBackbone):
    """A spec that re-routes: how kv-embedding is done, wherever its layers come from."""

    bias: Annotated[Bias, Field(description="added to the prefix's logit")] = 1.0
    key_position: KeyPosition = "own"
    prompt: Annotated[Separator, Option(group=_PARTS)] = "newline"
    pooling: Annotated[Pooling, Option(group=_PARTS)] = "hybrid"
    norm: Annotated[Norm, Option(group=_PARTS)] = "post"


class Planned(Rerouting, WithLayers):
    """A spec with a whole plan: layers, bias and key position."""


class OnCorpus(Spec):
    """A spec that scores on a corpus of any kind, or on a part of it."""

    on: CorpusKind = "pairs"
    corpus: Annotated[
        str | None, Option("NAME|FILE|FOLDER"), Field(description="lee50, chatterbot, ...")
    ] = None
    part: Annotated[
        Count | None, Field(description="score so many, drawn at random, and say so")
    ] = None

    @property
    def corpus_name(self) -> str:
        """The corpus that is scored on, the usual one of its kind where none is named."""
        return self.corpus or USUAL[self.on]


class OnEngine(Spec):
    """A spec whose work can be shared by several processes or machines."""

    engine: Annotated[EngineName, Option(group=_ENGINE)] = "local"
    address: Annotated[
        str | None, Option("HOST:PORT", group=_ENGINE), Field(description="of a Ray cluster")
    ] = None
    workers: Annotated[
        Count | None, Option(group=_ENGINE), Field(description="of Ray; by default one a device")
    ] = None


class Backbones(Spec):
    """Which backbones there are."""

    command = "backbones"
    summary = "List what is offered, or one backbone's facts."
    backbone: Annotated[str | None, Option("NAME|HUB_ID|FOLDER|FILE.gguf")] = None
    dtype: DtypeName = "auto"
    device: Annotated[str, Option("auto|cpu|cuda|mps|spread")] = "auto"


class Doctor(Spec):
    """Is this installation healthy?"""

    command = "doctor"
    summary = "Check this installation and say what to do."


class Encode(OnEngine, Planned):
    """Texts of a file to vectors."""

    command = "encode"
    summary = "Encode texts, one a line, to a float32 .npy array."
    method: MethodName = "kv-embedding"
    role: Role = "Context"
    input: Annotated[str, Option("FILE|-")]
    output: Annotated[str, Option("FILE.npy")]


class Dimension(OnBackbone):
    """Where does the model compress?"""

    command = "dimension"
    summary = "The intrinsic-dimension curve and its layers."
    corpus: Annotated[str, Option("NAME|FILE")] = CALIBRATION
    samples: Count = 1000
    seed: Seed = 0
    estimator: EstimatorName = "twonn"
    cloud: Annotated[Cloud, Field(description="whose states")] = "last"
    bare: Annotated[bool, Field(description="the texts without the prompt")] = False
    rule: RuleName = "paper"


class Sts(Planned):
    """Does it score better on rated pairs?"""

    command = "sts"
    summary = "Score methods against human similarity (Spearman x 100)."
    corpus: Annotated[str, Option("lee50|FILE")] = "lee50"
    method: Methods = ("kv-embedding",)


class Score(OnCorpus, Planned):
    """Does it score better?"""

    command = "score"
    summary = "Compare methods on pairs, labelled texts or retrieval."
    method: Methods = ("kv-embedding",)
    post_processing: PostprocessingName = "none"
    max_tokens: Annotated[
        Count | None, Field(description="where texts are cut, prompt included")
    ] = None


class LongTexts(Planned):
    """Does it hold on long texts?"""

    command = "long-texts"
    summary = "Scores by where a document's answer stands and by tokens read."
    corpus: Annotated[str, Option("NAME|FOLDER|FILE.zip")] = "chatterbot-answers"
    part: Annotated[Count | None, Field(description="draw so many queries before all else")] = None
    method: Methods = ("kv-embedding",)
    tokens: Annotated[
        tuple[Count, ...], Several, Option("N"), Field(description="where texts are cut")
    ] = ()


class Causal(Planned):
    """What can an early token know?"""

    command = "causal"
    summary = "How far the tokens move that two texts share before they differ."
    first: Annotated[str, Option("TEXT")]
    second: Annotated[str, Option("TEXT")]
    bare: Annotated[bool, Field(description="the texts without the prompt")] = False


class Ablation(OnEngine, Planned):
    """Was the automatic choice a good one?"""

    command = "ablation"
    summary = "Many plans on the same pairs, each against re-routing nothing."
    search: SearchName = "windows"
    most: Annotated[Count | None, Field(description="layers that the greedy search may add")] = None
    corpus: Annotated[str, Option("NAME|FILE")] = "lee50"
    part: Annotated[
        Count | None, Field(description="score so many, drawn at random, and say so")
    ] = None


class Rules(OnCorpus, Rerouting):
    """Which rule selects well?"""

    command = "rules"
    summary = "Each rule's layers among all windows as wide, on any corpus."


class Parts(OnCorpus, Planned):
    """What does each part of the method bring?"""

    command = "parts"
    summary = "What prompt, pooling, re-routing and bias bring, alone and together."


def _two(methods: tuple[str, ...]) -> tuple[str, ...]:
    if len(methods) != 2:
        raise ValueError("a comparison of spaces takes --method twice")
    return methods


class Space(Planned):
    """How does the space move?"""

    command = "space"
    summary = "Two methods' maps of the same texts, as one HTML file."
    corpus: Annotated[str, Option("NAME|FILE")] = "lee-background"
    samples: Annotated[Count | None, Field(description="map so many texts, drawn at random")] = None
    method: Annotated[
        tuple[MethodName, ...],
        Several,
        AfterValidator(_two),
        Option(repeated=True),
        Field(description="give it twice"),
    ] = ("mean", "kv-embedding")
    left_layers: Annotated[
        str | None, Option("LAYERS"), Field(description="of the first method alone")
    ] = None
    right_layers: Annotated[
        str | None, Option("LAYERS"), Field(description="of the second method alone")
    ] = None
    right_backbone: Annotated[
        str | None, Option("NAME"), Field(description="of the second method alone")
    ] = None
    projection: Projection = "umap"
    neighbours: Annotated[Count, Field(description="of UMAP")] = 15
    min_dist: Annotated[float, Field(description="of UMAP")] = 0.1
    seed: Seed = 0
    output: Annotated[str, Option("FILE.html")]


class Mteb(Planned):
    """What does mteb's own evaluation say?"""

    command = "mteb"
    summary = "Run mteb's own evaluation and leave its result files."
    method: MethodName = "kv-embedding"
    tasks: Annotated[tuple[str, ...], Several, Option("TASK"), Field(min_length=1)]
    max_tokens: Annotated[
        Count | None, Field(description="where texts are cut, prompt included")
    ] = None
    output: Annotated[str, Option("FOLDER")]


SPECS: dict[str, type[Spec]] = {
    spec.command: spec
    for spec in (
        Backbones,
        Doctor,
        Encode,
        Dimension,
        Sts,
        Score,
        LongTexts,
        Causal,
        Ablation,
        Rules,
        Parts,
        Space,
        Mteb,
    )
}
"""Every question by its command."""


def spec_of(command: str) -> type[Spec]:
    """The spec of a command.

    Raises:
        RecipeError: there is no such command.
    """
    if command not in SPECS:
        raise RecipeError(f"There is no command {command!r:.80}; there are {', '.join(SPECS)}.")
    return SPECS[command]
