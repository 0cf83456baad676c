"""The commands that score: options in, rows out, each a score with what decides it."""

import argparse
from functools import partial
from typing import Any

from . import asked


def sts(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a method: its score on rated pairs."""
    from ..corpora import registry
    from ..experiments import study

    pairs = registry.load_pairs(options.corpus)
    if pairs.note:
        asked.say(pairs.note)
    loaded, methods = asked.methods(options)
    found = []
    for method, plan in methods:
        score = study.score(loaded, pairs, method, plan, progress=asked.counter(method.name))
        found.append(
            {
                **asked.described(method, score.plan),
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


def score(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every measure of every method; the paired comparisons with the first go to stderr."""
    from ..experiments import scoring

    corpus = asked.corpus(options)
    loaded, methods = asked.methods(options)
    found = scoring.measured(
        loaded,
        corpus,
        methods,
        processing=options.post_processing,
        max_tokens=options.max_tokens,
        progress=asked.counter("encoding"),
    )
    changes = _changes(found, corpus.of)
    return [
        {
            **row,
            "of": one.of,
            "post_processing": options.post_processing,
            **asked.changed(changes.get((one.method, row["measure"]))),
        }
        for (method, _), one in zip(methods, found, strict=True)
        for row in asked.measured(method, one, loaded)
    ]


def _changes(found: Any, of: int | None) -> dict[tuple[str, str], Any]:
    """By method and measure, the paired differences of all but the first with the first."""
    from ..evaluation import measures

    base, *others = found
    changes = {}
    for measure in base.measures if others else ():
        by_name = {one.method: one.measure(measure.name) for one in others}
        for difference in measures.differences(by_name, measure, base.method, of):
            changes[difference.first, measure.name] = difference
            asked.say(f"{measure.name}: {difference.sentence}")
    return changes


def long_texts(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a measure of a method, by where the answer stands and how much is read."""
    from ..corpora import registry, sampling
    from ..corpora.passages import Place
    from ..experiments import long_texts as shipped
    from ..experiments import scoring

    corpus = sampling.part(registry.load_retrieval(options.corpus), options.part)
    loaded, methods = asked.methods(options)
    variants = shipped.places(corpus)
    cases: list[tuple[Place, int | None]] = [(place, None) for place in variants]
    cases += [("middle", length) for length in options.tokens or ()]
    rows = []
    for place, length in cases:
        count = asked.counter(f"{place} {length or ''}")
        found = scoring.measured(
            loaded, variants[place], methods, max_tokens=length, progress=count
        )
        for (method, _), one in zip(methods, found, strict=True):
            measured = asked.measured(method, one, loaded)
            rows += [{"place": place, "tokens": length, **row} for row in measured]
    return rows


def ablation(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a plan, best first: its score, its change and its rank."""
    from collections import deque

    from ..corpora import registry, sampling
    from ..dimension import selection
    from ..experiments import ablation, searches
    from ..parallel import sweeps

    pairs = sampling.part(registry.load_pairs(options.corpus), options.part)
    method = asked.method(options, "kv-embedding")
    with asked.workers(options) as workers:
        ((loaded, plan),) = workers.map(partial(asked.known, options, method), [None])
        most = options.most or selection.window_width(loaded.layers)
        search = searches.SEARCHES[options.search](plan, loaded.layers, loaded.reroutable, most)
        count = asked.counter(options.search)
        sweep = partial(sweeps.sweep, workers) if options.engine == "ray" else None
        walks = ablation.run(loaded, pairs, search, method, sweep=sweep)
        counted = (count(len(w.plans) - len(w.missing), len(w.plans)) or w for w in walks)
        (walk,) = deque(counted, maxlen=1)
    return [
        {
            **asked.described(method, one),
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


def rules(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a window or rule's choice, best first, by the corpus's first measure."""
    from ..corpora import packaged, registry
    from ..experiments import dimension
    from ..experiments import rules as ranking
    from ..rerouting.plan import Plan

    corpus, loaded = asked.corpus(options), asked.load(options)
    method = asked.method(options, "kv-embedding")
    texts = registry.load_texts(packaged.CALIBRATION)
    curve = dimension.dimensions(loaded, texts, progress=asked.counter("calibrating"))
    like = Plan((), options.bias, options.key_position)
    found = ranking.ranked(loaded, corpus, curve, like, method, progress=asked.counter("encoding"))
    return [
        {
            **asked.measured(method, one.scored, loaded)[0],
            "of": one.scored.of,
            **asked.changed(one.change),
            "rules": list(one.rules),
            "rank": one.rank,
            "rank_low": one.low,
            "rank_high": one.high,
            "windows": one.windows,
        }
        for one in found
    ]


def parts(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a part and how it is asked for, by the corpus's first measure."""
    from ..experiments import parts

    corpus, loaded = asked.corpus(options), asked.load(options)
    whole, plan = asked.method(options, "kv-embedding"), asked.plan(options, loaded)
    found = parts.brought(loaded, corpus, plan, whole, progress=asked.counter("encoding"))
    return [
        {
            "part": one.part,
            "how": one.how,
            **asked.measured(one.method, one.together, loaded)[0],
            "of": one.together.of,
            "without": one.without.measures[0].value,
            **asked.changed(one.change),
        }
        for one in found
    ]
