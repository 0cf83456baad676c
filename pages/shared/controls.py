"""Widgets that hold a question's options, and what derives from them.

A control names an option once, with its widget's label, range or menu. From it and from the
option's field in the spec derive the widget, its key in the address bar, the option's value for the
question, and the widget's value for a recipe.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import streamlit as st
from pydantic.fields import FieldInfo

from analysis.errors import RecipeError, listed, quoted
from analysis.experiments.spec import Spec, choices
from analysis.runtime.paths import program
from pages.shared import address, display, own_methods, valid_values
from pages.shared.display import Markdown

Values = Mapping[Any, Any]
"""Values of widgets by key, as the session's state has them."""
LONGEST = 10_000
"""Most characters of a text in a recipe that a page opens."""


@dataclass(frozen=True)
class Control:
    """A widget that holds one option.

    Attributes:
        option: the option's name, as ``"min-dist"``.
        label: what stands above the widget.
        key: the widget's, which is also its name in the address bar; that of the command and the
            option where none is given.
        default: what the page opens with, where the spec's default is another.
        help: what is said of it, where the spec's description does not fit.
        meanings: what each of its names means, for the help.
        noun: what one of its values is called, where that is not the label.
        info: the option's field, see :meth:`bound`.
    """

    option: str
    label: Markdown
    _: KW_ONLY
    key: str = ""
    default: Any = None
    help: Markdown = ""
    meanings: Mapping[Any, Markdown] = field(default_factory=dict)
    noun: Markdown = ""
    info: FieldInfo = field(default_factory=FieldInfo)

    def bound(self, question: type[Spec]) -> "Control":
        """The control as one of a question: with its key and the option's field."""
        names = filter(None, (getattr(question, "command", ""), self.option))
        key = self.key or "-".join(names).replace("-", "_")
        return replace(self, key=key, info=question.options().get(self.option, self.info))

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that it holds."""
        return (self.option,)

    @property
    def initial(self) -> Any:
        """The widget's value when the page opens."""
        if self.default is None and self.info.is_required():
            return None
        return self.to_widget(self.info.default if self.default is None else self.default)

    def to_widget(self, value: Any) -> Any:
        """The option's value as the widget holds it."""
        return value

    def to_option(self, value: Any) -> Any:
        """The widget's value as the option has it."""
        return value

    def read(self, values: Values) -> dict[str, Any]:
        """The options by name, from widgets' values by key."""
        return {self.option: self.to_option(values.get(self.key, self.initial))}

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        """The widgets' values by key, for a question or the points of a grid.

        Raises:
            RecipeError: the widget does not hold this value.
        """
        return {self.key: self.to_widget(self.value(points[0]))}

    def value(self, spec: Any) -> Any:
        """The option's value in a spec."""
        return getattr(spec, self.option.replace("-", "_"))

    def show(self, at: Any, **more: Any) -> None:
        """Show the widget in a place of the page; ``more`` goes to Streamlit."""
        raise NotImplementedError

    @property
    def common(self) -> dict[str, Any]:
        """What Streamlit is told of every widget that is bound to the address bar."""
        description = self.info.description or ""
        text = self.help or f"{description[:1].upper()}{description[1:]}."
        if self.meanings:
            meanings = "; ".join(f"*{name}*: {text}" for name, text in self.meanings.items())
            text += f" {meanings.rstrip('.')}."
        return {"key": self.key, "bind": "query-params", "help": text}


@dataclass(frozen=True)
class Number(Control):
    """A number in a range, in a field or on a ``slider``; ``high`` may depend on the backbone."""

    _: KW_ONLY
    low: float
    high: float | Callable[[str], int]
    step: float | None = None
    slider: bool = False

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        value, high = self.value(points[0]), self._highest(points[0].backbone)
        empty = value is None and self.initial is None
        if not empty and (value is None or not self.low <= value <= high):
            raise RecipeError(
                f"The page takes a {self.noun or self.label.lower()} from {self.low:g} to "
                f"{high:g}, not {'all' if value is None else value}; change the recipe, or run it "
                f"with {program()} run."
            )
        return super().write(points)

    def show(self, at: Any, **more: Any) -> None:
        show = at.slider if self.slider else at.number_input
        high, state = self._highest(valid_values.value("backbone")), st.session_state
        if (now := state.get(self.key)) is not None and now > high:  # of a larger backbone
            state[self.key] = high
        show(self.label, self.low, high, self.initial, self.step, **self.common | more)

    def _highest(self, backbone: str) -> float:
        return self.high(backbone) if callable(self.high) else self.high


@dataclass(frozen=True)
class Text(Control):
    """A line of text, empty for None; a visitor's ``own`` text never enters the address bar."""

    _: KW_ONLY
    own: bool = False

    def to_widget(self, value: Any) -> Any:
        return value or ""

    def to_option(self, value: Any) -> Any:
        return (value or None) if self.info.default is None else value

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        if len(self.value(points[0]) or "") > LONGEST:
            raise RecipeError(f"A text has more than {LONGEST:,} characters; shorten it.")
        return super().write(points)

    def show(self, at: Any, **more: Any) -> None:
        if self.own:
            at.text_input(self.label, key=self.key, persist_state="session", **more)
        else:
            at.text_input(self.label, self.initial, **self.common | more)


@dataclass(frozen=True)
class Switch(Control):
    """A switch that is on where the option is off."""

    def to_widget(self, value: Any) -> Any:
        return not value

    def to_option(self, value: Any) -> Any:
        return not value

    def show(self, at: Any, **more: Any) -> None:
        at.toggle(self.label, self.initial, **self.common | more)


@dataclass(frozen=True)
class Menu(Control):
    """One of several names: a list to open, or ``buttons`` side by side.

    ``offered`` gives the names where the spec allows any; of none, each name is taken.
    """

    _: KW_ONLY
    offered: Callable[[], Sequence[Any]] | None = None
    buttons: bool = False

    @property
    def names(self) -> list[Any]:
        """The names to choose from; where they are methods, those composed in this visit too."""
        names = list(self.offered() if self.offered else choices(self.info))
        return [*names, *own_methods.offered(self.key)] if "kv-embedding" in names else names

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        self.check_offered(self.value(points[0]))
        return super().write(points)

    def show(self, at: Any, **more: Any) -> None:
        names = list(more.pop("options", self.names))
        if self.buttons:
            more = {"default": self.initial, "required": True, **self.common, **more}
            written = more.pop("format_func", display.escaped)
            at.segmented_control(self.label, names, format_func=written, **more)
            if (now := st.session_state.get(self.key)) is not None:
                address.note_label(self.key, written(now))
        else:
            first = None if self.initial is None else names.index(self.initial)
            at.selectbox(self.label, names, first, **self.common | more)

    def check_offered(self, *values: Any) -> None:
        """Refuse values that are not offered.

        Raises:
            RecipeError: one is not.
        """
        names = self.names
        for value in values:
            if names and value not in names:
                raise RecipeError(
                    f"The value {quoted(value)} is not among the {self.label.lower()} offered "
                    f"here, such as {', '.join(map(str, names[:4]))}; change the recipe, or run it "
                    f"with {program()} run."
                )


@dataclass(frozen=True)
class Menus(Menu):
    """Several names of a menu, one of them at least."""

    def to_widget(self, value: Any) -> Any:
        return list(value)

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        value, names = self.value(points[0]), self.names
        if not value or not set(value) <= set(names):
            raise RecipeError(
                f"The page takes for {self.option} {', '.join(map(str, names))}, one of them at "
                f"least; change the recipe, or run it with {program()} run."
            )
        return {self.key: list(value)}

    def show(self, at: Any, **more: Any) -> None:
        at.multiselect(self.label, self.names, self.initial, **self.common | more)
        valid_values.check(self.key, self._check_any, self.initial, at=at, named=_stays)

    def _check_any(self, value: Any) -> None:
        if value == []:
            raise RecipeError(f"Choose at least one {self.noun}.")


def _stays(names: Sequence[Any]) -> str:
    """What is said of the names that count while none is chosen."""
    return f"Until then: {listed(names)}."


@dataclass(frozen=True)
class Pair(Menu):
    """Two names of one option, from two menus side by side."""

    sides: tuple[Markdown, Markdown] = ("Left", "Right")

    @property
    def keys(self) -> list[str]:
        """Both widgets' keys."""
        return [self.key.replace(self.option, side.lower()) for side in self.sides]

    def read(self, values: Values) -> dict[str, Any]:
        both = zip(self.keys, self.initial, strict=True)
        return {self.option: [values.get(key, initial) for key, initial in both]}

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.keys, self.value(points[0]), strict=True))

    def show(self, at: Any, **more: Any) -> None:
        for place, side, key, initial in zip(at, self.sides, self.keys, self.initial, strict=True):
            first = self.names.index(initial)
            place.selectbox(side, self.names, first, **self.common | {"key": key} | more)
