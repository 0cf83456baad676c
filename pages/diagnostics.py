"""The state of this installation: what runs, what it holds, and what a bug report needs."""

import pandas as pd
import streamlit as st

from analysis import doctor
from pages.shared import display, session

session.page_header(
    "Is this installation well?",
    "What the program runs on, what it holds in memory and on disk, and who waits. **Anything that "
    "is not well says what to do**; `python -m analysis doctor` checks the same without a browser.",
)
with st.spinner("Looking at packages, weights and folders"):
    found = doctor.checks()
amiss = [check for check in found if check.state != "well"]
for check in amiss:
    said = f"{check.check}: {check.found}. {check.advice}"
    (st.error if check.state == "ill" else st.info)(said)
if not amiss:
    st.success(f"All {len(found)} checks are well.")
display.folded_table("checks", lambda: pd.DataFrame(found))

st.subheader("What runs here")
facts = doctor.facts()
st.table(pd.Series(facts, name="found"))
st.button("Look again", help="Memory, queues and sizes as they are now.")

st.subheader("For a bug report")
st.caption(
    "No text that was typed, uploaded or scored is in it. Point at it and press the button in its "
    "corner to copy it; say what you did, what came, and what you expected."
)
st.code(doctor.report(), language=None, wrap_lines=True)
