"""How does the space move?"""

from functools import partial

import plotly.graph_objects as go
import streamlit as st

from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments import specs
from analysis.experiments.space import Space
from analysis.figures import spaces
from analysis.spaces.comparison import NEAREST
from pages.shared import display, downloads, glossary, linked_maps, session, space_pair
from pages.shared.map_colours import coloured

session.page_header(
    "How does the space move?",
    "The same texts in two spaces, drawn so that similar texts lie together. **Drag a box around "
    "a group on one map: does it stay together on the other?** Point at a dot to read its text.",
)
both = space_pair.choose()
texts, labels = both.texts.texts, both.texts.labels
left, right = both.left, both.right
rows, by, dragging = linked_maps.choose(texts)
colours = coloured(by, both)


def draw(found: Space, beside: Space, title: str, marks: linked_maps.Rows) -> go.Figure:
    """One map with ``marks`` lit."""
    return spaces.space_map(
        found,
        texts,
        colours,
        title=title,
        selected=marks,
        dragging=dragging,
        beside=beside,
    )


for number, (column, found, beside) in enumerate(
    zip(st.columns(2), (left, right), (right, left), strict=True)
):
    side, title = ("Left", "Right")[number], both.titles[number]
    same = (both.made, by, dragging, title)
    with column:
        linked_maps.show(side, partial(draw, found, beside, title), same, rows, f"{side}: {title}")
compared = space_pair.compared(both)  # after the maps, which need not wait for it
table = spaces.space_table(left, right, texts, compared.kept, labels)
display.folded_table(
    "Both maps",
    lambda: table,
    lambda: spaces.two_maps(left, right, texts, titles=both.titles, colours=colours),
)
a, b, c = st.columns(3)
sought = st.session_state.space_search
a.metric("Texts found" if sought else "Texts selected", f"{len(rows):,} of {len(texts):,}")
b.metric(
    "Neighbours kept",
    f"{100 * compared.kept.mean():.0f}%",
    help=f"The share of a text's nearest texts (by cosine, in the full space) that are the same "
    f"in both. Unrelated spaces would share {100 * compared.chance:.0f}%.",
)
kept_by = f"{100 * compared.kept[list(rows)].mean():.0f}%" if rows else "no selection"
c.metric("Kept by the selected", kept_by)
if rows:
    linked_maps.table("Selected texts", table.loc[list(rows)], rows, selects=False)
    downloads.buttons("Selected texts", table.loc[list(rows)])

st.subheader("Nearest neighbours of a text")
look = st.session_state.get("space_look")
row = look if look in rows else rows[0] if rows else int(compared.most_moved[0])
st.text(texts[row])
near = spaces.neighbour_tables(compared, row, texts, labels)
for column, side, title, nearest in zip(
    st.columns(2), ("left", "right"), both.titles, near, strict=True
):
    with column:
        st.text(title)
        st.dataframe(nearest, hide_index=True, key=f"near {side} {title}")
st.caption(
    f"{round(compared.kept[row] * len(near[0]))} of {len(near[0])} are the same in both spaces. "
    + ("Click a row of the selected texts to see another's." if len(rows) > 1 else "")
    + ("" if rows else "Until a text is selected, this is the one that moved most.")
)
st.subheader("Texts that moved most")
linked_maps.table(
    "Moved texts",
    spaces.moved_table(compared, texts, labels).head(15),
    rows,
    selects=True,
)
st.caption(
    "Relative to their neighbours: those first that kept the fewest of their nearest texts; where "
    f"that is equal, the {compared.wider} nearest decide. Click a row to select its text on both "
    "maps. How far a dot lies from its old place on a map says much less."
)

st.subheader("Both spaces in numbers")
st.dataframe(spaces.numbers_table(compared), hide_index=True, key="numbers")
if compared.difference is not None:
    st.markdown(f"Label accuracy: {compared.difference.sentence}")
    st.caption(
        f"The interval is of the difference, by {DRAWS:,} bootstrap draws of texts, "
        "both spaces on the same. Each text's nearest others vote by cosine, itself left out; in a "
        "tie the label of the nearest wins."
    )
if compared.refusal:
    st.caption(f"Label accuracy is left out. {compared.refusal}")
by_whom = dict.fromkeys(f"{one.provenance.sentence}." for one in (left, right))
st.caption(
    f"{len(texts):,} of {both.size:,} texts of {display.escaped(both.texts.name)}. "
    f"{left.projection.reason}. The right map is turned, mirrored, scaled and shifted as a whole "
    "onto the left one, which changes no distance's order, and both show the same part of the "
    "plane. *Isotropy*: Mu & Viswanath 2018; *uniformity*: Wang & Isola 2020; *trustworthiness*: "
    f"Venna & Kaski 2001, on {NEAREST} neighbours. {' '.join(by_whom)}"
)
display.reproduce(session.recipe(specs.Space, **both.options))
glossary.explain("embedding", "cosine", "UMAP", "trustworthiness", "neighbours kept", "anisotropy")
session.warm_up_umap()
