"""A recipe: a question with everything that decides its answer, as a value that can be saved.

It holds a spec (:mod:`analysis.experiments.specs`) with all its values, defaults included, so that
it means the same when defaults change. With a grid it is many questions: one for each choice of
some options' values. The file it is saved as is in :mod:`analysis.recipes.files`.
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
"""Points that a grid may have."""
Part = dict[str, list[Any]]
"""A part of a grid: what each of some options takes in turn, each with each."""


@dataclass(frozen=True)
class Recipe:
    """A question, or a grid of questions of one kind.

    Attributes:
        spec: the question; with a grid its first point, where the grid sets an option throughout.
        grid: parts that are run one after the other.
        view: what else a page shows, its name among it; no number depends on it.
        title: what the recipe is called.
        about: what it is for.

    Raises:
        RecipeError: the grid is empty, has more than :data:`LARGEST_GRID` points, or sets what its
            command does not know or allow.
    """

    spec: Spec
    grid: tuple[Part, ...] = ()
    view: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        if any(not values for part in self.grid for values in part.values()) or {} in self.grid:
            raise RecipeError("Each option of a grid needs a list of one value at least.")
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
        """A recipe of a command and its options by name, as ``"key-position"``.

        What all parts of the grid set need not be among ``values``.

        Raises:
            RecipeError: there is no such command or option, or a value is not allowed.
        """
        if command == "run":
            raise RecipeError("A recipe cannot run another one; name the command of that one.")
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
        """How many points there are: 1 without a grid."""
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
        """A recipe without a grid for each point; those of one backbone stand side by side."""
        if not self.grid:
            return [self]
        points = [Recipe(self._with(choice)) for choice in self._choices()]
        backbones = list(dict.fromkeys(_backbone(point.spec) for point in points))
        return sorted(points, key=lambda point: backbones.index(_backbone(point.spec)))

    @property
    def digest(self) -> str:
        """The identity of what is run: of the command, its options and the grid."""
        return result_store.digest(self.command, self.spec.values(), self.grid)

    def arguments(self) -> list[str]:
        """What follows the program's name in a shell, without what is so by default."""
        return self.spec.words()

    def command_line(self) -> str:
        """The recipe as it is typed into a shell; one with a grid has to be a file."""
        if self.grid:
            return f"{program()} run {self.command}.yaml"
        return f"{program()} {shlex.join(self.arguments())}"

    def _choices(self) -> Iterator[dict[str, Any]]:
        for part in self.grid:
            for values in itertools.product(*part.values()):
                yield dict(zip(part, values, strict=True))

    def _with(self, choice: Mapping[str, Any]) -> Spec:
        """The spec with other values of some options."""
        known = self.spec.options()
        changed = {
            name: known[name].default
            for name, value in choice.items()
            if value is None and name in known
        }
        return type(self.spec).read({**self.spec.values(), **choice, **changed})


def _axes(grid: tuple[Part, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for part in grid for axis in part))


def _backbone(spec: Spec) -> tuple[Any, ...]:
    """What decides which backbone a spec needs in memory."""
    return tuple(getattr(spec, name, None) for name in ("backbone", "dtype", "device"))
