"""The app: its server, its pages, and the sidebar that all of them share.

The server imports this file for ``app``; Streamlit then runs it as a script for each visit.
"""

import streamlit as st
from starlette.middleware import Middleware

from pages.shared import about

TITLES = {
    "causal_limits": "Causal limits",
    "intrinsic_dimension": "Intrinsic dimension",
    "rerouting": "Re-routing",
    "embedding_space": "Embedding space",
    "similarity": "Similarity",
    "long_texts": "Long texts",
    "layer_ablation": "Layer ablation",
    "studies": "Studies",
    "diagnostics": "Diagnostics",
    "documentation": "Documentation",
}
"""Titles of the pages by their files. The menu shows all but the last, to which each page links."""


def run() -> None:
    """Run the visited page below the sidebar."""
    pages = {
        name: st.Page(
            f"pages/{name}.py",
            title=title,
            default=name == "causal_limits",
            url_path="first" if name == "causal_limits" else name,
            visibility="hidden" if name == "documentation" else "visible",
        )
        for name, title in TITLES.items()
    }
    # Streamlit serves the first page at the root of the address; a link by its name opens it, too.
    named = st.Page("pages/causal_limits.py", url_path="causal_limits", visibility="hidden")
    page = st.navigation([*pages.values(), named])
    name = next((name for name, candidate in pages.items() if candidate == page), "causal_limits")
    st.set_page_config(
        page_title=f"{TITLES[name]} - KV-Embedding Explorer", layout="wide", menu_items=about.MENU
    )
    about.show()
    with st.spinner("Starting"):  # a server's first visit waits here for PyTorch to load
        from analysis.runtime import request_log, visitors
        from pages.shared import address, display, header, progress, questions, session, tour
    display.apply_styles()
    address.clean()
    questions.go_to_opened_page(pages)
    refused = st.container()
    tour.show(pages, name)
    session.start_request_log()
    with (
        request_log.request("page", page=name),
        progress.notices(),
        visitors.visiting(*session.visitor()),
    ):
        st.session_state[header.PAGE] = name
        with (
            progress.closed_at_its_end(),
            address.named_at_its_end(refused),
            display.errors_stop_page(),
        ):
            page.run()


if __name__ == "__main__":
    run()
else:
    from pages.shared import server

    app = st.App(__file__, middleware=[Middleware(server.Guard)])
