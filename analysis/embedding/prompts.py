"""Prompt templates, and the token spans that a text occupies inside them.

A template is plain text with the fields ``{role}`` and ``{text}``. The full prompt is tokenised at
once, and character offsets give the tokens of the text. A text that is too long is cut at its end;
the prompt is never cut.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import CorpusError, PlanError
from ..runtime import hosting
from ..runtime.lookup import by_name

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

    ``slot`` is the position of the placeholder token before the text, for methods that use one.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    tokens_cut: int = 0
    slot: int | None = None

    def with_placeholder(self, token: int) -> "Prompted":
        """The same prompt with ``token`` inserted right before the text."""
        at = self.spans[0][0]
        spans = tuple((first + 1, stop + 1) for first, stop in self.spans)
        return Prompted((*self.ids[:at], token, *self.ids[at:]), spans, self.tokens_cut, at)


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
    placeholder: str | None = None,
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
        placeholder: a string whose last token is inserted before the text's first.

    Raises:
        CorpusError: a text is empty or holds characters that cannot be encoded.
        PlanError: the prompt alone leaves no room for a text, or there is no such role.
    """
    check_role(role)
    for number, text in enumerate(texts, 1):
        check_text(text, number)
    prompts = [render(template, tidy(text), role) for text in texts]
    encoded = _call(tokenizer, [prompt for prompt, _ in prompts])
    placeholder_ids = (
        None if placeholder is None else tokenizer.encode(placeholder, add_special_tokens=False)
    )
    if max_tokens is not None and placeholder_ids is not None:
        max_tokens -= 1
    out = []
    for number, ((_, spans), item, text) in enumerate(zip(prompts, encoded, texts, strict=True), 1):
        prompted = _prompted(item, spans)
        if any(first == stop for first, stop in prompted.spans):
            raise CorpusError(f"Text {number} gives no token; write some words in it.")
        if max_tokens is not None and len(prompted.ids) > max_tokens:
            prompted = _shorten(tokenizer, tidy(text), template, role, max_tokens, item, prompted)
        out.append(
            prompted if placeholder_ids is None else prompted.with_placeholder(placeholder_ids[-1])
        )
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


def _call(tokenizer: Any, prompts: list[str]) -> list[dict[str, list[Any]]]:
    """One dictionary a prompt: ids, character offsets, and the mask of special tokens."""
    batch = tokenizer(
        prompts,
        add_special_tokens=True,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        verbose=False,
    )
    names = ("input_ids", "offset_mapping", "special_tokens_mask")
    return [{name: batch[name][i] for name in names} for i in range(len(prompts))]


def _prompted(item: dict[str, list[Any]], spans: Sequence[Span]) -> Prompted:
    ids, offsets, special = (
        item[key] for key in ("input_ids", "offset_mapping", "special_tokens_mask")
    )
    end = len(ids)
    while end and special[end - 1] and end > 1:
        end -= 1
    token_spans = []
    for start, stop in spans:
        inside = [i for i in range(end) if offsets[i][0] < stop and offsets[i][1] > start]
        token_spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    return Prompted(tuple(ids[:end]), tuple(token_spans))


def _shorten(
    tokenizer: Any,
    text: str,
    template: str,
    role: Role,
    max_tokens: int,
    item: dict[str, list[Any]],
    full: Prompted,
) -> Prompted:
    """Cut ``text`` at a token boundary so that the prompt fits, and tokenise it again."""
    _, spans = render(template, text, role)
    first, stop = full.spans[0]
    begin = spans[0][0]
    keep = (stop - first) - -(-(len(full.ids) - max_tokens) // len(spans))
    while keep > 0:
        cut = text[: max(item["offset_mapping"][first + keep - 1][1] - begin, 0)]
        prompt, cut_spans = render(template, cut, role)
        shorter = _prompted(_call(tokenizer, [prompt])[0], cut_spans)
        if len(shorter.ids) <= max_tokens and cut.strip():
            tokens_left = shorter.spans[0][1] - shorter.spans[0][0]
            return Prompted(shorter.ids, shorter.spans, (stop - first) - tokens_left)
        keep -= max(1, (len(shorter.ids) - max_tokens) // len(spans))
    raise PlanError(
        f"A limit of {max_tokens} tokens leaves no room for the text: the prompt alone takes "
        f"{len(full.ids) - len(spans) * (stop - first)}; raise the limit."
    )
