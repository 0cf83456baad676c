"""The app: its pages, and the sidebar that all of them share."""

import streamlit as st

PAGES = {
    name: st.Page(
        f"pages/{name}.py",
        title=title,
        default=name == "causal_limits",
        url_path="first" if name == "causal_limits" else name,
    )
    for name, title in {
        "causal_limits": "Causal limits",
        "intrinsic_dimension": "Intrinsic dimension",
        "rerouting": "Re-routing",
        "embedding_space": "Embedding space",
        "similarity": "Similarity",
        "long_texts": "Long texts",
        "layer_ablation": "Layer ablation",
        "studies": "Studies",
        "diagnostics": "Diagnostics",
    }.items()
}
FIRST = PAGES["causal_limits"]
"""The page at the root of the address, where Streamlit gives it no name."""
named = st.Page(FIRST.run, title=FIRST.title, url_path="causal_limits", visibility="hidden")
page = st.navigation([*PAGES.values(), named])
if page == named:  # a link may name the first page, too
    st.switch_page(FIRST, query_params=st.query_params.to_dict())
name = next(name for name, candidate in PAGES.items() if candidate == page)
st.set_page_config(page_title=f"{page.title} - KV-Embedding Explorer", layout="wide")
with st.spinner("Starting"):  # a server's first visit waits here for PyTorch to load
    from analysis.runtime import request_log
    from pages.shared import address, corpus_picker, display, questions, session, sidebar, tour
display.apply_styles()
address.clean()
questions.go_to_opened_page(PAGES)
tour.show(PAGES, name)
session.start_request_log()
with request_log.request("page", page=name), display.show_notices():
    # Diagnostics opens whatever is wrong with the choices: it is where one looks for the cause.
    with (
        display.errors_skip_section() if name == "diagnostics" else display.errors_stop_page(),
        st.sidebar,
    ):
        sidebar.choose_backbone()
        sidebar.choose_plan()
        sidebar.choose_method_options()
        corpus_picker.choose("pairs")
    with display.errors_stop_page():
        page.run()
