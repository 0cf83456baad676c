"""Menus of lists of texts, which offer the visit's own texts beside the corpora by name."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import streamlit as st

from analysis.corpora import registry
from analysis.errors import listed
from pages.shared import own_texts, valid_values
from pages.shared.controls import Menu, Values
from pages.shared.display import Markdown
from pages.shared.grid_controls import Axis
from pages.shared.own_texts import OWN


@dataclass(frozen=True)
class TextsMenu(Menu):
    """One list of texts.

    Attributes:
        least: how many distinct texts it takes.
        what: what the texts are for, as the beginning of a sentence.
        place: where own texts are given, a word for the keys of their fields.
    """

    _: KW_ONLY
    least: int = 1
    what: Markdown = "It"
    place: str = "page"

    def to_widget(self, value: Any) -> Any:
        return _shown(value)

    def to_option(self, value: Any) -> Any:
        return _named(value) or self.initial

    def check_offered(self, *values: Any) -> None:
        super().check_offered(*(value for value in values if _shown(value) != OWN))

    def show(self, at: Any, **more: Any) -> None:
        """Show the menu.

        Args:
            at: a place for it.
            more: ``door``, a place for the fields of own texts other than below it; ``accept``,
                which gets the value and raises an ExplorerError to refuse it; and what goes to
                Streamlit.
        """
        door, accept = more.pop("door", at), more.pop("accept", None)
        names = [*self.names, OWN]
        at.selectbox(self.label, names, names.index(self.initial), **self.common | more)
        if st.session_state.get(self.key) == OWN:
            with door.container():
                own_texts.show(self.place, self.initial)

        def check(value: Any) -> None:
            if value == OWN:
                own_texts.check_enough(self.least, self.what)
            if accept and _named(value):
                accept(_named(value))

        valid_values.check(self.key, check, self.initial, at=door, named=_stays)


@dataclass(frozen=True)
class TextsAxis(Axis):
    """Several lists of texts, each a curve; see :class:`TextsMenu`."""

    _: KW_ONLY
    least: int = 1
    what: Markdown = "It"

    def along(self, values: Values) -> list[Any]:
        named = map(_named, super().along(values))
        return list(dict.fromkeys(filter(None, named))) or [self.info.default]

    def check_offered(self, *values: Any) -> None:
        super().check_offered(*(value for value in values if _shown(value) != OWN))

    def show(self, at: Any, **more: Any) -> None:
        door = more.pop("door", at)
        at.multiselect(self.label, [*self.names, OWN], self.initial, **self.common | more)
        if OWN in (st.session_state.get(self.key) or ()):
            with door.container():
                own_texts.show("page", listed(self.along(st.session_state)))
        valid_values.check(self.key, self._check_any, self.initial, at=door, named=_stays)

    def _check_any(self, value: Any) -> None:
        super()._check_any(value)
        if OWN in (value or ()):
            own_texts.check_enough(self.least, self.what)

    def _shown(self, values: list[Any]) -> Any:
        return super()._shown([_shown(value) for value in values])


def offered() -> tuple[str, ...]:
    """The names of corpora that are read as texts without a network."""
    return registry.names("texts", offline=True)


def _named(value: Any) -> Any:
    """The name of the texts that a menu's value stands for; None for own ones before any are."""
    if value != OWN:
        return value
    own = own_texts.current()
    return own and own.name


def _shown(value: Any) -> Any:
    """The menu's value for the name of texts."""
    own = own_texts.current()
    return OWN if own is not None and own.name == value else value


def _stays(value: str | Sequence[str]) -> str:
    """What is said of the texts that count while own ones are refused."""
    names = [value] if isinstance(value, str) else value
    return f"Until then: {listed(map(_named, names))}."
