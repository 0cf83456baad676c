"""What can an early token know?"""

import streamlit as st

from analysis.dimension import selection
from analysis.embedding import prompts
from analysis.experiments import causal
from analysis.rerouting import layer_lists
from pages.shared import display, glossary, session
from pages.shared.causal_steps import STEPS, View
from pages.shared.example_sentences import EXAMPLES
from pages.shared.questions import CAUSAL

NAMES = tuple(STEPS)
# Arabic and Hebrew run from right to left in the text fields.
TEXT_DIRECTION = "<style>[data-testid=stMain] input { unicode-bidi: plaintext; }</style>"
# Streamlit measures everything by the root's font size.
PRESENTER = """<style>
    html { font-size: 24px; }
    h1 { font-size: 2rem !important; padding: 0 !important; }
    [data-testid=stMainBlockContainer] { padding-top: 2rem; }
    [data-testid=stPlotlyChart] :is(.xtick, .ytick, .infolayer) text {
        fill: currentColor !important;
    }
    [data-testid=stSidebar], [data-testid=stHeader] { display: none; }
</style>"""


def _move_step(by: int) -> None:
    st.session_state.step = NAMES[NAMES.index(st.session_state.step) + by]


def _fill_in_example() -> None:
    chosen = EXAMPLES[st.session_state.example]
    st.session_state.update(causal_first=chosen.first, causal_second=chosen.second)


session.run_by_entry()
header = st.container()
with st.container(horizontal=True, vertical_alignment="center"):
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
    first_step, last_step = step == NAMES[0], step == NAMES[-1]
    st.button("Back", key="step_back", on_click=_move_step, args=(-1,), disabled=first_step)
    st.button(
        "Next",
        key="step_next",
        on_click=_move_step,
        args=(1,),
        disabled=last_step,
        type="primary",
    )
    presenting = st.toggle(
        "Presenter view",
        key="presenter",
        bind="query-params",
        help="Large text for an audience. Hides the sidebar, tables and captions.",
    )
st.html(TEXT_DIRECTION + PRESENTER * presenting)
with header:
    session.page_header(
        "What can an early token know?",
        "Two sentences begin the same and end differently. **Follow the five steps, change an "
        "ending, and watch the tokens before it.**" * (not presenting),
    )

backbone, plan, methods = session.backbone(), session.plan(), session.methods()
third = backbone.layers // 3
with st.container(horizontal=True, vertical_alignment="bottom"):
    st.selectbox(
        "Example",
        list(EXAMPLES),
        key="example",
        on_change=_fill_in_example,
        bind="query-params",
        width=320,
    )
    CAUSAL.show("bare")
    if plan.active and plan.active[0] >= 2 * third:
        middle = tuple(range(third, third + selection.window_width(backbone.layers)))
        st.button(
            f"Re-route earlier: layers {layer_lists.format_layers(middle, backbone.layers)}",
            on_click=session.use_layers,
            args=(middle,),
            help="The rule chose late layers for this backbone, which leave few layers to change. "
            "Earlier layers show the effect better. Whether they also score better is the question "
            "of the page Layer ablation.",
        )
if "causal_first" not in st.session_state:
    _fill_in_example()
left, right = st.columns(2)
CAUSAL.show("first", left)
CAUSAL.show("second", right)
spec, example = CAUSAL.spec(), EXAMPLES[st.session_state.example]
if example.gloss and (spec.first, spec.second) == (example.first, example.second):
    for column, gloss in zip((left, right), example.gloss, strict=True):
        column.markdown(f"*{display.escaped(gloss)}*")

template = prompts.BARE if spec.bare else methods["kv-embedding"].template
texts = (spec.first, spec.second)
movement = causal.movement(backbone, *texts, plan, template=template)
STEPS[step](View(backbone, plan, methods, texts, template, movement, presenting))
if not presenting:
    display.reproduce(CAUSAL.recipe())
    glossary.explain(
        *("token", "state", "causal attention", "head", "key and value", "re-routing", "gate")
    )
