"""What each command does: options in, a result as plain data out."""

import argparse
import contextlib
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from ..corpora import streams
from ..errors import ExplorerError, PlanError
from ..runtime import outputs
from . import asked, score_commands


def _backbones(options: argparse.Namespace) -> list[dict[str, Any]]:
    from ..backbones import devices, sources
    from ..backbones.facts import describe

    names = [options.backbone] if options.backbone else sources.offered()
    device = devices.choose_device(options.device)
    dtype = devices.choose_dtype(options.dtype, device.value)
    chosen = {
        "device": device.value,
        "device_reason": device.reason,
        "dtype": dtype.value,
        "dtype_reason": dtype.reason,
    }
    found = []
    for name in names:
        try:
            found.append(describe(name).as_dict() | chosen)
        except ExplorerError as error:
            if options.backbone:
                raise
            asked.say(f"{name} is left out: {error}")
    return found


def _encode(options: argparse.Namespace) -> dict[str, Any]:
    from ..parallel import sharded_encoding

    method = asked.method(options, options.method)
    output = outputs.writable(options.output)
    with (
        contextlib.closing(streams.Lines(options.input)) as lines,
        asked.workers(options) as workers,
    ):
        ((known, plan),) = workers.map(partial(asked.known, options, method), [None])
        result = sharded_encoding.encode(
            *(workers, known, lines, output, method, plan),
            role=options.role,
            resumed=lambda kept, of: asked.say(
                f"Going on: {kept} of {of} shards are there already."
            ),
            progress=asked.counter("encoding"),
        )
    if result.texts_cut:
        asked.say(
            f"{result.texts_cut} texts were too long and lost {result.tokens_cut} tokens in all."
        )
    return {
        "output": str(output),
        "texts": lines.count,
        "hidden": known.facts.hidden,
        **asked.described(method, plan),
        "backbone": known.facts.name,
        "dtype": known.dtype.value,
        "texts_cut": result.texts_cut,
        "tokens_cut": result.tokens_cut,
        "seconds": round(result.seconds, 3),
    }


def _dimension(options: argparse.Namespace) -> dict[str, Any]:
    from ..corpora import registry
    from ..experiments import dimension

    texts = registry.load_texts(options.corpus)
    loaded = asked.load(options)
    result = dimension.dimensions(
        loaded,
        texts,
        samples=options.samples,
        seed=options.seed,
        estimator=options.estimator,
        cloud=options.cloud,
        prompted=not options.bare,
        progress=asked.counter("encoding"),
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
        "curve": [asked.finite(d) for d in result.curve.dims],
        "band": [
            [asked.finite(a), asked.finite(b)]
            for a, b in zip(result.curve.low, result.curve.high, strict=True)
        ],
    }


def _causal(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a shared token: how far its final state moves, as a share of its length."""
    from ..embedding import prompts
    from ..experiments import causal

    loaded = asked.load(options)
    method, plan = asked.method(options, "kv-embedding"), asked.plan(options, loaded)
    template = prompts.BARE if options.bare else method.template
    moved = causal.movement(loaded, options.first, options.second, plan, template=template)
    return [
        {"token": token, "plain": float(plain), "re-routed": float(rerouted)}
        for token, plain, rerouted in zip(
            moved.tokens, moved.plain[-1], moved.rerouted[-1], strict=True
        )
    ]


def _mteb(options: argparse.Namespace) -> list[dict[str, Any]]:
    import datasets

    from ..integrations import mteb
    from ..integrations.sentence_transformers import Embedder
    from ..rerouting.plan import PLAIN

    shown = sys.stderr.isatty()
    if not shown:
        datasets.disable_progress_bars()
    tasks = mteb.find_tasks(options.tasks)
    folder = outputs.folder(options.output)
    loaded, method = asked.load(options), asked.method(options, options.method)
    plan = asked.plan(options, loaded) if method.reroutes else PLAIN
    embedder = Embedder(loaded, method, plan, options.max_tokens)
    encoder = mteb.MtebEncoder(embedder)
    found: list[dict[str, Any]] = []
    for result in mteb.run(encoder, tasks, folder, show_progress=shown):
        if result.reused and result.task not in {row["task"] for row in found}:
            asked.say(f"{result.task} was there already and is taken from {result.file}.")
        found.append(
            {
                "task": result.task,
                "split": result.split,
                "subset": result.subset,
                "metric": result.metric,
                "main_score": asked.finite(result.score),
                "reused": result.reused,
                "file": str(result.file),
            }
        )
    if embedder.texts_cut:
        asked.say(f"{embedder.texts_cut} texts were too long and lost their end.")
    if encoder.blank:
        asked.say(f"{encoder.blank} texts are empty and were encoded as {mteb.BLANK!r}.")
    return found


def _space(options: argparse.Namespace) -> dict[str, Any]:
    from ..corpora import registry, sampling
    from ..experiments import space
    from ..figures import spaces as space_figures
    from ..rerouting.plan import PLAIN
    from ..spaces import comparison

    names = options.method or ["mean", "kv-embedding"]
    if len(names) != 2:
        raise PlanError(f"A space comparison takes --method twice, not {len(names)} times.")
    output = outputs.writable(options.output)
    whole = registry.load_texts(options.corpus)
    texts = sampling.sample(whole, options.samples, 0) if options.samples else whole
    loaded = asked.load(options)
    other = asked.load(options, options.right_backbone) if options.right_backbone else loaded
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
        method = asked.method(options, name)
        plan = asked.plan(options, on, layers) if method.reroutes else PLAIN
        spaces.append(
            space.projected(on, texts.texts, method, plan, **settings, progress=asked.counter(name))
        )
    first, second = spaces[0], space.aligned(spaces[1], spaces[0])
    compared = comparison.compare(
        first.embeddings,
        second.embeddings,
        (first.projection.points, second.projection.points),
        texts.labels,
    )
    figure = space_figures.two_maps(first, second, texts.texts, texts.labels, (names[0], names[1]))
    with outputs.writing(output):
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


def _doctor(_options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a check; the command ends with code 1 if any is an error."""
    from .. import doctor

    return [check._asdict() for check in doctor.checks()]


COMMANDS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "backbones": _backbones,
    "doctor": _doctor,
    "encode": _encode,
    "dimension": _dimension,
    "sts": score_commands.sts,
    "score": score_commands.score,
    "long-texts": score_commands.long_texts,
    "causal": _causal,
    "ablation": score_commands.ablation,
    "rules": score_commands.rules,
    "parts": score_commands.parts,
    "space": _space,
    "mteb": _mteb,
}
"""Every command by name; a result is JSON-able: one mapping, or one a row."""
