"""A tour of the pages for a first visit: one stop a page, with what to try and what to look for.

It is offered on the first page, unless the visit came by a link with choices, and can be left at
any stop.
"""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

STOPS = {
    "causal_limits": "Two sentences begin the same and end differently. Look at the row of the "
    "plain model: the state of every shared token moved by exactly 0. Then type your own ending.",
    "intrinsic_dimension": "Which layers should be re-routed? The paper takes those where the "
    "states use the fewest directions. Find the lowest point right of the grey area, and see how "
    "often other samples of texts lead to the same choice.",
    "rerouting": "Each switch is a layer. Press *Automatic*, then *None*, then switch on a layer "
    "of your choice. Read how the score changes, and the interval of that change.",
    "embedding_space": "The same texts, embedded by two methods. Drag a box around some dots on "
    "one map and see where these texts lie on the other.",
    "similarity": "All methods on the same weights, with intervals. Before you trust a ranking, "
    "read the sentences of its tab *Comparisons*.",
    "long_texts": "The answer moves from the start of a document to its end. Does a query still "
    "find the document?",
    "layer_ablation": "Was the automatic choice a good one? Find its diamond among all other "
    "choices. Then see how much of the best choice's gain is left on texts that it was not "
    "picked on.",
}
"""The text of each stop by the page's file name, in the order of the pages."""


def show(pages: dict[str, StreamlitPage], current: str) -> None:
    """Offer the tour on a first visit, or show the stop of the ``current`` page."""
    state = st.session_state
    if "tour" not in state:
        state.tour = None if st.query_params else "offered"
    if state.tour == "offered" and current == next(iter(STOPS)):
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key="tour_box"
        ):
            st.markdown(
                f"New here? Take a short tour: {len(STOPS)} pages, and one thing to try on each."
            )
            st.button("Start the tour", on_click=_set_tour, args=("on",), type="primary")
            st.button("No, thanks", on_click=_set_tour, args=(None,))
    elif state.tour == "on" and current in STOPS:
        names = list(STOPS)
        stop = names.index(current)
        with st.container(border=True, key="tour_box"):
            st.markdown(f"**Stop {stop + 1:d} of {len(names)}.** {STOPS[current]}")
            with st.container(horizontal=True):
                if stop and st.button("Back", key="tour_back"):
                    st.switch_page(pages[names[stop - 1]], query_params={})
                if stop + 1 < len(names) and st.button("Next stop", key="tour_on", type="primary"):
                    st.switch_page(pages[names[stop + 1]], query_params={})
                st.button("End the tour", key="tour_end", on_click=_set_tour, args=(None,))


def offer_again(current: str) -> None:
    """Offer the tour at any time on a page that it stops at, once it was left or declined."""
    if st.session_state.tour is None and current in STOPS:
        st.button("Take the tour", key="tour_again", on_click=_set_tour, args=("on",))


def _set_tour(state: str | None) -> None:
    st.session_state.tour = state
