"""What of a link is let in: Streamlit's widgets refuse most nonsense, and this the rest."""

import contextlib
import math

import streamlit as st
from streamlit.errors import StreamlitAPIException


def tidy() -> None:
    """Drop, when a visit begins, what the address says without a value or beyond all numbers.

    An empty value would choose nothing where something must be chosen, and an infinite one is no
    number that a field can hold; without them the widgets stand as they do without a link.
    """
    if "links_tidied" in st.session_state:
        return
    st.session_state.links_tidied = True
    dropped = [name for name in st.query_params if not all(map(_sane, _values(name)))]
    for name in dropped:
        with contextlib.suppress(StreamlitAPIException):  # a widget that was drawn has it already
            del st.query_params[name]
    if dropped:
        st.rerun()  # widgets read the address as it was when the run began


def _values(name: str) -> list[str]:
    return st.query_params.get_all(name)


def _sane(value: str) -> bool:
    """Whether a value says something, and a finite number if any."""
    with contextlib.suppress(ValueError):
        return math.isfinite(float(value))
    return bool(value.strip())
