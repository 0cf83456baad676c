"""Tidyings: what a method does to a text before it enters the prompt, and their identity."""

from collections.abc import Callable

from ..storage import code_fingerprint, result_store


def end_sentence(text: str) -> str:
    """A full stop unless one of . ? " ' ends the text; " becomes '."""
    text = text.strip()
    return (text if text.endswith((".", "?", '"', "'")) else text + ".").replace('"', "'")


def end_with_stop(text: str) -> str:
    """PromptEOL's tidying (https://arxiv.org/abs/2307.16645): also a final ? becomes a full stop.

    Its code reads texts that are split into words, so white space never ends them.
    """
    text = end_sentence(text)
    return text[:-1] + "." if text.endswith("?") else text


def end_paragraph(text: str) -> str:
    """A full stop unless one of . ! ? " ends the text."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", '"')) else text + "."


def words_reversed(text: str) -> str:
    """The words of a text in reverse order; a word is what white space separates."""
    return " ".join(reversed(text.split()))


_NAMED: dict[Callable[[str], str], str] = {
    str: "str",
    end_sentence: "_end_sentence",
    end_with_stop: "end_with_stop",
    end_paragraph: "end_paragraph",
}
"""The library's own tidyings by the names under which results are stored; one that changes needs a
new name."""


def identity_of(tidy: Callable[[str], str]) -> str | dict[str, str]:
    """A tidying's stable name, else a digest of its code, else a part that is new each time."""
    for function, name in _NAMED.items():
        if tidy is function:
            return name
    try:
        return {"code": result_store.digest(code_fingerprint.fingerprint(tidy))}
    except code_fingerprint.NotIdentifiableError:
        return {"code": result_store.unstorable()}
