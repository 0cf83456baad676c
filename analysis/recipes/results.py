"""Results as a file: the rows of a recipe, the recipe, and their provenance.

``results.json`` holds everything and is what the app opens; ``results.parquet`` holds the rows for
other programs.
"""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError, ResultsError, one_line, quoted
from ..parallel.engines import LOCAL, Engine
from ..runtime import git_lfs, json_reader, outputs
from ..runtime.paths import program
from ..storage import result_store
from . import charts, files, findings, row_types, runner
from .chart import Chart
from .recipe import Recipe
from .rows import Row

FORMAT = 1
LARGEST = 20_000_000
"""Maximum bytes of a results file."""


@dataclass(frozen=True)
class Results:
    """The rows of a recipe.

    Attributes:
        recipe: the recipe that was run.
        rows: plain values by column; rows of a grid hold their place under ``"grid"``.
        provenance: ``versions`` of packages by name, ``python``, ``machine`` and ``day``.
    """

    recipe: Recipe
    rows: tuple[Row, ...]
    provenance: Mapping[str, Any]

    @property
    def sentences(self) -> list[str]:
        """The findings in words, see :mod:`analysis.recipes.findings`."""
        return findings.sentences(self.recipe.command, self.rows)

    def charts(self) -> list[Chart]:
        """The rows as figures with their tables.

        Raises:
            ResultsError: the rows do not fit the recipe's command.
        """
        return charts.draw(self.recipe.command, self.rows)

    def to_json(self) -> str:
        """The results as one JSON document, one row per line."""
        recipe = files.write(self.recipe)
        head = {
            "results": FORMAT,
            "digest": result_store.digest(recipe, self.rows),
            "recipe": recipe,
            "made": dict(self.provenance),
        }
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in self.rows)
        opening = json.dumps(head, indent=1).removesuffix("\n}")
        return f'{opening},\n "rows": [\n{lines}\n]\n}}\n'

    def to_parquet(self, output: Path) -> None:
        """Write the rows as Parquet, nested values in columns such as ``grid.layers``.

        Raises:
            CorpusError: the file cannot be written.
            ResultsError: a column holds values of several kinds, as in a file that was changed.
        """
        import pandas as pd
        import pyarrow as pa

        with outputs.writing(output):
            try:
                pd.json_normalize(list(self.rows)).to_parquet(output, index=False)
            except pa.ArrowException as error:
                raise ResultsError(
                    f"The rows do not fit into a Parquet file ({one_line(error)}); run the recipe "
                    "again."
                ) from None


def run(recipe: Recipe, engine: Engine = LOCAL) -> Results:
    """Run a recipe; :mod:`analysis.runtime.events` reports each point of its grid.

    Args:
        recipe: the recipe.
        engine: where the points of its grid are computed.

    Raises:
        ExplorerError: raised by its command, with the point in the message.
    """
    rows = tuple(runner.rows(recipe, engine))
    provenance = {
        "versions": dict(sorted(result_store.versions().items())),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    return Results(recipe, rows, provenance)


def read(text: str | bytes, name: str = "The file") -> Results:
    """Read the results that a JSON document holds.

    Args:
        text: the document.
        name: name of the document in an error.

    Raises:
        ResultsError: it is too large, not results, of a newer format, or damaged.
    """
    if len(text) > LARGEST:
        raise ResultsError(f"{name} is larger than {LARGEST:,} bytes, the maximum.")
    if git_lfs.is_pointer(text):
        raise ResultsError(git_lfs.refusal(name))
    try:
        document = json_reader.read(text, finite=True)
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ResultsError(
            f"{name} holds half a surrogate pair, which cannot be written; compute it again."
        ) from None
    except json_reader.JSONProblem as problem:
        raise ResultsError(
            f"{name} is not readable JSON ({problem}); copy or compute it again."
        ) from None
    if not isinstance(document, dict) or "results" not in document:
        raise ResultsError(f"{name} holds no results of {program()} run --output.")
    if document["results"] != FORMAT or isinstance(document["results"], bool):
        newer = isinstance(document["results"], int) and document["results"] > FORMAT
        raise ResultsError(
            f"{name} is of format {quoted(document['results'])}, this program reads {FORMAT}: "
            + ("update the program." if newer else "compute it again.")
        )
    provenance, rows = document.get("made"), document.get("rows")
    if not (
        isinstance(document.get("recipe"), str)
        and isinstance(provenance, dict)
        and isinstance(provenance.get("versions"), dict)
        and isinstance(rows, list)
        and rows
        and all(isinstance(row, dict) for row in rows)
    ):
        raise ResultsError(f"{name} is damaged: its recipe, its versions or a row is missing.")
    try:
        recipe = files.read(document["recipe"], f"The recipe in {name}")
    except RecipeError as error:
        raise ResultsError(str(error)) from None
    facts = [value for key, value in provenance.items() if key != "versions"]
    if result_store.digest(document["recipe"], rows) != document.get("digest"):
        raise ResultsError(f"{name} was changed after it was written; compute it again.")
    if not all(isinstance(value, str) for value in [*provenance["versions"].values(), *facts]):
        raise ResultsError(f"{name} is damaged: its provenance is not in words; compute it again.")
    row_types.check(recipe.command, rows)
    return Results(recipe, tuple(rows), provenance)


def read_file(path: str | Path) -> Results:
    """Read the results in a file.

    Raises:
        ResultsError: the file cannot be read, or as :func:`read`.
    """
    try:
        with Path(path).open("rb") as file:
            return read(file.read(LARGEST + 1), Path(path).name)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}; check the path.") from None
