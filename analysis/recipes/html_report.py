"""Results as one HTML file that opens without a network: sentences, figures, tables, methods.

Plotly's script is inside, once; every text is escaped, wherever it comes from.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import pandas as pd
from plotly.offline import get_plotlyjs

from ..runtime import outputs
from . import figures
from .findings import findings
from .options import PROGRAM
from .results import Results

FILES = ("results.json", "results.parquet", "report.html")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #ffffff; }
table { border-collapse: collapse; font-size: 13px; }
td, th { padding: 2px 10px; border-bottom: 1px solid #dddddd; text-align: left;
  white-space: pre-wrap; overflow-wrap: anywhere; }
div.table { overflow-x: auto; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; }
summary { cursor: pointer; }
"""


def write(results: Results, folder: Path) -> list[Path]:
    """Write results into a folder as :data:`FILES`: for the app, for programs, for readers.

    Raises:
        CorpusError: the folder cannot be written to.
        ResultsError: the rows are not such as the command gives.
    """
    document, page = results.json(), html(results)
    paths = [folder / name for name in FILES]
    for path, text in zip(paths, (document, None, page), strict=True):
        if text is not None:
            with outputs.writing(path):
                path.write_text(text, encoding="utf-8")
    results.parquet(paths[1])
    return paths


def html(results: Results) -> str:
    """The whole page."""
    return "\n".join(_parts(results))


def _parts(results: Results) -> Iterator[str]:
    made, recipe = results.made, results.recipe
    title = escape(recipe.title or f"Results of {PROGRAM} {recipe.command}")
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body>"
    yield f"<h1>{title}</h1>"
    if recipe.about:
        yield f"<p>{escape(recipe.about)}</p>"
    if said := findings(recipe.command, results.rows):
        yield "<h2>What it says</h2><ul>"
        yield from (f"<li>{escape(sentence)}</li>" for sentence in said)
        yield "</ul>"
    for one in figures.drawn(results):
        yield f"<h2>{escape(one.name)}</h2>"
        if one.figure is not None:
            yield one.figure.to_html(full_html=False, include_plotlyjs=False)
        yield from _table(one.table, f"Table: {one.name}")
    exact = figures.exact(results.rows)
    if len(exact.columns):
        yield "<h2>How the numbers were made</h2>"
        yield from _table(exact, "Prompt, pooling, layers and bias, each combination once")
    yield "<h2>Versions</h2>"
    told = {name: value for name, value in made.items() if name != "versions"}
    versions = pd.DataFrame([(k, str(v)) for k, v in {**made["versions"], **told}.items()])
    yield versions.to_html(index=False, header=False, border=0)
    yield "<h2>The recipe</h2>"
    yield f"<p>Run it again: <code>{PROGRAM} run recipe.yaml</code></p>"
    yield f"<pre>{escape(recipe.yaml())}</pre></body></html>"


def _table(table: pd.DataFrame, summary: str) -> Iterator[str]:
    yield f'<details><summary>{escape(summary)}</summary><div class="table">'
    yield table.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format)
    yield "</div></details>"
