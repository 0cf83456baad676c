"""What can an early token know?"""

from functools import partial

import streamlit as st

from analysis.embedding import prompts
from analysis.experiments import causal
from pages.shared import display, glossary, header, sentence_fields, session, story
from pages.shared.causal_steps import STEPS
from pages.shared.causal_view import STYLE, View
from pages.shared.questions import CAUSAL

NAMES = tuple(STEPS)
# Arabic and Hebrew run from right to left in the text fields.
TEXT_DIRECTION = "<style>[data-testid=stMain] input { unicode-bidi: plaintext; }</style>"


def _move_step(by: int) -> None:
    st.session_state.step = NAMES[(NAMES.index(st.session_state.step) + by) % len(NAMES)]


session.run_by_entry()
# The switch itself stands elsewhere in the presenter view, so its value is asked for before.
presenting = st.session_state.get("presenter", st.query_params.get("presenter") == "true")
if not presenting:
    header.page_header(
        "What can an early token know?",
        "Two sentences begin the same and end differently. **Follow the seven steps, change an "
        "ending, and watch the tokens before it.**",
    )
row = st.container(horizontal=True, vertical_alignment="center", key="steps")
with row:
    if presenting:
        st.title("What can an early token know?", width="content", anchor=False)
        header.choices()
    step = st.segmented_control(
        "Step",
        NAMES,
        default=NAMES[0],
        required=True,
        key="step",
        bind="query-params",
        label_visibility="collapsed",
        wrap=True,
    )
    moves = {"Back": (-1, "PageUp"), "Next": (1, "PageDown")}
    if presenting:  # out of sight, for the keys of their own
        moves |= {"Left": (-1, "Left"), "Right": (1, "Right")}
    for name, (by, shortcut) in moves.items():
        at_end = step == NAMES[-1 if by > 0 else 0]
        if at_end and name == "Next" and not presenting:
            st.button("Start again", key="step_again", on_click=_move_step, args=(by,))
        elif not (at_end and by > 0):
            st.button(
                name,
                key=f"step_{name.lower()}",
                on_click=_move_step,
                args=(by,),
                disabled=at_end,
                type="primary" if name == "Next" else "secondary",
                shortcut=shortcut if presenting else None,
            )
choices = row.popover("Edit") if presenting else st.container()
(choices if presenting else row).toggle(
    "Presenter view",
    key="presenter",
    bind="query-params",
    help="Large text for an audience: the figure alone. PageUp, PageDown and the arrow keys walk "
    "through the steps.",
)
st.html(TEXT_DIRECTION + STYLE * presenting)

backbone, plan, methods = session.backbone(), session.plan(), session.methods()
line = choices.container(horizontal=True, vertical_alignment="bottom")
sentence_fields.choose_example(line)
CAUSAL.show("bare", line)
plan, asked = story.plan(backbone, plan, line, choices)
bare = CAUSAL.control("bare").read(st.session_state)["bare"]
template = prompts.BARE if bare else methods["kv-embedding"].template
move = partial(causal.movement, backbone, plan=plan, template=template)
texts, movement = sentence_fields.choose(move, choices)
session.figures_of("two sentences")
view = View(backbone, plan, methods, texts, template, movement, presenting, choices, asked)
STEPS[step](view)
if not presenting:
    display.reproduce(CAUSAL.recipe(**asked))
    glossary.explain(
        *("token", "state", "causal attention", "head", "key and value", "re-routing", "gate"),
        *("plan", "bias", "compression prompt", "logit lens"),
    )
