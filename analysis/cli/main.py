"""The command line: ``python -m analysis backbones | encode | dimension | sts | score | ...``.

Results go to standard output, as a table or with ``--json`` as one document; progress and
warnings go to standard error. Bad input ends with exit code 2 and one sentence.
"""

import argparse
import contextlib
import json
import logging
import os
import sys
import warnings
from functools import partial
from typing import Any

from ..errors import ExplorerError
from ..recipes import recipe
from ..recipes.options import logged, parser
from ..runtime import request_log
from ..runtime.events import heard
from .commands import COMMANDS


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return its exit code."""
    try:
        options = parser().parse_args(arguments)
        _quieten()
        request_log.start()
        with request_log.request("command", **logged(options.command, vars(options))), heard(_say):
            if options.command == "run":
                return _run(options)
            result = COMMANDS[options.command](options)
    except ExplorerError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    _show(result, options.json)
    failed = options.command == "doctor" and any(check["state"] == "error" for check in result)
    return 1 if failed else 0


def _run(options: argparse.Namespace) -> int:
    """Run a recipe: print its rows, or leave them as files, or compare them with older ones."""
    from ..parallel.engines import Engine
    from ..recipes import html_report, results, runner
    from ..runtime import outputs

    made = recipe.read_file(options.recipe)
    older = results.read_file(options.compare) if options.compare else None
    folder = outputs.folder(options.output) if options.output else None
    engine = Engine(options.engine, options.address, options.workers)
    if not (made.grid or older or folder or engine.name != "local"):
        _show(runner.result(made), options.json)
        return 0
    if older is not None:
        results.alike(made, older.recipe)
    found = results.run(made, run=partial(runner.run, engine=engine), say=_say)
    if folder is not None:
        for path in html_report.write(found, folder):
            print(path, file=sys.stderr)
    if older is not None:
        compared = results.compare(found, older)
        print(compared.sentence)
        return 0 if compared.same else 1
    _show(list(found.rows), options.json)
    return 0


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        _print_table(result)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _quieten() -> None:
    """Keep libraries' own progress bars and advice off the terminal."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _print_table(result: Any) -> None:
    import pandas as pd

    with pd.option_context("display.max_columns", None, "display.width", 200):
        if isinstance(result, list):
            print(pd.json_normalize(result).to_string(index=False) if result else "none")
        else:
            for key, value in result.items():
                print(f"{key:20} {value}")


def run() -> int:
    """``main`` with the arguments of this process; 130 where Ctrl-C ended it."""
    with contextlib.suppress(KeyboardInterrupt):
        return main()
    return 130
