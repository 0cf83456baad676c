"""What each command does: options in, a result as plain data out.

Progress and warnings go to standard error.
"""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial
from typing import Any

from analysis import files
from analysis.errors import ExplorerError, PlanError


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _counter(what: str) -> Callable[[int, int], None]:
    """A progress callback that rewrites one line of a terminal, and is silent elsewhere."""

    def count(done: int, whole: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{what} {done}/{whole}", end="\n" if done == whole else "", file=sys.stderr)

    return count


_HELD: ContextVar[dict[tuple[str, ...], Any] | None] = ContextVar("held", default=None)
"""The one backbone that is kept between commands, where that is asked for."""


class OneBackbone:
    """Inside its blocks the last backbone stays in memory, so that the same is not loaded again."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, ...], Any] = {}
        self._tokens: list[Token[dict[tuple[str, ...], Any] | None]] = []

    def __enter__(self) -> None:
        self._tokens.append(_HELD.set(self._held))

    def __exit__(self, *_: object) -> None:
        _HELD.reset(self._tokens.pop())


def _load(options: argparse.Namespace, name: str | None = None) -> Any:
    from analysis import backbone

    asked = (name or options.backbone, options.dtype, options.device)
    held = _HELD.get()
    if held is not None and asked in held:
        return held[asked]
    if held is not None:
        held.clear()  # before the next one takes its memory
    found = backbone.load(asked[0], dtype=asked[1], device=asked[2], progress=_say)
    if held is not None:
        held[asked] = found
    return found


def _plan(options: argparse.Namespace, loaded: Any, layers: str | None = None) -> Any:
    """The plan asked for, or its like with other ``layers``; ``auto`` reads the curve of the
    calibration corpus."""
    from analysis import corpora, study
    from analysis.rerouting import Plan
    from analysis.selection import parse_layers

    def auto() -> tuple[int, ...]:
        if loaded.refusal:
            return ()
        texts = corpora.load_texts(corpora.CALIBRATION)
        found = study.dimensions(loaded, texts, progress=_counter("calibrating"))
        return found.selected(options.rule)

    chosen = parse_layers(layers or options.layers, loaded.layers, auto)
    return Plan(chosen, options.bias, options.key_position)


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


def _engine(options: argparse.Namespace) -> Any:
    from analysis.engines import Engine

    return Engine(options.engine, options.address, options.workers)


def _workers(options: argparse.Namespace) -> Any:
    """Workers that hold the backbone, as the options say, for a ``with`` block."""
    from analysis import engines

    return engines.opened(_engine(options), partial(_load, options), device=options.device)


def _known(options: argparse.Namespace, method: Any, loaded: Any, _: None) -> Any:
    """A worker's backbone, from afar without its weights, and the plan asked for."""
    from analysis.rerouting import PLAIN

    return loaded, _plan(options, loaded) if method.reroutes else PLAIN


def _encode(options: argparse.Namespace) -> dict[str, Any]:
    from analysis import shards

    method = _method(options, options.method)
    output = files.writable(options.output)
    with contextlib.closing(files.Lines(options.input)) as lines, _workers(options) as workers:
        ((known, plan),) = workers.map(partial(_known, options, method), [None])
        result = shards.encode(
            *(workers, known, lines, output, method, plan),
            role=options.role,
            resumed=lambda kept, of: _say(f"Going on: {kept} of {of} shards are there already."),
            progress=_counter("encoding"),
        )
    if result.texts_cut:
        _say(f"{result.texts_cut} texts were too long and lost {result.tokens_cut} tokens in all.")
    return {
        "output": str(output),
        "texts": lines.count,
        "hidden": known.facts.hidden,
        **_described(method, plan),
        "backbone": known.facts.name,
        "dtype": known.dtype.value,
        "texts_cut": result.texts_cut,
        "tokens_cut": result.tokens_cut,
        "seconds": round(result.seconds, 3),
    }


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


def _corpus(options: argparse.Namespace) -> Any:
    """The corpus that is scored ``on``, or the part of it that was asked for."""
    from analysis import corpora

    corpus: Any = corpora.load(options.on, options.corpus or corpora.USUAL[options.on])
    if note := getattr(corpus, "note", ""):
        _say(note)
    return corpora.part(corpus, options.part)


def _score(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every measure of every method; the paired comparisons with the first go to stderr."""
    from analysis import scoring
    from analysis.rerouting import PLAIN

    corpus = _corpus(options)
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
    changes = _changes(found, corpus.of)
    return [
        {
            **row,
            "of": one.of,
            "post_processing": options.post_processing,
            **_changed(changes.get((one.method, row["measure"]))),
        }
        for method, one in zip(methods, found, strict=True)
        for row in _measured(method, one, loaded)
    ]


def _changes(found: Any, of: int | None) -> dict[tuple[str, str], Any]:
    """By method and measure, the paired differences of all but the first with the first."""
    from analysis import measures

    base, *others = found
    changes = {}
    for measure in base.measures if others else ():
        by_name = {one.method: one.measure(measure.name) for one in others}
        for difference in measures.differences(by_name, measure, base.method, of):
            changes[difference.first, measure.name] = difference
            _say(f"{measure.name}: {difference.sentence}")
    return changes


def _measured(method: Any, one: Any, loaded: Any) -> list[dict[str, Any]]:
    """A row for each measure of one method."""
    return [
        {
            **_described(method, one.plan),
            "corpus": one.corpus,
            "measure": m.name,
            "value": m.value,
            "ci_low": m.ci_low,
            "ci_high": m.ci_high,
            m.things: m.items,
            "texts_cut": one.texts_cut,
            "backbone": loaded.facts.name,
            "dtype": loaded.dtype.value,
        }
        for m in one.measures
    ]


def _long_texts(options: argparse.Namespace) -> list[dict[str, Any]]:
    from analysis import corpora, scoring, shipped
    from analysis.passages import Place
    from analysis.rerouting import PLAIN

    corpus = corpora.part(corpora.load_retrieval(options.corpus), options.part)
    methods = [_method(options, name) for name in options.method or ["kv-embedding"]]
    loaded = _load(options)
    plan = _plan(options, loaded) if any(m.reroutes for m in methods) else PLAIN
    asked = [(method, plan) for method in methods]
    variants = shipped.places(corpus)
    cases: list[tuple[Place, int | None]] = [(place, None) for place in variants]
    cases += [("middle", length) for length in options.tokens or ()]
    rows = []
    for place, length in cases:
        count = _counter(f"{place} {length or ''}")
        found = scoring.measured(loaded, variants[place], asked, max_tokens=length, progress=count)
        for method, one in zip(methods, found, strict=True):
            measured = _measured(method, one, loaded)
            rows += [{"place": place, "tokens": length, **row} for row in measured]
    return rows


def _causal(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a shared token: how far its final state moves, as a share of its length."""
    from analysis import causality, prompting

    loaded = _load(options)
    method, plan = _method(options, "kv-embedding"), _plan(options, loaded)
    template = prompting.BARE if options.bare else method.template
    moved = causality.movement(loaded, options.first, options.second, plan, template=template)
    return [
        {"token": token, "plain": float(plain), "re-routed": float(rerouted)}
        for token, plain, rerouted in zip(
            moved.tokens, moved.plain[-1], moved.rerouted[-1], strict=True
        )
    ]


def _ablation(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a plan, best first: its score, its change and its rank."""
    from collections import deque

    from analysis import ablation, corpora, selection, sweeps

    pairs = corpora.part(corpora.load_pairs(options.corpus), options.part)
    method = _method(options, "kv-embedding")
    with _workers(options) as workers:
        ((loaded, plan),) = workers.map(partial(_known, options, method), [None])
        most = options.most or selection.window_width(loaded.layers)
        search = ablation.SEARCHES[options.search](plan, loaded.layers, loaded.reroutable, most)
        count = _counter(options.search)
        sweep = partial(sweeps.sweep, workers) if options.engine == "ray" else None
        walks = ablation.run(loaded, pairs, search, method, sweep=sweep)
        counted = (count(len(w.plans) - len(w.missing), len(w.plans)) or w for w in walks)
        (walk,) = deque(counted, maxlen=1)
    return [
        {
            **_described(method, one),
            "rank": walk.rank(one),
            "spearman": point.score.sts.spearman,
            "change": point.change.delta,
            "ci_low": point.change.ci_low,
            "ci_high": point.change.ci_high,
            "corpus": pairs.name,
            "pairs": point.score.sts.pairs,
            "of": pairs.of,
            "backbone": loaded.facts.name,
            "dtype": loaded.dtype.value,
        }
        for one, point in sorted(walk.points.items(), key=lambda item: walk.rank(item[0]))
    ]


def _changed(change: Any) -> dict[str, Any]:
    """A paired difference for the results: against what, how large, how sure; or none."""
    names = ("against", "change", "change_low", "change_high", "p", "p_holm")
    if change is None:
        return dict.fromkeys(names)
    return {
        "against": change.second,
        "change": change.delta,
        "change_low": change.ci_low,
        "change_high": change.ci_high,
        "p": _finite(change.p),
        "p_holm": change.p_holm,
    }


def _rules(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a window or rule's choice, best first, by the corpus's first measure."""
    from analysis import corpora, ranking, study
    from analysis.rerouting import Plan

    corpus, loaded = _corpus(options), _load(options)
    method = _method(options, "kv-embedding")
    texts = corpora.load_texts(corpora.CALIBRATION)
    curve = study.dimensions(loaded, texts, progress=_counter("calibrating"))
    like = Plan((), options.bias, options.key_position)
    found = ranking.ranked(loaded, corpus, curve, like, method, progress=_counter("encoding"))
    return [
        {
            **_measured(method, one.scored, loaded)[0],
            "of": one.scored.of,
            **_changed(one.change),
            "rules": list(one.rules),
            "rank": one.rank,
            "rank_low": one.low,
            "rank_high": one.high,
            "windows": one.windows,
        }
        for one in found
    ]


def _parts(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a part and how it is asked for, by the corpus's first measure."""
    from analysis import parts

    corpus, loaded = _corpus(options), _load(options)
    whole, plan = _method(options, "kv-embedding"), _plan(options, loaded)
    found = parts.brought(loaded, corpus, plan, whole, progress=_counter("encoding"))
    return [
        {
            "part": one.part,
            "how": one.how,
            **_measured(one.method, one.together, loaded)[0],
            "of": one.together.of,
            "without": one.without.measures[0].value,
            **_changed(one.change),
        }
        for one in found
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
    folder = files.folder(options.output)
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


def _space(options: argparse.Namespace) -> dict[str, Any]:
    from analysis import comparison, corpora, space_figures, study
    from analysis.rerouting import PLAIN

    names = options.method or ["mean", "kv-embedding"]
    if len(names) != 2:
        raise PlanError(f"A space comparison takes --method twice, not {len(names)} times.")
    output = files.writable(options.output)
    whole = corpora.load_texts(options.corpus)
    texts = corpora.sample(whole, options.samples, 0) if options.samples else whole
    loaded = _load(options)
    other = _load(options, options.right_backbone) if options.right_backbone else loaded
    settings: dict[str, Any] = {"how": options.projection}
    if options.projection == "umap":
        settings = {
            "neighbours": options.neighbours,
            "min_dist": options.min_dist,
            "seed": options.seed,
        }
    spaces = []
    for name, on, layers in zip(
        names, (loaded, other), (options.left_layers, options.right_layers), strict=True
    ):
        method = _method(options, name)
        plan = _plan(options, on, layers) if method.reroutes else PLAIN
        spaces.append(
            study.projected(on, texts.texts, method, plan, **settings, progress=_counter(name))
        )
    first, second = spaces[0], study.aligned(spaces[1], spaces[0])
    compared = comparison.compare(
        first.embeddings,
        second.embeddings,
        (first.projection.points, second.projection.points),
        texts.labels,
    )
    figure = space_figures.two_maps(first, second, texts.texts, texts.labels, (names[0], names[1]))
    with files.writing(output):
        figure.write_html(output, include_plotlyjs=True, div_id="maps")  # else a random one
    return {
        "output": str(output),
        "corpus": texts.name,
        "texts": len(texts.texts),
        "of": len(whole.texts),
        "methods": names,
        "projection": first.projection.reason,
        "neighbours_kept": float(compared.kept.mean()),
        "by_chance": compared.chance,
        "trustworthiness": [compared.left.trust, compared.right.trust],
        "layers": [list(one.plan.layers) for one in spaces],
        "backbones": [loaded.facts.name, other.facts.name],
        "dtype": loaded.dtype.value,
    }


def _finite(value: float) -> float | None:
    """A JSON number; None for what JSON cannot hold."""
    return float(value) if math.isfinite(value) else None


def _doctor(_options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a check; the command ends with code 1 if any is ill."""
    from analysis import doctor

    return [check._asdict() for check in doctor.checks()]


COMMANDS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "backbones": _backbones,
    "doctor": _doctor,
    "encode": _encode,
    "dimension": _dimension,
    "sts": _sts,
    "score": _score,
    "long-texts": _long_texts,
    "causal": _causal,
    "ablation": _ablation,
    "rules": _rules,
    "parts": _parts,
    "space": _space,
    "mteb": _mteb,
}
"""Every command by name; a result is JSON-able: one mapping, or one a row."""
