"""Check: scores and selected layers in bfloat16 stay within the noise of those in float32.

Not a claim of speed, but what allows bfloat16 to be chosen automatically on a CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling
from analysis.dimension import selection
from analysis.embedding import cached_encoder, named_methods
from analysis.errors import ExplorerError
from analysis.evaluation import comparison, similarity
from analysis.experiments import dimension
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan

BACKBONES = ("smollm2", "gemma3-270m")
METHODS_CHECKED = ("kv-embedding", "prompt-only", "mean", "last-token", "prompt-eol-question")
CORPORA = ("lee50", "stsb-test")
PAIRS = 500
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Checked:
    """One number in both dtypes: a score with its paired difference, or a selection.

    ``difference`` is bfloat16's less float32's with a 95% interval; for a selection ``float32``
    and ``bfloat16`` are the layers, and the numbers how often resampled curves give the same.
    """

    backbone: str
    corpus: str
    what: str
    float32: str
    bfloat16: str
    difference: float
    low: float
    high: float


def measure() -> list[Checked]:
    """Every method's score on rated pairs, and every rule's selection."""
    found = []
    for name in BACKBONES:
        try:
            loaded = [backbones.load(name, dtype=dtype, device="cpu") for dtype in DTYPES]
        except ExplorerError:
            continue
        found += [*_selections(name, loaded), *_scores(name, loaded)]
    return found


def _selections(name: str, loaded: Sequence[Backbone]) -> list[Checked]:
    texts = registry.load_texts(packaged.CALIBRATION)
    curves = [dimension.dimensions(one, texts) for one in loaded]
    found = []
    for rule in selection.RULES:
        chosen = [curve.selected(rule) for curve in curves]
        shares = [
            sum(selection.select(drawn, rule) == layers for drawn in curve.curve.resampled)
            / len(curve.curve.resampled)
            for curve, layers in zip(curves, chosen, strict=True)
        ]
        one, other = (
            f"{layer_lists.format_layers(layers, 10**6)} ({100 * share:.0f}%)"
            for layers, share in zip(chosen, shares, strict=True)
        )
        same = float(chosen[0] == chosen[1])
        found.append(Checked(name, texts.name, rule, one, other, same, shares[0], shares[1]))
    inside = (curves[0].curve.low <= curves[1].curve.dims) & (
        curves[1].curve.dims <= curves[0].curve.high
    )
    one, other = (f"{curve.curve.dims.mean():.2f}" for curve in curves)
    share = float(inside.mean())
    found.append(Checked(name, texts.name, "mean dimension", one, other, share, share, share))
    return found


def _scores(name: str, loaded: Sequence[Backbone]) -> list[Checked]:
    plan = Plan(
        dimension.dimensions(loaded[0], registry.load_texts(packaged.CALIBRATION)).selected()
    )
    asked = [named_methods.method(name).under(plan) for name in METHODS_CHECKED]
    found = []
    for corpus in CORPORA:
        try:
            pairs = registry.load_pairs(corpus)
        except ExplorerError:
            continue
        if len(pairs.texts) > 100:  # few texts in many pairs are taken whole
            pairs = sampling.draw(pairs, min(PAIRS, len(pairs.scores)), 0)
        embedded = [cached_encoder.encode_methods(one, pairs.texts, asked) for one in loaded]
        for number, method in enumerate(METHODS_CHECKED):
            measures = [
                similarity.agreement(similarity.cosines(e[number].embeddings, pairs), pairs)[0]
                for e in embedded
            ]
            one, other = (f"{measure.value:.2f}" for measure in measures)
            change = comparison.difference(measures[1], measures[0], (DTYPES[1], DTYPES[0]))
            found.append(
                Checked(
                    name,
                    f"{pairs.name}, {len(pairs.scores):,} pairs",
                    method,
                    one,
                    other,
                    change.delta,
                    change.ci_low,
                    change.ci_high,
                )
            )
    return found


def tables(checked: Sequence[Checked]) -> str:
    """The check as Markdown."""
    lines = [
        "Spearman x 100 of the same pairs in both; the difference with its paired 95% interval.",
        "",
        "| backbone | corpus | method | float32 | bfloat16 | difference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in checked:
        if one.what in METHODS_CHECKED:
            lines.append(
                f"| {one.backbone} | {one.corpus} | {one.what} | {one.float32} | {one.bfloat16} | "
                f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}] |"
            )
    lines += [
        "",
        "Layers that each rule selects (how often resampled curves of that dtype give the same):",
        "",
        "| backbone | rule | float32 | bfloat16 | same |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in checked:
        if one.what in selection.RULES:
            same = "yes" if one.difference else "no"
            lines.append(
                f"| {one.backbone} | {one.what} | {one.float32} | {one.bfloat16} | {same} |"
            )
    lines.append("")
    lines += [
        f"Mean dimension over all layers of {one.backbone}: {one.float32} in float32, "
        f"{one.bfloat16} in bfloat16; {100 * one.difference:.0f}% of the layers lie inside "
        "float32's band."
        for one in checked
        if one.what == "mean dimension"
    ]
    return "\n".join(lines)
