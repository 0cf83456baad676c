"""Widgets that make a page's question a grid: several curves, and a second backbone."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from pages.shared import display
from pages.shared.controls import Menu, Menus, Values


@dataclass(frozen=True)
class Axis(Menus):
    """Several values of an option that takes one: each is a curve, a point of the page's grid.

    ``groups`` are the names of its buttons with the values that each stands for.
    """

    _: KW_ONLY
    groups: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def to_widget(self, value: Any) -> Any:
        return self._shown([value])

    def along(self, values: Values) -> list[Any]:
        """The option's values, from widgets' values by key."""
        shown = values.get(self.key, self.initial)
        return list(self.groups[shown] if self.groups else shown)

    def read(self, values: Values) -> dict[str, Any]:
        return {self.option: next(iter(self.along(values)), None)}

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        own = [point for point in points if point.backbone == points[0].backbone]
        values = list(dict.fromkeys(map(self.value, own)))
        self.check_offered(*values)
        return {self.key: self._shown(values)}

    def show(self, at: Any, **more: Any) -> None:
        if self.groups:
            more = {"default": self.initial, "required": True, **self.common, **more}
            at.segmented_control(self.label, list(self.groups), format_func=display.escaped, **more)
        else:
            super().show(at, **more)

    def _shown(self, values: list[Any]) -> Any:
        """The widget's value for the option's values; for a group that has no name, the first."""
        named = [name for name, group in self.groups.items() if list(group) == values]
        return (named or list(self.groups))[0] if self.groups else values


@dataclass(frozen=True)
class Second(Menu):
    """A second backbone, on which the first curve of a grid is measured too; or none."""

    @property
    def options(self) -> tuple[str, ...]:
        return ()

    @property
    def initial(self) -> Any:
        return None

    def read(self, values: Values) -> dict[str, Any]:
        del values
        return {}

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        others = [point.backbone for point in points if point.backbone != points[0].backbone]
        return {self.key: others[0] if others else None}
