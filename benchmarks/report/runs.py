"""The project's own results: every method on every corpus, computed once and stored.

``python -m benchmarks.report run`` computes what is not stored yet in ``assets/report``, in
float32; the corpora are those of ``KVE_CORPORA`` or the hub.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, types
from analysis.embedding.method_spelling import spelling
from analysis.evaluation import comparison
from analysis.experiments import dimension
from analysis.experiments.dimension import Dimensions
from analysis.experiments.score import score
from analysis.rerouting.plan import PLAIN, Plan
from benchmarks.report import records, windows
from benchmarks.report.records import Record
from benchmarks.report.sets import BACKBONES, BASE, ROOT, SETS, Set, method_of, rows

STORED = ROOT / "assets" / "report"
Stored = dict[tuple[str, str], dict[str, Any]]
"""What the tables read, by backbone and corpus."""


def path(backbone: str, of: Set, name: str) -> Path:
    """Where the record of a method is stored."""
    file = name.replace(", ", "-").replace(" ", "-")
    return STORED / backbone / of.name / f"{file}.npz"


def left(backbone: str, of: Set, names: Iterable[str]) -> list[str]:
    """The methods that have no record on a set."""
    return [name for name in names if not path(backbone, of, name).exists()]


def passes(backbone: str) -> list[list[str]]:
    """All methods, those together that share passes over the same prompts; the cheapest first."""
    together: dict[Any, list[str]] = {}
    for name in rows(backbone):
        prompt = method_of(backbone, name, PLAIN).prompt
        together.setdefault((prompt.templates, prompt.backwards), []).append(name)
    return [names for _, names in sorted(together.items(), key=lambda each: len(each[0][0]))]


def run(only: Iterable[str] = BACKBONES, kinds: Iterable[str] = ()) -> None:
    """Compute and store what is missing: a group of methods on all sets, then the next group.

    Args:
        only: backbones.
        kinds: kinds of corpora, or "windows"; all if empty.
    """
    kinds = tuple(kinds) or (*dict.fromkeys(one.kind for one in SETS), "windows")
    for backbone in only:
        for kind in kinds:
            for names in passes(backbone):
                for one in (one for one in SETS if one.kind == kind):
                    if todo := left(backbone, one, names):
                        keep(backbone, one, todo)
        if "windows" in kinds:
            for corpus in windows.WINDOWED:
                where = windows.path(STORED, backbone, corpus)
                if not where.exists():
                    loaded = _loaded(backbone)
                    windows.write(where, windows.compute(loaded, corpus, _dimensions(loaded)))
                    print(where.name, file=sys.stderr, flush=True)


def keep(backbone: str, of: Set, names: Iterable[str]) -> None:
    """Score methods on a set and store their records."""
    loaded, corpus, names = _loaded(backbone), of.load(), list(names)
    automatic = Plan(_dimensions(loaded).selected())
    methods = [method_of(backbone, name, automatic) for name in names]
    found = score(loaded, corpus, methods, max_tokens=of.max_tokens)
    for name, method, one in zip(names, methods, found, strict=True):
        facts = {
            "layers": list(automatic.layers),
            "bias": automatic.bias,
            "spelling": spelling(method),
            "documents": len(corpus.documents) if isinstance(corpus, types.Retrieval) else None,
            "tokens": of.max_tokens,
        }
        where = path(backbone, of, name)
        records.write(where, records.record(name, one, of.measures, facts))
        print(where.relative_to(STORED), file=sys.stderr, flush=True)


@cache
def _loaded(backbone: str) -> Backbone:
    return backbones.load(backbone, dtype="float32", device="cpu")


def _dimensions(loaded: Backbone) -> Dimensions:
    """The curve that layers are read off."""
    return dimension.dimensions(loaded, registry.load_texts(packaged.CALIBRATION))


def stored() -> Stored:
    """Everything that is stored, by backbone and corpus.

    Where a part of a set was scored before by more methods than the whole is yet, it stands in.
    """
    return {(backbone, name): result for backbone, name, result in _each()}


def _each() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for backbone in BACKBONES:
        for one in SETS:
            paths = {name: path(backbone, one, name) for name in rows(backbone)}
            found = [records.read(where) for where in paths.values() if where.exists()]
            earlier = STORED / f"{backbone}.{one.name}.json"
            part = json.loads(earlier.read_text(encoding="utf-8")) if earlier.exists() else None
            begun = any(record.method == BASE for record in found)
            if begun and (part is None or len(found) >= len(part["scores"])):
                yield backbone, one.name, together(found)
            elif part is not None:
                yield backbone, one.name, part
        for corpus in windows.WINDOWED:
            where = windows.path(STORED, backbone, corpus)
            if where.exists():
                result = json.loads(where.read_text(encoding="utf-8"))
                yield backbone, f"{corpus}.windows", result


def together(found: list[Record]) -> dict[str, Any]:
    """What records of methods on one corpus say together, as the tables read it.

    Args:
        found: the records, that of the main method among them.

    Returns:
        The facts of the main method; ``scores`` and ``measures`` by method; ``differences`` of each
        measure from the main method; ``makers``, the provenance of methods where it differs.
    """
    by_name = {record.method: record for record in found}
    base = by_name[BASE]
    first = next(iter(base.measures.values()))
    return {
        **base.facts,
        "items": first.items,
        "things": first.things,
        "resampled": first.resampled,
        "measures": {record.method: record.measures for record in found},
        "scores": {
            record.method: {
                m.name: [m.value, m.ci_low, m.ci_high] for m in record.measures.values()
            }
            for record in found
        },
        "differences": {
            name: [
                asdict(change)
                for change in comparison.differences(
                    {r.method: r.measures[name] for r in found if r is not base},
                    *(measure, BASE, base.facts["of"]),
                )
            ]
            for name, measure in base.measures.items()
        },
        "makers": {
            record.method: record.facts["made"] for record in found if _made(record) != _made(base)
        },
    }


def _made(record: Record) -> tuple[Any, ...]:
    made = record.facts["made"]
    return made["dtype"], made["device"], made["versions"]
