"""What the options of a command ask for: a backbone, a plan, methods, a corpus, workers.

Progress and warnings go to standard error.
"""

import argparse
import math
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial
from typing import Any


def say(message: str) -> None:
    """Tell a person something on standard error."""
    print(message, file=sys.stderr, flush=True)


def counter(what: str) -> Callable[[int, int], None]:
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


def load(options: argparse.Namespace, name: str | None = None) -> Any:
    """The backbone asked for, or the one called ``name``; one that is held is not loaded again."""
    from ..backbones import backbone

    named, dtype, device = key = (name or options.backbone, options.dtype, options.device)
    held = _HELD.get()
    if held is not None and key in held:
        return held[key]
    if held is not None:
        held.clear()  # before the next one takes its memory
    found = backbone.load(named, dtype=dtype, device=device, progress=say)
    if held is not None:
        held[key] = found
    return found


def plan(options: argparse.Namespace, loaded: Any, layers: str | None = None) -> Any:
    """The plan asked for, or its like with other ``layers``; ``auto`` reads the curve of the
    calibration corpus."""
    from ..corpora import packaged, registry
    from ..experiments import dimension
    from ..rerouting.layer_lists import parse_layers
    from ..rerouting.plan import Plan

    def auto() -> tuple[int, ...]:
        if loaded.refusal:
            return ()
        texts = registry.load_texts(packaged.CALIBRATION)
        found = dimension.dimensions(loaded, texts, progress=counter("calibrating"))
        return found.selected(options.rule)

    chosen = parse_layers(layers or options.layers, loaded.layers, auto)
    return Plan(chosen, options.bias, options.key_position)


def method(options: argparse.Namespace, name: str) -> Any:
    """The method called ``name``, as the options say."""
    from ..embedding.methods import METHODS, variant

    return variant(
        METHODS[name], separator=options.prompt, pooling=options.pooling, norm=options.norm
    )


def methods(options: argparse.Namespace) -> tuple[Any, list[tuple[Any, Any]]]:
    """The backbone, and each method asked for with its plan; plain where none re-routes."""
    from ..rerouting.plan import PLAIN

    found = [method(options, name) for name in options.method or ["kv-embedding"]]
    loaded = load(options)
    one = plan(options, loaded) if any(each.reroutes for each in found) else PLAIN
    return loaded, [(each, one) for each in found]


def corpus(options: argparse.Namespace) -> Any:
    """The corpus that is scored ``on``, or the part of it that was asked for."""
    from ..corpora import registry, sampling

    whole: Any = registry.load(options.on, options.corpus or registry.USUAL[options.on])
    if note := getattr(whole, "note", ""):
        say(note)
    return sampling.part(whole, options.part)


def engine(options: argparse.Namespace) -> Any:
    """Where the work is done."""
    from ..parallel.engines import Engine

    return Engine(options.engine, options.address, options.workers)


def workers(options: argparse.Namespace) -> Any:
    """Workers that hold the backbone, as the options say, for a ``with`` block."""
    from ..parallel import engines

    return engines.opened(engine(options), partial(load, options), device=options.device)


def known(options: argparse.Namespace, method: Any, loaded: Any, _: None) -> Any:
    """A worker's backbone, from afar without its weights, and the plan asked for."""
    from ..rerouting.plan import PLAIN

    return loaded, plan(options, loaded) if method.reroutes else PLAIN


def described(method: Any, plan: Any) -> dict[str, Any]:
    """What of a method and its plan decides numbers, for the results."""
    return {
        "method": method.name,
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "layers": list(plan.layers),
        "bias": finite(plan.bias) if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }


def measured(method: Any, one: Any, loaded: Any) -> list[dict[str, Any]]:
    """A row for each measure of one method."""
    return [
        {
            **described(method, one.plan),
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


def changed(change: Any) -> dict[str, Any]:
    """A paired difference for the results: against what, how large, how sure; or none."""
    names = ("against", "change", "change_low", "change_high", "p", "p_holm")
    if change is None:
        return dict.fromkeys(names)
    return {
        "against": change.second,
        "change": change.delta,
        "change_low": change.ci_low,
        "change_high": change.ci_high,
        "p": finite(change.p),
        "p_holm": change.p_holm,
    }


def finite(value: float) -> float | None:
    """A JSON number; None for what JSON cannot hold."""
    return float(value) if math.isfinite(value) else None
