"""The words that prompts make a backbone think of, in sentences and as figures."""

from collections.abc import Iterator, Sequence

import plotly.graph_objects as go

from ..figures.words import entropy_by_layer, frequent_words, layer_map
from ..rerouting.layer_lists import layers_in_words
from .rows import Row, grouped, place

_SHOWN = 60
"""Letters of a text in a sentence or a title."""


def sentences(rows: Sequence[Row]) -> Iterator[str]:
    """The first word of each text, or the most frequent word of each corpus, plain and re-routed.

    Both are at the layer whose output the method reads.

    Args:
        rows: of ``words``, with their place in a grid.
    """
    for members in _groups(rows):
        by_side = {row["model"]: row for row in members if row["read"] and row["rank"] == 1}
        if "plain" not in by_side:
            continue
        plain, rerouted = by_side["plain"], by_side.get("re-routed")
        said = _of_corpus if plain.get("count") else _of_text
        later = "" if not rerouted else f"; with {_plan(rerouted)} re-routed {said(rerouted)}"
        last = max(row["layer"] for row in members)
        layer = "" if plain["layer"] == last else f" at layer {plain['layer']}, which it reads"
        yield f"{_name(plain)}: {said(plain)}{layer}{later}."


def drawn(rows: Sequence[Row]) -> Iterator[tuple[str, go.Figure, Sequence[Row]]]:
    """The figures of the rows, each with its name and the rows that it shows.

    Args:
        rows: of ``words``, with their place in a grid.
    """
    for number, members in enumerate(_groups(rows), 1):
        name = f"{number}. {_name(members[0])}"
        if members[0].get("count"):
            yield f"Most frequent words, {name}", frequent_words(members), members
            yield f"Entropy by layer, {name}", entropy_by_layer(members), members
        yield f"Words by layer, {name}", layer_map(members), members


def _groups(rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
    """Rows with one place, method, prompt, and text or corpus, in the order of the rows."""
    return list(
        grouped(
            rows,
            lambda row: (
                *(place(row), row["backbone"], row["dtype"], row["method"], row["prompt"]),
                *(row.get("text", ""), row.get("number", 0), row.get("corpus", "")),
            ),
        ).values()
    )


def _name(row: Row) -> str:
    prompts = f", prompt {row['prompt']}" if row["prompt"] > 1 else ""
    text = row.get("text", "")
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}\u2026"
    about = row.get("corpus") or f'"{short}"'
    parts = dict.fromkeys((place(row), f"{row['method']}{prompts}", about))
    return ", ".join(filter(None, parts))


def _of_text(row: Row) -> str:
    return f'it thinks first of "{row["word"]}" ({row["probability"]:.0%})'


def _of_corpus(row: Row) -> str:
    return (
        f'the most frequent first word is "{row["word"]}" ({row["count"]:,} of {row["texts"]:,} '
        f"texts, mean probability {row['probability']:.0%}), and a word tells "
        f"{row['information']:.1f} bits about its text ({row['corpus_entropy']:.1f} of the corpus "
        f"less {row['entropy']:.1f} [{row['entropy_low']:.1f}, {row['entropy_high']:.1f}])"
    )


def _plan(row: Row) -> str:
    return f"heads {row['heads']}" if row.get("heads") else layers_in_words(row["layers"], 10**6)
