"""Control tokens, and tokenizers that read a text's spelling of one as the text it is.

A tokenizer replaces the spelling of a control token, such as ``<|im_end|>``, by the token wherever
it stands. In a prompt that is meant; in a text it would let the text control the model. So texts
that spell one are tokenised by a copy of the tokenizer that reads it as text, and knows those that
the prompt's template spells, and its placeholder, by aliases.
"""

import copy
import hashlib
import json
import threading
import uuid
from typing import Any, cast
from weakref import WeakKeyDictionary

from tokenizers import AddedToken, Tokenizer

_UNLIKELY = -1e6
"""A log probability below that of any way to write a control token in other pieces."""
_COPIES: "WeakKeyDictionary[Any, dict[bool, Copy]]" = WeakKeyDictionary()
_COPYING = threading.Lock()
_SECRET = uuid.uuid4().hex
"""Makes aliases that no text can hold."""
PLACEHOLDER = "{placeholder}"
"""The field of a template where a vocabulary entry of its own stands."""


def control_tokens(tokenizer: Any) -> dict[int, str]:
    """The control tokens of a tokenizer, by their ids; that for unknown characters is one of them.

    Args:
        tokenizer: a fast tokenizer of transformers.
    """
    added = tokenizer.added_tokens_decoder.items()
    named = zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True)
    return dict(named) | {number: token.content for number, token in added if token.special}


class Copy:
    """A tokenizer's copy that also knows aliases: of the placeholder, and of control tokens.

    Args:
        tokenizer: a fast tokenizer of transformers.
        parse: whether control tokens spelled in a text are parsed.

    Attributes:
        backend: the copy.
        ids: the tokenizer's own id for each alias of a control token.
        mark: the placeholder's alias.
        placeholder: the id of that alias.
    """

    def __init__(self, tokenizer: Any, *, parse: bool) -> None:
        backend = copy.deepcopy(tokenizer.backend_tokenizer)
        backend.no_padding()
        backend.no_truncation()
        self._known = {} if parse else control_tokens(tokenizer)
        self._added = tokenizer.added_tokens_decoder
        self.backend = backend if parse else _unreachable(backend, self._known)
        self.ids: dict[int, int] = {}
        # as transformers adds a token that is no control token
        self.mark = _alias(PLACEHOLDER)
        self.placeholder = self._add(AddedToken(self.mark))

    def template(self, template: str) -> str:
        """A template with aliases for the placeholder and the control tokens that it spells."""
        spelled = {number: text for number, text in self._known.items() if text in template}
        for number, text in sorted(spelled.items(), key=lambda item: -len(item[1])):
            if number not in self.ids.values():
                known = self._added[number]
                names = ("single_word", "lstrip", "rstrip", "normalized")
                flags = {name: getattr(known, name) for name in names}
                self.ids[self._add(AddedToken(_alias(text), **flags))] = number
            template = template.replace(text, _alias(text))
        return template.replace(PLACEHOLDER, _alias(PLACEHOLDER))

    def _add(self, token: AddedToken) -> int:
        self.backend.add_tokens([token])
        return cast(int, self.backend.token_to_id(token.content))


def copy_of(tokenizer: Any, *, parse: bool) -> Copy:
    """The copy of a tokenizer that reads control tokens as told; made once."""
    with _COPYING:
        copies = _COPIES.setdefault(tokenizer, {})
        if parse not in copies:
            copies[parse] = Copy(tokenizer, parse=parse)
        return copies[parse]


def _alias(text: str) -> str:
    return f"<{hashlib.sha256((_SECRET + text).encode()).hexdigest()}>"


def _unreachable(backend: Tokenizer, control: dict[int, str]) -> Tokenizer:
    """The tokenizer made to read control tokens as text.

    Some models would still compose one from a text's pieces, and lose the merges, or the
    probability, that it takes.
    """
    backend.encode_special_tokens = True
    encodings = backend.encode_batch(list(control.values()), add_special_tokens=False)
    if control.keys().isdisjoint(number for encoding in encodings for number in encoding.ids):
        return backend
    spellings = set(control.values())
    document = json.loads(backend.to_str())
    model = document["model"]
    if "merges" in model:
        merges = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
        model["merges"] = [pair for pair in merges if "".join(pair) not in spellings]
    elif model["type"] == "Unigram":
        model["vocab"] = [
            [piece, _UNLIKELY if piece in spellings else score] for piece, score in model["vocab"]
        ]
    changed = Tokenizer.from_str(json.dumps(document))
    changed.encode_special_tokens = True
    return changed
