"""Uploaded files, each read once in a visit and not at every run of the page."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from analysis.errors import ExplorerError

T = TypeVar("T")


def read_once(place: str, data: bytes, read: Callable[[], T], *how: Any) -> T:
    """What ``read`` makes of a file; kept in the visit until another file takes its place.

    Args:
        place: where it is kept.
        data: the content of the file.
        read: reads it. Its error is kept too, and raised again.
        how: what the reading depends on besides the content, such as the file's name.

    Raises:
        ExplorerError: as ``read``.
    """
    identity = (hashlib.sha256(data).hexdigest(), *how)
    key = f"read: {place}"
    if key not in st.session_state or st.session_state[key][0] != identity:
        try:
            outcome: T | ExplorerError = read()
        except ExplorerError as error:
            outcome = error
        st.session_state[key] = identity, outcome
    outcome = st.session_state[key][1]
    if isinstance(outcome, ExplorerError):
        raise outcome
    return outcome


def forget(place: str) -> None:
    """Drop what was read of a file that is no longer there."""
    for key in [key for key in st.session_state if str(key).startswith(f"read: {place}")]:
        del st.session_state[key]
