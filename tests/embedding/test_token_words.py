"""Tokens as people read them: spaces, line breaks, bytes, control tokens, and what is hidden."""

from typing import Any

import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding.token_words import SPACE, token_words
from tests.support.tiny_models import byte_tokenizer, sentencepiece_tokenizer, word_tokenizer


def word(tokenizer: Any, piece: str) -> str:
    """The word of the token that the vocabulary spells like this."""
    token = tokenizer.convert_tokens_to_ids(piece)
    return token_words(tokenizer, {token})[token]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("\u0120the", f"{SPACE}the"),
        ("the", "the"),
        ("\u0120", SPACE),
        ("\u010a", "\u21b5"),
        (".\u010a", ".\u21b5"),
        ("<s>", "control <s>"),
        ("\u0122", "byte 80"),
        ("\u0100", "\\u0000"),
        ("<", "<"),
    ],
)
def test_tokens_of_bytes(piece: str, expected: str) -> None:
    assert word(byte_tokenizer(), piece) == expected


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("\u2581the", f"{SPACE}the"),
        ("the", "the"),
        ("\u2581", SPACE),
        ("<0xE2>", "byte e2"),
        ("<0x0A>", "\u21b5"),
        ("</s>", "control </s>"),
    ],
)
def test_tokens_of_pieces(piece: str, expected: str) -> None:
    assert word(sentencepiece_tokenizer(), piece) == expected


def test_a_token_beyond_the_tokenizer_is_named() -> None:
    tokenizer = byte_tokenizer()
    beyond = len(tokenizer) + 3
    assert token_words(tokenizer, {beyond}) == {beyond: f"unused token {beyond}"}


@pytest.mark.parametrize("make", [byte_tokenizer, sentencepiece_tokenizer, word_tokenizer])
def test_every_token_has_a_word_that_can_be_seen(make: Any) -> None:
    tokenizer = make()
    for written in token_words(tokenizer, set(range(len(tokenizer)))).values():
        assert written.strip()
        assert written.isprintable()
        assert "\ufffd" not in written


@pytest.mark.weights
def test_every_token_of_real_weights_has_one_too(smollm2: Backbone) -> None:
    words = token_words(smollm2.tokenizer, set(range(0, smollm2.facts.vocabulary, 7)))
    assert all(written.strip() and written.isprintable() for written in words.values())
