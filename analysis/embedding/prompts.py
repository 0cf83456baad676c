"""Prompt templates, and the token spans that a text occupies inside them.

A template is plain text with the fields ``{role}``, ``{text}`` and, where a method prepends one,
``{placeholder}``. The full prompt is tokenised at once, and character offsets give the tokens of
the text. Control tokens that a text spells are read as text. A text that is too long is cut at its
end; the prompt is never cut.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from ..backbones.catalog import SpecialTokens
from ..errors import CorpusError
from ..runtime import hosting, visitors
from ..runtime.lookup import by_name
from .pieces import Pieces
from .prompted import Prompted, Reader

Role = Literal["Context", "Query"]
Separator = Literal["newline", "space", "quoted"]

BARE = "{text}"
COMPRESSION = {
    "newline": "{role}: {text}\nCompress the {role} in one word:",
    "space": "{role}: {text} Compress the {role} in one word:",
    "quoted": '{role}: "{text}"\nCompress the {role} in one word:',
}
"""The paper's prompt by its separator; sources disagree on it, ``newline`` is the default."""


def tokenize(
    tokenizer: Any,
    texts: Sequence[str],
    template: str,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    tidy: Callable[[str], str] = str,
    placeholder: str = "",
    before: Pieces = "text",
    special_tokens: SpecialTokens = "text",
) -> list[Prompted]:
    """Tokenise ``texts`` inside ``template``, with the tokenizer's own first special token.

    Special tokens that the tokenizer would append at the end are dropped: the method reads the
    prompt's own last token.

    Args:
        tokenizer: a fast tokenizer of transformers.
        texts: the texts.
        template: a prompt with the fields ``{role}`` and ``{text}``.
        role: what the prompt calls a text.
        max_tokens: maximum tokens of a prompt; the text is cut at its end and ``tokens_cut``
            counts what it lost.
        tidy: applied to each text first.
        placeholder: a string whose last token stands in the field ``{placeholder}``.
        before: what a placeholder stands before. For pieces of the text there is one before each,
            and as many in that field.
        special_tokens: whether control tokens that a text spells are read as text, or parsed. The
            template's own are always parsed.

    Raises:
        CorpusError: a text is empty, holds characters that cannot be encoded, or spells a control
            token that the tokenizer cannot read as text.
        PlanError: the prompt alone leaves no room for a text, or there is no such role.
        LimitError: a hosted server's visitor has used up its tokens of this minute.
    """
    check_role(role)
    visitors.check_tokens()
    for number, text in enumerate(texts, 1):
        check_text(text, number)
    parse = special_tokens == "parse"
    reader = Reader(tokenizer, template, role, placeholder, before, parse=parse)
    tidied = [tidy(text) for text in texts]
    out = []
    for number, (text, filled) in enumerate(zip(tidied, reader.fill(tidied), strict=True), 1):
        empty = any(first == stop for first, stop in filled.prompted.spans)
        if empty or not filled.prompted.text_tokens:
            raise CorpusError(f"Text {number} gives no token; write some words in it.")
        if spelled := reader.parsed(filled):
            raise CorpusError(
                f"Text {number} spells the control token {spelled}, which this tokenizer cannot "
                "read as text; take it out of the text, or choose special tokens: parse."
            )
        out.append(reader.within(max_tokens, text, filled))
    return out


def check_role(role: str) -> None:
    """Refuse a word that is no :data:`Role`, which would be put into the prompt as it is.

    Raises:
        PlanError: there is no such role.
    """
    by_name(dict.fromkeys(get_args(Role)), role, "role")


def check_text(text: str, name: int | str) -> None:
    """Refuse a text that no tokenizer can read, or that is too long for a hosted server.

    Args:
        text: the text.
        name: its number, from 1, or what it is called, such as "Sentence A".

    Raises:
        CorpusError: the text is blank, holds a lone surrogate or is
            longer than the server takes.
    """
    named, way_out = (
        (f"Text {name}", "remove it or write") if isinstance(name, int) else (name, "write")
    )
    hosting.check_text(named, len(text))
    if not text.strip():
        raise CorpusError(f"{named} is empty; {way_out} something in it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"{named} holds a broken character (a lone surrogate, {text[error.start]!a}) "
            f"at position {error.start + 1}; save it as valid UTF-8."
        ) from None
