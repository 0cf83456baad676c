"""Scores -> figures and their tables: measures by method, pairs, prompts."""

import re
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..corpora.types import Pairs
from ..embedding.read_prompts import ReadPrompt
from ..evaluation.comparison import Difference
from ..experiments.score_result import Score, ranks
from ..rerouting.head_lists import format_heads
from .dots import dots
from .theme import PALETTE, PLAIN, REROUTED, SELECTED, laid_out, scatter, shortened


def measure_bars(scores: Sequence[Score], name: str) -> go.Figure:
    """Methods x one measure with 95% intervals, best on top."""
    ordered = sorted(scores, key=lambda m: m.measure(name).value)
    measures = [m.measure(name) for m in ordered]
    values = np.array([m.value for m in measures])
    ranked = ranks(ordered, name) if _ranked(scores, name) else []
    places = [f", rank {rank.interval}" for rank in ranked] or [""] * len(ordered)
    figure = go.Figure(
        go.Scatter(
            x=values,
            y=[m.name for m in ordered],
            mode="markers+text",
            text=[f"{v:.1f}{at}" for v, at in zip(values, places, strict=True)],
            textposition="top center",
            marker={
                "size": 12,
                "color": [SELECTED if m.name == "kv-embedding" else REROUTED for m in ordered],
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [m.ci_high - m.value for m in measures],
                "arrayminus": [m.value - m.ci_low for m in measures],
                "color": PLAIN,
            },
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    )
    figure.update_xaxes(title=f"{name} x 100, 95% interval")
    names = [m.name for m in ordered]
    figure.update_yaxes(
        range=[-0.6, len(names) - 0.3],  # the number of the top row has room too
        tickvals=names,
        ticktext=[broken(each) for each in names],
    )
    return laid_out(figure, 90 + 46 * len(ordered))


def broken(name: str, width: int = 26) -> str:
    """A method's name for an axis: in lines, broken at ``+`` and before a backbone."""
    lines = [""]
    for part in re.split(r"(?<=\+)|(?<= \u00b7 )", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def measure_table(scores: Sequence[Score], name: str | None = None) -> pd.DataFrame:
    """One row for each method, best first, with every measure and its interval.

    Several methods have their rank by the measure ``name``, by default the main one.
    """
    rows = []
    any_heads = any(score.plan.heads for score in scores)
    name = name or scores[0].first.name
    places = dict(zip(scores, ranks(scores, name), strict=True)) if _ranked(scores, name) else {}
    for score in sorted(scores, key=lambda each: -each.measure(name).value):
        row: dict[str, object] = {"method": score.name}
        if rank := places.get(score):
            row |= {"rank": rank.rank, "rank low": rank.low, "rank high": rank.high}
            row["not told apart from"] = ", ".join(rank.level_with)
        for m in score.measures:
            row |= {m.name: m.value, f"{m.name} low": m.ci_low, f"{m.name} high": m.ci_high}
        first = score.first
        row |= {
            first.things: first.items,
            "of": score.of or first.items,
            "layers": ", ".join(map(str, score.plan.layers)) or "none",
            **({"heads": format_heads((), score.plan.heads)} if any_heads else {}),
            "bias": score.plan.bias if score.plan.active else None,
            "corpus": score.corpus,
            "dtype": score.provenance.dtype,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _ranked(scores: Sequence[Score], name: str) -> bool:
    """Whether there are several scores of the same data, which can be ranked."""
    return len(scores) > 1 and len({(s.corpus, s.measure(name).items) for s in scores}) == 1


def difference_plot(differences: Sequence[Difference], name: str) -> go.Figure:
    """Differences from one method with their intervals, and a dashed line at 0.

    Args:
        differences: from one method; from top to bottom.
        name: the measure.
    """
    (baseline,) = {difference.second for difference in differences}
    return dots(
        [difference.to_dict() for difference in differences],
        place=lambda row: broken(row["first"]),
        group=lambda row: str(row["second"]),
        columns=("delta", "ci_low", "ci_high"),
        title=f"{name} x 100 minus that of {baseline}, 95% interval",
        zero=True,
    )


def difference_table(differences: Sequence[Difference]) -> pd.DataFrame:
    """One row for each comparison, with its interval and p-values."""
    return pd.DataFrame(
        [
            {
                "method": d.first,
                "compared with": d.second,
                "difference": d.delta,
                "low": d.ci_low,
                "high": d.ci_high,
                "p": d.p,
                "p (Holm)": d.p_holm,
                d.things: d.items,
            }
            for d in differences
        ]
    )


def measures_along(scores: Sequence[tuple[str, Score]], name: str, title: str) -> go.Figure:
    """One line for each method over ordered conditions (lengths, places), with 95% intervals."""
    conditions = list(dict.fromkeys(condition for condition, _ in scores))
    methods = list(dict.fromkeys(score.name for _, score in scores))
    figure = go.Figure()
    for i, method in enumerate(methods):
        measures = [score.measure(name) for _, score in scores if score.name == method]
        figure.add_scatter(
            x=[condition for condition, score in scores if score.name == method],
            y=[m.value for m in measures],
            mode="lines+markers",
            name=method,
            line={"color": PALETTE[i % len(PALETTE)]},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [m.ci_high - m.value for m in measures],
                "arrayminus": [m.value - m.ci_low for m in measures],
                "thickness": 1,
            },
            hovertemplate="%{x}: %{y:.1f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title=title, type="category", categoryarray=conditions)
    figure.update_yaxes(title=f"{name} x 100, 95% interval")
    # Side by side, so that no error bar lies on another.
    figure.update_layout(scattermode="group", scattergap=0.7)
    return laid_out(figure, 420)


def along_table(scores: Sequence[tuple[str, Score]], condition: str) -> pd.DataFrame:
    """The same as a table, one row for each method and condition."""
    tables = []
    for value, score in scores:
        table = measure_table([score])
        table.insert(0, condition, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def human_against_cosine(score: Score, pairs: Pairs) -> go.Figure:
    """Each pair's human rating against its cosine."""
    texts = [shortened(text) for text in pairs.texts]
    figure = go.Figure(
        scatter(len(pairs.scores))(
            x=pairs.scores,
            y=score.cosines,
            mode="markers",
            marker={"size": 6, "opacity": 0.6, "color": REROUTED},
            text=[f"{texts[i]}\n{texts[j]}" for i, j in zip(pairs.left, pairs.right, strict=True)],
            hovertemplate="%{text}<br>human %{x:.2f}, cosine %{y:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(title="human similarity")
    figure.update_yaxes(title="cosine of the embeddings")
    return laid_out(figure, 420)


def pair_table(score: Score, pairs: Pairs) -> pd.DataFrame:
    """One row for each pair, by how many places the two rankings disagree, worst first."""
    human = pd.Series(pairs.scores).rank()
    cosine = pd.Series(score.cosines).rank()
    table = pd.DataFrame(
        {
            "places apart": (cosine - human).round(1),
            "human": pairs.scores,
            "cosine": score.cosines,
            "first": [pairs.texts[i] for i in pairs.left],
            "second": [pairs.texts[i] for i in pairs.right],
        }
    )
    return table.reindex(table["places apart"].abs().sort_values(ascending=False).index)


def moved_pairs(before: Score, after: Score, pairs: Pairs) -> pd.DataFrame:
    """One row for each pair, by how much its cosine rank changed, largest first."""
    rank_before = pd.Series(before.cosines).rank()
    rank_after = pd.Series(after.cosines).rank()
    human = pd.Series(pairs.scores).rank()
    table = pd.DataFrame(
        {
            "places moved": rank_after - rank_before,
            "closer to the ratings": (rank_after - human).abs() < (rank_before - human).abs(),
            "human": pairs.scores,
            "cosine before": before.cosines,
            "cosine after": after.cosines,
            "first": [pairs.texts[i] for i in pairs.left],
            "second": [pairs.texts[i] for i in pairs.right],
        }
    )
    return table.reindex(table["places moved"].abs().sort_values(ascending=False).index)


def prompt_strip(prompt: ReadPrompt) -> str:
    """A prompt as HTML: tokens coloured by their pooling weight, the text's own ones underlined.

    A placeholder is boxed. The colours are transparent, so that they suit any page.
    """
    strongest = float(prompt.weights.max())
    spans = []
    for i, token in enumerate(prompt.tokens):
        style = ""
        if weight := float(prompt.weights[i]):
            style += f"background:rgba(31,131,198,{0.2 + 0.6 * weight / strongest:.2f});"
        if prompt.text[i]:
            style += f"border-bottom:2px solid {SELECTED};"
        if i in prompt.slots:
            style += f"outline:2px dashed {SELECTED};"
        text = escape(token).replace("\n", "\u21b5<br>")
        control = ", a control token" if prompt.control[i] else ""
        title = f"token {i}, pooled with weight {weight:.3g}{control}"
        spans.append(f'<span style="{style}" title="{title}">{text}</span>')
    return (
        '<div style="font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;'
        f'line-height:1.9">{"".join(spans)}</div>'
    )


def prompt_table(prompts: Sequence[ReadPrompt]) -> pd.DataFrame:
    """One row for each token of each prompt: whether it is the text's, and its pooling weight."""
    return pd.DataFrame(
        [
            {
                "prompt": number,
                "token": token,
                "of the text": bool(inside),
                "control token": bool(prompt.control[i]),
                "placeholder": i in prompt.slots,
                "weight": float(weight),
            }
            for number, prompt in enumerate(prompts, 1)
            for i, (token, inside, weight) in enumerate(
                zip(prompt.tokens, prompt.text, prompt.weights, strict=True)
            )
        ]
    )
