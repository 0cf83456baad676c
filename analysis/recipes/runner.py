"""Runs a recipe: its points one after another, each row with its place in the grid."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ExplorerError
from ..parallel import engines
from ..parallel.engines import LOCAL, Engine
from ..runtime import events
from . import named_files
from .answers import answer
from .recipe import Recipe
from .rows import Row
from .workspace import Workspace


def rows(recipe: Recipe, engine: Engine = LOCAL) -> Iterator[Row]:
    """Run a recipe; :mod:`analysis.runtime.events` reports each point of its grid.

    Args:
        recipe: the recipe.
        engine: where the points of its grid are computed.

    Yields:
        Each row as plain JSON values; with a grid, its place under ``"grid"``.

    Raises:
        ExplorerError: raised by the command, with the point in the message.
    """
    points = recipe.points()
    named_files.check([point.spec for point in points])
    answers = run_points(points, engine)
    for number, point in enumerate(points, 1):
        values = point.spec.values()
        place = {axis: _cell(values[axis]) for axis in recipe.axes}
        words = ", ".join(f"{axis} {value}" for axis, value in place.items() if value is not None)
        if recipe.grid:
            events.say(f"{number} of {len(points)}: {words}")
        try:
            point_rows = next(answers)
        except ExplorerError as error:
            raise type(error)(f"At {words}: {error}" if recipe.grid else str(error)) from None
        for row in point_rows:
            yield _finite({"grid": place, **row} if recipe.grid else row)


def run_points(points: Iterable[Recipe], engine: Engine = LOCAL) -> Iterator[list[Row]]:
    """Run recipes without grids.

    Args:
        points: the recipes; a worker loads a backbone once for adjacent recipes that share it.
        engine: where they are computed.

    Yields:
        The rows of each, in order.
    """
    with engines.opened(engine, Workspace) as workers:
        yield from workers.map(_rows, points)


def _rows(workspace: Workspace, point: Recipe) -> list[Row]:
    return list(answer(point.spec, workspace).rows)


def _finite(value: Any) -> Any:
    """The value with None in place of numbers that are not finite, for JSON."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    """An option's value as one cell."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
