"""The base of every question: a frozen value whose fields are its options.

An option is defined once, as a typed field with its default, allowed values and meaning. The
command line, recipes, links, scripts and the widgets of the pages derive from it.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from ..errors import RecipeError, listed, quoted
from ..storage import result_store


@dataclass(frozen=True)
class Option:
    """How a field is written on the command line.

    Attributes:
        metavar: name of its value in the help.
        repeated: whether the option is given once for each value of a tuple.
        group: its heading in the help.
        unset: the default in words, where the default is None.
        reads: what the value names that is read, and may be a file or folder of the user's.
        writes: whether the value names a file or a folder that is written.
        files: in such a folder, the files whose names are always the same.
    """

    metavar: str | None = None
    repeated: bool = False
    group: str | None = None
    unset: str | None = None
    reads: Literal["file", "vectors", "corpus", "backbone"] | None = None
    writes: Literal["file", "folder"] | None = None
    files: tuple[str, ...] = ()


def _as_tuple(value: Any) -> Any:
    """A tuple of a single value or a list, as users write them."""
    if value is None or isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, list) else (value,)


Several = BeforeValidator(_as_tuple)
"""Validator that turns a list or a single value into a tuple."""


class Spec(BaseModel):
    """A question as a frozen, hashable value.

    Attributes:
        command: the name of the question, on the command line and in recipes.
        summary: what it does, in one sentence.
        topic: its heading in the list of commands.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)
    command: ClassVar[str]
    summary: ClassVar[str]
    topic: ClassVar[str]

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        """The fields by the names of their options, such as ``"key-position"``."""
        return {name.replace("_", "-"): field for name, field in cls.model_fields.items()}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Self:
        """Build a spec from some options; the others have their defaults.

        Args:
            values: plain values by the names of their options; None is the default.

        Raises:
            RecipeError: there is no such option, a required one is missing, or a value is not
                allowed.
        """
        options = cls.options()
        for name in values:
            if name not in options:
                similar = difflib.get_close_matches(str(name), options, 1)
                hint = (
                    f"use {quoted(similar[0])}"
                    if similar
                    else f"it has {listed(options) or 'none'}"
                )
                raise RecipeError(
                    f"The command {cls.command} has no option {quoted(name)}: {hint}."
                )
        fields = {_attribute(name): value for name, value in values.items()}
        try:
            return cls(**{name: value for name, value in fields.items() if value is not None})
        except ValidationError as error:
            raise RecipeError(cls._sentence(error)) from None

    @classmethod
    def _sentence(cls, error: ValidationError) -> str:
        """The first problem, in one sentence."""
        problem = error.errors(include_url=False)[0]  # of a union, that of its names
        name = str(problem["loc"][0]).replace("_", "-") if problem["loc"] else ""
        value = quoted(problem["input"])
        match problem["type"]:
            case "missing":
                return f"The command {cls.command} needs the option --{name}."
            case "literal_error":
                return (
                    f"Option --{name}: invalid choice: {value}; choose from "
                    f"{listed(choices(cls.options()[name]), problem['input'])}."
                )
            case "greater_than_equal" | "less_than" | "int_parsing" | "int_from_float" | "int_type":
                least = next((at.ge for at in cls.options()[name].metadata if hasattr(at, "ge")), 1)
                rule = _INTEGER.get(name, _COUNT.format(least))
                return f"Option --{name}: {rule}, not {value}."
            case "float_parsing" | "float_type":
                return f"Option --{name}: must be a number, not {value}."
            case "value_error":
                reason = str(problem["msg"]).removeprefix("Value error, ")
                return f"Option --{name}: {reason}, not {value}."
        return f"Option --{name}: {value} is not allowed ({problem['msg']})."

    def values(self) -> dict[str, Any]:
        """All values by the names of their options; a tuple as a list."""
        values = {name: getattr(self, _attribute(name)) for name in self.options()}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    def changed(self) -> dict[str, Any]:
        """The :meth:`values` that are required or differ from their defaults."""
        options = self.options()
        return {
            name: value
            for name, value in self.values().items()
            if options[name].is_required()
            or getattr(self, _attribute(name)) != options[name].default
        }

    def words(self) -> list[str]:
        """The spec as words of a shell: the command, then the options that were changed."""
        words = [self.command]
        for name, value in self.changed().items():
            if value is None or value is False:
                continue
            if value is True:
                words.append(f"--{name}")
            elif isinstance(value, list) and option_of(self.options()[name]).repeated:
                words += [f"--{name}={item}" for item in value]
            elif isinstance(value, list):
                words += [f"--{name}", *map(str, value)]
            else:
                words.append(f"--{name}={value}")
        return words

    def log_facts(self) -> dict[str, Any]:
        """The facts of the question for the log: never a text or a path.

        Returns:
            The command, a digest of all values, the last part of the backbone's name, and those
            values that hold neither text nor path: numbers, choices among names, layers.
        """
        options = self.options()
        values = {name: value for name, value in self.values().items() if value is not None}
        loggable = {
            name: str(value) if isinstance(value, float) else _without_own(value, options[name])
            for name, value in values.items()
            if name == "layers" or choices(options[name]) or isinstance(value, int | float)
        }
        facts: dict[str, Any] = {
            "command": self.command,
            "recipe": result_store.digest(self.command, values),
            "options": loggable,
        }
        if "backbone" in values:
            facts["backbone"] = Path(values["backbone"]).name
        return facts


def option_of(field: FieldInfo) -> Option:
    """How a field is written on the command line."""
    return next((item for item in field.metadata if isinstance(item, Option)), Option())


def choices(field: FieldInfo) -> tuple[str, ...]:
    """The names that a field allows; empty where it is not a choice among names."""
    return tuple(_literals(field.annotation))


def is_text(field: FieldInfo) -> bool:
    """Whether a field holds texts or names, and no numbers."""
    return not any(kind in (int, float, bool) for kind in _kinds(field.annotation))


def meaning(field: FieldInfo, most: int = 10**6) -> str:
    """A field's meaning, with the names to choose from unless they are more, on one line."""
    names = choices(field)
    listed_names = ", ".join(names) if len(names) <= most else ""
    return ": ".join(filter(None, (field.description, listed_names)))


def _without_own(value: Any, field: FieldInfo) -> Any:
    """A value without what is no name to choose from, since that may hold a text."""
    if not (names := choices(field)) or isinstance(value, int):
        return value
    if isinstance(value, list):
        return [each if each in names else "own" for each in value]
    return value if value in names else "own"


def _kinds(annotation: Any) -> Iterator[Any]:
    if arguments := get_args(annotation):
        for argument in arguments:
            yield from _kinds(argument)
    else:
        yield annotation


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for argument in get_args(annotation):
            yield from _literals(argument)


_COUNT = "a count must be a whole number of at least {}"
_INTEGER = {
    "seed": "a seed must be a whole number from 0 to 2**32 - 1",
    "output-layer": "a layer must be a whole number",
}
"""The rule that an integer broke, by its option; all others are counts."""


def _attribute(option: str) -> str:
    return str(option).replace("-", "_")
