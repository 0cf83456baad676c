"""Corpora that several test files read, and strategies for tables of any kind."""

from hypothesis import strategies as st

from analysis.corpora.types import Retrieval

RATED_TABLE = "sentence1\tsentence2\tscore\na b\tc d\t1\ne f\tg h\t2\na b\tg h\t3.5\n"
"""Three rated pairs of four texts."""
RETRIEVAL = Retrieval(
    "made up",
    tuple(f"query {i}" for i in range(6)),
    tuple(f"document {i}" for i in range(40)),
    tuple({i: 1, i + 1: 2} for i in range(6)),
    "here",
)

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
CELLS = WORDS.filter(lambda text: text.strip() != "")
RECORDS = st.lists(
    st.tuples(CELLS, CELLS, st.floats(-1e99, 1e99).filter(lambda x: not x or abs(x) > 1e-99)),
    min_size=3,
).filter(lambda rows: len({row[2] for row in rows}) > 1)
"""Rows of rated pairs, at least two of them rated differently."""
