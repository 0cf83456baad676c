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
# Streamlit serves the first page at the root of the address; a link by its name opens it, too.
named = st.Page("pages/causal_limits.py", url_path="causal_limits", visibility="hidden")
page = st.navigation([*PAGES.values(), named])
name = next((name for name, candidate in PAGES.items() if candidate == page), "causal_limits")
st.set_page_config(page_title=f"{PAGES[name].title} - KV-Embedding Explorer", layout="wide")
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
