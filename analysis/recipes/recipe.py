"""A recipe: a question with everything that decides its answer, as a value that can be saved.

It holds a spec (:mod:`analysis.experiments.specs`) with all its values, defaults included, so that
a change of defaults does not change it. With a grid it is many questions: one for each combination
of some options' values. :mod:`analysis.recipes.files` writes it to a file.
"""

import itertools
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import RecipeError
from ..experiments.spec import Spec
from ..experiments.specs import spec_of
from ..runtime.paths import program
from ..storage import result_store

LARGEST_GRID = 1000
"""Maximum number of points of a grid."""
Part = dict[str, list[Any]]
"""A part of a grid: values of some options, of which every combination is a point."""


@dataclass(frozen=True)
class Recipe:
    """A question, or a grid of questions of one kind.

    Attributes:
        spec: the question; with a grid its first point, for options that every part of it sets.
        grid: parts that are run one after another.
        view: the page and its settings; no number depends on them.
        title: the recipe's title.
        about: what the recipe is for.

    Raises:
        RecipeError: the grid is empty, has more than :data:`LARGEST_GRID` points, or sets an option
            or a value that its command does not have.
    """

    spec: Spec
    grid: tuple[Part, ...] = ()
    view: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if any(not values for part in self.grid for values in part.values()) or {} in self.grid:
            raise RecipeError("Each option of a grid needs at least one value.")
        if (size := self.size) > LARGEST_GRID:
            raise RecipeError(
                f"A grid of {size:,} points is more than {LARGEST_GRID:,}; make it smaller."
            )
        for part in self.grid:
            for name, values in part.items():
                for value in values:
                    self._with({name: value})

    @classmethod
    def of(
        cls,
        command: str,
        values: Mapping[str, Any] | None = None,
        grid: tuple[Part, ...] = (),
        **described: Any,
    ) -> "Recipe":
        """Build a recipe from a command and some of its options.

        Args:
            command: the name of a command.
            values: options by name, such as ``"key-position"``; the others have their defaults.
                Options that all parts of the grid set may be left out.
            grid: parts that are run one after another.
            described: ``view``, ``title`` and ``about``.

        Raises:
            RecipeError: there is no such command or option, or a value is not allowed.
        """
        if command == "run":
            raise RecipeError(
                "A recipe cannot run another recipe; name the other recipe's command."
            )
        spec, values = spec_of(command), dict(values or {})
        everywhere = {name for name in _axes(grid) if all(name in part for part in grid)}
        first = {name: grid[0][name][0] for name in everywhere if grid[0][name]}
        values = {name: value for name, value in values.items() if name not in everywhere} | first
        return cls(spec.read(values), tuple(grid), **described)

    @property
    def command(self) -> str:
        """The command that answers the recipe."""
        return self.spec.command

    @property
    def size(self) -> int:
        """The number of points: 1 without a grid."""
        parts = (math.prod(map(len, part.values())) for part in self.grid)
        return sum(parts) if self.grid else 1

    @property
    def axes(self) -> tuple[str, ...]:
        """The options that the grid sets, in its order."""
        return _axes(self.grid)

    @property
    def everywhere(self) -> set[str]:
        """The options that each part of the grid sets."""
        return set.intersection(*map(set, self.grid)) if self.grid else set()

    def points(self) -> list["Recipe"]:
        """A recipe without a grid for each point, ordered by backbone."""
        if not self.grid:
            return [self]
        points = [Recipe(self._with(choice)) for choice in self._choices()]
        backbones = list(dict.fromkeys(_backbone(point.spec) for point in points))
        return sorted(points, key=lambda point: backbones.index(_backbone(point.spec)))

    @property
    def digest(self) -> str:
        """A digest of the command, its options and the grid."""
        return result_store.digest(self.command, self.spec.values(), self.grid)

    def arguments(self) -> list[str]:
        """The arguments of the program in a shell, without defaults."""
        return self.spec.words()

    def command_line(self) -> str:
        """The recipe as a shell command; with a grid, the command that runs its file."""
        if self.grid:
            return f"{program()} run {self.command}.yaml"
        return f"{program()} {shlex.join(self.arguments())}"

    def _choices(self) -> Iterator[dict[str, Any]]:
        for part in self.grid:
            for values in itertools.product(*part.values()):
                yield dict(zip(part, values, strict=True))

    def _with(self, choice: Mapping[str, Any]) -> Spec:
        """The spec with other values of some options."""
        options = self.spec.options()
        defaults = {
            name: options[name].default
            for name, value in choice.items()
            if value is None and name in options
        }
        return type(self.spec).read({**self.spec.values(), **choice, **defaults})


def _axes(grid: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for part in grid for axis in part))


def _backbone(spec: Spec) -> tuple[Any, ...]:
    """The identity of the loaded backbone that a spec needs."""
    return tuple(getattr(spec, name, None) for name in ("backbone", "dtype", "device"))
