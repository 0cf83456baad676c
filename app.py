"""The entry: which pages there are, and the choices that all of them share."""

import streamlit as st

from pages import links, showing, tour, visit

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
    }.items()
}
page = st.navigation(list(PAGES.values()))
st.set_page_config(page_title=f"{page.title} - KV-Embedding Explorer", layout="wide")
showing.legible()
links.tidy()
tour.guide(PAGES, next(name for name, one in PAGES.items() if one == page))
with showing.sentences(), st.sidebar:
    visit.choose_backbone()
    visit.choose_plan()
    visit.choose_options()
    visit.choose_pairs()
with showing.sentences():
    page.run()
