"""Who a request is from: the visitor whose turn and whose share of a hosted server it uses.

A visitor is a person as far as the server can tell, a visit one of the person's tabs. The app says
who it is; outside of it each thread counts as a visitor of its own.
"""

import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..errors import LimitError
from .hosting import hosted

_VISIT: ContextVar[tuple[str, str] | None] = ContextVar("visit", default=None)
_DEBTS: dict[str, tuple[float, float]] = {}
"""By visitor: tokens still counted against it, and the moment of that number."""
_COUNTING = threading.Lock()


@contextmanager
def visiting(visitor: str, visit: str) -> Iterator[None]:
    """Make what this thread does inside the block part of a visit.

    Args:
        visitor: the person, such as an address.
        visit: the person's tab.
    """
    token = _VISIT.set((visitor, visit))
    try:
        yield
    finally:
        _VISIT.reset(token)


def current() -> tuple[Hashable, ...]:
    """The visitor of this thread, and the visit if it belongs to one."""
    return _VISIT.get() or (threading.get_ident(),)


def check_tokens() -> None:
    """Refuse to encode for a visitor of a hosted server who had its tokens of this minute.

    Raises:
        LimitError: the visitor has to wait, with the seconds.
    """
    limits, visit = hosted(), _VISIT.get()
    if limits is None or visit is None:
        return
    with _COUNTING:
        debt = _debt(visit[0], limits.tokens)
    if debt > limits.tokens:
        wait = 60 * (debt - limits.tokens) / limits.tokens
        raise LimitError(
            f"This server encodes {limits.tokens:,} tokens a minute for each visitor, and yours "
            f"are used up; go on in {wait:,.0f} seconds, or shorten the texts."
        )


def count_tokens(tokens: int) -> None:
    """Count tokens that were encoded for this thread's visitor on a hosted server.

    Args:
        tokens: number of tokens of a pass, padding included.
    """
    limits, visit = hosted(), _VISIT.get()
    if limits is None or visit is None:
        return
    with _COUNTING:
        _DEBTS[visit[0]] = _debt(visit[0], limits.tokens) + tokens, time.monotonic()
        for visitor in [name for name in _DEBTS if not _debt(name, limits.tokens)]:
            del _DEBTS[visitor]


def _debt(visitor: str, a_minute: int) -> float:
    """Tokens counted against a visitor, less those that the time since has paid for."""
    tokens, counted = _DEBTS.get(visitor, (0.0, 0.0))
    return max(0.0, tokens - (time.monotonic() - counted) * a_minute / 60)
