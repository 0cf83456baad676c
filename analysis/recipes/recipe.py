"""A recipe: what was run, as data. A YAML file and a command are its spellings.

A recipe is a command with everything it was told (:mod:`analysis.recipes.options`), defaults included, so
that it means the same when defaults change. With a grid it is many: one for each choice of some
options' values.
"""

import argparse
import difflib
import itertools
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import RecipeError
from ..storage import result_store
from .options import PROGRAM, options_of, parser

VERSION = 1
LARGEST = 100_000
"""Bytes that a recipe's file may have."""
MOST = 1000
"""Points that a grid may have."""
Part = dict[str, list[Any]]
"""A part of a grid: what each of some options takes in turn, each with each."""
OWN = ("title", "about", "grid", "view")
"""What a recipe holds besides a command and its options."""


@dataclass(frozen=True)
class Recipe:
    """A command and its options by name (``"key-position"``), each a scalar or a list of words.

    ``grid`` has parts that are run one after the other. ``title`` and ``about`` say what it is
    for; ``view`` is what else a page shows, its name among it: no number depends on these three.

    Raises:
        RecipeError: there is no such command or option, or a value is not allowed, or the grid is
            empty or has more than :data:`MOST` points.
    """

    command: str
    options: Mapping[str, Any]
    grid: tuple[Part, ...] = ()
    view: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if self.command == "run":
            raise RecipeError("A recipe cannot run another one; name the command of that one.")
        known = options_of(self.command)
        for name in (*self.options, *(axis for part in self.grid for axis in part)):
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                guess = f"use {near[0]!r}." if near else f"it has {', '.join(known)}."
                raise RecipeError(f"The command {self.command} has no option {name!r}: {guess}")
        if any(not values for part in self.grid for values in part.values()) or {} in self.grid:
            raise RecipeError("Each option of a grid needs a list of one value at least.")
        if (size := self.size) > MOST:
            raise RecipeError(f"A grid of {size:,} points is more than {MOST:,}; make it smaller.")
        # What only the grid says may be required, and what all its parts say is never asked for.
        told = {**next(self._choices(), {}), **self.options}
        parsed = self._parsed(told)
        given = set(self.options) - self._everywhere() if self.grid else set(known)
        whole = {
            name: parsed[action.dest] if name in given else action.default
            for name, action in known.items()
        }
        for part in self.grid:
            for name, values in part.items():
                for value in values:
                    self._parsed(told | {name: value})
        object.__setattr__(self, "options", whole)

    @property
    def size(self) -> int:
        """How many points there are: 1 without a grid."""
        parts = (math.prod(map(len, part.values())) for part in self.grid)
        return sum(parts) if self.grid else 1

    @property
    def axes(self) -> tuple[str, ...]:
        """The options that the grid sets, in its order."""
        return tuple(dict.fromkeys(axis for part in self.grid for axis in part))

    def _everywhere(self) -> set[str]:
        """The options that each part of the grid sets."""
        return set.intersection(*map(set, self.grid)) if self.grid else set()

    def _choices(self) -> Iterator[dict[str, Any]]:
        for part in self.grid:
            for values in itertools.product(*part.values()):
                yield dict(zip(part, values, strict=True))

    def points(self) -> list["Recipe"]:
        """A recipe without a grid for each point; those of one backbone stand side by side."""
        if not self.grid:
            return [self]
        found = [Recipe(self.command, {**self.options, **choice}) for choice in self._choices()]
        backbones = list(dict.fromkeys(_held(point) for point in found))
        return sorted(found, key=lambda point: backbones.index(_held(point)))

    @property
    def digest(self) -> str:
        """The identity of what is run: of the command, its options and the grid."""
        return result_store.digest(self.command, self.options, self.grid)

    def _parsed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return vars(parser().parse_args(self._words(options)))

    def _words(self, options: Mapping[str, Any]) -> list[str]:
        """The options as a shell would give them."""
        words = [self.command]
        for name, action in options_of(self.command).items():
            value = options.get(name)
            if value is None:
                continue
            if action.nargs == 0:
                words += [f"--{name}"] if value else []
            elif isinstance(value, list | tuple) and action.nargs == "+":
                words += [f"--{name}", *map(str, value)]
            elif isinstance(value, list | tuple):
                words += [f"--{name}={one}" for one in value]
            else:
                words.append(f"--{name}={value}")
        return words

    def arguments(self) -> list[str]:
        """What follows ``python -m analysis``, without what would be so anyway."""
        known = options_of(self.command)
        told = {name: value for name, value in self.options.items() if value != known[name].default}
        return self._words(told)

    def namespace(self) -> argparse.Namespace:
        """The options as a command takes them."""
        return parser().parse_args(self._words(self.options))

    def command_line(self) -> str:
        """The recipe as it is typed into a shell; one with a grid has to be a file."""
        if self.grid:
            return f"{PROGRAM} run {self.command}.yaml"
        return f"{PROGRAM} {shlex.join(self.arguments())}"

    def yaml(self) -> str:
        """The recipe as a file, each option with what it means."""
        lines = [
            f"# KV-Embedding Explorer. Run it again: {PROGRAM} run FILE",
            f"version: {VERSION}",
            *(_prose(name, text) for name in ("title", "about") if (text := getattr(self, name))),
            f"command: {self.command}",
        ]
        for name, action in options_of(self.command).items():
            value = self.options.get(name)
            if value is None or name in self._everywhere():
                continue
            one_of = "one of " + ", ".join(map(str, action.choices)) if action.choices else ""
            lines.append(f"{_flow(name)}: {_flow(value)}")
            if meaning := action.help or one_of or action.metavar:
                lines[-1] += f"  # {meaning}"
        if self.grid:
            lines.append("grid:  # each with each; parts one after the other")
        for part in self.grid:
            for axis, values in part.items():
                lead = "- " if axis == next(iter(part)) else "  "
                lines.append(f"{lead}{_flow(axis)}: {_flow(values)}")
        if self.view:
            lines.append("view:  # what else the page shows; no number depends on it")
        lines += [f"  {_flow(name)}: {_flow(value)}" for name, value in self.view.items()]
        return "\n".join(lines) + "\n"


def _held(point: Recipe) -> tuple[Any, ...]:
    """What decides which backbone a point needs in memory."""
    return tuple(point.options.get(name) for name in ("backbone", "dtype", "device"))


def _texts(value: Any) -> Iterator[str]:
    """The scalars of nested lists, as text."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    else:
        yield str(value)


def _prose(name: str, text: str) -> str:
    """A text over as many lines as it takes."""
    dumped: str = yaml.safe_dump({name: text}, allow_unicode=text.isprintable(), width=90)
    return dumped.strip()


class _Whole(yaml.SafeDumper):
    """PyYAML's safe dumper, which would write a value once and point to it where it comes again."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _flow(value: Any) -> str:
    """A scalar or a list as YAML on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    shown = str(plain) if isinstance(plain, str) else "".join(_texts(plain))
    line: str = yaml.dump(
        [plain],
        Dumper=_Whole,
        default_flow_style=True,
        allow_unicode=shown.isprintable(),
        width=10**9,
    )
    return line.strip()[1:-1]


def read(text: str | bytes, name: str = "The recipe") -> Recipe:
    """The recipe that a YAML file holds.

    Raises:
        RecipeError: it is too large or no YAML, of a newer version, or does not fit a command.
    """
    if len(text) > LARGEST:
        raise RecipeError(f"{name} is larger than {LARGEST:,} bytes, which no recipe is.")
    try:
        found = yaml.load(text, _Once)
    except _TwiceError as error:
        line, key = error.args
        raise RecipeError(f"{name} says {key!r} twice, again in line {line}; keep one.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{name} is no readable YAML{where}; download it anew.") from None
    if not isinstance(found, dict) or not {"version", "command"} <= set(found):
        raise RecipeError(f"{name} is no recipe: it needs a version and a command.")
    version, command = found.pop("version"), found.pop("command")
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, int) and version > VERSION
        raise RecipeError(
            f"{name} is of version {version!r}, this program reads {VERSION}: "
            + ("update the program." if newer else "download it anew.")
        )
    found = _spelled(found)
    for option, value in found.items():
        if option not in OWN:
            _plain(name, option, value)
    own = {part: found.pop(part) for part in OWN if part in found}
    for part in ("title", "about"):
        if not isinstance(own.get(part, ""), str):
            raise RecipeError(f"{name}: {part!r} is no text.")
    grid = own.get("grid", [])
    own["grid"] = tuple(_grid(name, part) for part in (grid if isinstance(grid, list) else [grid]))
    if not isinstance(own.setdefault("view", {}), dict):
        raise RecipeError(f"{name}: 'view' does not name what a page shows.")
    for key, value in own["view"].items():
        _plain(name, key, value)
    own["view"] = {str(key): value for key, value in own["view"].items()}
    return Recipe(str(command), found, **own)


class _TwiceError(Exception): ...


class _Once(yaml.SafeLoader):
    """PyYAML's safe loader, which of two equal keys would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _TwiceError(key.start_mark.line + 1, key.value)
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


def _spelled(found: dict[Any, Any]) -> dict[Any, Any]:
    """Options by name: unquoted, YAML takes ``on`` for true."""
    return {"on" if option is True else option: value for option, value in found.items()}


def _plain(name: str, option: Any, value: Any) -> None:
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, str | int | float):
            raise RecipeError(f"{name}: {option!r} is neither a word, a number nor a list.")


def _grid(name: str, part: Any) -> Part:
    """A part of a grid, as the file has it."""
    if not isinstance(part, dict) or not all(isinstance(v, list) for v in part.values()):
        raise RecipeError(f"{name}: a grid gives each of its options a list of values.")
    for option, values in part.items():
        for value in values:
            _plain(name, option, "" if value is None else value)
    return _spelled(part)


def read_file(path: str) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: the file cannot be read, or as ``read``.
    """
    try:
        with Path(path).open("rb") as file:
            return read(file.read(LARGEST + 1), Path(path).name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise RecipeError(f"{path!r} cannot be read: {reason}; check the path.") from None
