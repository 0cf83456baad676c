"""A recipe run again: its points one after the other, each row with its place in the grid."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..cli import asked, commands
from ..errors import ExplorerError
from ..parallel import engines
from ..parallel.engines import LOCAL, Engine
from .recipe import Recipe

Row = dict[str, Any]
Run = Callable[[Iterable[Recipe]], Iterable[list[Row]]]


def result(point: Recipe) -> Any:
    """What the command of a recipe without a grid gives: one mapping, or a list with one a row."""
    return commands.COMMANDS[point.command](point.namespace())


def run(points: Iterable[Recipe], engine: Engine = LOCAL) -> Iterator[list[Row]]:
    """The rows of each point, in order, by the workers of ``engine``.

    Points side by side that share a backbone load it once a worker.
    """
    with engines.opened(engine, asked.OneBackbone) as workers:
        yield from workers.map(_rows, points)


def _rows(held: asked.OneBackbone, point: Recipe) -> list[Row]:
    with held:
        found = result(point)
    return found if isinstance(found, list) else [found]


def rows(
    made: Recipe, run: Run = run, say: Callable[[str], None] = lambda _: None
) -> Iterator[Row]:
    """All rows of a recipe; with a grid, each has its place under ``"grid"``.

    Args:
        made: the recipe.
        run: what gives the rows of each of several points, in order.
        say: told which point begins.

    Raises:
        ExplorerError: what a command raises, with the point where it happened.
    """
    points = made.points()
    found = iter(run(points))
    for number, point in enumerate(points, 1):
        place = {axis: _shown(point.options[axis]) for axis in made.axes}
        spoken = ", ".join(f"{axis} {value}" for axis, value in place.items() if value is not None)
        if made.grid:
            say(f"{number} of {len(points)}: {spoken}")
        try:
            of_point = next(found)
        except ExplorerError as error:
            raise type(error)(f"At {spoken}: {error}" if made.grid else str(error)) from None
        for row in of_point:
            yield finite({"grid": place, **row} if made.grid else row)


def finite(value: Any) -> Any:
    """The same without what JSON cannot hold: None for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: Any) -> Any:
    """An option's value as one cell."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
