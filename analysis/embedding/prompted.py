"""Texts inside one template, as token ids: where the text, its copies and placeholders stand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..errors import PlanError, quoted
from . import pieces
from .control_tokens import PLACEHOLDER, control_tokens, copy_of
from .pieces import Pieces

Span = tuple[int, int]
_FIELDS = re.compile(r"(\{role\}|\{text\})")


@dataclass(frozen=True)
class Prompted:
    """One tokenised prompt: its ids, the token spans of each copy of the text, and what was cut.

    ``copies`` are the places of placeholders, each with that of the token whose state it takes.
    ``away`` is the prompt that the last token is moved away from, for methods with a contrast.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    tokens_cut: int = 0
    copies: tuple[tuple[int, int], ...] = ()
    away: "Prompted | None" = None

    @property
    def slots(self) -> tuple[int, ...]:
        """The places of placeholders."""
        return tuple(slot for slot, _ in self.copies)

    @property
    def text_tokens(self) -> int:
        """Tokens of the first copy of the text, without placeholders inside it."""
        first, stop = self.spans[0]
        return stop - first - sum(first <= slot < stop for slot in self.slots)

    @property
    def away_ids(self) -> tuple[int, ...]:
        """The ids of ``away``; none where there is no such prompt."""
        return self.away.ids if self.away else ()


def render(template: str, text: str, role: str = "Context") -> tuple[str, tuple[Span, ...]]:
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


class Filled(NamedTuple):
    """One text in its prompt: the prompt, where the text begins, and its tokens as read."""

    prompt: str
    begin: int
    ids: list[int]
    offsets: list[Span]
    prompted: Prompted


class Reader:
    """Tokenises texts inside one template."""

    def __init__(
        self,
        tokenizer: Any,
        template: str,
        role: str,
        placeholder: str,
        before: Pieces,
        *,
        parse: bool,
    ) -> None:
        self._tokenizer, self._template, self._role = tokenizer, template, role
        self._before, self._parse = before, parse
        self._control = control_tokens(tokenizer)
        self._unknown = tokenizer.unk_token_id
        self._placeholder, self._mark = placeholder, ""

    def fill(self, texts: Sequence[str]) -> list[Filled]:
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

    def _fill_by_copy(self, texts: Sequence[str]) -> list[Filled]:
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
        self._mark = copied.mark
        rendered = [self._render_marked(template, text) for text in texts]
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
                copies=self._copies(one.prompted, copied.placeholder),
            )
            out.append(one._replace(prompted=prompted))
        return out

    def _render_marked(self, template: str, text: str) -> tuple[str, tuple[Span, ...]]:
        """Fill a template; where pieces are told apart, each gets a placeholder before it.

        There are as many where the template has one.
        """
        if self._before != "text" and self._mark in template:
            parts = pieces.cut(text, self._before, self._tokenizer)
            template = template.replace(self._mark, self._mark * len(parts))
            text = "".join(self._mark + part for part in parts)
        return render(template, text, self._role)

    def _copies(self, prompted: Prompted, placeholder: int) -> tuple[tuple[int, int], ...]:
        """Where placeholders stand, each with the last token of its piece, or of the prompt."""
        slots = [at for at, token in enumerate(prompted.ids) if token == placeholder]
        if self._before == "text" or not slots:
            return tuple((slot, len(prompted.ids) - 1) for slot in slots)
        first, stop = prompted.spans[0]
        inside = [slot for slot in slots if first <= slot < stop]
        ends = [*(slot - 1 for slot in inside[1:]), stop - 1]
        before = [slot for slot in slots if not first <= slot < stop]
        return (*zip(inside, ends, strict=True), *zip(before, ends, strict=False))

    def parsed(self, filled: Filled) -> str | None:
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

    def within(self, max_tokens: int | None, text: str, filled: Filled) -> Prompted:
        """The prompt, its text cut at a token boundary so that it has at most ``max_tokens``."""
        full = filled.prompted
        if max_tokens is None or len(full.ids) <= max_tokens:
            return full
        first, stop = full.spans[0]
        # a token less is one less in each copy, and may be a placeholder less in front as well
        lost = len(full.spans) * (1 if self._before == "text" else 2)
        keep = (stop - first) - -(-(len(full.ids) - max_tokens) // lost)
        while keep > 0:
            read = filled.prompt[filled.begin : filled.offsets[first + keep - 1][1]]
            cut = text[: len(read.replace(self._mark, "") if self._mark else read)]
            shorter = self.fill([cut])[0].prompted if cut.strip() else full
            if len(shorter.ids) <= max_tokens:
                return replace(shorter, tokens_cut=full.text_tokens - shorter.text_tokens)
            keep -= max(1, (len(shorter.ids) - max_tokens) // lost)
        raise PlanError(
            f"A limit of {max_tokens} tokens leaves no room for the text: the prompt alone takes "
            f"{len(full.ids) - len(full.spans) * (stop - first)}; raise the limit."
        )


def _filled(
    prompt: str,
    spans: Sequence[Span],
    ids: list[int],
    offsets: list[Span],
    special: list[int],
) -> Filled:
    """The tokens of a prompt and of each copy of its text, without special ones at the end."""
    end = len(ids)
    while end and special[end - 1] and end > 1:
        end -= 1
    token_spans = []
    for start, stop in spans:
        inside = [i for i in range(end) if offsets[i][0] < stop and offsets[i][1] > start]
        token_spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    prompted = Prompted(tuple(ids[:end]), tuple(token_spans))
    return Filled(prompt, spans[0][0], ids, offsets, prompted)
