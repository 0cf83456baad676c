"""Options that several questions share: a backbone, layers to re-route, a corpus, an engine."""

import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..backbones.catalog import DEFAULT as DEFAULT_BACKBONE
from ..backbones.catalog import DtypeName, SpecialTokens
from ..corpora.registry import DEFAULTS
from ..dimension.selection import RuleName
from ..embedding.methods import MethodName, Norm
from ..embedding.pooling import Pooling
from ..embedding.prompts import Separator
from ..rerouting.head_lists import check_one_choice
from ..rerouting.plan import KeyPosition
from .spec import Option, Several, Spec


def _finite_or_off(bias: float) -> float:
    if math.isnan(bias) or bias == math.inf:
        raise ValueError("the bias must be a number or -inf")
    return bias


BACKBONE, REROUTING = "backbone", "re-routing"
PROMPT_AND_POOLING = "prompt and pooling of kv-embedding and prompt-only"
ENGINE = "where to compute"

Bias = Annotated[float, AfterValidator(_finite_or_off)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Option("N"), Field(ge=0, lt=2**32, description="seed of all random draws")]
EngineName = Literal["local", "ray"]
CorpusKind = Literal["pairs", "labelled", "retrieval"]
Methods = Annotated[
    tuple[MethodName, ...],
    Several,
    Option("METHOD", repeated=True),
    Field(min_length=1, description="how texts become vectors"),
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

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        check_one_choice(self.layers, self.heads)
        return self


class Rerouting(OnBackbone):
    """A question about kv-embedding, without a choice of layers."""

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


class Planned(Rerouting, WithLayers):
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
