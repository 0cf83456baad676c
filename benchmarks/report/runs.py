"""The project's own results: what is run on which corpora, and how runs are stored.

``python -m benchmarks.report run`` computes every run that is not stored yet, one JSON file each in
``assets/report``; the corpora are those of ``KVE_CORPORA`` or the hub.
"""

import json
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling, types
from analysis.dimension import selection
from analysis.embedding import cached_encoder
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS, method
from analysis.evaluation import comparison, similarity
from analysis.evaluation.comparison import Difference
from analysis.experiments import dimension, held_out, searches
from analysis.experiments.dimension import Dimensions
from analysis.experiments.score import score
from analysis.experiments.score_result import Corpus
from analysis.rerouting.plan import PLAIN, Plan

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "assets" / "report"
BACKBONES = ("smollm2", "gemma3-270m")
PAIRS = ("stsb-dev", "stsb-test", "sts12", "sts16", "sickr-test")
PART = 500
"""Pairs drawn of each set: all methods on all pairs take half a day on two CPU cores."""
QUERIES, DOCUMENTS, DOCUMENT_TOKENS = 40, 100, 512
"""What is drawn of scifact-mini, and where its documents are cut."""
LENGTHS = (512, 1024, 2048, 4096)
"""Tokens read of each document of qmsum-test, prompt included."""
WINDOWED = ("lee50", "stsb-dev", "sickr-test")
BASE = DEFAULT.name
ALL = tuple(METHODS | VARIANTS)
"""Methods in the order of the tables; variants are in a run where they were measured once."""


Stored = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """One run: a backbone on a corpus by ``methods``, or by all windows if there are none."""

    backbone: str
    name: str
    methods: tuple[str, ...]
    compute: Callable[..., dict[str, Any]]
    """From the backbone and, for methods, the names of those to compute."""
    items: int | None = None
    """Pairs or queries that are drawn; None for all."""

    @property
    def path(self) -> Path:
        """Where it is stored."""
        return STORED / f"{self.backbone}.{self.name}.json"

    def left(self, found: Stored) -> bool:
        """Whether the run, one of its methods or some of its items are missing in ``found``."""
        result = found.get((self.backbone, self.name))
        return (
            result is None
            or (None not in (self.items, result["of"]) and result["items"] != self.items)
            or not set(self.methods) <= set(result.get("scores", ()))
        )


def runs() -> Iterator[Run]:
    """Everything that is run."""
    methods = tuple(METHODS)
    for name in BACKBONES:
        for pairs in PAIRS:
            yield Run(name, pairs, methods, partial(_similarity, pairs), PART)
        for corpus in WINDOWED:
            yield Run(name, f"{corpus}.windows", (), partial(_windows, corpus), PART)
        yield Run(name, "scifact-mini", methods, _scifact, QUERIES)
    for length in LENGTHS:
        for name in BACKBONES:
            yield Run(name, f"qmsum-test.{length}", methods, partial(_qmsum, length))


def _similarity(
    name: str, loaded: Backbone, methods: Iterable[str] = tuple(METHODS)
) -> dict[str, Any]:
    return _scores(loaded, _pairs(name), None, methods)


def _pairs(name: str) -> types.Pairs:
    whole = registry.load_pairs(name)
    return whole if len(whole.texts) <= 100 else sampling.draw(whole, PART, 0)


def _scifact(loaded: Backbone, methods: Iterable[str] = tuple(METHODS)) -> dict[str, Any]:
    whole = registry.load_retrieval("scifact-mini")
    drawn = sampling.draw(whole, QUERIES, 0, documents=DOCUMENTS)
    return _scores(loaded, drawn, DOCUMENT_TOKENS, methods)


def _qmsum(
    length: int, loaded: Backbone, methods: Iterable[str] = tuple(METHODS)
) -> dict[str, Any]:
    return _scores(loaded, registry.load_retrieval("qmsum-test"), length, methods)


def _dimensions(loaded: Backbone) -> Dimensions:
    """The curve that layers are read off, in float32 whatever the run is in.

    Bfloat16 rounds otherwise on another CPU, and where two windows are nearly as low, that decides.
    """
    exact = loaded
    if loaded.dtype.value != "float32":
        exact = backbones.load(loaded.facts.name, dtype="float32", device="cpu")
    return dimension.dimensions(exact, registry.load_texts(packaged.CALIBRATION))


def _scores(
    loaded: Backbone, corpus: Corpus, length: int | None, methods: Iterable[str]
) -> dict[str, Any]:
    plan = Plan(_dimensions(loaded).selected())
    asked = [method(name).under(plan) for name in dict.fromkeys((BASE, *methods))]
    found = score(loaded, corpus, asked, max_tokens=length)
    first = found[0].first
    by_name = {one.name: one for one in found}
    differences = {
        measure.name: comparison.differences(
            {name: one.measure(measure.name) for name, one in by_name.items() if name != BASE},
            by_name[BASE].measure(measure.name),
            BASE,
            corpus.total,
        )
        for measure in found[0].measures
    }
    return {
        **loaded.provenance().facts,
        "layers": list(plan.layers),
        "bias": plan.bias,
        "items": first.items,
        "things": first.things,
        "of": corpus.total,
        "documents": len(corpus.documents) if isinstance(corpus, types.Retrieval) else None,
        "tokens": length,
        "resampled": first.resampled,
        "source": corpus.source,
        "scores": {
            one.name: {m.name: [m.value, m.ci_low, m.ci_high] for m in one.measures}
            for one in found
        },
        "cut": {one.name: one.texts_cut for one in found},
        "differences": {name: [asdict(d) for d in ds] for name, ds in differences.items()},
    }


def _windows(name: str, loaded: Backbone) -> dict[str, Any]:
    """Score every window of the rule's width, and test every rule's choice."""
    pairs, found = _pairs(name), _dimensions(loaded)
    chosen = {rule: found.selected(rule) for rule in selection.RULES}
    width = selection.window_width(loaded.layers)
    plans = [PLAIN, *searches.sliding(loaded.layers, width)]
    plans += [Plan(layers) for layers in chosen.values() if Plan(layers) not in plans]
    embedded = cached_encoder.encode_methods(
        loaded, pairs.texts, [DEFAULT.under(plan) for plan in plans]
    )
    cosines = {
        plan.layers: similarity.cosines(one.embeddings, pairs)
        for plan, one in zip(plans, embedded, strict=True)
    }
    measures = {
        layers: similarity.agreement(values, pairs)[0] for layers, values in cosines.items()
    }
    scores = {layers: measure.value for layers, measure in measures.items()}
    changes = comparison.differences(
        {str(layers): measure for layers, measure in measures.items() if layers},
        *(measures[()], "re-routing nothing", pairs.total),
    )
    return {
        **loaded.provenance().facts,
        "items": len(pairs.scores),
        "of": pairs.total,
        "width": width,
        "windows": [[list(layers), score] for layers, score in scores.items()],
        "changes": [asdict(change) for change in changes],
        "tested": [asdict(one) for one in held_out.held_out(cosines, pairs, chosen)],
        "variability": {
            rule: asdict(held_out.variability(found.curve.resampled, rule, scores))
            for rule in selection.RULES
        },
    }


def run() -> None:
    """Compute and store every run that is missing or incomplete."""
    STORED.mkdir(parents=True, exist_ok=True)
    loaded: dict[str, Backbone] = {}
    for one in runs():
        known = stored()
        if one.left(known):
            if one.backbone not in loaded:
                loaded = {one.backbone: backbones.load(one.backbone, device="cpu")}
            keep(one, completed(one, known.get((one.backbone, one.name)), loaded[one.backbone]))
            print(one.path.name, file=sys.stderr, flush=True)


def completed(
    one: Run, known: dict[str, Any] | None, loaded: Backbone, most: Collection[str] = ALL
) -> dict[str, Any]:
    """A run with its missing methods, ``most`` of them; those that are known stay as they are.

    Args:
        one: the run.
        known: what is stored of it; used if it is about as many items.
        loaded: its backbone.
        most: the methods to compute at most.
    """
    if not one.methods:
        return one.compute(loaded)
    if known is None or (None not in (one.items, known["of"]) and known["items"] != one.items):
        return one.compute(loaded, [name for name in one.methods if name in most])
    missing = [name for name in one.methods if name not in known["scores"] and name in most]
    new = one.compute(loaded, missing)
    scores, cut = ({**new[part], **known[part]} for part in ("scores", "cut"))
    names = [name for name in ALL if name in scores]
    makers = {**known.get("makers", {}), **dict.fromkeys(missing, new["made"])}
    return {
        **known,
        "scores": {name: scores[name] for name in names},
        "cut": {name: cut[name] for name in names},
        "differences": {
            measure: _together(names, new["differences"].get(measure, []), differences)
            for measure, differences in known["differences"].items()
        },
        "makers": {name: maker for name, maker in makers.items() if maker != known["made"]},
    }


def _together(names: Sequence[str], *parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Differences of several computations, corrected for all of them, in the order of names."""
    by_name = {
        d["first"]: Difference(**d | {"p": math.nan if d["p"] is None else d["p"]})
        for part in parts
        for d in part
    }
    ordered = [by_name[name] for name in names if name in by_name]
    return [asdict(difference) for difference in comparison.corrected(ordered)]


def keep(one: Run, result: dict[str, Any]) -> None:
    """Store the result of a run."""
    text = json.dumps(_rounded(result), indent=1, allow_nan=False)
    one.path.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Numbers at four decimals, which is finer than what the bootstrap's seed decides."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return None if value != value else round(value, 4)
    return value


def stored() -> Stored:
    """All stored runs by backbone and name."""
    found = {}
    for one in runs():
        if one.path.exists():
            found[one.backbone, one.name] = json.loads(one.path.read_text(encoding="utf-8"))
    return found
