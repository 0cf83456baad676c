"""The questions: one spec for each command, in more than 300 lines, since they are one list.

A spec is the only place where a question's options are defined, so a page, the command it offers
and the recipe it saves are the same request. All fields of a spec decide the answer; how the answer
is printed is not part of it.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..corpora.packaged import CALIBRATION
from ..dimension.estimators import Cloud, EstimatorName
from ..dimension.selection import RuleName
from ..embedding.methods import MethodName
from ..embedding.postprocessing import PostprocessingName
from ..embedding.prompts import Role
from ..errors import RecipeError, quoted
from ..spaces.projection import ProjectionName
from .head_choices import ObjectiveName
from .long_texts import LONG_QUERIES
from .searches import SearchName
from .shared_options import (
    BACKBONE,
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
    Rerouting,
    Seed,
)
from .spec import Option, Several, Spec

PlotlyPlace = Literal["inside", "beside"]
SETUP, ENCODING = "set up", "encode texts"
SCORES, LAYERS, INSIDE = "score methods", "choose layers", "look inside the model"

_Method = Annotated[MethodName, Option("METHOD"), Field(description="how texts become vectors")]
_PairsName = Annotated[
    str, Option("CORPUS", reads="corpus"), Field(description="name or file of rated pairs")
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
    summary = "Estimate each layer's intrinsic dimension and select layers by it."
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


class Sts(Planned):
    """Does it score better on rated pairs?"""

    command = "sts"
    summary = "Score methods on rated pairs of texts (Spearman x 100)."
    topic = SCORES
    corpus: _PairsName = "lee50"
    method: Methods = ("kv-embedding",)


class Score(OnCorpus, Planned):
    """Does it score better?"""

    command = "score"
    summary = "Score and compare methods on pairs, labelled texts or retrieval."
    topic = SCORES
    method: Methods = ("kv-embedding",)
    post_processing: Annotated[
        PostprocessingName,
        Option("STEP"),
        Field(description="step after encoding, fitted on calibration texts"),
    ] = "none"
    max_tokens: MaxTokens = None


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
    summary = "Compare many choices of layers with re-routing nothing."
    topic = LAYERS
    search: Annotated[
        SearchName, Option("SEARCH"), Field(description="which layers and biases to try")
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


class Sensitivity(OnCorpus, Rerouting):
    """Which heads should listen?"""

    command = "sensitivity"
    summary = "Rank all heads by what re-routing each would change."
    topic = LAYERS
    method: Annotated[
        MethodName, Option("METHOD"), Field(description="how texts become vectors")
    ] = "kv-embedding"
    objective: Annotated[
        ObjectiveName, Field(description="what heads are to raise; agreement is with a teacher")
    ] = "judgements"
    teacher: Annotated[
        MethodName, Option("METHOD"), Field(description="the method that agreement is with")
    ] = "prompt-eol"
    top: Annotated[
        Count, Option("N"), Field(description="how many heads to choose, outside the first fifth")
    ] = 60


class Causal(Planned):
    """What can an early token know?"""

    command = "causal"
    summary = "Show how far shared tokens move when a text ends differently."
    topic = INSIDE
    first: Annotated[str, Option("TEXT"), Field(description="first text")]
    second: Annotated[
        str, Option("TEXT"), Field(description="second text, the same but for its ending")
    ]
    bare: Bare = False


def _two(methods: tuple[str, ...]) -> tuple[str, ...]:
    if len(methods) != 2:
        raise ValueError("a comparison of spaces takes --method twice")
    return methods


class Space(Planned):
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
        tuple[MethodName, ...],
        Several,
        AfterValidator(_two),
        Option("METHOD", repeated=True),
        Field(description="how texts become vectors, one method for each map"),
    ] = ("mean", "kv-embedding")
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


SPECS: dict[str, type[Spec]] = {
    spec.command: spec
    for spec in (
        *(Doctor, Backbones, Encode),
        *(Sts, Score, LongTexts, Parts, Mteb),
        *(Dimension, Ablation, Rules, Sensitivity),
        *(Causal, Space),
    )
}
"""Every question by its command, in the order of the help."""


def spec_of(command: str) -> type[Spec]:
    """The spec of a command.

    Raises:
        RecipeError: there is no such command.
    """
    if command not in SPECS:
        raise RecipeError(f"There is no command {quoted(command)}; there are {', '.join(SPECS)}.")
    return SPECS[command]
