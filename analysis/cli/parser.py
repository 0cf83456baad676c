"""The parser of the command line, derived from the specs.

A command's options are the fields of its spec; this module only spells and lists them. The spec
checks values, so that a command, a recipe and a script refuse the same ones.
"""

import argparse
import contextlib
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from ..embedding.methods import METHODS
from ..errors import RecipeError, quoted
from ..experiments.shared_options import OnEngine
from ..experiments.spec import Spec, choices, meaning, option_of
from ..experiments.specs import SETUP, SPECS
from ..recipes import method_files
from ..runtime.paths import program
from . import standard_streams

_LONGEST = 280
"""Maximum characters of an error."""
_INDENT = 24
"""Columns before the meaning of an option, as in argparse."""
_BRACES = 16
"""Maximum characters of choices that replace an option's metavar."""
_REPRODUCE = "reproduce results"
_OWN_COMMANDS = {
    "app": (SETUP, "Serve the app on this machine; open it in a browser."),
    "run": (_REPRODUCE, "Run a recipe file, saved by a page or written by you."),
}
"""Topics and summaries of the commands without a spec."""


@dataclass(frozen=True)
class Invocation:
    """A parsed command line.

    Attributes:
        command: the name of the command.
        spec: the question; None for ``run`` and ``app``.
        as_json: whether the answer is printed as JSON.
        words: the options of ``run`` or ``app`` by name.
    """

    command: str
    spec: Spec | None
    as_json: bool = False
    words: dict[str, Any] = field(default_factory=dict)


class _Parser(argparse.ArgumentParser):
    """An argument parser that answers bad input with one sentence, also where it cannot print."""

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a help or the version; argparse would pass over what cannot be written."""
        if file is None:  # a closed standard output
            standard_streams.say(message.rstrip("\n"))
        else:
            standard_streams.write(message.rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        if len(message) > _LONGEST:  # it repeats the user's input
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        raise RecipeError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def parse(arguments: Sequence[str] | None = None) -> Invocation:
    """Read the command line.

    Args:
        arguments: what follows the program's name; None is that of this process.

    Raises:
        RecipeError: it cannot be understood; one sentence.
    """
    words = vars(_grammar().parse_args(arguments))
    command, as_json = words.pop("command"), words.pop("json", False)
    if command not in SPECS:
        return Invocation(command, None, as_json, words)
    options = {name.replace("_", "-"): value for name, value in words.items()}
    try:
        options = _with_method_files(SPECS[command], options)
        return Invocation(command, SPECS[command].read(options), as_json)
    except RecipeError as error:
        sentence = str(error).removesuffix(".")
        raise RecipeError(f"{sentence}; see {program()} {command} --help.") from None


def _with_method_files(spec: type[Spec], options: dict[str, Any]) -> dict[str, Any]:
    """The options with the spellings of the methods that are given as files."""

    def spelled(value: Any) -> Any:
        if isinstance(value, list):
            return [spelled(each) for each in value]
        is_file = isinstance(value, str) and value.endswith(method_files.ENDINGS)
        return method_files.read_file(value) if is_file else value

    named = [name for name, field in spec.options().items() if set(METHODS) <= set(choices(field))]
    return options | {name: spelled(options[name]) for name in named}


def _grammar() -> argparse.ArgumentParser:
    root = _Parser(
        prog=program(),
        usage="%(prog)s COMMAND [OPTION ...]",
        formatter_class=argparse.RawTextHelpFormatter,
        description=_wrapped(
            "Turn frozen decoder-only language models into text embedders without training, and "
            "measure how good their embeddings are."
        )
        + f"\n\n{_listed_commands()}",
        epilog=_wrapped(
            f"Start with `{program()} sts`. `{program()} COMMAND --help` explains a command's "
            "options. Results go to standard output, progress to standard error."
        ),
    )
    version = f"{program()} {_version()}"
    root.add_argument("--version", action="version", version=version, help="show the version")
    commands = root.add_subparsers(
        required=True, prog=program(), metavar="COMMAND", dest="command", help=argparse.SUPPRESS
    )
    for spec in SPECS.values():
        _add_question(_command(commands, spec.command, spec.summary), spec)
    _add_run(_command(commands, "run", _OWN_COMMANDS["run"][1]))
    app = _command(commands, "app", _OWN_COMMANDS["app"][1])
    port = "port on 127.0.0.1 (default: 8501, or the next free one)"
    app.add_argument("--port", type=_port, help=_help(port))
    return root


def _listed_commands() -> str:
    """All commands by topic, each with its summary."""
    entries = [(spec.topic, spec.command, spec.summary) for spec in SPECS.values()]
    entries += [(topic, name, summary) for name, (topic, summary) in _OWN_COMMANDS.items()]
    topics = dict.fromkeys(topic for topic, *_ in entries)
    lines = []
    for topic in topics:
        lines.append(f"{topic}:")
        lines += [f"  {name:<14}{summary}" for at, name, summary in entries if at == topic]
    return "\n".join(lines)


def _command(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        usage=f"{program()} {name} [OPTION ...]",
        description=_wrapped(summary),
        formatter_class=argparse.RawTextHelpFormatter,
    )
    return parser


def _add_question(parser: argparse.ArgumentParser, spec: type[Spec]) -> None:
    required = [
        f" --{name} {option_of(field_).metavar}"
        for name, field_ in spec.options().items()
        if field_.is_required()
    ]
    parser.usage = f"{parser.prog}{''.join(required)} [OPTION ...]"
    groups: dict[str | None, Any] = {None: parser}
    for name, field_ in spec.options().items():
        heading = option_of(field_).group
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add_option(groups[heading], name, field_)
    _add_json(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} RECIPE.yaml [OPTION ...]"
    parser.add_argument("recipe", metavar="RECIPE.yaml", help=_help("recipe file"))
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help=_help("folder to write results.json, results.parquet and report.html to"),
    )
    parser.add_argument(
        "--compare",
        metavar="RESULTS.json",
        help=_help("compare with earlier results; the exit code is 1 if they differ"),
    )
    _add_json(parser)
    group = parser.add_argument_group(option_of(OnEngine.options()["engine"]).group)
    for name, field_ in OnEngine.options().items():
        _add_option(group, name, field_)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=_help("print the answer as JSON"))


def _add_option(parser: Any, name: str, field_: FieldInfo) -> None:
    """Add a field as an option; options that are not given are left to the spec."""
    option, names = option_of(field_), ",".join(choices(field_))
    in_place = len(names) <= _BRACES
    explained = field_.description or "" if in_place else meaning(field_)
    repeat = "; repeat the option for several" if option.repeated else ""
    help_ = _help(explained + repeat + _default(field_))
    if field_.annotation is bool:
        parser.add_argument(f"--{name}", action="store_true", default=None, help=help_)
        return
    multiple: dict[str, Any] = {}
    if str(field_.annotation).startswith("tuple"):
        multiple = {"action": "append"} if option.repeated else {"nargs": "+"}
    metavar = f"{{{names}}}" if names and in_place else option.metavar
    parser.add_argument(
        f"--{name}",
        metavar=metavar,
        required=field_.is_required(),
        default=None,
        help=help_,
        **multiple,
    )


def _default(field_: FieldInfo) -> str:
    """The default of an option in brackets; "" if there is none to show."""
    if value := option_of(field_).unset:
        return f" (default: {value})"
    if field_.is_required() or field_.default is None or field_.default is False:
        return ""
    value = " ".join(field_.default) if isinstance(field_.default, tuple) else str(field_.default)
    return f" (default: {value})" if value else ""


def _help(text: str) -> str:
    """A text wrapped for argparse's help; names with hyphens are not broken."""
    return _wrapped(text, _INDENT).replace("%", "%%")


def _wrapped(text: str, indent: int = 0) -> str:
    width = max(40, shutil.get_terminal_size().columns - 2 - indent)
    return textwrap.fill(text, width, break_on_hyphens=False, break_long_words=False)


def _port(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 < (port := int(text)) < 2**16:
            return port
    raise argparse.ArgumentTypeError(f"a port must be a number from 1 to 65535, not {quoted(text)}")


def _version() -> str:
    from .. import __version__

    return __version__
