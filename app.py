"""The entry: which pages there are, and the choices that all of them share."""

import streamlit as st

from pages import showing, visit

st.set_page_config(page_title="KV-Embedding Explorer", layout="wide")

page = st.navigation(
    [
        st.Page("pages/causal_limits.py", title="Causal limits", default=True),
        st.Page("pages/intrinsic_dimension.py", title="Intrinsic dimension"),
        st.Page("pages/rerouting.py", title="Re-routing"),
        st.Page("pages/embedding_space.py", title="Embedding space"),
        st.Page("pages/similarity.py", title="Similarity"),
        st.Page("pages/long_texts.py", title="Long texts"),
        st.Page("pages/layer_ablation.py", title="Layer ablation"),
    ]
)
with showing.sentences(), st.sidebar:
    visit.choose_backbone()
    visit.choose_plan()
    visit.choose_options()
    visit.choose_pairs()
with showing.sentences():
    page.run()
