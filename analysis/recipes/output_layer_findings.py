"""Findings about output layers in sentences: does the layer of lowest dimension embed best?"""

from collections.abc import Iterable, Sequence

from ..evaluation.over_layers import Relation
from .rows import Row, change_in_words, difference, grouped, in_words, items, place


def output_layers(rows: Sequence[Row]) -> Iterable[str]:
    """The answer for each method and corpus.

    Args:
        rows: rows of ``output-layers``, which may be of a grid.
    """
    for _, members in grouped(rows, lambda row: (place(row), row["method"])).items():
        by_layer = {row["output_layer"]: row for row in members}
        first = by_layer[min(by_layer)]
        if {*first["lowest"], first["best"]} <= by_layer.keys():
            yield (
                f"{_subject(first)}: {_lowest(by_layer)} {_best(by_layer)} {_correlation(first)}"
            )


def _subject(row: Row) -> str:
    count, things = items(row)
    total = f" of {row['of']:,}" if row.get("of") else ""
    step = row.get("post_processing", "none")
    method = row["method"] if step == "none" else f"{row['method']}, post-processing {step},"
    return (
        f"{method} on {row['corpus']} ({row['backbone']}, {row['dtype']}, {count:,}{total} "
        f"{things})"
    )


def _lowest(by_layer: dict[int, Row]) -> str:
    first, last = by_layer[min(by_layer)], max(by_layer)
    if not first["lowest"]:
        return "no layer outside the first fifth has an intrinsic dimension."
    layer, *others = first["lowest"]
    row = by_layer[layer]
    if row["change"] is not None:
        return (
            f"{_answer(row)}: layer {layer}, of the lowest intrinsic dimension outside the first "
            f"fifth, changes {row['measure']} by {change_in_words(row)} over the last layer, "
            f"{by_layer[last]['value']:.1f}, and has rank {row['rank']} of {len(by_layer)}."
        )
    text = (
        f"the layer of lowest intrinsic dimension outside the first fifth is the last, {layer}, "
        f"which is read anyway; its score of {row['value']:.1f} has rank {row['rank']} of "
        f"{len(by_layer)}."
    )
    other = by_layer.get(others[0]) if others else None
    if other and other["change"] is not None:
        text += f" The next lowest, layer {others[0]}, changes it by {change_in_words(other)}."
    return text


def _answer(row: Row) -> str:
    """Whether the layer of lowest dimension embeds better than the last."""
    if not difference(row, "").clear:
        return "it cannot be told whether the layer of lowest dimension embeds better than the last"
    better = "better" if row["change"] > 0 else "worse"
    return f"the layer of lowest dimension embeds {better} than the last"


def _best(by_layer: dict[int, Row]) -> str:
    first = by_layer[min(by_layer)]
    row = by_layer[first["best"]]
    if row["change"] is None:
        text = f"The last layer itself, {row['output_layer']}, scores highest"
    else:
        text = (
            f"Layer {row['output_layer']} scores highest, {change_in_words(row)}, but was chosen "
            "on these same texts"
        )
    if first["held_out"] is None:
        return f"{text}; there are too few to choose on one half and judge on the other."
    one, other = first["held_out_layers"]
    chosen = f"layer {one}" if one == other else f"layers {one} and {other}"
    change = in_words(first["held_out"], first["held_out_low"], first["held_out_high"], "+")
    return (
        f"{text}; chosen on one half and judged on the other, both ways ({chosen}), the best layer "
        f"changes it by {change} on {first['held_out_items']:,} {items(first)[1]}."
    )


def _correlation(row: Row) -> str:
    if row["correlation"] is None:
        return (
            "Too few layers outside the first fifth have a dimension to say whether lower ones "
            "embed better."
        )
    low, high = row["correlation_low"], row["correlation_high"]
    found = Relation(row["correlation"], low, high, row["correlation_layers"], row["correlation_p"])
    answer = "it cannot be told whether layers of lower dimension embed better"
    if found.clear:
        answer = f"layers of {'lower' if found.rho < 0 else 'higher'} dimension embed better"
    return (
        f"Over {found.layers} layers outside the first fifth {answer}: the rank correlation of "
        f"dimension and score is {found.text}."
    )
