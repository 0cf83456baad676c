"""KV-Embedding and the training-free baselines, each one value of the same dataclass.

A method says how a text is prompted, which tokens are pooled, and what changes in the pass: layers
re-route, the causal mask is removed, or a placeholder gets the last token's state.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from ..errors import PlanError, quoted
from ..rerouting.plan import PLAIN, Plan
from ..runtime.lookup import by_name
from .control_tokens import PLACEHOLDER
from .one_word_prompts import ONE_WORD, SHORT_TASKS, TASKS
from .pooling import POOLINGS, Pooling
from .prompts import BARE, COMPRESSION
from .tidying import end_sentence, end_with_stop, identity_of

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
    "prompt-eol-question",
    "token-prepending-inside",
    "meta-eol-short",
    "echo-sentence",
    "echo-again",
]
Norm = Literal["post", "pre"]
NORMS: dict[Norm, str] = {
    "post": "token states after the final norm",
    "pre": "the last layer's output before the final norm",
}


@dataclass(frozen=True)
class Prepending:
    """A placeholder takes the last token's state before layers start <= l < exit.

    It stands in the template's field ``{placeholder}``. Layers count from 0. ``exit`` None is a
    fifth of the depth: the published configurations have 3 to 7 of 28 to 32 layers (Token
    Prepending, https://arxiv.org/abs/2412.11556). The published placeholder is a token added to
    the vocabulary; here it is read as one, and has the embedding of ``placeholder``, since the
    model is frozen; that is read in the layers below ``start`` only.
    """

    start: int = 1
    exit: int | None = None
    placeholder: str = "*"

    def stop(self, layers: int) -> int:
        """The first layer whose input is unchanged again, in a backbone of ``layers``."""
        return max(self.start + 1, layers // 5) if self.exit is None else self.exit


@dataclass(frozen=True)
class Method:
    """One way to turn a text into a vector with a frozen decoder.

    ``template`` holds the fields ``{role}`` and ``{text}``, and ``{placeholder}`` if there is a
    ``prepending``; ``tidy`` prepares the text;
    ``norm`` says whether token states are read after the final norm or before it;
    ``reroutes`` whether the plan's layers re-route. The vectors of ``further`` templates are
    averaged with the first's, before normalisation. ``causal`` is False where the causal mask is
    removed. ``output`` is the decoder layer that is pooled, counted from the end: -1 is the last,
    any other is read as the layer leaves it, without the final norm. ``plan`` says which layers
    re-route, and how.

    Raises:
        PlanError: a plan with layers on a method that does not re-route; a template with a
            placeholder and no ``prepending``, or the reverse.
    """

    name: str
    summary: str
    template: str
    pooling: Pooling
    reroutes: bool = False
    norm: Norm = "post"
    tidy: Callable[[str], str] = str
    further: tuple[str, ...] = ()
    causal: bool = True
    prepending: Prepending | None = None
    output: int = -1
    plan: Plan = PLAIN

    def __post_init__(self) -> None:
        if (self.plan.layers or self.plan.heads) and not self.reroutes:
            raise PlanError(
                f"{self.name} re-routes nothing and takes no plan with layers; choose a method "
                "that re-routes, such as kv-embedding."
            )
        for template in self.templates:
            if (PLACEHOLDER in template) != (self.prepending is not None):
                raise PlanError(
                    f"{self.name} needs both or neither: a prepending, and the field {PLACEHOLDER} "
                    f"in its template {quoted(template)}."
                )

    @property
    def templates(self) -> tuple[str, ...]:
        """All prompts a text is put into, the first one first."""
        return (self.template, *self.further)

    def under(self, plan: Plan) -> "Method":
        """The method with another plan; unchanged if it does not re-route."""
        return replace(self, plan=plan) if self.reroutes else self

    @property
    def identity(self) -> dict[str, Any]:
        """All of the method and its plan that decides a number, as plain data.

        The name and the summary do not. A custom ``tidy`` is identified by its code; one that
        cannot be gets a new identity each time, and nothing of such a method is stored.
        """
        return {
            "template": self.template,
            "pooling": self.pooling,
            "norm": self.norm,
            "tidy": identity_of(self.tidy),
            **self._unusual(),
            **self.plan.identity,
        }

    def _unusual(self) -> dict[str, Any]:
        """Traits that most methods lack; those it lacks are left out, as in keys stored before."""
        unusual = {
            "further": list(self.further),
            "bidirectional": not self.causal,
            "prepending": self.prepending and asdict(self.prepending),
            "output": self.output + 1,
        }
        return {name: value for name, value in unusual.items() if value}


METHODS = {
    method.name: method
    for method in (
        Method(
            "kv-embedding",
            "The final token's key-value pair is re-routed to every token at the selected layers; "
            "compression prompt; average of the last token and the mean.",
            COMPRESSION["newline"],
            "hybrid",
            reroutes=True,
        ),
        Method(
            "prompt-only",
            "KV-Embedding with nothing re-routed: its prompt and its pooling alone.",
            COMPRESSION["newline"],
            "hybrid",
        ),
        Method(
            "re-routing-only",
            "KV-Embedding without its prompt: re-routing and its pooling on the bare text.",
            BARE,
            "hybrid",
            reroutes=True,
        ),
        Method(
            "pooling-only",
            "KV-Embedding's pooling alone: the bare text, nothing re-routed.",
            BARE,
            "hybrid",
        ),
        Method("mean", "The bare text, all token states averaged.", BARE, "mean"),
        Method("last-token", "The bare text, the last token's state.", BARE, "last"),
        Method(
            "prompt-eol",
            "The prompt asks for the text in one word; the last token's state.",
            ONE_WORD,
            "last",
            tidy=end_with_stop,
        ),
        Method(
            "token-prepending",
            "prompt-eol with a placeholder before the quoted text; in early layers it takes the "
            "last token's state, so that every token sees a summary; last token, one layer early.",
            ONE_WORD.replace('"', f'{PLACEHOLDER} "', 1),
            "last",
            tidy=end_with_stop,
            prepending=Prepending(),
            output=-2,  # the last layer bends towards the next token
        ),
        Method(
            "meta-eol",
            "Eight tasks ask for one word each; the eight last-token states are averaged.",
            TASKS[0],
            "last",
            tidy=end_with_stop,
            further=TASKS[1:],
        ),
        Method(
            "bidirectional",
            "The bare text with the causal mask removed: every token sees all; the mean.",
            BARE,
            "mean",
            causal=False,
        ),
        Method(
            "echo",
            "The text is given twice; the states of the second copy, which has seen the first, are "
            "averaged.",
            "Rewrite the following paragraph: {text}. The rewritten paragraph: {text}",
            "last-copy-mean",
        ),
    )
}
"""As published: KV-Embedding https://arxiv.org/abs/2601.01046, PromptEOL
https://arxiv.org/abs/2307.16645, Token Prepending https://arxiv.org/abs/2412.11556, MetaEOL
https://arxiv.org/abs/2402.18458, echo https://arxiv.org/abs/2402.15449; see docs/method.md."""
VARIANTS = {
    variant.name: variant
    for variant in (
        replace(
            METHODS["prompt-eol"],
            name="prompt-eol-question",
            summary="prompt-eol; a final question mark stays.",
            tidy=end_sentence,
        ),
        replace(
            METHODS["token-prepending"],
            name="token-prepending-inside",
            summary="token-prepending with the placeholder inside the quotation marks; a final "
            "question mark stays.",
            template=ONE_WORD.replace("{text}", f"{PLACEHOLDER}{{text}}"),
            tidy=end_sentence,
        ),
        replace(
            METHODS["meta-eol"],
            name="meta-eol-short",
            summary="meta-eol with short tasks in our own words; a final question mark stays.",
            template=SHORT_TASKS[0],
            further=SHORT_TASKS[1:],
            tidy=end_sentence,
        ),
        replace(
            METHODS["echo"],
            name="echo-sentence",
            summary="echo with a prompt about sentences, and a line break between the copies.",
            template="Rewrite the following sentence: {text}\nThe rewritten sentence: {text}",
        ),
        replace(
            METHODS["echo"],
            name="echo-again",
            summary="echo with the prompt for documents of its authors' trained models.",
            template="Document:{text}\nDocument again:{text}",
        ),
    )
}
"""Other forms of the methods, which are offered by name and left out of lists of all methods."""
DEFAULT = METHODS["kv-embedding"]


def method(name: str) -> Method:
    """The method or variant called ``name``; a PlanError if there is none."""
    return by_name(METHODS | VARIANTS, name, "method")


def variant(
    base: Method,
    *,
    separator: str | None = None,
    pooling: str | None = None,
    norm: str | None = None,
) -> Method:
    """``base`` with another separator in its compression prompt, another pooling or norm.

    None leaves a part as it is. Methods without the compression prompt do not change.

    Raises:
        PlanError: there is no such separator, pooling or norm.
    """
    if separator is not None:
        by_name(COMPRESSION, separator, "prompt separator")
    if pooling is not None:
        by_name(POOLINGS, pooling, "pooling")
    if norm is not None:
        by_name(NORMS, norm, "norm")
    if base.template not in COMPRESSION.values():
        return base
    return replace(
        base,
        template=base.template if separator is None else COMPRESSION[separator],
        pooling=base.pooling if pooling is None else cast(Pooling, pooling),
        norm=base.norm if norm is None else cast(Norm, norm),
    )
