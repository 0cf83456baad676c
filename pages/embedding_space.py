"""How does the embedding space change?"""

from functools import partial

import plotly.graph_objects as go
import streamlit as st

from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments.space import Space
from analysis.figures import space_tables, spaces
from analysis.figures.html_page import figure_page
from pages.shared import (
    display,
    downloads,
    glossary,
    header,
    linked_maps,
    map_colours,
    map_query,
    map_tags,
    session,
    space_pair,
    vector_downloads,
)

header.page_header(
    "How does the embedding space change?",
    "The same texts in two spaces; similar texts lie close together. **Drag a box around a group "
    "on one map: does it stay together on the other?**",
)
*bar, last = st.columns(7, gap="xsmall", vertical_alignment="bottom")
more = last.popover("More", width="stretch")
sides = space_pair.choose(bar[:3], more)
texts, labels = sides.texts.texts, sides.texts.labels
left, right = sides.left, sides.right
rows, colouring, dragging = linked_maps.choose(texts, bar[3:5], more)
query = map_query.choose(sides, bar[5])
colours = map_colours.choose_colours(colouring, sides)
what = f"{sides.texts.name}, n = {len(texts):,} of {sides.size:,} texts"
session.figures_of(what, left.provenance, right.provenance)


def draw(space: Space, other: Space, title: str, selected: linked_maps.Rows) -> go.Figure:
    """Draw one map, with the ``selected`` rows highlighted."""
    return spaces.space_map(
        space,
        texts,
        colours,
        title=title,
        selected=selected,
        dragging=dragging,
        beside=other,
        scale=space is left,
        star=map_query.star(query, on_left=space is left),
    )


for number, (column, space, other) in enumerate(
    zip(st.columns(2), (left, right), (right, left), strict=True)
):
    side, title = ("Left", "Right")[number], sides.titles[number]
    same = (sides.identity, colouring, dragging, title)
    with column:
        draw_map = partial(draw, space, other, title)
        linked_maps.show(side, draw_map, same, rows, f"{side} map: {title}")
compared = space_pair.compare(sides)  # after the maps, which need not wait for it
table = space_tables.space_table(left, right, texts, compared.kept, labels)
display.folded_table(
    "Both maps",
    lambda: table,
    lambda: figure_page(
        spaces.two_maps(
            *(left, right, texts),
            titles=sides.titles,
            colours=colours,
            star=map_query.star(query, on_left=True),
        ),
        "Both maps",
    ),
)
a, b, c, d = st.columns([3, 3, 3, 2], vertical_alignment="center")
searching = st.session_state.space_search
a.metric("Texts found" if searching else "Texts selected", f"{len(rows):,} of {len(texts):,}")
b.metric(
    "Neighbours kept",
    f"{100 * compared.kept.mean():.0f}%",
    help="The share of a text's nearest texts (by cosine, in the full space) that are the same in "
    f"both spaces. Two unrelated spaces would share {100 * compared.chance:.0f}%.",
)
kept_by_selected = f"{100 * compared.kept[list(rows)].mean():.0f}%" if rows else "none selected"
c.metric("Selection: neighbours kept", kept_by_selected)
linked_maps.clear_button(d, rows)
if rows:
    linked_maps.table("Selected texts", table.loc[list(rows)], rows, selects=False)
    downloads.buttons("Selected texts", table.loc[list(rows)])
map_tags.show(texts, labels, rows)
vector_downloads.show(sides, rows)
map_query.show(query, sides)

st.header("Nearest neighbours of a text")
clicked = st.session_state.get("space_look")
row = clicked if clicked in rows else rows[0] if rows else int(compared.most_moved[0])
st.text(texts[row])
neighbours = space_tables.neighbour_tables(compared, row, texts, labels)
for column, side, title, nearest in zip(
    st.columns(2), ("left", "right"), sides.titles, neighbours, strict=True
):
    with column:
        st.text(title)
        st.dataframe(nearest, hide_index=True, key=f"near {side} {title}")
st.caption(
    f"{round(compared.kept[row] * len(neighbours[0]))} of {len(neighbours[0])} are the same in "
    "both spaces. "
    + ("Click a row of the selected texts to see the neighbours of another." * (len(rows) > 1))
    + ("Until a text is selected, this is the one that moved most." * (not rows))
)
st.header("Texts that moved most")
linked_maps.table(
    "Moved texts",
    space_tables.moved_table(compared, texts, labels).head(15),
    rows,
    selects=True,
)
st.caption(
    "Texts that kept the fewest of their nearest neighbours come first; among equals, the "
    f"{compared.wider:,} nearest decide. Click a row to select its text on both maps. The distance "
    "between a dot's two places on the maps says much less."
)

st.header("Both spaces in numbers")
st.dataframe(space_tables.numbers_table(compared), hide_index=True, key="numbers")
if compared.difference is not None:
    st.markdown(f"Label accuracy: {display.escaped(compared.difference.sentence)}")
    st.caption(
        f"The interval is that of the difference, from {DRAWS:,} bootstrap draws of "
        "texts, the same for both spaces. The label of a text is predicted by a vote of its "
        "nearest neighbours by cosine, without the text itself; in a tie the nearest decides."
    )
if compared.refusal:
    st.caption(f"Label accuracy is left out. {display.escaped(compared.refusal)}")
space_pair.say_source(sides)
display.reproduce(sides.recipe())
glossary.explain(
    "embedding", "chatterbot", "cosine", "UMAP", "trustworthiness", "neighbours kept", "anisotropy"
)
session.warm_up_umap()
