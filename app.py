"""The entry: which pages there are, and the choices that all of them share."""

import streamlit as st

PAGES = {
    name: st.Page(f"pages/{name}.py", title=title, default=name == "causal_limits")
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
page = st.navigation(list(PAGES.values()))
name = next(name for name, one in PAGES.items() if one == page)
st.set_page_config(page_title=f"{page.title} - KV-Embedding Explorer", layout="wide")
with st.spinner("Starting"):  # a server's first visit waits here for PyTorch to be read in
    from analysis import journal
    from pages import links, restoring, showing, tour, visit
showing.legible()
links.tidy()
restoring.follow(PAGES)
tour.guide(PAGES, name)
visit.keep_journal()
with journal.request("page", page=name), showing.notices():
    # What is wrong with a choice is looked into on the page of diagnostics, so that one opens.
    with showing.each() if name == "diagnostics" else showing.sentences(), st.sidebar:
        visit.choose_backbone()
        visit.choose_plan()
        visit.choose_options()
        visit.choose_pairs()
    with showing.sentences():
        page.run()
