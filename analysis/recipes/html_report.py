"""Results as one HTML file that opens without a network: sentences, figures, tables, methods.

Plotly's script is inside, once; every text is escaped, wherever it comes from. What the page looks
like is in ``templates/report.html``.
"""

from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from ..runtime import outputs
from ..runtime.paths import program
from . import figures, files
from .findings import findings
from .results import Results

FILES = ("results.json", "results.parquet", "report.html")


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
    """The page as one HTML document."""
    environment = Environment(
        loader=PackageLoader(__name__.rpartition(".")[0]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    recipe = results.recipe
    settings = figures.exact(results.rows)
    facts = {name: value for name, value in results.made.items() if name != "versions"}
    return environment.get_template("report.html").render(
        title=recipe.title or f"Results of {program()} {recipe.command}",
        about=recipe.about,
        plotly=get_plotlyjs(),
        findings=findings(recipe.command, results.rows),
        parts=[
            {
                "name": part.name,
                "table": _table(part.table),
                "figure": part.figure
                and part.figure.to_html(full_html=False, include_plotlyjs=False),
            }
            for part in figures.drawn(results)
        ],
        settings=_table(settings) if len(settings.columns) else "",
        versions=[
            (name, str(value)) for name, value in {**results.made["versions"], **facts}.items()
        ],
        program=program(),
        recipe=files.write(recipe),
    )


def _table(table: pd.DataFrame) -> str:
    """A table as HTML, its cells escaped."""
    return str(table.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format))
