"""Two of a method's five parts: what changes in the pass, and what is read.

Prompts are in :mod:`analysis.embedding.named_prompts`. The other two are
names: which tokens (:data:`analysis.embedding.pooling.POOLINGS`) and the step after encoding
(:data:`analysis.embedding.postprocessing.POSTPROCESSINGS`). Each part is a small value with its
meaning and, if it is published, the link of its source.
"""

import math
import operator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ..errors import PlanError, quoted
from ..rerouting.plan import Summed
from ..runtime.lookup import by_name
from .control_tokens import PLACEHOLDER
from .named_prompts import HIERARCHICAL, KV_EMBEDDING, TOKEN_PREPENDING, Prompt
from .one_word_prompts import IRRELEVANT
from .pieces import Pieces
from .pooling import POOLINGS, Pooling

VALUE_AGGREGATION = "https://arxiv.org/abs/2602.01572"
ROUTERS = "https://arxiv.org/abs/2410.10814"
CONTRASTIVE_PROMPTING = "https://arxiv.org/abs/2505.12831"

Norm = Literal["post", "pre"]
NORMS: dict[Norm, str] = {
    "post": "token states after the final norm",
    "pre": "the last layer's output before the final norm",
}


@dataclass(frozen=True)
class Prepending:
    """A placeholder takes the last token's state before layers start <= l < exit.

    ``before`` pieces of the text, sentences or so many tokens each, there is a placeholder before
    each piece, and as many in the template's field; both of a piece take the state of its last
    token (hierarchical token prepending, https://arxiv.org/abs/2511.14868).

    It stands in the template's field ``{placeholder}``. Layers count from 0. ``exit`` None is a
    fifth of the depth: the published configurations have 3 to 7 of 28 to 32 layers (Token
    Prepending, https://arxiv.org/abs/2412.11556). The published placeholder is a token added to
    the vocabulary; here it is read as one, and has the embedding of ``placeholder``, since the
    model is frozen; that is read in the layers below ``start`` only.
    """

    start: int = 1
    exit: int | None = None
    placeholder: str = "*"
    before: Pieces = "text"

    def __post_init__(self) -> None:
        counted = isinstance(self.before, int) and self.before >= 1
        if not counted and self.before not in ("text", "sentences"):
            raise PlanError(
                "A placeholder stands before the text, before sentences, or before every so many "
                f"tokens, at least 1; not before {quoted(self.before)}."
            )

    @property
    def identity(self) -> dict[str, object]:
        """What decides a number, as plain data."""
        kept = asdict(self)
        if self.before == "text":  # as in keys stored before there were pieces
            del kept["before"]
        return kept

    def stop(self, layers: int) -> int:
        """The first layer whose input is unchanged again, in a backbone of ``layers``."""
        return max(self.start + 1, layers // 5) if self.exit is None else self.exit


@dataclass(frozen=True)
class Contrast:
    """At one layer, what the last token attended to becomes ``strength`` times A - B.

    A is what it attended to, all heads before the output projection; B is what the last token of
    ``template``, with the same text, attended to at that layer, in a pass that ends there.
    ``layer`` counts from 0; None is an eighth of the depth. The published configurations have layer
    4 of 32 with 0.5 (Llama 2 7B), and layer 6 of 32 with 0.25 (Llama 3 8B).
    """

    template: str = IRRELEVANT
    layer: int | None = None
    strength: float = 0.5

    def __post_init__(self) -> None:
        if "{text}" not in self.template or PLACEHOLDER in self.template:
            raise PlanError(
                "The prompt to move away from needs the field {text} and no placeholder, unlike "
                f"{quoted(self.template)}."
            )
        if not math.isfinite(self.strength):
            raise PlanError(f"A contrast has a number as its strength, not {self.strength}.")

    def at(self, layers: int) -> int:
        """The layer in a backbone of ``layers``."""
        return max(1, round(layers / 8)) if self.layer is None else self.layer


@dataclass(frozen=True)
class Change:
    """What changes in the pass.

    Attributes:
        name: its name.
        meaning: what it does, in a few words.
        reroutes: whether the plan's layers re-route.
        causal: False where the causal mask is removed.
        prepending: which states a placeholder takes, if there is one.
        contrast: the prompt that the last token is moved away from, if there is one; it is run
            under the same plan.
        source: the link of its publication, if there is one.

    Raises:
        PlanError: layers re-route and the causal mask is removed.
    """

    name: str
    meaning: str
    reroutes: bool = False
    causal: bool = True
    prepending: Prepending | None = None
    contrast: Contrast | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.reroutes and not self.causal:
            raise PlanError(
                "Re-routing works under the causal mask: remove the mask or re-route, not both."
            )


@dataclass(frozen=True)
class Reading:
    """What is read of the pass: the states at one layer, or attention summed over layers.

    Attributes:
        name: its name.
        meaning: what it is, in a few words.
        layer: the decoder layer whose output is pooled, from 0, or from -1 backwards. Any but the
            last is read as the layer leaves it, without the final norm.
        norm: whether the last layer's output is read after the final norm or before it.
        source: the link of its publication, if there is one.
        summed: what of attention is summed over ``layers`` in float32, in place of states: its
            outputs after the output projection, or its values, all key-value heads side by side.
        layers: the first and the last layer that is summed, from 0, or from -1 backwards.
        routers: whether the weights of all routers of experts stand beside the states.
    """

    name: str
    meaning: str
    layer: int = -1
    norm: Norm = "post"
    source: str = ""
    summed: Summed | None = None
    layers: tuple[int, int] = (0, -1)
    routers: bool = False

    def at(self, layer: int) -> "Reading":
        """The same of another decoder layer's output.

        Raises:
            PlanError: the layer is no whole number, or no layer's output is read.
        """
        if self.summed:
            raise PlanError(
                f"A method that reads {self.name} sums them over layers and has no output layer; "
                "leave out the output layer, or choose a method that reads states."
            )
        try:
            return replace(self, layer=operator.index(layer))
        except TypeError:
            raise PlanError(
                f"An output layer is a whole number, from 0 or from -1 backwards, not "
                f"{quoted(layer)}."
            ) from None


CHANGES = {
    change.name: change
    for change in (
        Change("nothing", "a plain pass"),
        Change(
            "re-routing",
            "the final token's key-value pair is re-routed to every token at the plan's layers",
            reroutes=True,
            source=KV_EMBEDDING,
        ),
        Change(
            "token-prepending",
            "in early layers a placeholder takes the last token's state",
            prepending=Prepending(),
            source=TOKEN_PREPENDING,
        ),
        Change(
            "hierarchical-prepending",
            "in early layers placeholders before each sentence, and as many in front, take the "
            "state of the sentence's last token",
            prepending=Prepending(before="sentences"),
            source=HIERARCHICAL,
        ),
        Change(
            "contrast",
            "in an early layer the last token is moved away from one that was asked for what is "
            "irrelevant",
            contrast=Contrast(),
            source=CONTRASTIVE_PROMPTING,
        ),
        Change("no-mask", "the causal mask is removed, so every token sees all", causal=False),
    )
}
"""The library's changes of the pass."""

READINGS = {
    reading.name: reading
    for reading in (
        Reading("states", "the last layer's output after the final norm"),
        Reading("last-but-one", "the output of the last layer but one, without a norm", layer=-2),
        Reading(
            "attention-outputs",
            "the outputs of attention after its projection, summed over the layers",
            source=VALUE_AGGREGATION,
            summed="outputs",
        ),
        Reading(
            "values",
            "the values that attention reads, all heads side by side, summed over the layers",
            source=VALUE_AGGREGATION,
            summed="values",
        ),
        Reading(
            "routers",
            "the last layer's output after the final norm, and beside it the weights that every "
            "router gives its experts",
            source=ROUTERS,
            routers=True,
        ),
    )
}
"""What can be read; a ``Reading`` of one's own has another layer or norm."""


def check_parts(
    name: str, prompt: Prompt, change: Change, reading: Reading, pooling: Pooling
) -> None:
    """Refuse parts that do not go together.

    Args:
        name: of the method.
        prompt: the prompt.
        change: what changes in the pass.
        reading: what is read.
        pooling: which tokens.

    Raises:
        PlanError: one is no such part; there is no template, or one with a placeholder and no
            prepending, or the reverse; tokens are weighed by attention that is not causal.
    """
    for part, kind in ((prompt, Prompt), (change, Change), (reading, Reading)):
        if not isinstance(part, kind):
            raise PlanError(
                f"{name} takes a {kind.__name__} and not {quoted(part)}; take one by name, such as "
                'PROMPTS["eol"], CHANGES["re-routing"] or READINGS["states"], or your own, such as '
                'own_prompt("{text}").'
            )
    if by_name(POOLINGS, pooling, "pooling").by_attention and not change.causal:
        raise PlanError(
            f"{name} weighs tokens by how much the last one attends to them, which is defined "
            "under the causal mask; keep the mask, or choose another pooling."
        )
    if not prompt.templates:
        raise PlanError(f"{name} has no template; give one with the field {{text}}.")
    for template in prompt.templates:
        if not (isinstance(template, str) and "{text}" in template):
            raise PlanError(
                f"The template {quoted(template)} has no field {{text}}, where the text stands."
            )
        within = change.prepending is not None and change.prepending.before != "text"
        if within and template.count("{text}") > 1:
            raise PlanError(
                f"{name} puts placeholders into the text, which its template {quoted(template)} "
                "gives more than once; choose another prompt."
            )
        if (PLACEHOLDER in template) != (change.prepending is not None):
            raise PlanError(
                f"{name} needs both or neither: a prepending, and the field {PLACEHOLDER} "
                f"in its template {quoted(template)}."
            )
