"""Recipes as YAML files (YAML 1.2): each option with what it means, written and read."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, FoldedScalarString

from ..errors import RecipeError
from ..experiments.spec import meaning
from ..runtime.paths import program
from .recipe import Part, Recipe

VERSION = 1
LARGEST = 100_000
"""Bytes that a recipe's file may have."""
OWN = ("title", "about", "grid", "view")
"""What a recipe holds besides a command and its options."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ,()'/.-]*(?<! )")
"""Words that need no quotes, so that only they go without."""


def write(recipe: Recipe) -> str:
    """The recipe as a YAML document."""
    document = CommentedMap()
    document["version"] = VERSION
    for name in ("title", "about"):
        if text := getattr(recipe, name):
            document[name] = _prose(text)
    document["command"] = recipe.command
    everywhere = recipe.everywhere
    for name, value in recipe.spec.values().items():
        if value is None or name in everywhere:
            continue
        field = recipe.spec.options()[name]
        document[_text(name)] = _value(value)
        document.yaml_add_eol_comment(meaning(field), name)
    if recipe.grid:
        document["grid"] = CommentedSeq(
            CommentedMap({_text(axis): _value(values) for axis, values in part.items()})
            for part in recipe.grid
        )
        document.yaml_set_comment_before_after_key(
            "grid", before="each with each; parts one after the other"
        )
    if recipe.view:
        document["view"] = CommentedMap(
            {_text(name): _value(value) for name, value in recipe.view.items()}
        )
        document.yaml_set_comment_before_after_key(
            "view", before="what else the page shows; no number depends on it"
        )
    document.yaml_set_start_comment(f"KV-Embedding Explorer. Run it again: {program()} run FILE")
    yaml = YAML()
    yaml.width = 2**31 - 1
    yaml.allow_unicode = "".join(_texts(document)).isprintable()
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def read(text: str | bytes, name: str = "The recipe") -> Recipe:
    """The recipe that a YAML document holds.

    Raises:
        RecipeError: it is too large or no YAML, of a newer version, or does not fit a command.
    """
    if len(text) > LARGEST:
        raise RecipeError(f"{name} is larger than {LARGEST:,} bytes, which no recipe is.")
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        key = re.search(r'key "(.*?)"', str(error.problem))
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        said = key[1] if key else "a key"
        raise RecipeError(f"{name} says {said!r} twice, again in line {line}; keep one.") from None
    except (YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        where = f" in line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{name} is no readable YAML{where}; download it anew.") from None
    if not isinstance(document, dict) or not {"version", "command"} <= set(document):
        raise RecipeError(f"{name} is no recipe: it needs a version and a command.")
    version, command = document.pop("version"), document.pop("command")
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        raise RecipeError(
            f"{name} is of version {version!r:.40}, this program reads {VERSION}: "
            + ("update the program." if newer else "download it anew.")
        )
    own = {part: document.pop(part) for part in OWN if part in document}
    for option, value in document.items():
        _check_plain(name, option, value)
    for part in ("title", "about"):
        if not isinstance(own.get(part, ""), str):
            raise RecipeError(f"{name}: {part!r} is no text.")
    grid = own.get("grid", [])
    own["grid"] = tuple(_grid(name, part) for part in (grid if isinstance(grid, list) else [grid]))
    if not isinstance(own.setdefault("view", {}), dict):
        raise RecipeError(f"{name}: 'view' does not name what a page shows.")
    for key, value in own["view"].items():
        _check_plain(name, key, value)
    own["view"] = {str(key): value for key, value in own["view"].items()}
    return Recipe.of(str(command), document, **own)


def read_file(path: str) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: the file cannot be read, or as :func:`read`.
    """
    try:
        with Path(path).open("rb") as file:
            return read(file.read(LARGEST + 1), Path(path).name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise RecipeError(f"{path!r} cannot be read: {reason}; check the path.") from None


def _check_plain(name: str, option: Any, value: Any) -> None:
    for part in value if isinstance(value, list) else [value]:
        if part is not None and not isinstance(part, str | int | float):
            raise RecipeError(f"{name}: {option!r} is neither a word, a number nor a list.")


def _grid(name: str, part: Any) -> Part:
    """A part of a grid, as the file has it."""
    if not isinstance(part, dict) or not all(isinstance(v, list) for v in part.values()):
        raise RecipeError(f"{name}: a grid gives each of its options a list of values.")
    for option, values in part.items():
        for value in values:
            _check_plain(name, option, value)
    return part


def _text(text: str) -> str:
    """A string that YAML 1.1 and 1.2 read as one, in quotes unless it is plain words."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else DoubleQuotedScalarString(text)


_RESERVED = {"on", "off", "yes", "no", "true", "false", "null", "y", "n"}
"""Words that some YAML reads as something else."""


def _value(value: Any) -> Any:
    """A value for the document; lists on one line."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        values = CommentedSeq(map(_value, value))
        values.fa.set_flow_style()
        return values
    return value


def _prose(text: str) -> str:
    """A text over as many lines as it takes, where it is plain prose."""
    lines = textwrap.wrap(text, 90, break_long_words=False, break_on_hyphens=False)
    if len(lines) < 2 or " ".join(lines) != text or not text.isprintable():
        return _text(text)
    folded: str = FoldedScalarString(text)
    breaks = [len(" ".join(lines[: number + 1])) for number in range(len(lines) - 1)]
    folded.fold_pos = breaks  # type: ignore[attr-defined]
    return folded


def _texts(value: Any) -> Iterator[str]:
    """The strings of nested lists and maps."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value
