"""What counts where a widget's value is refused: the last valid one, or else a default.

The refused value stays in its widget, and the reason stands beside it. All that computes reads
:func:`values`, so the rest of the page goes on with what counts.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from analysis.errors import ExplorerError
from pages.shared import display

T = TypeVar("T")
_LAST, _COUNTS = "last valid values", "values in place of refused ones"


def values() -> Mapping[Any, Any]:
    """The values of this visit's widgets by key, of refused ones what counts in their place."""
    return ChainMap(st.session_state.get(_COUNTS, {}), st.session_state)


def value(key: str) -> Any:
    """What counts of one widget."""
    return values()[key]


def is_refused(key: str) -> bool:
    """Whether the value that stood in a widget when it was last checked was refused."""
    return key in st.session_state.get(_COUNTS, {})


def check(
    keys: str | Sequence[str],
    accept: Callable[..., object],
    *defaults: Any,
    at: Any = st,
    named: Callable[..., str] | None = None,
) -> bool:
    """Check what stands in widgets that were just shown, and say beside them what is refused.

    Args:
        keys: the widgets', whose values are accepted or refused together.
        accept: gets the values, and raises an ExplorerError to refuse them.
        defaults: what counts where no valid values came before.
        at: where the reason is shown.
        named: from the values that count, what is said of them; nothing if None.

    Returns:
        Whether the values are accepted.

    Raises:
        ExplorerError: the defaults are refused, too.
    """
    keys = [keys] if isinstance(keys, str) else list(keys)
    state = st.session_state
    last: dict[str, Any] = state.setdefault(_LAST, {})
    counts: dict[str, Any] = state.setdefault(_COUNTS, {})
    try:
        accept(*(state.get(key) for key in keys))
    except ExplorerError as error:
        kept = tuple(last.get(key, default) for key, default in zip(keys, defaults, strict=True))
        kept = _accepted(accept, kept, defaults)
        counts |= dict(zip(keys, kept, strict=True))
        display.refusal(error, named(*kept) if named else "", at)
        return False
    for key in keys:
        last[key] = state.get(key)
        counts.pop(key, None)
    return True


def computed(
    keys: str | Sequence[str], compute: Callable[..., T], *defaults: Any, at: Any = st
) -> T:
    """What is computed from the values that count; a value that cannot be computed is refused.

    Args:
        keys: the widgets', see :func:`check`.
        compute: gets their values.
        defaults: what counts where no valid values came before.
        at: where the reason is shown.
    """
    keys = [keys] if isinstance(keys, str) else list(keys)
    results: dict[tuple[Any, ...], T] = {}

    def accept(*texts: Any) -> None:
        results[texts] = compute(*texts)

    def named(*texts: Any) -> str:
        return f"Until then: {' '.join(map(str, texts))}"

    check(keys, accept, *defaults, at=at, named=named)
    return results[tuple(map(value, keys))]


def _accepted(
    accept: Callable[..., object], kept: tuple[Any, ...], defaults: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The last valid values if they still are, such as layers on another backbone, or defaults."""
    if kept != defaults:
        try:
            accept(*kept)
        except ExplorerError:
            pass
        else:
            return kept
    accept(*defaults)
    return defaults
