"""The questions: one spec for each command, in more than 300 lines, since they are one list.

A spec is the only place where a question's options are defined, so a page, the command it offers
and the recipe it saves are the same request. All fields of a spec decide the answer; how the answer
is printed is not part of it.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ..corpora.packaged import CALIBRATION
from ..corpora.types import Kind
from ..dimension.estimators import Cloud, EstimatorName
from ..dimension.selection import RuleName
from ..embedding.postprocessing import PostprocessingName
from ..embedding.prompts import Role
from ..embedding.token_words import MOST
from ..errors import RecipeError, listed, quoted
from ..spaces.projection import ProjectionName
from .head_choices import PARTS, ChoiceName, ObjectiveName
from .long_texts import LONG_QUERIES
from .searches import SearchName
from .shared_options import (
    BACKBONE,
    HOW,
    TOP_WORDS,
    WORD_TEXTS,
    AnyMethod,
    Bare,
    Count,
    Device,
    Dtype,
    MaxTokens,
    Methods,
    OnBackbone,
    OnCorpus,
    OnEngine,
    Part,
    Planned,
    PlannedVariant,
    Rerouting,
    Seed,
    WithVectors,
)
from .spec import Option, Several, Spec

PlotlyPlace = Literal["inside", "beside"]
SETUP, ENCODING = "set up", "encode texts"
SCORES, LAYERS, INSIDE = "score methods", "choose layers", "look inside the model"

_Method = Annotated[AnyMethod, Option("METHOD"), Field(description=HOW)]
_PairsName = Annotated[
    str, Option("CORPUS", reads="corpus"), Field(description="name or file of rated pairs")
]
PostProcessing = Annotated[
    PostprocessingName,
    Option("STEP"),
    Field(description="step after encoding, which sees no text that is scored"),
]
_TextsName = Annotated[
    str, Option("CORPUS", reads="corpus"), Field(description="name or file of texts")
]


class Doctor(Spec):
    """Is this installation healthy?"""

    command = "doctor"
    summary = "Check this installation and say how to solve each problem."
    topic = SETUP


class Backbones(Spec):
    """Which backbones are there?"""

    command = "backbones"
    summary = "List the available backbones, or describe one."
    topic = SETUP
    backbone: Annotated[
        str | None,
        Option("MODEL", group=BACKBONE, unset="all available", reads="backbone"),
        Field(description="packaged name, hub id (owner/name[@revision]), folder or .gguf file"),
    ] = None
    dtype: Dtype = "auto"
    device: Device = "auto"


class Encode(OnEngine, Planned):
    """What are the vectors of these texts?"""

    command = "encode"
    summary = "Encode a file of texts, one per line, to a float32 array (.npy)."
    topic = ENCODING
    method: _Method = "kv-embedding"
    role: Annotated[
        Role, Option("ROLE"), Field(description="what the compression prompt calls the texts")
    ] = "Context"
    input: Annotated[
        str,
        Option("FILE", reads="file"),
        Field(description="texts, one per line, or a table; - is standard input"),
    ]
    output: Annotated[
        str,
        Option("FILE.npy", writes="file"),
        Field(description="array to write, one row per text"),
    ]


class Dimension(OnBackbone):
    """Where does the model compress?"""

    command = "dimension"
    summary = "Estimate each layer's intrinsic dimension; select layers by it."
    topic = LAYERS
    corpus: _TextsName = CALIBRATION
    samples: Annotated[
        Count, Option("N"), Field(description="number of distinct texts, drawn at random")
    ] = 1000
    seed: Seed = 0
    estimator: Annotated[
        EstimatorName, Option("ESTIMATOR"), Field(description="estimator of the dimension")
    ] = "twonn"
    cloud: Annotated[
        Cloud,
        Field(description="tokens to measure, the last of each text or as many drawn from all"),
    ] = "last"
    bare: Bare = False
    rule: Annotated[
        RuleName, Option("RULE"), Field(description="how to select layers from the curve")
    ] = "paper"


class Sts(Planned, WithVectors):
    """Does it score better on rated pairs?"""

    command = "sts"
    summary = "Score methods on rated pairs of texts (Spearman x 100)."
    topic = SCORES
    corpus: _PairsName = "lee50"
    method: Methods = ("kv-embedding",)


class Score(OnCorpus, Planned, WithVectors):
    """Does it score better?"""

    command = "score"
    summary = "Score and compare methods on pairs, labelled texts or retrieval."
    topic = SCORES
    method: Methods = ("kv-embedding",)
    post_processing: PostProcessing = "none"
    max_tokens: MaxTokens = None
    beside: Annotated[
        str | None,
        Option("MODEL", group=BACKBONE, unset="none", reads="backbone"),
        Field(description="second backbone that the methods are scored on too, on the same draws"),
    ] = None


class LongTexts(Planned):
    """Does it hold on long texts?"""

    command = "long-texts"
    summary = "Score retrieval by the place of the answer and the length read."
    topic = SCORES
    corpus: Annotated[
        str,
        Option("CORPUS", reads="corpus"),
        Field(description="name, folder or ZIP file of a retrieval corpus"),
    ] = "chatterbot-answers"
    part: Annotated[
        Count,
        Option("N"),
        Field(description="number of queries to score, drawn at random; all if there are no more"),
    ] = LONG_QUERIES
    method: Methods = ("kv-embedding",)
    tokens: Annotated[
        tuple[Count, ...],
        Several,
        Option("N"),
        Field(description="also score documents cut to N tokens, the answer in the middle"),
    ] = ()


class Parts(OnCorpus, Planned):
    """What does each part of the method contribute?"""

    command = "parts"
    summary = "Score the contribution of prompt, pooling, re-routing and bias."
    topic = SCORES


class PromptBench(OnCorpus, Planned):
    """How much hangs on the words of the prompt?"""

    command = "prompts"
    summary = "Score methods under several prompts, and compare the prompts."
    topic = SCORES
    template: Annotated[
        tuple[str, ...],
        Several,
        Option("PROMPT", repeated=True),
        Field(
            min_length=1, description="a prompt by name, or your own with {text}, and {role} if any"
        ),
    ] = ("eol", "thinking", "knowledge", "compression", "bare")
    method: Methods = ("prompt-eol", "eol+mean")


class Mteb(Planned):
    """What does mteb's own evaluation say?"""

    command = "mteb"
    summary = "Evaluate a method on mteb's tasks and keep mteb's result files."
    topic = SCORES
    method: _Method = "kv-embedding"
    tasks: Annotated[
        tuple[str, ...],
        Several,
        Option("TASK"),
        Field(min_length=1, description="names of mteb tasks or benchmarks, such as STSBenchmark"),
    ]
    max_tokens: MaxTokens = None
    output: Annotated[
        str, Option("FOLDER", writes="folder"), Field(description="folder for mteb's result files")
    ]


class Ablation(OnEngine, Planned):
    """Was the automatic choice of layers a good one?"""

    command = "ablation"
    summary = "Compare many choices of layers or heads with re-routing nothing."
    topic = LAYERS
    search: Annotated[
        SearchName, Option("SEARCH"), Field(description="which layers, heads or biases to try")
    ] = "windows"
    most: Annotated[
        Count | None,
        Option("N", unset="as many as the rules select"),
        Field(description="maximum number of layers in the greedy search"),
    ] = None
    corpus: _PairsName = "lee50"
    part: Part = None


class Rules(OnCorpus, Rerouting):
    """Which rule selects well?"""

    command = "rules"
    summary = "Rank each rule's layers among all windows of equal width."
    topic = LAYERS


def _auto(value: str) -> str:
    if value != "auto":
        raise ValueError("a count must be a whole number of at least 1, or auto")
    return value


class ChoosingHeads(Rerouting):
    """A question that chooses heads."""

    method: _Method = "kv-embedding"
    objective: Annotated[
        ObjectiveName, Field(description="what heads are to raise; agreement is with a teacher")
    ] = "judgements"
    teacher: Annotated[
        AnyMethod, Option("METHOD"), Field(description="the method that agreement is with")
    ] = "prompt-eol"
    choose: Annotated[ChoiceName, Field(description="how to choose heads")] = "top"
    top: Annotated[
        Count | Annotated[str, AfterValidator(_auto)],
        Option("N"),
        Field(description="how many heads to choose at most; auto finds it inside the items"),
    ] = 60

    @property
    def count(self) -> int | None:
        """How many heads to choose at most; None to find it inside the items."""
        return self.top if isinstance(self.top, int) else None


class Sensitivity(OnCorpus, ChoosingHeads):
    """Which heads should listen?"""

    command = "sensitivity"
    summary = "Rank all heads by what re-routing each would change."
    topic = LAYERS
    on: Annotated[Kind, Option("KIND"), Field(description="kind of corpus")] = "pairs"  # type: ignore[assignment]


class Stability(OnCorpus, ChoosingHeads):
    """Do choices of heads on other items agree?"""

    command = "stability"
    summary = "Choose heads on parts of a corpus and compare the choices."
    topic = LAYERS
    on: Annotated[Kind, Option("KIND"), Field(description="kind of corpus")] = "pairs"  # type: ignore[assignment]
    parts: Annotated[
        int,
        Option("N"),
        Field(ge=2, description="how many parts, without a common item, choose heads"),
    ] = PARTS


class Transfer(OnCorpus, ChoosingHeads):
    """Do heads chosen on one corpus help on another?"""

    command = "transfer"
    summary = "Choose heads on one corpus and score them on another."
    topic = LAYERS
    objective: Annotated[
        ObjectiveName, Field(description="what heads are to raise; agreement is with a teacher")
    ] = "agreement"
    chosen_on: Annotated[
        Kind, Option("KIND"), Field(description="kind of the corpus that heads are chosen on")
    ] = "texts"
    chosen_corpus: Annotated[
        str | None,
        Option("CORPUS", unset=f"{CALIBRATION} for texts", reads="corpus"),
        Field(description="packaged or hub name, file or folder that heads are chosen on"),
    ] = None
    chosen_part: Annotated[
        Count, Option("N"), Field(description="number of texts, pairs or queries to choose on")
    ] = 100
    random_sets: Annotated[
        int,
        Option("N"),
        Field(ge=0, description="how many sets of as many heads at random to score too"),
    ] = 20
    baseline: Annotated[
        tuple[AnyMethod, ...],
        Several,
        Option("METHOD", repeated=True),
        Field(description="a method to score beside the heads"),
    ] = ()


class OutputLayers(OnCorpus, PlannedVariant):
    """Does the layer of lowest dimension embed best?"""

    command = "output-layers"
    summary = "Score methods at every layer's output, beside its dimension."
    topic = LAYERS
    method: Methods = ("kv-embedding", "prompt-eol", "mean")
    post_processing: PostProcessing = "none"
    max_tokens: MaxTokens = None


class Causal(Planned):
    """What can an early token know?"""

    command = "causal"
    summary = "Show how far shared tokens move when a text ends differently."
    topic = INSIDE
    first: Annotated[str, Option("TEXT"), Field(description="sentence A")]
    second: Annotated[
        str, Option("TEXT"), Field(description="sentence B, the same but for its ending")
    ]
    bare: Bare = False


class Words(Planned):
    """What word did it think of?"""

    command = "words"
    summary = "Show which words prompts make the model think of at each layer."
    topic = INSIDE
    text: Annotated[
        tuple[str, ...],
        Several,
        Option("TEXT", repeated=True),
        Field(description="a text of one's own, in place of a corpus"),
    ] = ()
    corpus: Annotated[
        str | None,
        Option("CORPUS", unset="none", reads="corpus"),
        Field(description="name or file of texts, in place of texts of one's own"),
    ] = None
    samples: Annotated[
        Count, Option("N"), Field(description="number of distinct texts, drawn at random")
    ] = WORD_TEXTS
    method: Methods = ("prompt-eol",)
    top: Annotated[
        Count, Option("N"), Field(description=f"words of each layer, {MOST} at most")
    ] = TOP_WORDS

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.text) == (self.corpus is not None):
            raise RecipeError(
                "The command words takes texts of one's own (--text) or a corpus (--corpus), and "
                "not both."
            )
        return self


_MAPPED: tuple[AnyMethod, AnyMethod] = ("mean", "kv-embedding")
_BESIDE_VECTORS: tuple[AnyMethod, ...] = ("kv-embedding",)


class Space(Planned, WithVectors):
    """How does the space move?"""

    command = "space"
    summary = "Map the embeddings of two methods side by side in an HTML file."
    topic = INSIDE
    corpus: _TextsName = "lee-background"
    samples: Annotated[
        Count | None,
        Option("N", unset="all"),
        Field(description="number of distinct texts, drawn at random"),
    ] = None
    method: Annotated[
        tuple[AnyMethod, ...],
        Several,
        Option("METHOD", repeated=True),
        Field(description=f"{HOW}; one for each map, and one less for each of --vectors"),
    ] = _MAPPED
    left_layers: Annotated[
        str | None,
        Option("LAYERS", unset="those of --layers"),
        Field(description="layers that the first method re-routes"),
    ] = None
    right_layers: Annotated[
        str | None,
        Option("LAYERS", unset="those of --layers"),
        Field(description="layers that the second method re-routes"),
    ] = None
    right_backbone: Annotated[
        str | None,
        Option("MODEL", unset="that of --backbone", reads="backbone"),
        Field(description="backbone of the second method"),
    ] = None
    projection: Annotated[
        ProjectionName, Field(description="how to project vectors to the map")
    ] = "umap"
    neighbours: Annotated[Count, Option("N"), Field(description="UMAP's number of neighbours")] = 15
    min_dist: Annotated[
        float, Option("DISTANCE"), Field(description="UMAP's minimum distance between points")
    ] = 0.1
    seed: Seed = 0
    output: Annotated[
        str, Option("FILE.html", writes="file"), Field(description="HTML file to write")
    ]
    plotly: Annotated[
        PlotlyPlace,
        Field(description="where Plotly's script of 4.8 MB is, in the HTML file or once beside it"),
    ] = "inside"
    export: Annotated[
        str | None,
        Option("FOLDER", unset="nowhere", writes="folder", files=("left.parquet", "right.parquet")),
        Field(description="folder for the vectors of both maps: left.parquet and right.parquet"),
    ] = None

    @model_validator(mode="after")
    def _two_maps(self) -> Self:
        maps = len(self.mapped) + len(self.vectors)
        if maps != 2:
            raise RecipeError(
                f"A comparison of spaces takes two maps, of --method and --vectors, not {maps}."
            )
        if self.vectors and self.right_backbone:
            raise RecipeError(
                "The right map is of vectors, which have no backbone; leave --right-backbone out."
            )
        return self

    @property
    def mapped(self) -> tuple[AnyMethod, ...]:
        """The methods that are mapped, the left one first; vectors come after them."""
        if self.vectors and self.method == _MAPPED:  # nothing was chosen
            return _BESIDE_VECTORS if len(self.vectors) == 1 else ()
        return self.method


SPECS: dict[str, type[Spec]] = {
    spec.command: spec
    for spec in (
        *(Doctor, Backbones, Encode),
        *(Sts, Score, LongTexts, Parts, PromptBench, Mteb),
        *(Dimension, OutputLayers, Ablation, Rules),
        *(Sensitivity, Stability, Transfer),
        *(Causal, Words, Space),
    )
}
"""Every question by its command, in the order of the help."""


def spec_of(command: str) -> type[Spec]:
    """The spec of a command.

    Raises:
        RecipeError: there is no such command.
    """
    if command not in SPECS:
        raise RecipeError(
            f"There is no command {quoted(command)}; there are {listed(SPECS, command)}."
        )
    return SPECS[command]
