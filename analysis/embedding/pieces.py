"""Pieces of a text that placeholders stand before: its sentences, or so many tokens each."""

import re
from collections.abc import Iterator
from typing import Any, Literal

Pieces = Literal["text", "sentences"] | int
"""What a placeholder stands before: the text, each of its sentences, or so many tokens each."""
_ENDS = re.compile(
    r"[.!?\u2026]+[\"'\u2019\u201d)\]]*(?=\s+[^\sa-z])|[\u3002\uff01\uff1f]+[\u201d\u300d\u300f\uff09]*|\n(?=\s*\n)"
)
"""Where a sentence ends: at . ! ? with the quotation marks and brackets that close after it, where
no lower-case letter follows; at the marks of Chinese and Japanese; before an empty line."""


def cut(text: str, before: Pieces, tokenizer: Any) -> tuple[str, ...]:
    """The pieces of a text; joined, they are the text.

    White space between two sentences belongs to the second. The rule knows no abbreviations.

    Args:
        text: the text.
        before: what the pieces are.
        tokenizer: a fast tokenizer of transformers, which counts tokens.
    """
    if before == "text":
        return (text,)
    ends = _sentence_ends(text) if before == "sentences" else _token_ends(text, before, tokenizer)
    pieces, begin = [], 0
    for end in ends:
        if text[begin:end].strip() and text[end:].strip():
            pieces.append(text[begin:end])
            begin = end
    return (*pieces, text[begin:])


def _sentence_ends(text: str) -> Iterator[int]:
    return (match.end() for match in _ENDS.finditer(text))


def _token_ends(text: str, tokens: int, tokenizer: Any) -> Iterator[int]:
    """After every so many tokens, unless within a character of several."""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]
    for at in range(tokens, len(offsets), tokens):
        if offsets[at][0] >= offsets[at - 1][1]:
            yield offsets[at - 1][1]
