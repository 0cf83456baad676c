"""The command line's grammar, made from the specs: nothing is written down twice.

A command's options are the fields of its spec; what follows here is only how they are spelled and
listed. Values are checked by the spec, so that a command, a recipe and a script refuse alike.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from ..errors import RecipeError
from ..experiments.specs import SPECS, Spec, choices, option_of
from ..runtime.paths import program

_LONGEST = 280
"""Characters of a sentence that are shown."""


@dataclass(frozen=True)
class Invocation:
    """What was typed: a command, what it asks, and how the answer is wanted.

    ``spec`` is None for ``run`` and ``app``, whose own words are in ``words``.
    """

    command: str
    spec: Spec | None
    as_json: bool = False
    words: dict[str, Any] = field(default_factory=dict)


class _Parser(argparse.ArgumentParser):
    """An argument parser that answers bad input with one sentence."""

    def error(self, message: str) -> NoReturn:
        if len(message) > _LONGEST:  # it repeats what was typed
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        raise RecipeError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def parse(arguments: Sequence[str] | None = None) -> Invocation:
    """Read the command line; None is that of this process.

    Raises:
        RecipeError: it cannot be understood; one sentence.
    """
    words = vars(_grammar().parse_args(arguments))
    command, as_json = words.pop("command"), words.pop("json", False)
    if command not in SPECS:
        return Invocation(command, None, as_json, words)
    given = {name.replace("_", "-"): value for name, value in words.items()}
    try:
        return Invocation(command, SPECS[command].read(given), as_json)
    except RecipeError as error:
        sentence = str(error).removesuffix(".")
        raise RecipeError(f"{sentence}; see {program()} {command} --help.") from None


@cache
def _grammar() -> argparse.ArgumentParser:
    root = _Parser(
        prog=program(),
        description="Turn frozen decoder-only language models into text embedders, and see how "
        "far that goes.",
        epilog=f"Start with `{program()} sts`; `{program()} COMMAND --help` lists a command's "
        "options. Results go to standard output, progress to standard error.",
    )
    root.add_argument("--version", action="version", version=_version())
    commands = root.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for spec in SPECS.values():
        _add(commands.add_parser(spec.command, help=spec.summary, description=spec.summary), spec)
    summary = "Run a recipe that was saved on a page or written by hand."
    run = commands.add_parser("run", help=summary, description=summary)
    run.add_argument("recipe", metavar="RECIPE.yaml")
    run.add_argument("--json", action="store_true", help="one JSON document on standard output")
    run.add_argument(
        "--output", metavar="FOLDER", help="for results.json, results.parquet and report.html"
    )
    run.add_argument(
        "--compare", metavar="RESULTS.json", help="say whether these are the same; 1 if not"
    )
    for name in ("engine", "address", "workers"):
        _option(run, name, SPECS["encode"].options()[name])
    summary = "Open the app in a browser."
    app = commands.add_parser("app", help=summary, description=summary)
    app.add_argument("--port", type=int, default=8501, help="where the app is served; 8501")
    return root


def _version() -> str:
    from .. import __version__

    return f"{program()} {__version__}"


def _add(parser: argparse.ArgumentParser, spec: type[Spec]) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    groups: dict[str, Any] = {}
    for name, field_ in spec.options().items():
        heading = option_of(field_).group
        if heading is not None and heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _option(parser if heading is None else groups[heading], name, field_)


def _option(parser: Any, name: str, field_: FieldInfo) -> None:
    """One field as an option; what is not given is left to the spec."""
    option, listed = option_of(field_), choices(field_)
    told: dict[str, Any] = {"default": None, "help": _meaning(field_)}
    if field_.annotation is bool:
        parser.add_argument(f"--{name}", action="store_true", **told)
        return
    if _is_tuple(field_):
        told |= {"action": "append"} if option.repeated else {"nargs": "+"}
    told["metavar"] = option.metavar or ("{" + ",".join(listed) + "}" if listed else "N")
    parser.add_argument(f"--{name}", required=field_.is_required(), **told)


def _is_tuple(field_: FieldInfo) -> bool:
    return str(field_.annotation).startswith("tuple")


def _meaning(field_: FieldInfo) -> str:
    """What an option means, and its default."""
    parts = [field_.description or ""]
    if not field_.is_required() and field_.default not in (None, (), False):
        default = field_.default
        spoken = " ".join(default) if isinstance(default, tuple) else default
        parts.append(f"(default: {spoken})")
    return " ".join(filter(None, parts)).replace("%", "%%")
