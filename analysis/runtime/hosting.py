"""Hosted mode: what a shared server lets its visitors load and send.

One setting turns it on, the environment variable ``KVE_HOSTED``. Unset, empty or ``0``, the app is
for its owner alone and nothing is restricted. With ``1``, only what is packaged can be loaded, and
the folder that ``KVE_CORPORA`` names. The path of a YAML file does the same, adds to it, and sets
the limits::

    backbones: [Qwen/Qwen3-4B@1cfa9a7]   # as a visitor types them, beside the packaged ones
    corpora: [stsb-test]                 # sets on the hub, beside the packaged ones
    megabytes: 10                        # of an uploaded file, and of a ZIP unpacked
    rows: 20000                          # of a table
    cells: 2000000                       # of a table, rows times columns
    characters: 100000                   # of a text
    uploads: 8                           # files of a visit on the server
    uploaded_megabytes: 400              # files of all visits on the server
    visits: 100                          # open at once
    tokens: 60000                        # encoded a minute for each visitor
    address_header: X-Real-IP            # where a proxy writes a visitor's address

Checked by :func:`analysis.backbones.sources.resolve` for backbones,
:mod:`analysis.corpora.registry` for corpora, :mod:`analysis.corpora.parsing` and
:mod:`analysis.corpora.beir` for files, :mod:`analysis.embedding.prompts` for what is encoded, and
:mod:`analysis.runtime.visitors` for how much of it; ``pages/shared/server.py`` counts uploads and
visits.
If the settings cannot be read, all of these refuse.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from ..errors import BackboneError, CorpusError, ExplorerError, HostingError, quoted
from . import paths, yaml_reader

VARIABLE = "KVE_HOSTED"
_FOLDERS = (
    VARIABLE,
    "KVE_CACHE",
    "KVE_CORPORA",
    "HF_HOME",
    "HF_HUB_CACHE",
    "XDG_CACHE_HOME",
    "PWD",
)
"""Variables that may name a file or folder of the server."""


@dataclass(frozen=True)
class Hosting:
    """What visitors may load beside what is packaged, and how much they may send."""

    backbones: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    megabytes: int = 10
    rows: int = 20_000
    cells: int = 2_000_000
    characters: int = 100_000
    uploads: int = 8
    uploaded_megabytes: int = 400
    visits: int = 100
    tokens: int = 60_000
    address_header: str = ""


def hosted() -> Hosting | None:
    """The limits of hosted mode; None where it is off.

    The file is read once: changing it takes a restart.

    Raises:
        HostingError: ``KVE_HOSTED`` is neither 0 nor 1, nor the path of a YAML file of settings.
    """
    return _read(os.environ.get(VARIABLE, "").strip())


@lru_cache(maxsize=8)
def _read(setting: str) -> Hosting | None:
    if setting in ("", "0"):
        return None
    if setting == "1":
        return Hosting()
    problem = f"{VARIABLE} is {quoted(setting)}: write 0, 1 or the path of a YAML file of settings"
    try:
        settings = yaml_reader.read(Path(setting).read_bytes()) or {}
    except yaml_reader.YAMLProblem as error:
        raise HostingError(f"{problem}; it {error}.") from None
    except (OSError, ValueError):
        raise HostingError(f"{problem} that can be read.") from None
    defaults = {field.name: field.default for field in fields(Hosting)}
    if not isinstance(settings, dict) or not set(settings) <= set(defaults):
        raise HostingError(f"{problem}; its settings may be {', '.join(defaults)}.")
    for name, value in settings.items():
        if isinstance(defaults[name], tuple):
            is_valid = isinstance(value, list) and all(isinstance(item, str) for item in value)
            settings[name] = tuple(value) if is_valid else value
        elif isinstance(defaults[name], str):
            is_valid = isinstance(value, str)
        else:
            is_valid = type(value) is int and value > 0
        if not is_valid:
            kind = "a whole number above 0"
            if isinstance(defaults[name], tuple):
                kind = "a list of names"
            elif isinstance(defaults[name], str):
                kind = "the name of a header"
            raise HostingError(f"{problem}; its {name} must be {kind}.")
    return Hosting(**settings)


def without_paths(text: str) -> str:
    """A text as visitors may read it: on a hosted server without the paths of its folders."""
    if os.environ.get(VARIABLE, "").strip() in ("", "0"):
        return text
    for folder in sorted({str(path) for path in _folders()}, key=len, reverse=True):
        text = text.replace(folder, "(this server)")
    return text


def _folders() -> Iterator[Path]:
    """The folders of the server that a message could name, links followed and not."""
    named = (os.environ.get(name) for name in _FOLDERS)
    own = (sys.prefix, sys.base_prefix, __file__, tempfile.gettempdir(), *sys.path)
    folders = [Path(folder) for folder in (*named, *own) if folder]
    with suppress(RuntimeError, ExplorerError):  # a user without a home folder
        folders += [paths.cache_home(), Path.home()]
    for folder in folders:
        for each in (folder, folder.absolute(), folder.resolve()):
            if each.is_absolute() and len(each.parts) > 1:
                yield each


def check_backbone(name: str, packaged: Iterable[str]) -> None:
    """Refuse a backbone that a hosted server does not offer.

    Args:
        name: the backbone as the visitor names it.
        packaged: names of the packaged backbones.

    Raises:
        BackboneError: it is neither packaged nor on the operator's list.
    """
    if (limits := hosted()) and name not in (offered := (*packaged, *limits.backbones)):
        raise BackboneError(
            f"This server does not load {quoted(name)}; it offers {', '.join(offered)}."
        )


def check_corpus(name: str, offered: Iterable[str]) -> None:
    """Refuse a corpus that a hosted server does not offer, paths among them.

    Args:
        name: name or path of the corpus.
        offered: names of the corpora that visitors may load.

    Raises:
        CorpusError: it is not one of ``offered``.
    """
    if hosted() and name not in (names := tuple(dict.fromkeys(offered))):
        raise CorpusError(f"This server does not read {quoted(name)}; it has {', '.join(names)}.")


def check_size(name: str, size: int) -> None:
    """Refuse a file of more bytes than a hosted server takes.

    Args:
        name: name of the file.
        size: its size in bytes.

    Raises:
        CorpusError: it has more.
    """
    if (limits := hosted()) and size > limits.megabytes * 1_000_000:
        raise CorpusError(
            f"{name} has {size / 1e6:.1f} MB, and this server takes {limits.megabytes} MB; send a "
            f"part of it."
        )


def check_rows(name: str, rows: int) -> None:
    """Refuse a table of more rows than a hosted server takes.

    Args:
        name: name of the table.
        rows: its number of rows.

    Raises:
        CorpusError: it has more.
    """
    if (limits := hosted()) and rows > limits.rows:
        raise CorpusError(
            f"{name} has {rows:,} rows, and this server takes {limits.rows:,}; send a part of it."
        )


def check_text(name: str, characters: int) -> None:
    """Refuse to encode a text longer than a hosted server takes.

    Args:
        name: what the text is called.
        characters: its length.

    Raises:
        CorpusError: it is longer.
    """
    if (limits := hosted()) and characters > limits.characters:
        raise CorpusError(
            f"{name} has {characters:,} characters, and this server takes "
            f"{limits.characters:,}; shorten it."
        )
