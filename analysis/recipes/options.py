"""The command line's words: which commands there are and what each can be told.

Commands and options are also the words of a recipe (:mod:`analysis.recipes.recipe`), so that what was
run reads alike in a file, in a terminal and on a page.
"""

import argparse
import contextlib
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ..errors import RecipeError
from ..storage import result_store

PROGRAM = "python -m analysis"
_LONGEST = 280
"""Characters of a sentence that are shown."""


class _Parser(argparse.ArgumentParser):
    """An argument parser that answers bad input with one sentence."""

    def error(self, message: str) -> NoReturn:
        if len(message) > _LONGEST:  # it repeats what was typed
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        raise RecipeError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


@cache
def parser() -> argparse.ArgumentParser:
    """The parser of every command; it raises RecipeError, one sentence, on bad input."""
    from ..backbones.catalog import PRECISIONS
    from ..corpora.packaged import CALIBRATION
    from ..dimension.estimators import CLOUDS
    from ..dimension.selection import RULES
    from ..embedding.methods import METHODS, NORMS
    from ..embedding.pooling import POOLINGS
    from ..embedding.postprocessing import POSTPROCESSINGS
    from ..embedding.prompts import COMPRESSION
    from ..experiments.searches import SEARCHES
    from ..parallel.engines import ENGINES
    from ..rerouting.plan import KEY_POSITIONS
    from ..spaces.projection import PROJECTIONS

    root = _Parser(prog=PROGRAM, description="Frozen decoders as text embedders.")
    commands = root.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, summary: str, *, common: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.add_argument("--json", action="store_true", help="one JSON document on standard output")
        if not common:
            return sub
        sub.add_argument(
            "--backbone",
            default=None if name == "backbones" else "smollm2",
            metavar="NAME|HUB_ID|FOLDER|FILE.gguf",
        )
        sub.add_argument("--dtype", default="auto", choices=["auto", *PRECISIONS])
        sub.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps|spread")
        return sub

    def plan(sub: argparse.ArgumentParser, *, chosen: bool = True) -> None:
        if chosen:
            sub.add_argument("--layers", default="auto", metavar="auto|none|all|26-29|3,5,9")
            sub.add_argument(
                "--rule", default="paper", choices=list(RULES), help="for --layers auto"
            )
        sub.add_argument("--bias", type=_bias, default=1.0, help="added to the prefix's logit")
        sub.add_argument("--key-position", default="own", choices=list(KEY_POSITIONS))
        options = sub.add_argument_group("how kv-embedding and prompt-only are done")
        options.add_argument("--prompt", default="newline", choices=list(COMPRESSION))
        options.add_argument("--pooling", default="hybrid", choices=list(POOLINGS))
        options.add_argument("--norm", default="post", choices=list(NORMS))

    def scored(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--on", default="pairs", choices=["pairs", "labelled", "retrieval"])
        sub.add_argument("--corpus", metavar="NAME|FILE|FOLDER", help="lee50, chatterbot, ...")
        sub.add_argument("--part", type=_count, help="score so many, drawn at random, and say so")

    def engine(sub: argparse.ArgumentParser) -> None:
        options = sub.add_argument_group("where the work is done")
        options.add_argument("--engine", default="local", choices=list(ENGINES))
        options.add_argument("--address", metavar="HOST:PORT", help="of a Ray cluster")
        options.add_argument("--workers", type=_count, help="of Ray; by default one a device")

    command("backbones", "List what is offered, or one backbone's facts.")
    command("doctor", "Check this installation and say what to do.", common=False)

    sub = command("encode", "Encode texts, one a line, to a float32 .npy array.")
    plan(sub)
    sub.add_argument("--method", default="kv-embedding", choices=list(METHODS))
    sub.add_argument("--role", default="Context", choices=["Context", "Query"])
    sub.add_argument("--input", required=True, metavar="FILE|-")
    sub.add_argument("--output", required=True, metavar="FILE.npy")
    engine(sub)

    sub = command("dimension", "The intrinsic-dimension curve and its layers.")
    sub.add_argument("--corpus", default=CALIBRATION, metavar="NAME|FILE")
    sub.add_argument("--samples", type=_count, default=1000)
    sub.add_argument("--seed", type=_seed, default=0)
    sub.add_argument("--estimator", default="twonn")
    sub.add_argument("--cloud", default="last", choices=list(CLOUDS), help="whose states")
    sub.add_argument("--bare", action="store_true", help="the texts without the prompt")
    sub.add_argument("--rule", default="paper", choices=list(RULES))

    sub = command("sts", "Score methods against human similarity (Spearman x 100).")
    plan(sub)
    sub.add_argument("--corpus", default="lee50", metavar="lee50|FILE")
    sub.add_argument("--method", action="append", choices=list(METHODS))

    sub = command("score", "Compare methods on pairs, labelled texts or retrieval.")
    plan(sub)
    scored(sub)
    sub.add_argument("--method", action="append", choices=list(METHODS))
    sub.add_argument("--post-processing", default="none", choices=list(POSTPROCESSINGS))
    sub.add_argument("--max-tokens", type=_count, help="where texts are cut, prompt included")

    sub = command("long-texts", "Scores by where a document's answer stands and by tokens read.")
    plan(sub)
    sub.add_argument("--corpus", default="chatterbot-answers", metavar="NAME|FOLDER|FILE.zip")
    sub.add_argument("--part", type=_count, help="draw so many queries before all else")
    sub.add_argument("--method", action="append", choices=list(METHODS))
    sub.add_argument("--tokens", nargs="+", type=_count, metavar="N", help="where texts are cut")

    sub = command("causal", "How far the tokens move that two texts share before they differ.")
    plan(sub)
    sub.add_argument("--first", required=True, metavar="TEXT")
    sub.add_argument("--second", required=True, metavar="TEXT")
    sub.add_argument("--bare", action="store_true", help="the texts without the prompt")

    sub = command("ablation", "Many plans on the same pairs, each against re-routing nothing.")
    plan(sub)
    sub.add_argument("--search", default="windows", choices=list(SEARCHES))
    sub.add_argument("--most", type=_count, help="layers that the greedy search may add")
    sub.add_argument("--corpus", default="lee50", metavar="NAME|FILE")
    sub.add_argument("--part", type=_count, help="score so many, drawn at random, and say so")
    engine(sub)

    sub = command("rules", "Each rule's layers among all windows as wide, on any corpus.")
    plan(sub, chosen=False)
    scored(sub)

    sub = command("parts", "What prompt, pooling, re-routing and bias bring, alone and together.")
    plan(sub)
    scored(sub)

    sub = command("space", "Two methods' maps of the same texts, as one HTML file.")
    plan(sub)
    sub.add_argument("--corpus", default="lee-background", metavar="NAME|FILE")
    sub.add_argument("--samples", type=_count, help="map so many texts, drawn at random")
    sub.add_argument("--method", action="append", choices=list(METHODS), help="give it twice")
    sub.add_argument("--left-layers", metavar="LAYERS", help="of the first method alone")
    sub.add_argument("--right-layers", metavar="LAYERS", help="of the second method alone")
    sub.add_argument("--right-backbone", metavar="NAME", help="of the second method alone")
    sub.add_argument("--projection", default="umap", choices=list(PROJECTIONS))
    sub.add_argument("--neighbours", type=_count, default=15, help="of UMAP")
    sub.add_argument("--min-dist", type=float, default=0.1, help="of UMAP")
    sub.add_argument("--seed", type=_seed, default=0)
    sub.add_argument("--output", required=True, metavar="FILE.html")

    sub = command("run", "Run a recipe again, as it was downloaded from a page.", common=False)
    sub.add_argument("recipe", metavar="RECIPE.yaml")
    sub.add_argument(
        "--output", metavar="FOLDER", help="for results.json, results.parquet and report.html"
    )
    sub.add_argument(
        "--compare", metavar="RESULTS.json", help="say whether these are the same; 1 if not"
    )
    engine(sub)

    sub = command("mteb", "Run mteb's own evaluation and leave its result files.")
    plan(sub)
    sub.add_argument("--method", default="kv-embedding", choices=list(METHODS))
    sub.add_argument("--tasks", required=True, nargs="+", metavar="TASK")
    sub.add_argument("--max-tokens", type=_count, help="where texts are cut, prompt included")
    sub.add_argument("--output", required=True, metavar="FOLDER")
    return root


@cache
def options_of(command: str) -> dict[str, argparse.Action]:
    """The options of a command by name, as ``"key-position"``; not how results are printed.

    Raises:
        RecipeError: there is no such command.
    """
    (commands,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    if command not in commands.choices:
        raise RecipeError(
            f"There is no command {command!r}; there are {', '.join(commands.choices)}."
        )
    return {
        action.option_strings[-1].removeprefix("--"): action
        for action in commands.choices[command]._actions
        if action.option_strings and action.dest not in ("help", "json")
    }


def logged(command: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What a log may hold of a command and its options, by name or as a parser gives them.

    A digest of all of them, and those in clear that hold neither a text nor a path: numbers,
    choices among names, layers, and the last part of the backbone's name.
    """
    told = {name.replace("_", "-"): value for name, value in told.items()}
    asked = {name: told[name] for name in options_of(command) if told.get(name) is not None}
    clear = {
        name: str(value) if isinstance(value, float) else value
        for name, value in asked.items()
        if name == "layers" or options_of(command)[name].choices or isinstance(value, int | float)
    }
    found = {"command": command, "recipe": result_store.digest(command, asked), "options": clear}
    return found | ({"backbone": Path(asked["backbone"]).name} if "backbone" in asked else {})


def _bias(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if not math.isnan(value) and value != math.inf:
            return value
    raise argparse.ArgumentTypeError(f"the bias must be a number or -inf, not {text!r}")


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (value := int(text)) >= 1:
            return value
    raise argparse.ArgumentTypeError(f"a count must be a number of at least 1, not {text!r}")


def _seed(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 <= (value := int(text)) < 2**32:
            return value
    raise argparse.ArgumentTypeError(f"a seed must be a number from 0 to 2**32 - 1, not {text!r}")
