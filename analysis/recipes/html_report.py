"""Results as one HTML file that needs no network: sentences, figures, tables, settings.

Plotly's script is included once; all texts are escaped. The layout is in
``templates/report.html``.
"""

from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from ..figures.html_page import POLICY
from ..runtime import outputs
from ..runtime.paths import program
from . import charts, files
from .results import Results

FILES = ("results.json", "results.parquet", "report.html")


def write(results: Results, folder: Path) -> list[Path]:
    """Write results into a folder as :data:`FILES`: for the app, for programs, for readers.

    Returns:
        The paths of the files.

    Raises:
        CorpusError: the folder cannot be written to.
        ResultsError: the rows do not fit the command.
    """
    document, page = results.to_json(), html(results)
    paths = [folder / name for name in FILES]
    for path, text in zip(paths, (document, None, page), strict=True):
        if text is not None:
            with outputs.writing(path):
                path.write_text(text, encoding="utf-8")
    results.to_parquet(paths[1])
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
    settings = charts.settings(results.rows)
    provenance = dict(results.provenance)
    versions = provenance.pop("versions")
    return environment.get_template("report.html").render(
        title=recipe.title or f"Results of {program()} {recipe.command}",
        about=recipe.about,
        plotly=get_plotlyjs(),
        policy=POLICY,
        findings=results.sentences,
        charts=[
            {
                "name": chart.name,
                "table": _table(chart.table),
                "figure": chart.figure
                and chart.figure.to_html(full_html=False, include_plotlyjs=False),
            }
            for chart in results.charts()
        ],
        settings=_table(settings) if len(settings.columns) else "",
        versions=[(name, str(value)) for name, value in {**versions, **provenance}.items()],
        program=program(),
        recipe=files.write(recipe),
    )


def _table(table: pd.DataFrame) -> str:
    """A table as HTML, its cells escaped."""
    return str(table.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format))
