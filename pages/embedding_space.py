"""How does the space move?"""

import streamlit as st

from analysis import corpora, geometry, selection, shipped, space, space_figures, study
from pages import showing, visit

visit.opening(
    "How does the space move?",
    "The same texts under two methods, drawn so that similar texts lie together. Point at a dot to "
    "read its text. **Compare the maps: what stays together in both, what finds a new place?**",
)
loaded, plan = visit.backbone(), visit.plan()
named = corpora.names("texts", at_hand=True)
methods = visit.methods()
names = list(methods)
a, b, c, d = st.columns([2, 2, 2, 1])
first_name = a.selectbox("Left", names, names.index("mean"), key="left", bind="query-params")
second_name = b.selectbox("Right", names, key="right", bind="query-params")
corpus_name = c.selectbox(
    "Texts", named, named.index(shipped.MAP_CORPUS), key="space_corpus", bind="query-params"
)
most = d.number_input("At most", 5, 5000, shipped.MAP_TEXTS, 50, key="space_texts")
with st.expander("How the maps are drawn"):
    x, y, z = st.columns(3)
    neighbours = x.slider(
        "Neighbours", 3, 50, 15, help="Few show small groups, many the large picture."
    )
    min_dist = y.slider("Least distance", 0.0, 0.99, 0.1, help="How tightly dots may pack.")
    seed = z.number_input("Seed", 0, 9999, 0, help="Another seed, another arrangement.")

corpus = corpora.sample(visit.texts(corpus_name), int(most), 0)
spaces = []
for name in (first_name, second_name):
    with (
        showing.progress(f"Encoding with {name}") as show,
        st.spinner("Drawing; the first map of a visit takes up to half a minute"),
    ):
        spaces.append(
            study.projected(
                loaded,
                corpus.texts,
                methods[name],
                plan,
                neighbours=neighbours,
                min_dist=min_dist,
                seed=int(seed),
                progress=show,
            )
        )
first, second = spaces[0], study.aligned(spaces[1], spaces[0])
kept = space.neighbourhood_overlap(first.embeddings, second.embeddings)
titles = tuple(
    s.method
    + (f", {selection.spoken_layers(s.plan.layers, loaded.layers)}" if s.plan.layers else "")
    for s in spaces
)
showing.figure(
    space_figures.two_maps(first, second, corpus.texts, corpus.labels, (titles[0], titles[1])),
    space_figures.space_table(first, second, corpus.texts, kept),
    "Two maps of the same texts",
)
shapes = [geometry.geometry(s.embeddings) for s in (first, second)]
x, y, z = st.columns(3)
x.metric("Neighbours kept", f"{100 * kept.mean():.0f}%")
y.metric("Mean cosine, left", f"{shapes[0].anisotropy:.2f}")
z.metric("Mean cosine, right", f"{shapes[1].anisotropy:.2f}")
with st.expander("Table: the shape of both spaces"):
    st.dataframe(space_figures.geometry_table(shapes, titles), hide_index=True)
    st.caption(
        "*Uniformity* (Wang & Isola 2020): the lower, the more evenly the texts spread over the "
        "sphere. *Isotropy* (Mu & Viswanath 2018): 1 if no direction is preferred, near 0.14 if "
        "all texts point the same way."
    )
st.caption(
    f"{len(corpus.texts):,} texts of {corpus.name}. {first.projection.reason}. The right map is "
    "turned, scaled and shifted onto the left one; that changes no distance's order. "
    "*Neighbours kept* is the share of each text's 10 nearest texts (by cosine, in the full space) "
    "that are the same in both. *Mean cosine* of two different texts is 0 in a space that uses all "
    "directions evenly and near 1 in a narrow cone; frozen decoders tend to the cone. "
    "Distances between far groups on a map mean little. "
    f"{first.made.sentence}."
)
st.subheader("Texts with the most new neighbours")
st.dataframe(
    space_figures.space_table(first, second, corpus.texts, kept).head(15)[
        ["text", "neighbours kept (%)"]
    ],
    hide_index=True,
)
visit.warm_up()
