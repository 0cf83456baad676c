"""The command line: ``python -m analysis sts | score | encode | ...``.

Results go to standard output, as a table or with ``--json`` as one document; progress and
warnings go to standard error. Bad input ends with exit code 2 and one sentence.
"""

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ExplorerError
from ..runtime import events, paths, request_log
from ..runtime.events import Progress
from . import standard_streams
from .parser import Invocation, parse

if TYPE_CHECKING:
    from ..recipes.rows import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    Args:
        arguments: what follows the program's name; None is that of this process.
    """
    try:
        invocation = parse(arguments)
        paths.check_temporary_folder()
        if invocation.command == "app":
            from .app import serve

            return serve(invocation.words["port"])
        standard_streams.check_output()
        _silence_libraries()
        request_log.start()
        with (
            request_log.request("command", **_facts(invocation)),
            events.listening(standard_streams.say),
        ):
            if invocation.command == "run":
                return _run_recipe(invocation.words, as_json=invocation.as_json)
            return _answer(invocation)
    except ExplorerError as error:
        standard_streams.say(str(error))
        return 2


def _answer(invocation: Invocation) -> int:
    from ..recipes.answers import answer
    from ..recipes.workspace import Workspace

    assert invocation.spec is not None
    result = answer(invocation.spec, Workspace(_counter))
    _show(result.to_dict(), as_json=invocation.as_json)
    failed = invocation.command == "doctor" and any(row["state"] == "error" for row in result.rows)
    return 1 if failed else 0


def _run_recipe(words: Mapping[str, Any], *, as_json: bool) -> int:
    """Run a recipe: print its rows, write them to files, or compare them with earlier ones."""
    from ..experiments.shared_options import OnEngine
    from ..parallel.engines import Engine
    from ..recipes import comparison, files, html_report, named_files, results
    from ..recipes.answers import answer
    from ..recipes.workspace import Workspace
    from ..runtime import outputs

    recipe = files.read_file(words["recipe"])
    older = results.read_file(words["compare"]) if words["compare"] else None
    folder = outputs.folder(words["output"]) if words["output"] else None
    named_files.check(
        [point.spec for point in recipe.points()],
        [words["recipe"], *([words["compare"]] if older else [])],
        [folder / name for name in html_report.FILES] if folder else [],
    )
    options = OnEngine.read({name: words[name] for name in OnEngine.options()})
    engine = Engine(options.engine, options.address, options.workers)
    if not (recipe.grid or older or folder or engine.name != "local"):
        _show(answer(recipe.spec, Workspace(_counter)).to_dict(), as_json=as_json)
        return 0
    if older is not None:
        comparison.check_same_recipe(recipe, older.recipe)
    result = results.run(recipe, engine)
    if folder is not None:
        for path in html_report.write(result, folder):
            standard_streams.say(str(path))
    if older is not None:
        compared = comparison.compare(result, older)
        standard_streams.write(compared.sentence)
        return 0 if compared.same else 1
    _show(list(result.rows), as_json=as_json)
    return 0


def _facts(invocation: Invocation) -> dict[str, Any]:
    """The facts of an invocation for the request log."""
    if invocation.spec is None:
        return {"command": invocation.command}
    return invocation.spec.log_facts()


def _show(result: "Row | list[Row]", *, as_json: bool) -> None:
    text = json.dumps(result, allow_nan=False) if as_json else _table(result)
    standard_streams.write(text)


def _table(result: "Row | list[Row]") -> str:
    """Rows as a table, words to the left and numbers to the right."""
    import pandas as pd

    if isinstance(result, dict):
        return "\n".join(f"{key:20} {value}" for key, value in result.items())
    table = pd.json_normalize(result)
    for name in [str(name) for name in table if not pd.api.types.is_numeric_dtype(table[name])]:
        words = table[name].map(lambda value: "" if value is None or value != value else str(value))
        width = max(len(name), *map(len, words))
        table[name] = words.str.ljust(width)
        table = table.rename(columns={name: name.ljust(width)})
    return str(table.to_string(index=False)) if result else "none"


def _counter(label: str) -> Progress:
    """Progress on one line of a terminal; nothing if standard error is not a terminal."""

    def count(finished: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if finished == total else ""
            print(f"\r{label} {finished}/{total}", end=end, file=sys.stderr)

    return count


def _silence_libraries() -> None:
    """Keep the libraries' own progress bars and warnings off the terminal."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
