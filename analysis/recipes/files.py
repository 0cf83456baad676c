"""Recipes as YAML files (YAML 1.2), each option with its meaning as a comment."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, FoldedScalarString

from ..errors import RecipeError, quoted
from ..experiments.spec import is_text, meaning
from ..experiments.specs import SPECS
from ..runtime import git_lfs, yaml_reader
from ..runtime.paths import program
from .recipe import Part, Recipe

VERSION = 1
LARGEST = 100_000
"""Maximum bytes of a recipe file."""
RECIPE_KEYS = ("title", "about", "grid", "view")
"""Keys of a recipe besides its version, command and options."""
WORDS = frozenset(
    {"command", "title", "about"}
    | {name for spec in SPECS.values() for name, field in spec.options().items() if is_text(field)}
)
"""Keys of texts, which need no quotes: ``corpus: 017`` names the corpus 017."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ,()'/.-]*(?<! )")
"""Strings that need no quotes in any version of YAML."""


def write(recipe: Recipe) -> str:
    """Write a recipe as a YAML document, with all its options, defaults included."""
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
        document.yaml_add_eol_comment(meaning(field, 12), name)
    if recipe.grid:
        document["grid"] = CommentedSeq(
            CommentedMap({_text(axis): _value(values) for axis, values in part.items()})
            for part in recipe.grid
        )
        document.yaml_set_comment_before_after_key(
            "grid", before="every combination of the values; parts run one after another"
        )
    if recipe.view:
        document["view"] = CommentedMap(
            {_text(name): _value(value) for name, value in recipe.view.items()}
        )
        document.yaml_set_comment_before_after_key(
            "view", before="state of the page; no number depends on it"
        )
    document.yaml_set_start_comment(f"KV-Embedding Explorer. Run with: {program()} run FILE")
    yaml = YAML()
    yaml.width = 2**31 - 1
    yaml.allow_unicode = "".join(_texts(document)).isprintable()
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def read(text: str | bytes, name: str = "The recipe") -> Recipe:
    """Read the recipe that a YAML document holds.

    Args:
        text: the document.
        name: name of the document in an error.

    Raises:
        RecipeError: it is too large, not YAML, of another version, or does not fit a command.
    """
    if len(text) > LARGEST:
        raise RecipeError(f"{name} is larger than {LARGEST:,} bytes, the maximum.")
    if git_lfs.is_pointer(text):
        raise RecipeError(git_lfs.refusal(name))
    try:
        document = yaml_reader.read(text, WORDS)
    except yaml_reader.YAMLProblem as problem:
        raise RecipeError(f"{name} {problem}.") from None
    if not isinstance(document, dict) or not {"version", "command"} <= set(document):
        raise RecipeError(f"{name} is not a recipe: it needs a version and a command.")
    version, command = document.pop("version"), document.pop("command")
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        raise RecipeError(
            f"{name} is of version {quoted(version)}, this program reads {VERSION}: "
            + ("update the program." if newer else "download it again.")
        )
    fields = {key: document.pop(key) for key in RECIPE_KEYS if key in document}
    for option, value in document.items():
        _check_plain(name, option, value)
    for key in ("title", "about"):
        if not isinstance(fields.get(key, ""), str):
            raise RecipeError(f"{name}: {quoted(key)} must be a text.")
    grid = fields.get("grid", [])
    fields["grid"] = tuple(
        _grid(name, part) for part in (grid if isinstance(grid, list) else [grid])
    )
    if not isinstance(fields.setdefault("view", {}), dict):
        raise RecipeError(f"{name}: 'view' must give settings of a page by name.")
    for key, value in fields["view"].items():
        _check_plain(name, key, value)
    return Recipe.of(str(command), document, **fields)


def read_file(path: str) -> Recipe:
    """Read the recipe in a file.

    Raises:
        RecipeError: the file cannot be read, or as :func:`read`.
    """
    try:
        with Path(path).open("rb") as file:
            return read(file.read(LARGEST + 1), Path(path).name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a path"
        raise RecipeError(f"{quoted(path)} cannot be read: {reason}; check the path.") from None


def _check_plain(name: str, option: Any, value: Any) -> None:
    for item in value if isinstance(value, list) else [value]:
        if item is not None and not isinstance(item, str | int | float):
            raise RecipeError(
                f"{name}: {quoted(option)} must be a word, a number or a list of them."
            )


def _grid(name: str, part: Any) -> Part:
    """Check a part of a grid."""
    if not isinstance(part, dict) or not all(isinstance(v, list) for v in part.values()):
        raise RecipeError(f"{name}: each option of a grid needs a list of values.")
    for option, values in part.items():
        for value in values:
            _check_plain(name, option, value)
    return part


def _text(text: str) -> str:
    """A string that YAML 1.1 and 1.2 read as a string, quoted unless it is plain words."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else DoubleQuotedScalarString(text)


_RESERVED = {"on", "off", "yes", "no", "true", "false", "null", "y", "n"}
"""Words that some version of YAML does not read as strings."""


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
    """A text folded over several lines, if it is plain prose."""
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
