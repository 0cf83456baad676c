"""The errors that a user can meet.

Each carries one sentence that says what is wrong and what to do. The command line prints it on
standard error and exits with code 2; a page shows it in place of the result.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable

QUOTED = 200
"""Maximum characters that a sentence quotes of anything."""
_LONGEST = 3 * QUOTED
"""Maximum characters of a sentence; what is longer quotes something at length."""
_LONG_WORD = re.compile(rf"\S{{{QUOTED + 1},}}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ExplorerError(Exception):
    """A problem that the user can solve; ``str(error)`` is the sentence to show.

    Args:
        sentence: what is wrong and what to do. What it quotes goes through :func:`quoted`; words
            of more than :data:`QUOTED` characters, and sentences three times as long, lose their
            middle. Line breaks become spaces, and other control characters are escaped.
    """

    def __init__(self, sentence: str = "") -> None:
        sentence = _CONTROL.sub(lambda sign: repr(sign[0])[1:-1], " ".join(sentence.splitlines()))
        sentence = _LONG_WORD.sub(lambda word: _cut(word[0], QUOTED // 2), sentence)
        super().__init__(_cut(sentence, QUOTED) if len(sentence) > _LONGEST else sentence)


class BackboneError(ExplorerError):
    """A backbone does not exist, cannot be loaded or cannot be re-routed."""


class OutOfMemory(BackboneError):  # noqa: N818
    """A backbone, or one of its batches, does not fit into memory."""


class CorpusError(ExplorerError):
    """A corpus or file cannot be read, or is too small for the request."""


class PlanError(ExplorerError):
    """A layer list, bias, method or rule does not exist or does not fit the backbone."""


class RecipeError(ExplorerError):
    """A command or a recipe cannot be understood."""


class LimitError(ExplorerError):
    """A visitor of a hosted server had its share, and has to wait."""


class ForkError(ExplorerError):
    """A process was forked from one that had loaded a backbone, where PyTorch would hang."""


class PrecisionError(ExplorerError):
    """PyTorch computes with another precision than the backbone was loaded with."""


class HostingError(ExplorerError):
    """The settings of hosted mode cannot be read; nothing is served until they can."""


class SettingsError(ExplorerError):
    """A variable of the environment that cannot be understood."""


class ResultsError(ExplorerError):
    """A file of results cannot be read, or belongs to another recipe."""


class EngineError(ExplorerError):
    """Work could not be given to workers, or they could not finish it."""


class _Brief(reprlib.Repr):
    """Representations of a few parts of a value."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 3
        self.maxstring = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        """An integer; Python itself writes none of more than 4,300 digits."""
        bits = x.bit_length()
        return super().repr_int(x, level) if bits < 2000 else f"an integer of {bits:,} bits"


_BRIEF = _Brief()


def quoted(value: object) -> str:
    """A value as a sentence quotes it: its representation, without the middle of a long one.

    Args:
        value: any value; of a large one only a few parts are looked at.

    Returns:
        At most 120 characters on one line.
    """
    text = _BRIEF.repr(value)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= 120 else _cut(text, 40)


def listed(names: Iterable[object], wanted: object = "") -> str:
    """Names to choose from as a sentence lists them.

    Args:
        names: the names.
        wanted: what was given instead; of many names those like it come first.

    Returns:
        At most twelve names, and how many more there are.
    """
    words = [str(name) for name in names]
    if len(words) <= 12:
        return ", ".join(words)
    similar = difflib.get_close_matches(str(wanted)[:80], words, 3)
    ordered = [*similar, *(word for word in words if word not in similar)]
    return f"{', '.join(ordered[:12])} and {len(ordered) - 12} more"


def _cut(text: str, ends: int) -> str:
    return f"{text[:ends]} ... {text[-ends:]}"


def one_line(error: Exception, limit: int = 140) -> str:
    """The message of a library's error on one line, to be quoted inside a sentence.

    Args:
        error: the error; one without a message gives its class.
        limit: maximum number of characters.
    """
    message = " ".join(str(error).split()) or type(error).__name__
    return message.rstrip(".") if len(message) <= limit else f"{message[: limit - 3]}..."
