"""Names of vectors made elsewhere: how options give them, and which can be used."""

import re
from pathlib import PurePath

from ..errors import CorpusError, quoted
from .methods import METHODS, VARIANTS

_NAME = re.compile(r"[^\W_](?:[\w ./-]{0,58}[\w./-])?")


def parted(item: str) -> tuple[str, str]:
    """The name and the file of an option ``NAME=FILE``.

    Raises:
        ValueError: one of both is missing.
    """
    name, equals, file = item.partition("=")
    if not (name.strip() and equals and file.strip()):
        raise ValueError("vectors are given as NAME=FILE")
    return name.strip(), file.strip()


def check_name(name: str) -> None:
    """Refuse a name that vectors cannot stand under beside the methods.

    Raises:
        CorpusError: it is empty, long, has signs that names do not have, or is that of a method.
    """
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise CorpusError(
            "Vectors have a name of at most 60 letters, digits, spaces and . / - _, which begins "
            f"with a letter or digit, not {quoted(name)}."
        )
    if name in METHODS or name in VARIANTS:
        raise CorpusError(f"Vectors cannot be called {quoted(name)}, which is a method.")


def proposed(file: str) -> str:
    """A name for the vectors of a file, from the file's own."""
    stem = re.sub(r"[^\w./-]+", "-", PurePath(file).stem).strip("_./-")[:60]
    return stem if stem and stem not in METHODS | VARIANTS else f"{stem}-vectors".strip("-")
