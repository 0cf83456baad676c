"""What of a link is let in: Streamlit's widgets refuse most nonsense, and this the rest."""

import contextlib
import math

import streamlit as st


def tidy() -> None:
    """Drop, when a visit begins, what the address says without a value or beyond all numbers.

    An empty value would choose nothing where something must be chosen, and an infinite one passes
    a number field's limits; without them the widgets stand as they do without a link.
    """
    if "links_tidied" in st.session_state:
        return
    st.session_state.links_tidied = True
    for name, value in st.query_params.items():
        if not value.strip() or not _finite(value):
            del st.query_params[name]


def _finite(value: str) -> bool:
    """Whether the value is a finite number, or none at all."""
    with contextlib.suppress(ValueError):
        return math.isfinite(float(value))
    return True
