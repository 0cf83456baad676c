"""KV-Embedding and the training-free baselines, in more than 300 lines, since they are one list.

A method is a prompt, a change of the pass, what is read, which tokens, and a step after encoding:
the parts of :mod:`analysis.embedding.method_parts`. Whatever goes together is a method.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from ..errors import PlanError, quoted
from ..rerouting.plan import PLAIN, Plan
from ..runtime.lookup import by_name
from .method_parts import CHANGES, NORMS, READINGS, Change, Norm, Reading, check_parts
from .named_prompts import PROMPTS, Prompt
from .pooling import POOLINGS, Pooling
from .postprocessing import POSTPROCESSINGS, PostprocessingName
from .prompts import COMPRESSION
from .tidying import identity_of

MethodName = Literal[
    "kv-embedding",
    "prompt-only",
    "re-routing-only",
    "pooling-only",
    "mean",
    "last-token",
    "prompt-eol",
    "token-prepending",
    "meta-eol",
    "bidirectional",
    "echo",
    "prompt-eol-rerouted",
    "prompt-eol-question",
    "token-prepending-inside",
    "meta-eol-short",
    "echo-sentence",
    "echo-again",
    "pretended-cot",
    "knowledge",
    "pretended-cot-knowledge",
    "reverse-eol",
    "aligned-wva",
    "va",
    "contrastive-prompting",
    "re-attention",
    "htp",
    "moee",
]


@dataclass(frozen=True)
class Method:
    """One way to turn a text into a vector with a frozen decoder.

    Attributes:
        name: its name.
        summary: what it does, in a sentence.
        prompt: what a text is put into.
        pooling: which tokens, a name of :data:`analysis.embedding.pooling.POOLINGS`.
        change: what changes in the pass.
        reading: what is read of the pass.
        plan: which layers and heads re-route, and how; without layers and heads those that are
            asked for, see :meth:`planned`.
        processing: the step after encoding.

    Raises:
        PlanError: the parts do not go together: a plan with layers and nothing that re-routes, or a
            template with a placeholder and no prepending, or the reverse.
    """

    name: str
    summary: str
    prompt: Prompt
    pooling: Pooling
    change: Change = CHANGES["nothing"]
    reading: Reading = READINGS["states"]
    plan: Plan = PLAIN
    processing: PostprocessingName = "none"

    def __post_init__(self) -> None:
        check_parts(self.name, self.prompt, self.change, self.reading, self.pooling)
        step = by_name(POSTPROCESSINGS, self.processing, "post-processing")
        other = self.reading.summed == "values" or self.reading.routers
        if step.needs == "unembedding" and other:
            raise PlanError(
                f"{self.name} reads {self.reading.name}, which are no directions of the "
                f"unembedding, so {self.processing} cannot be applied; choose centre or whiten."
            )
        if not isinstance(self.plan, Plan):
            raise PlanError(
                f"{self.name} takes a Plan, such as Plan((2, 3)), and not {quoted(self.plan)}."
            )
        if self.has_plan and not self.reroutes:
            raise PlanError(
                f"{self.name} re-routes nothing and takes no plan with layers; choose a method "
                "that re-routes, such as kv-embedding."
            )

    @property
    def template(self) -> str:
        """The first prompt that a text is put into."""
        return self.prompt.templates[0]

    @property
    def templates(self) -> tuple[str, ...]:
        """All prompts that a text is put into, the first one first."""
        return self.prompt.templates

    @property
    def tidy(self) -> Callable[[str], str]:
        """Prepares the text."""
        return self.prompt.tidy

    @property
    def reroutes(self) -> bool:
        """Whether the plan's layers and heads re-route."""
        return self.change.reroutes

    def under(self, plan: Plan) -> "Method":
        """The method with another plan; unchanged if it does not re-route."""
        return replace(self, plan=plan) if self.reroutes else self

    @property
    def has_plan(self) -> bool:
        """Whether it has layers or heads of its own."""
        return bool(self.plan.layers or self.plan.heads)

    def planned(self, plan: Plan) -> "Method":
        """The method with the plan that is asked for; unchanged if it has layers of its own."""
        return self if self.has_plan else self.under(plan)

    @property
    def identity(self) -> dict[str, Any]:
        """All of the method and its plan that decides a number, as plain data.

        Names, summaries and meanings do not. A custom ``tidy`` is identified by its code; one that
        cannot be gets a new identity each time, and nothing of such a method is stored.
        """
        return {
            "template": self.template,
            "pooling": self.pooling,
            "norm": self.reading.norm,
            "tidy": identity_of(self.tidy),
            **self._unusual(),
            **self.plan.identity,
        }

    def _unusual(self) -> dict[str, Any]:
        """Traits that most methods lack; those it lacks are left out, as in keys stored before."""
        unusual = {
            "further": list(self.templates[1:]),
            "bidirectional": not self.change.causal,
            "prepending": self.change.prepending and self.change.prepending.identity,
            "contrast": self.change.contrast and asdict(self.change.contrast),
            "output": self.reading.layer + 1,
            "backwards": list(self.prompt.backwards),
            "routers": self.reading.routers,
            "summed": self.reading.summed and [self.reading.summed, *self.reading.layers],
            "processing": self.processing if self.processing != "none" else None,
        }
        return {name: value for name, value in unusual.items() if value}


METHODS = {
    method.name: method
    for method in (
        Method(
            "kv-embedding",
            "The final token's key-value pair is re-routed to every token at the selected layers; "
            "compression prompt; average of the last token and the mean.",
            PROMPTS["compression"],
            "hybrid",
            CHANGES["re-routing"],
        ),
        Method(
            "prompt-only",
            "KV-Embedding with nothing re-routed: its prompt and its pooling alone.",
            PROMPTS["compression"],
            "hybrid",
        ),
        Method(
            "re-routing-only",
            "KV-Embedding without its prompt: re-routing and its pooling on the bare text.",
            PROMPTS["bare"],
            "hybrid",
            CHANGES["re-routing"],
        ),
        Method(
            "pooling-only",
            "KV-Embedding's pooling alone: the bare text, nothing re-routed.",
            PROMPTS["bare"],
            "hybrid",
        ),
        Method("mean", "The bare text, all token states averaged.", PROMPTS["bare"], "mean"),
        Method("last-token", "The bare text, the last token's state.", PROMPTS["bare"], "last"),
        Method(
            "prompt-eol",
            "The prompt asks for the text in one word; the last token's state.",
            PROMPTS["eol"],
            "last",
        ),
        Method(
            "token-prepending",
            "prompt-eol with a placeholder before the quoted text; in early layers it takes the "
            "last token's state, so that every token sees a summary; last token, one layer early.",
            PROMPTS["eol-placeholder"],
            "last",
            CHANGES["token-prepending"],
            READINGS["last-but-one"],  # the last layer bends towards the next token
        ),
        Method(
            "meta-eol",
            "Eight tasks ask for one word each; the eight last-token states are averaged.",
            PROMPTS["tasks"],
            "last",
        ),
        Method(
            "bidirectional",
            "The bare text with the causal mask removed: every token sees all; the mean.",
            PROMPTS["bare"],
            "mean",
            CHANGES["no-mask"],
        ),
        Method(
            "echo",
            "The text is given twice; the states of the second copy, which has seen the first, are "
            "averaged.",
            PROMPTS["echo"],
            "last-copy-mean",
        ),
    )
}
"""Each as published, where its parts name a source; see docs/method.md."""
VARIANTS = {
    variant.name: variant
    for variant in (
        replace(
            METHODS["prompt-eol"],
            name="prompt-eol-rerouted",
            summary="prompt-eol with re-routing at the plan's layers or heads.",
            change=CHANGES["re-routing"],
        ),
        replace(
            METHODS["prompt-eol"],
            name="prompt-eol-question",
            summary="prompt-eol; a final question mark stays.",
            prompt=PROMPTS["eol-question"],
        ),
        replace(
            METHODS["token-prepending"],
            name="token-prepending-inside",
            summary="token-prepending with the placeholder inside the quotation marks; a final "
            "question mark stays.",
            prompt=PROMPTS["eol-placeholder-inside"],
        ),
        replace(
            METHODS["meta-eol"],
            name="meta-eol-short",
            summary="meta-eol with short tasks in our own words; a final question mark stays.",
            prompt=PROMPTS["short-tasks"],
        ),
        replace(
            METHODS["echo"],
            name="echo-sentence",
            summary="echo with a prompt about sentences, and a line break between the copies.",
            prompt=PROMPTS["echo-sentence"],
        ),
        replace(
            METHODS["echo"],
            name="echo-again",
            summary="echo with the prompt for documents of its authors' trained models.",
            prompt=PROMPTS["echo-again"],
        ),
        Method(
            "pretended-cot",
            "prompt-eol that pretends to have thought step by step; last token, one layer early.",
            PROMPTS["thinking"],
            "last",
            reading=READINGS["last-but-one"],
        ),
        Method(
            "knowledge",
            "prompt-eol that first says what matters in a sentence; last token, one layer early.",
            PROMPTS["knowledge"],
            "last",
            reading=READINGS["last-but-one"],
        ),
        Method(
            "pretended-cot-knowledge",
            "The last-token states of pretended-cot and knowledge, averaged.",
            PROMPTS["thinking-and-knowledge"],
            "last",
            reading=READINGS["last-but-one"],
        ),
        Method(
            "reverse-eol",
            "prompt-eol of the text and of its words in reverse order, averaged.",
            PROMPTS["eol-both-ways"],
            "last",
        ),
        Method(
            "aligned-wva",
            "prompt-eol, read as what attention adds to the last token, summed over all layers.",
            PROMPTS["eol"],
            "last",
            reading=READINGS["attention-outputs"],
        ),
        Method(
            "va",
            "The bare text; attention's values, averaged over all tokens and layers.",
            PROMPTS["bare"],
            "mean",
            reading=READINGS["values"],
        ),
        Method(
            "contrastive-prompting",
            "prompt-eol, moved in an early layer away from a prompt that asks for what is "
            "irrelevant; last token, one layer early.",
            PROMPTS["eol"],
            "last",
            CHANGES["contrast"],
            READINGS["last-but-one"],
        ),
        Method(
            "re-attention",
            "The text is given twice; all tokens, weighed by how much the last one attends to "
            "each, at most over layers and heads.",
            PROMPTS["twice"],
            "attended",
        ),
        Method(
            "htp",
            "The text with a placeholder before each sentence and as many in front; in early "
            "layers they take the states of the sentences' last tokens; the mean of the text's own "
            "tokens, one layer early.",
            PROMPTS["bare-placeholder"],
            "text-mean",
            CHANGES["hierarchical-prepending"],
            READINGS["last-but-one"],
        ),
        Method(
            "moee",
            "prompt-eol of a mixture of experts: the last token's state and the weights that each "
            "router gives its experts there, side by side, each channel standardised.",
            PROMPTS["eol"],
            "last",
            reading=READINGS["routers"],
            processing="standardise",
        ),
    )
}
"""Other forms of the methods, and newer ones, which are offered by name and left out of lists of
all methods: nothing is measured of them unless they are named."""
DEFAULT = METHODS["kv-embedding"]


def variant(
    base: Method,
    *,
    separator: str | None = None,
    pooling: str | None = None,
    norm: str | None = None,
    output_layer: int | None = None,
    processing: str = "none",
) -> Method:
    """``base`` with other parts; None leaves a part as it is.

    Args:
        base: the method.
        separator: of its compression prompt, where it is one of the library's methods.
        pooling: which tokens, where ``separator`` applies.
        norm: what is read, where ``separator`` applies.
        output_layer: the decoder layer whose output is read, from 0, or from -1 backwards.
        processing: the step after encoding, where it has none.

    Raises:
        PlanError: there is no such separator, pooling or norm, the layer is no whole number, or
            ``base`` is no method.
    """
    if not isinstance(base, Method):
        raise PlanError(
            f"A value of the type {type(base).__name__} is no method; give a name, such as "
            "kv-embedding, or a Method."
        )
    if output_layer is not None:
        base = replace(base, reading=base.reading.at(output_layer))
    if separator is not None:
        by_name(COMPRESSION, separator, "prompt separator")
    if pooling is not None:
        by_name(POOLINGS, pooling, "pooling")
    if norm is not None:
        by_name(NORMS, norm, "norm")
    by_name(POSTPROCESSINGS, processing, "post-processing")
    if base.processing == "none" != processing:
        base = replace(base, processing=cast(PostprocessingName, processing))
    if base.name not in METHODS | VARIANTS or base.template not in COMPRESSION.values():
        return base
    template = base.template if separator is None else COMPRESSION[separator]
    return replace(
        base,
        prompt=replace(base.prompt, templates=(template,)),
        pooling=base.pooling if pooling is None else cast(Pooling, pooling),
        reading=base.reading if norm is None else replace(base.reading, norm=cast(Norm, norm)),
    )
