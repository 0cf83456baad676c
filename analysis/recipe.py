"""A recipe: what was run, as data. A YAML file, a command and a Python script are its spellings.

A recipe is a command with everything it was told (:mod:`analysis.options`), defaults included, so
that it means the same when defaults change.
"""

import argparse
import difflib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import RecipeError
from analysis.options import PROGRAM, options_of, parser

VERSION = 1
LARGEST = 100_000
"""Bytes that a recipe's file may have."""


@dataclass(frozen=True)
class Recipe:
    """A command and its options by name (``"key-position"``), each a scalar or a list of words.

    Raises:
        RecipeError: there is no such command or option, or a value is not allowed.
    """

    command: str
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.command == "run":
            raise RecipeError("A recipe cannot run another one; name the command of that one.")
        known = options_of(self.command)
        for name in self.options:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                guess = f"use {near[0]!r}." if near else f"it has {', '.join(known)}."
                raise RecipeError(f"The command {self.command} has no option {name!r}: {guess}")
        parsed = vars(parser().parse_args(self._words(self.options)))
        whole = {name: parsed[action.dest] for name, action in known.items()}
        object.__setattr__(self, "options", whole)

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
        """The recipe as it is typed into a shell."""
        return f"{PROGRAM} {shlex.join(self.arguments())}"

    def yaml(self) -> str:
        """The recipe as a file, each option with what it means."""
        lines = [
            f"# KV-Embedding Explorer. Run it again: {PROGRAM} run FILE",
            f"version: {VERSION}",
            f"command: {self.command}",
        ]
        for name, action in options_of(self.command).items():
            value = self.options.get(name)
            if value is None:
                continue
            one_of = "one of " + ", ".join(map(str, action.choices)) if action.choices else ""
            lines.append(f"{_flow(name)}: {_flow(value)}")
            if meaning := action.help or one_of or action.metavar:
                lines[-1] += f"  # {meaning}"
        return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A scalar or a list as YAML on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    shown = "".join(map(str, plain if isinstance(plain, list) else [plain]))
    line: str = yaml.safe_dump(
        [plain], default_flow_style=True, allow_unicode=shown.isprintable(), width=10**9
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
        found = yaml.safe_load(text)
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
    found = {"on" if option is True else option: value for option, value in found.items()}
    for option, value in found.items():  # unquoted, YAML takes on for true
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, str | int | float):
                raise RecipeError(f"{name}: {option!r} is neither a word, a number nor a list.")
    return Recipe(str(command), found)


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


def python(recipe: Recipe) -> str:
    """The recipe as a script that calls the library and prints what the command would.

    Raises:
        RecipeError: the command has no such spelling.
    """
    if recipe.command not in SCRIPTS:
        raise RecipeError(
            f"There is no script for {recipe.command}; there is for {', '.join(SCRIPTS)}."
        )
    return "\n".join(SCRIPTS[recipe.command](recipe.options)) + "\n"


def _loaded(o: Mapping[str, Any]) -> str:
    given = "".join(f", {name}={o[name]!r}" for name in ("dtype", "device") if o[name] != "auto")
    return f"loaded = backbone.load({o['backbone']!r}{given})"


def _plan(o: Mapping[str, Any]) -> Iterator[str]:
    if o["layers"] == "auto":
        yield "calibration = corpora.load_texts(corpora.CALIBRATION)"
        yield f"layers = study.dimensions(loaded, calibration).selected({o['rule']!r})"
    else:
        yield f"layers = selection.parse_layers({o['layers']!r}, loaded.layers)"
    yield f"plan = Plan(layers, {o['bias']!r}, {o['key-position']!r})"


def _methods(o: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    yield f"names = {list(o['method'] or names)!r}"
    yield (f"how = dict(separator={o['prompt']!r}, pooling={o['pooling']!r}, norm={o['norm']!r})")
    yield "chosen = [variant(METHODS[name], **how) for name in names]"


def _imported(modules: str) -> Iterator[str]:
    yield f"from analysis import {modules}"
    yield "from analysis.methods import METHODS, variant"
    yield "from analysis.rerouting import Plan"
    yield ""


def _begun(modules: str, o: Mapping[str, Any]) -> Iterator[str]:
    """What most scripts begin with: imports, the backbone, the plan and the methods."""
    yield from _imported(modules)
    yield _loaded(o)
    yield from _plan(o)
    yield from _methods(o, ("kv-embedding",))


def _dimension(o: Mapping[str, Any]) -> Iterator[str]:
    yield "from analysis import backbone, corpora, study"
    yield ""
    yield _loaded(o)
    yield f"texts = corpora.load_texts({o['corpus']!r})"
    yield "found = study.dimensions("
    yield f"    loaded, texts, samples={o['samples']}, seed={o['seed']}, "
    yield f"    estimator={o['estimator']!r}, cloud={o['cloud']!r}, prompted={not o['bare']},"
    yield ")"
    yield "print(found.curve.dims)"
    yield f"print(found.selected({o['rule']!r}), found.frequency({o['rule']!r}))"


_CORPORA = {
    "pairs": ("load_pairs", "lee50"),
    "labelled": ("load_labelled", "chatterbot"),
    "retrieval": ("load_retrieval", "chatterbot-answers"),
}


def _score(o: Mapping[str, Any]) -> Iterator[str]:
    load, usual = _CORPORA[o["on"]]
    yield from _begun("backbone, corpora, scoring, selection, shipped, study", o)
    yield f"corpus = corpora.{load}({o['corpus'] or usual!r})"
    if o["part"] and o["on"] == "retrieval":
        yield f"corpus = shipped.part(corpus, {o['part']}, shipped.DOCUMENTS)"
    elif o["part"]:
        yield f"corpus = corpora.first(corpus, {o['part']}, 0)"
    yield "found = scoring.measured("
    yield "    loaded, corpus, [(method, plan) for method in chosen],"
    yield f"    processing={o['post-processing']!r}, max_tokens={o['max-tokens']!r},"
    yield ")"
    yield "for one in found:"
    yield "    for m in one.measures:"
    yield "        print(one.method, m.name, m.value, m.ci_low, m.ci_high)"


def _long_texts(o: Mapping[str, Any]) -> Iterator[str]:
    yield from _begun("backbone, corpora, scoring, selection, shipped, study", o)
    yield f"corpus = corpora.load_retrieval({o['corpus']!r})"
    if o["part"]:
        yield f"corpus = shipped.part(corpus, {o['part']}, shipped.DOCUMENTS)"
    yield "variants = shipped.places(corpus)"
    yield "cases = [(place, None) for place in variants]"
    yield f"cases += [('middle', length) for length in {list(o['tokens'] or ())!r}]"
    yield "asked = [(method, plan) for method in chosen]"
    yield "for place, length in cases:"
    yield "    for one in scoring.measured(loaded, variants[place], asked, max_tokens=length):"
    yield "        for m in one.measures:"
    yield "            print(place, length, one.method, m.name, m.value, m.ci_low, m.ci_high)"


def _causal(o: Mapping[str, Any]) -> Iterator[str]:
    template = "prompting.BARE" if o["bare"] else "chosen[0].template"
    yield from _begun(
        "backbone, causality, corpora, prompting, selection, study", {**o, "method": None}
    )
    yield f"first, second = {o['first']!r}, {o['second']!r}"
    yield f"moved = causality.movement(loaded, first, second, plan, template={template})"
    yield "for row in zip(moved.tokens, moved.plain[-1].tolist(), moved.rerouted[-1].tolist()):"
    yield "    print(*row)"


def _ablation(o: Mapping[str, Any]) -> Iterator[str]:
    yield from _begun("ablation, backbone, corpora, selection, study", {**o, "method": None})
    yield f"pairs = corpora.load_pairs({o['corpus']!r})"
    if o["part"]:
        yield f"pairs = corpora.first(pairs, {o['part']}, 0)"
    yield f"most = {o['most'] or 'selection.window_width(loaded.layers)'}"
    yield f"search = ablation.SEARCHES[{o['search']!r}]"
    yield "search = search(plan, loaded.layers, loaded.reroutable, most)"
    yield "for walk in ablation.run(loaded, pairs, search, chosen[0]):"
    yield "    print(len(walk.missing), 'to go')"
    yield "for one, point in walk.points.items():"
    yield "    print(one.layers, one.bias, point.score.sts.spearman, point.change.sentence)"


def _space(o: Mapping[str, Any]) -> Iterator[str]:
    settings = f"how={o['projection']!r}"
    if o["projection"] == "umap":
        settings = f"neighbours={o['neighbours']}, min_dist={o['min-dist']}, seed={o['seed']}"
    yield from _imported("backbone, corpora, selection, space, study")
    sides = []
    for side in ("left", "right"):
        name = o["right-backbone"] if side == "right" else o["backbone"]
        if name:
            yield _loaded({**o, "backbone": name})
        yield from _plan({**o, "layers": o[f"{side}-layers"] or o["layers"]})
        yield f"{side}, {side}_plan = loaded, plan"
        sides.append(f"({side}, {side}_plan)")
    yield from _methods(o, ("mean", "kv-embedding"))
    yield f"texts = corpora.load_texts({o['corpus']!r})"
    if o["samples"]:
        yield f"texts = corpora.sample(texts, {o['samples']}, 0)"
    yield "first, second = ("
    yield f"    study.projected(on, texts.texts, method, plan, {settings})"
    yield f"    for (on, plan), method in zip([{', '.join(sides)}], chosen)"
    yield ")"
    yield "kept = space.neighbourhood_overlap(first.embeddings, second.embeddings)"
    yield "print(kept.mean())"


SCRIPTS = {
    "dimension": _dimension,
    "score": _score,
    "long-texts": _long_texts,
    "causal": _causal,
    "ablation": _ablation,
    "space": _space,
}
"""Commands that have a script, with what writes it."""
