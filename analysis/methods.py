"""KV-Embedding and the training-free baselines, each one value of the same small dataclass.

A method says how a text is prompted, which tokens are pooled, and whether layers re-route.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, cast

from analysis.errors import PlanError
from analysis.pooling import POOLINGS, Pooling
from analysis.prompting import BARE, COMPRESSION

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
class Method:
    """One way to turn a text into a vector with a frozen decoder.

    ``template`` holds the fields ``{role}`` and ``{text}``; ``tidy`` prepares the text;
    ``norm`` says whether token states are read after the final norm or before it;
    ``reroutes`` whether the plan's layers re-route.
    """

    name: str
    summary: str
    template: str
    pooling: Pooling
    reroutes: bool = False
    norm: Norm = "post"
    tidy: Callable[[str], str] = str


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
        Method("mean", "The bare text, all token states averaged.", BARE, "mean"),
        Method("last-token", "The bare text, the last token's state.", BARE, "last"),
        Method(
            "prompt-eol",
            "The text is asked to be said in one word; the last token's state.",
            'This sentence : "{text}" means in one word:"',
            "last",
            tidy=_end_sentence,
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
