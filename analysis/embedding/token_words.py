"""Tokens of a vocabulary as people read them."""

import unicodedata
from typing import Any

from .control_tokens import control_tokens

MOST = 20
"""Tokens that are kept of each distribution."""
SPACE = "\u2423"
"""Stands for a space at the beginning or end of a token, where it could not be seen."""
_BROKEN = "\ufffd"
_SEEN = {"\n": "\u21b5", "\t": "\u21e5"}


def token_words(tokenizer: Any, ids: set[int]) -> dict[int, str]:
    """Each token as text: a leading space as an open box, control tokens as ``control <s>``.

    A token that is a part of a character is given by its bytes. What cannot be seen is escaped.
    Different tokens may look the same.

    Args:
        tokenizer: a fast tokenizer of transformers.
        ids: token ids; some may be beyond the tokenizer's, where a vocabulary was rounded up.
    """
    control = control_tokens(tokenizer)
    return {each: _word(tokenizer, each, control) for each in ids}


def _word(tokenizer: Any, token: int, control: dict[int, str]) -> str:
    if token in control:
        return f"control {_visible(control[token])}"
    piece = tokenizer.convert_ids_to_tokens(token)
    if piece is None:
        return f"unused token {token}"
    once, twice = (
        str(tokenizer.decode([token] * times, clean_up_tokenization_spaces=False))
        for times in (1, 2)
    )
    # of the first token of a text some tokenizers leave out the space
    text = twice[len(once) :] if twice.startswith(once) else once
    if _BROKEN in text:
        return _bytes(piece)
    return _visible(text) or f"nothing ({_visible(piece)})"


def _bytes(piece: str) -> str:
    """The bytes of a token that is no character, as "byte e2" or "bytes e2 80"."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    if piece.startswith("<0x"):
        return f"byte {piece[3:-1].lower()}"
    value = {letter: byte for byte, letter in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]
    numbers = [f"{value[letter]:02x}" for letter in piece if letter in value]
    return f"byte{'s' * (len(numbers) > 1)} {' '.join(numbers)}" if numbers else "part of a letter"


def _visible(text: str) -> str:
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - len(inner) - before if inner else 0
    seen = "".join(
        _SEEN.get(letter)
        or (
            letter
            if letter == " " or unicodedata.category(letter)[0] not in "CZ"
            else f"\\u{ord(letter):04x}"
        )
        for letter in inner
    )
    return SPACE * before + seen + SPACE * after
