"""Clean the address bar of values that no widget can hold, beyond what Streamlit refuses itself."""

import contextlib
import math

import streamlit as st
from streamlit.errors import StreamlitAPIException


def clean() -> None:
    """Remove empty and infinite values from the address when a visit begins.

    An empty value would choose nothing where something must be chosen, and no field holds an
    infinite number. Without them, the widgets have their default values.
    """
    if "address_cleaned" in st.session_state:
        return
    st.session_state.address_cleaned = True
    invalid = [
        name for name in st.query_params if not all(map(_is_valid, st.query_params.get_all(name)))
    ]
    for name in invalid:
        with contextlib.suppress(StreamlitAPIException):  # a widget already holds it
            del st.query_params[name]
    if invalid:
        st.rerun()  # widgets read the address as it was when the run began


def _is_valid(value: str) -> bool:
    """Whether a value is not empty and, if it is a number, finite."""
    with contextlib.suppress(ValueError):
        return math.isfinite(float(value))
    return bool(value.strip())
