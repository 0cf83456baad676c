"""Prompt templates, and the token spans that a text occupies inside them.

A template is plain text with the fields ``{role}``, ``{text}`` and, where a method prepends one,
``{placeholder}``. The full prompt is tokenised at once, and character offsets give the tokens of
the text. Control tokens that a text spells are read as text. A text that is too long is cut at its
end; the prompt is never cut.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

from ..backbones.catalog import SpecialTokens
from ..errors import CorpusError, PlanError, quoted
from ..runtime import hosting, visitors
from ..runtime.lookup import by_name
from .control_tokens import PLACEHOLDER, control_tokens, copy_of

Role = Literal["Context", "Query"]
Separator = Literal["newline", "space", "quoted"]
Span = tuple[int, int]

BARE = "{text}"
COMPRESSION = {
    "newline": "{role}: {text}\nCompress the {role} in one word:",
    "space": "{role}: {text} Compress the {role} in one word:",
    "quoted": '{role}: "{text}"\nCompress the {role} in one word:',
}
"""The paper's prompt by its separator; sources disagree on it, ``newline`` is the default."""

_FIELDS = re.compile(r"(\{role\}|\{text\})")


@dataclass(frozen=True)
class Prompted:
    """One tokenised prompt: its ids, the token spans of each copy of the text, and what was cut.

    ``slot`` is the position of the placeholder, for templates with one.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    tokens_cut: int = 0
    slot: int | None = None


def render(template: str, text: str, role: Role = "Context") -> tuple[str, tuple[Span, ...]]:
    """Fill a template.

    Args:
        template: a prompt with the fields ``{role}`` and ``{text}``.
        text: the text.
        role: what the prompt calls it.

    Returns:
        The prompt, and the character span of each copy of the text in it.
    """
    prompt, spans = "", []
    for part in _FIELDS.split(template):
        if part == "{text}":
            spans.append((len(prompt), len(prompt) + len(text)))
            prompt += text
        else:
            prompt += role if part == "{role}" else part
    return prompt, tuple(spans)


def tokenize(
    tokenizer: Any,
    texts: Sequence[str],
    template: str,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    tidy: Callable[[str], str] = str,
    placeholder: str = "",
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
    reader = _Reader(tokenizer, template, role, placeholder, special_tokens)
    tidied = [tidy(text) for text in texts]
    out = []
    for number, (text, filled) in enumerate(zip(tidied, reader.fill(tidied), strict=True), 1):
        if any(first == stop for first, stop in filled.prompted.spans):
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


def check_text(text: str, number: int) -> None:
    """Refuse a text that no tokenizer can read, or that is too long for a hosted server.

    Args:
        text: the text.
        number: its number, from 1.

    Raises:
        CorpusError: the text is blank, holds a lone surrogate or is
            longer than the server takes.
    """
    hosting.check_text(number, len(text))
    if not text.strip():
        raise CorpusError(f"Text {number} is empty; remove it or write something in it.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"Text {number} holds a broken character (a lone surrogate, {text[error.start]!a}) "
            f"at position {error.start + 1}; save it as valid UTF-8."
        ) from None


class _Filled(NamedTuple):
    """One text in its prompt: the prompt, where the text begins, and its tokens as read."""

    prompt: str
    begin: int
    ids: list[int]
    offsets: list[Span]
    prompted: Prompted


class _Reader:
    """Tokenises texts inside one template."""

    def __init__(
        self,
        tokenizer: Any,
        template: str,
        role: Role,
        placeholder: str,
        special_tokens: SpecialTokens,
    ) -> None:
        self._tokenizer, self._template, self._role = tokenizer, template, role
        self._parse = special_tokens == "parse"
        self._control = control_tokens(tokenizer)
        self._unknown = tokenizer.unk_token_id
        self._placeholder = placeholder

    def fill(self, texts: Sequence[str]) -> list[_Filled]:
        """Put each text into the template, uncut.

        A copy of the tokenizer reads only what needs it: templates with a placeholder, and texts
        that spell a control token.
        """
        if PLACEHOLDER in self._template:
            return self._fill_by_copy(texts)
        rendered = [render(self._template, text, self._role) for text in texts]
        batch = self._tokenizer(
            [prompt for prompt, _ in rendered],
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            split_special_tokens=False,
            verbose=False,
        )
        names = ("input_ids", "offset_mapping", "special_tokens_mask")
        filled = [
            _filled(prompt, spans, *(batch[name][row] for name in names))
            for row, (prompt, spans) in enumerate(rendered)
        ]
        rows = [row for row, one in enumerate(filled) if self.parsed(one)]
        for row, again in zip(rows, self._fill_by_copy([texts[row] for row in rows]), strict=True):
            filled[row] = again
        return filled

    def _fill_by_copy(self, texts: Sequence[str]) -> list[_Filled]:
        if not texts:
            return []
        copied = copy_of(self._tokenizer, parse=self._parse)
        template = copied.template(self._template)
        own = dict(copied.ids)
        has_placeholder = PLACEHOLDER in self._template
        if has_placeholder:
            stand_in = self._tokenizer.encode(self._placeholder, add_special_tokens=False)
            if not stand_in:
                raise PlanError(f"The tokenizer has no token for {quoted(self._placeholder)}.")
            own[copied.placeholder] = stand_in[-1]
        rendered = [render(template, text, self._role) for text in texts]
        encodings = copied.backend.encode_batch([prompt for prompt, _ in rendered])
        out = []
        for (prompt, spans), encoding in zip(rendered, encodings, strict=True):
            one = _filled(
                prompt, spans, encoding.ids, encoding.offsets, encoding.special_tokens_mask
            )
            ids = one.prompted.ids
            prompted = replace(
                one.prompted,
                ids=tuple(own.get(token, token) for token in ids),
                slot=ids.index(copied.placeholder) if has_placeholder else None,
            )
            out.append(one._replace(prompted=prompted))
        return out

    def parsed(self, filled: _Filled) -> str | None:
        """The first control token that a text spells and that was parsed against the choice.

        The token for unknown characters is one only where the text spells it.
        """
        if self._parse:
            return None
        for first, stop in filled.prompted.spans:
            tokens = zip(filled.ids[first:stop], filled.offsets[first:stop], strict=True)
            for token, (begin, end) in tokens:
                if not (name := self._control.get(token)):
                    continue
                if token != self._unknown or filled.prompt[begin:end].strip() == name:
                    return name
        return None

    def within(self, max_tokens: int | None, text: str, filled: _Filled) -> Prompted:
        """The prompt, its text cut at a token boundary so that it has at most ``max_tokens``."""
        full = filled.prompted
        if max_tokens is None or len(full.ids) <= max_tokens:
            return full
        first, stop = full.spans[0]
        copies = len(full.spans)
        keep = (stop - first) - -(-(len(full.ids) - max_tokens) // copies)
        while keep > 0:
            cut = text[: max(filled.offsets[first + keep - 1][1] - filled.begin, 0)]
            shorter = self.fill([cut])[0].prompted
            if len(shorter.ids) <= max_tokens and cut.strip():
                tokens_left = shorter.spans[0][1] - shorter.spans[0][0]
                return replace(shorter, tokens_cut=(stop - first) - tokens_left)
            keep -= max(1, (len(shorter.ids) - max_tokens) // copies)
        raise PlanError(
            f"A limit of {max_tokens} tokens leaves no room for the text: the prompt alone takes "
            f"{len(full.ids) - copies * (stop - first)}; raise the limit."
        )


def _filled(
    prompt: str,
    spans: Sequence[Span],
    ids: list[int],
    offsets: list[Span],
    special: list[int],
) -> _Filled:
    """The tokens of a prompt and of each copy of its text, without special ones at the end."""
    end = len(ids)
    while end and special[end - 1] and end > 1:
        end -= 1
    token_spans = []
    for start, stop in spans:
        inside = [i for i in range(end) if offsets[i][0] < stop and offsets[i][1] > start]
        token_spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    prompted = Prompted(tuple(ids[:end]), tuple(token_spans))
    return _Filled(prompt, spans[0][0], ids, offsets, prompted)
