"""Is this installation healthy? What runs, what it uses, and what a bug report needs."""

import pandas as pd
import streamlit as st

from analysis import doctor
from pages.shared import display, header

header.page_header(
    "Is this installation healthy?",
    "What the program runs on, what it keeps in memory and on disk, and who is waiting. **Every "
    "problem comes with what to do**; `python -m analysis doctor` runs the same checks in a "
    "terminal.",
)
with st.spinner("Checking packages, weights and folders"):
    checks = doctor.checks()
problems = [check for check in checks if check.state != "healthy"]
for check in problems:
    show = st.error if check.state == "error" else st.info
    show(display.escaped(f"{check.check}: {check.result}. {check.advice}"))
if not problems:
    st.success(f"System check: all {len(checks)} checks passed.")
display.folded_table("Checks", lambda: pd.DataFrame(checks))

st.header("System and resources")
facts = {display.escaped(name): display.escaped(fact) for name, fact in doctor.facts().items()}
st.table(pd.Series(facts, name="now"))
st.button("Refresh", help="Read memory, queues and sizes again.")

st.header("Bug report")
st.caption(
    "The report contains no text that was typed, uploaded or scored. Hover over it and click the "
    "button in its corner to copy it; add what you did, what happened and what you expected."
)
st.code(doctor.report(), language=None, wrap_lines=True)
