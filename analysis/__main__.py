"""The command line: ``python -m analysis backbones | encode | dimension | sts | score | ...``.

Results go to standard output, as a table or with ``--json`` as one document; progress and
warnings go to standard error. Bad input ends with exit code 2 and one sentence.
"""

import argparse
import contextlib
import errno
import json
import logging
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from analysis.errors import CorpusError, ExplorerError, PlanError


class _Parser(argparse.ArgumentParser):
    """An argument parser that answers bad input with one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; return its exit code."""
    options = _parser().parse_args(arguments)
    _quieten()
    try:
        result = options.run(options)
    except ExplorerError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    if options.json:
        print(json.dumps(result, allow_nan=False))
    else:
        _print_table(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    from analysis.corpora import CALIBRATION
    from analysis.methods import METHODS, NORMS
    from analysis.placement import DTYPES
    from analysis.pooling import POOLINGS
    from analysis.positions import KEY_POSITIONS
    from analysis.postprocessing import POSTPROCESSINGS
    from analysis.prompting import COMPRESSION
    from analysis.selection import RULES
    from analysis.study import CLOUDS

    parser = _Parser(prog="python -m analysis", description="Frozen decoders as text embedders.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., Any], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        sub.add_argument(
            "--backbone",
            default=None if name == "backbones" else "smollm2",
            metavar="NAME|HUB_ID|FOLDER|FILE.gguf",
        )
        sub.add_argument("--dtype", default="auto", choices=["auto", *DTYPES])
        sub.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps|spread")
        sub.add_argument("--json", action="store_true", help="one JSON document on standard output")
        return sub

    def plan(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--layers", default="auto", metavar="auto|none|all|26-29|3,5,9")
        sub.add_argument("--bias", type=_bias, default=1.0, help="added to the prefix's logit")
        sub.add_argument("--rule", default="paper", choices=list(RULES), help="for --layers auto")
        sub.add_argument("--key-position", default="own", choices=list(KEY_POSITIONS))
        options = sub.add_argument_group("how kv-embedding and prompt-only are done")
        options.add_argument("--prompt", default="newline", choices=list(COMPRESSION))
        options.add_argument("--pooling", default="hybrid", choices=list(POOLINGS))
        options.add_argument("--norm", default="post", choices=list(NORMS))

    command("backbones", _backbones, "List what is offered, or one backbone's facts.")

    sub = command("encode", _encode, "Encode texts, one a line, to a float32 .npy array.")
    plan(sub)
    sub.add_argument("--method", default="kv-embedding", choices=list(METHODS))
    sub.add_argument("--role", default="Context", choices=["Context", "Query"])
    sub.add_argument("--input", required=True, metavar="FILE|-")
    sub.add_argument("--output", required=True, metavar="FILE.npy")

    sub = command("dimension", _dimension, "The intrinsic-dimension curve and its layers.")
    sub.add_argument("--corpus", default=CALIBRATION, metavar="NAME|FILE")
    sub.add_argument("--samples", type=_count, default=1000)
    sub.add_argument("--seed", type=_seed, default=0)
    sub.add_argument("--estimator", default="twonn")
    sub.add_argument("--cloud", default="last", choices=list(CLOUDS), help="whose states")
    sub.add_argument("--bare", action="store_true", help="the texts without the prompt")
    sub.add_argument("--rule", default="paper", choices=list(RULES))

    sub = command("sts", _sts, "Score methods against human similarity (Spearman x 100).")
    plan(sub)
    sub.add_argument("--corpus", default="lee50", metavar="lee50|FILE")
    sub.add_argument("--method", action="append", choices=list(METHODS))

    sub = command("score", _score, "Compare methods on pairs, labelled texts or retrieval.")
    plan(sub)
    sub.add_argument("--on", default="pairs", choices=["pairs", "labelled", "retrieval"])
    sub.add_argument("--corpus", metavar="NAME|FILE|FOLDER", help="lee50, chatterbot, ...")
    sub.add_argument("--method", action="append", choices=list(METHODS))
    sub.add_argument("--post-processing", default="none", choices=list(POSTPROCESSINGS))
    sub.add_argument("--max-tokens", type=_count, help="where texts are cut, prompt included")
    sub.add_argument("--part", type=_count, help="score so many, drawn at random, and say so")

    sub = command("space", _space, "Two methods' maps of the same texts, as one HTML file.")
    plan(sub)
    sub.add_argument("--corpus", default="lee-background", metavar="NAME|FILE")
    sub.add_argument("--method", action="append", choices=list(METHODS), help="give it twice")
    sub.add_argument("--seed", type=_seed, default=0)
    sub.add_argument("--output", required=True, metavar="FILE.html")

    sub = command("mteb", _mteb, "Run mteb's own evaluation and leave its result files.")
    plan(sub)
    sub.add_argument("--method", default="kv-embedding", choices=list(METHODS))
    sub.add_argument("--tasks", required=True, nargs="+", metavar="TASK")
    sub.add_argument("--max-tokens", type=_count, help="where texts are cut, prompt included")
    sub.add_argument("--output", required=True, metavar="FOLDER")
    return parser


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


def _quieten() -> None:
    """Keep libraries' own progress bars and advice off the terminal."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _counter(what: str) -> Callable[[int, int], None]:
    """A progress callback that rewrites one line of a terminal, and is silent elsewhere."""

    def count(done: int, whole: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{what} {done}/{whole}", end="\n" if done == whole else "", file=sys.stderr)

    return count


def _load(options: argparse.Namespace) -> Any:
    from analysis import backbone

    return backbone.load(
        options.backbone, dtype=options.dtype, device=options.device, progress=_say
    )


def _plan(options: argparse.Namespace, loaded: Any) -> Any:
    """The plan asked for; ``auto`` reads the curve of the calibration corpus."""
    from analysis import corpora, study
    from analysis.rerouting import Plan
    from analysis.selection import parse_layers

    def auto() -> tuple[int, ...]:
        if loaded.refusal:
            return ()
        texts = corpora.load_texts(corpora.CALIBRATION)
        found = study.dimensions(loaded, texts, progress=_counter("calibrating"))
        return found.selected(options.rule)

    layers = parse_layers(options.layers, loaded.layers, auto)
    return Plan(layers, options.bias, options.key_position)


def _method(options: argparse.Namespace, name: str) -> Any:
    """The method called ``name``, as the options say."""
    from analysis.methods import METHODS, variant

    return variant(
        METHODS[name], separator=options.prompt, pooling=options.pooling, norm=options.norm
    )


def _described(method: Any, plan: Any) -> dict[str, Any]:
    """What of a method and its plan decides numbers, for the results."""
    return {
        "method": method.name,
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "layers": list(plan.layers),
        "bias": _finite(plan.bias) if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }


def _backbones(options: argparse.Namespace) -> list[dict[str, Any]]:
    from analysis import backbone, placement, sources

    names = [options.backbone] if options.backbone else sources.offered()
    device = placement.choose_device(options.device)
    dtype = placement.choose_dtype(options.dtype, device.value)
    chosen = {
        "device": device.value,
        "device_reason": device.reason,
        "dtype": dtype.value,
        "dtype_reason": dtype.reason,
    }
    found = []
    for name in names:
        try:
            found.append(backbone.describe(name).as_dict() | chosen)
        except ExplorerError as error:
            if options.backbone:
                raise
            _say(f"{name} is left out: {error}")
    return found


def _encode(options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from analysis import encoder
    from analysis.rerouting import PLAIN

    texts = _lines(options.input)
    output = _writable(options.output)
    loaded, method = _load(options), _method(options, options.method)
    plan = _plan(options, loaded) if method.reroutes else PLAIN
    result = encoder.encode(
        loaded, texts, method, plan, role=options.role, progress=_counter("encoding")
    )
    if result.texts_cut:
        _say(f"{result.texts_cut} texts were too long and lost {result.tokens_cut} tokens in all.")
    with _writing(output), output.open("wb") as file:
        np.save(file, result.embeddings)
    return {
        "output": str(output),
        "texts": len(texts),
        "hidden": loaded.facts.hidden,
        **_described(method, plan),
        "backbone": loaded.facts.name,
        "dtype": loaded.dtype.value,
        "texts_cut": result.texts_cut,
        "tokens_cut": result.tokens_cut,
        "seconds": round(result.seconds, 3),
    }


def _writable(name: str) -> Path:
    """The path of an output file, refused before any work if nothing can be written there."""
    output = Path(name)
    if not output.parent.is_dir():
        raise CorpusError(f"There is no folder {output.parent} to write into; make it first.")
    if output.is_dir():
        raise CorpusError(f"{output} cannot be written: it is a folder; name a file in it.")
    return output


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{output} cannot be written: {error.strerror or error}; choose another place."
        ) from None


def _lines(name: str) -> list[str]:
    """The texts of a file or of standard input, one a line."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror}; check the path.") from None
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{name} is not UTF-8 (byte {error.start + 1} cannot be read); save it as UTF-8."
        ) from None
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise CorpusError(f"{name} holds no text; write one text a line.")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise CorpusError(f"Line {number} of {name} is empty; remove it or write a text there.")
    return lines


def _dimension(options: argparse.Namespace) -> dict[str, Any]:
    from analysis import corpora, study

    texts = corpora.load_texts(options.corpus)
    loaded = _load(options)
    result = study.dimensions(
        loaded,
        texts,
        samples=options.samples,
        seed=options.seed,
        estimator=options.estimator,
        cloud=options.cloud,
        prompted=not options.bare,
        progress=_counter("encoding"),
    )
    return {
        "backbone": loaded.facts.name,
        "dtype": loaded.dtype.value,
        "corpus": texts.name,
        "estimator": options.estimator,
        "cloud": options.cloud,
        "prompted": result.prompted,
        "seed": options.seed,
        "samples": result.curve.samples,
        "duplicates_dropped": result.duplicates_dropped,
        "rule": options.rule,
        "selected": list(result.selected(options.rule)),
        "frequency": [round(float(f), 4) for f in result.frequency(options.rule)],
        "curve": [_finite(d) for d in result.curve.dims],
        "band": [
            [_finite(a), _finite(b)]
            for a, b in zip(result.curve.low, result.curve.high, strict=True)
        ],
    }


def _sts(options: argparse.Namespace) -> list[dict[str, Any]]:
    from analysis import corpora, study
    from analysis.rerouting import PLAIN

    pairs = corpora.load_pairs(options.corpus)
    if pairs.note:
        _say(pairs.note)
    methods = [_method(options, name) for name in options.method or ["kv-embedding"]]
    loaded = _load(options)
    plan = _plan(options, loaded) if any(m.reroutes for m in methods) else PLAIN
    found = []
    for method in methods:
        score = study.score(loaded, pairs, method, plan, progress=_counter(method.name))
        found.append(
            {
                **_described(method, score.plan),
                "corpus": pairs.name,
                "pairs": score.sts.pairs,
                "texts": score.sts.texts,
                "spearman": score.sts.spearman,
                "ci_low": score.sts.ci_low,
                "ci_high": score.sts.ci_high,
                "pearson": score.sts.pearson,
                "resampled": score.sts.resampled,
                "backbone": loaded.facts.name,
                "dtype": loaded.dtype.value,
            }
        )
    return found


def _score(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every measure of every method; the paired comparisons with the first go to stderr."""
    from analysis import corpora, measures, scoring, shipped
    from analysis.rerouting import PLAIN

    corpus: scoring.Corpus
    match options.on:
        case "labelled":
            corpus = corpora.load_labelled(options.corpus or "chatterbot")
        case "retrieval":
            corpus = corpora.load_retrieval(options.corpus or "chatterbot-answers")
        case _:
            corpus = corpora.load_pairs(options.corpus or "lee50")
    if note := getattr(corpus, "note", ""):
        _say(note)
    match corpus:
        case corpora.Retrieval() if options.part:
            corpus = shipped.part(corpus, options.part, shipped.DOCUMENTS)
        case corpora.Pairs() if options.part:
            corpus = corpora.first(corpus, options.part, 0)
        case corpora.Texts() if options.part:
            corpus = corpora.first(corpus, options.part, 0)
    methods = [_method(options, name) for name in options.method or ["kv-embedding"]]
    loaded = _load(options)
    plan = _plan(options, loaded) if any(m.reroutes for m in methods) else PLAIN
    found = scoring.measured(
        loaded,
        corpus,
        [(method, plan) for method in methods],
        processing=options.post_processing,
        max_tokens=options.max_tokens,
        progress=_counter("encoding"),
    )
    base, *others = found
    for measure in base.measures if others else ():
        for difference in measures.differences(
            {one.method: one.measure(measure.name) for one in others},
            measure,
            base.method,
            corpus.of,
        ):
            _say(f"{measure.name}: {difference.sentence}")
    return [
        {
            **_described(method, one.plan),
            "corpus": corpus.name,
            "measure": m.name,
            "value": m.value,
            "ci_low": m.ci_low,
            "ci_high": m.ci_high,
            m.things: m.items,
            "of": one.of,
            "post_processing": options.post_processing,
            "texts_cut": one.texts_cut,
            "backbone": loaded.facts.name,
            "dtype": loaded.dtype.value,
        }
        for method, one in zip(methods, found, strict=True)
        for m in one.measures
    ]


def _mteb(options: argparse.Namespace) -> list[dict[str, Any]]:
    import datasets

    from analysis import mteb_encoder
    from analysis.embedder import Embedder
    from analysis.rerouting import PLAIN

    shown = sys.stderr.isatty()
    if not shown:
        datasets.disable_progress_bars()
    tasks = mteb_encoder.find_tasks(options.tasks)
    folder = _folder(options.output)
    loaded, method = _load(options), _method(options, options.method)
    plan = _plan(options, loaded) if method.reroutes else PLAIN
    embedder = Embedder(loaded, method, plan, options.max_tokens)
    encoder = mteb_encoder.MtebEncoder(embedder)
    found: list[dict[str, Any]] = []
    for result in mteb_encoder.run(encoder, tasks, folder, show_progress=shown):
        if result.reused and result.task not in {row["task"] for row in found}:
            _say(f"{result.task} was there already and is taken from {result.file}.")
        found.append(
            {
                "task": result.task,
                "split": result.split,
                "subset": result.subset,
                "metric": result.metric,
                "main_score": _finite(result.score),
                "reused": result.reused,
                "file": str(result.file),
            }
        )
    if embedder.texts_cut:
        _say(f"{embedder.texts_cut} texts were too long and lost their end.")
    if encoder.blank:
        _say(f"{encoder.blank} texts are empty and were encoded as {mteb_encoder.BLANK!r}.")
    return found


def _folder(name: str) -> Path:
    """An output folder, made if it is not there, refused before any work if it cannot be."""
    folder = Path(name)
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return folder


def _space(options: argparse.Namespace) -> dict[str, Any]:
    from analysis import corpora, space, space_figures, study

    names = options.method or ["mean", "kv-embedding"]
    if len(names) != 2:
        raise PlanError(f"A space comparison takes --method twice, not {len(names)} times.")
    output = _writable(options.output)
    texts = corpora.load_texts(options.corpus)
    loaded = _load(options)
    plan = _plan(options, loaded)
    first, second = (
        study.projected(
            loaded,
            texts.texts,
            _method(options, name),
            plan,
            seed=options.seed,
            progress=_counter(name),
        )
        for name in names
    )
    kept = space.neighbourhood_overlap(first.embeddings, second.embeddings)
    aligned = study.aligned(second, first)
    figure = space_figures.two_maps(first, aligned, texts.texts, texts.labels, (names[0], names[1]))
    with _writing(output):
        figure.write_html(output, include_plotlyjs=True)
    return {
        "output": str(output),
        "corpus": texts.name,
        "texts": len(texts.texts),
        "methods": names,
        "projection": first.projection.reason,
        "neighbours_kept": float(kept.mean()),
        "layers": list(plan.layers),
        "backbone": loaded.facts.name,
        "dtype": loaded.dtype.value,
    }


def _finite(value: float) -> float | None:
    """A JSON number; None for what JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def _print_table(result: Any) -> None:
    import pandas as pd

    with pd.option_context("display.max_columns", None, "display.width", 200):
        if isinstance(result, list):
            print(pd.json_normalize(result).to_string(index=False) if result else "none")
        else:
            for key, value in result.items():
                print(f"{key:20} {value}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
