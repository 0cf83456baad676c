"""KV-Embedding and the training-free baselines, each one value of the same small dataclass.

A method says how a text is prompted, which tokens are pooled, and whether layers re-route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from analysis.errors import PlanError
from analysis.pooling import Pooling
from analysis.prompting import BARE, COMPRESSION


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
    norm: Literal["post", "pre"] = "post"
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
