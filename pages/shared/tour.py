"""A first walk through the pages: one stop a page, what to try and what to see.

It is offered on the first page of a visit that came without choices in its link, and is left at
any stop.
"""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

STOPS = {
    "causal_limits": "Two sentences begin alike and end differently. Read the strip of the plain "
    "model: every shared token moved by exactly 0. Then type an ending of your own.",
    "intrinsic_dimension": "Which layers should be re-routed? The paper takes those where the "
    "states use the fewest directions. Find the lowest point outside the grey fifth, and how often "
    "other samples of texts give the same choice.",
    "rerouting": "Each switch is a layer. Press *Automatic*, then *None*, then a layer of your "
    "own, and read the change of the score with its interval.",
    "embedding_space": "The same texts under two methods. Draw a frame around dots on one map and "
    "see where the same texts lie on the other.",
    "similarity": "All methods from the same weights, with intervals. Read the sentences under "
    "*Method against method* before you believe a rank.",
    "long_texts": "A document's answer moves from its start to its end: does a query still find "
    "it?",
    "layer_ablation": "Was the automatic choice a good one? Look for its diamond among all other "
    "choices, and at how much of the best one's lead survives on texts it was not picked on.",
}
"""What each stop says, in the order of the pages, by the page's file."""


def guide(pages: dict[str, StreamlitPage], current: str) -> None:
    """Offer the tour on a first visit, or show the stop of the ``current`` page."""
    state = st.session_state
    if "tour" not in state:
        state.tour = None if st.query_params else "offered"
    if state.tour == "offered" and current == next(iter(STOPS)):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"New here? A tour of {len(STOPS)} pages shows what to try on each.")
            st.button("Start the tour", on_click=_go, args=("on",), type="primary")
            st.button("No, thanks", on_click=_go, args=(None,))
    elif state.tour == "on" and current in STOPS:
        names = list(STOPS)
        at = names.index(current)
        with st.container(border=True):
            st.markdown(f"**Stop {at + 1} of {len(names)}.** {STOPS[current]}")
            with st.container(horizontal=True):
                if at and st.button("Back", key="tour_back"):
                    st.switch_page(pages[names[at - 1]], query_params={})
                if at + 1 < len(names) and st.button("Next stop", key="tour_on", type="primary"):
                    st.switch_page(pages[names[at + 1]], query_params={})
                st.button("End the tour", key="tour_end", on_click=_go, args=(None,))


def _go(to: str | None) -> None:
    st.session_state.tour = to
