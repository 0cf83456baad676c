"""KV-Embedding and the training-free baselines, each one value of the same small dataclass.

A method says how a text is prompted, which tokens are pooled, and what is done to the pass: layers
re-route, the causal mask is removed, or a placeholder is given the last token's state. Where a
published method leaves a choice open, or ours differs, the value's comment says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

from ..errors import PlanError
from .pooling import POOLINGS, Pooling
from .prompts import BARE, COMPRESSION

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
]
Norm = Literal["post", "pre"]
NORMS: dict[Norm, str] = {
    "post": "token states after the final norm",
    "pre": "the last layer's output before the final norm",
}


def _end_sentence(text: str) -> str:
    """PromptEOL's tidying: a full stop unless one of . ? " ' ends the text; " becomes '."""
    text = text.strip()
    return (text if text.endswith((".", "?", '"', "'")) else text + ".").replace('"', "'")


@dataclass(frozen=True)
class Prepending:
    """A placeholder before the text takes the last token's state before layers start <= l < exit.

    Layers count from 0. ``exit`` None is a fifth of the depth: the published configurations have
    3 to 7 of 28 to 32 layers (Token Prepending, Fu et al., ACL 2025). The published placeholder
    is a token added to the vocabulary; a frozen model here gets the token of ``placeholder``,
    which it reads in the layers below ``start`` only.
    """

    start: int = 1
    exit: int | None = None
    placeholder: str = "*"

    def stop(self, layers: int) -> int:
        """The first layer that is left alone again, in a backbone of ``layers``."""
        return max(self.start + 1, layers // 5) if self.exit is None else self.exit


@dataclass(frozen=True)
class Method:
    """One way to turn a text into a vector with a frozen decoder.

    ``template`` holds the fields ``{role}`` and ``{text}``; ``tidy`` prepares the text;
    ``norm`` says whether token states are read after the final norm or before it;
    ``reroutes`` whether the plan's layers re-route. The vectors of ``further`` templates are
    averaged with the first's, before normalisation. ``causal`` is False where the causal mask is
    removed. ``output`` is the decoder layer that is pooled, counted from the end: -1 is the last,
    any other is read as the layer leaves it, without the final norm.
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

    @property
    def templates(self) -> tuple[str, ...]:
        """All prompts a text is put into, the first one first."""
        return (self.template, *self.further)


_ONE_WORD = 'This sentence : "{text}" means in one word:"'
"""PromptEOL's prompt (Jiang et al., 2024)."""

_TASKS = (
    'Name the topic of a text. Text: "{text}" Its topic in one word:"',
    'Say whether a text states an opinion or a fact. Text: "{text}" What it states in one word:"',
    'Rate a text, from awful to superb. Text: "{text}" The rating in one word:"',
    'Name the emotion that a text conveys. Text: "{text}" The emotion in one word:"',
    'Say a text again in other words. Text: "{text}" The same in one word:"',
    'Find the word that means what a text means. Text: "{text}" That word:"',
    'Name the key fact of a text. Text: "{text}" The key fact in one word:"',
    'Name whom or what a text is about. Text: "{text}" The name in one word:"',
)
"""Eight tasks after MetaEOL (Lei et al., ACL 2024), in our own words: topic, opinion or fact,
rating, emotion, paraphrase twice, key fact, entity."""

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
            "The text is asked to be said in one word; the last token's state.",
            _ONE_WORD,
            "last",
            tidy=_end_sentence,
        ),
        Method(
            "token-prepending",
            "prompt-eol with a placeholder before the text; in early layers it takes the last "
            "token's state, so that every token sees a summary; last token, one layer early.",
            _ONE_WORD,
            "last",
            tidy=_end_sentence,
            prepending=Prepending(),
            output=-2,  # as published; the last layer bends towards the next token
        ),
        Method(
            "meta-eol",
            "Eight tasks ask for one word each; the eight last-token states are averaged.",
            _TASKS[0],
            "last",
            tidy=_end_sentence,
            further=_TASKS[1:],
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
            "The text is said twice; the second copy, which has seen the first, is averaged.",
            "Rewrite the following sentence: {text}\nThe rewritten sentence: {text}",
            "last-copy-mean",
        ),
    )
}
DEFAULT = METHODS["kv-embedding"]


def method(name: str) -> Method:
    """The method called ``name``.

    Raises:
        PlanError: there is none.
    """
    if name not in METHODS:
        raise PlanError(f"There is no method {name!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[name]


def variant(
    base: Method,
    *,
    separator: str | None = None,
    pooling: str | None = None,
    norm: str | None = None,
) -> Method:
    """``base`` with another separator in its compression prompt, another pooling or norm.

    What is None stays, and so do the parts of a method that has no such choice: a separator
    changes only the compression prompt, and pooling and norm only what uses that prompt.

    Raises:
        PlanError: there is no such separator, pooling or norm.
    """
    for value, known, what in (
        (separator, COMPRESSION, "prompt separator"),
        (pooling, POOLINGS, "pooling"),
        (norm, NORMS, "norm"),
    ):
        if value is not None and value not in known:
            raise PlanError(f"There is no {what} {value!r}; choose one of {', '.join(known)}.")
    if base.template not in COMPRESSION.values():
        return base
    return replace(
        base,
        template=base.template if separator is None else COMPRESSION[separator],
        pooling=base.pooling if pooling is None else cast(Pooling, pooling),
        norm=base.norm if norm is None else cast(Norm, norm),
    )
