"""A recipe run: its points one after the other, each row with its place in the grid."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ExplorerError
from ..parallel import engines
from ..parallel.engines import LOCAL, Engine
from .answers import answer
from .recipe import Recipe
from .rows import Row
from .workspace import Workspace

Run = Callable[[Iterable[Recipe]], Iterable[list[Row]]]


def run(points: Iterable[Recipe], engine: Engine = LOCAL) -> Iterator[list[Row]]:
    """The rows of each point, in order, by the workers of ``engine``.

    Points side by side that share a backbone load it once a worker.
    """
    with engines.opened(engine, Workspace) as workers:
        yield from workers.map(_rows, points)


def _rows(workspace: Workspace, point: Recipe) -> list[Row]:
    return list(answer(point.spec, workspace).rows)


def rows(
    recipe: Recipe, run: Run = run, say: Callable[[str], object] = lambda _: None
) -> Iterator[Row]:
    """All rows of a recipe; with a grid, each has its place under ``"grid"``.

    Args:
        recipe: what is run.
        run: what gives the rows of each of several points, in order.
        say: called with a sentence when a point begins.

    Raises:
        ExplorerError: what a command raises, with the point where it happened.
    """
    points = recipe.points()
    answers = iter(run(points))
    for number, point in enumerate(points, 1):
        values = point.spec.values()
        place = {axis: _cell(values[axis]) for axis in recipe.axes}
        spoken = ", ".join(f"{axis} {value}" for axis, value in place.items() if value is not None)
        if recipe.grid:
            say(f"{number} of {len(points)}: {spoken}")
        try:
            point_rows = next(answers)
        except ExplorerError as error:
            raise type(error)(f"At {spoken}: {error}" if recipe.grid else str(error)) from None
        for row in point_rows:
            yield finite({"grid": place, **row} if recipe.grid else row)


def finite(value: Any) -> Any:
    """The same without what JSON cannot hold: None for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> Any:
    """An option's value as one cell."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
