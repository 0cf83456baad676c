"""What can an early token know?"""

import streamlit as st

from analysis import causal_figures, causality, prompting, selection
from pages import showing, visit

EXAMPLES = {
    "Homonym: bank": (
        "She walked along the bank and watched the boats.",
        "She walked along the bank and asked for a loan.",
    ),
    "Negation": (
        "The critics said the film was good, and I agree.",
        "The critics said the film was good, but it is not.",
    ),
    "Attachment": (
        "I saw the man with the telescope that I had bought.",
        "I saw the man with the telescope in his hand.",
    ),
    "German: Schloss": (
        "Wir standen vor dem Schloss und suchten den Schlüssel.",
        "Wir standen vor dem Schloss und grüßten den König.",
    ),
}

visit.opening(
    "What can an early token know?",
    "Two sentences begin alike and end differently. Each box is a shared token; its number says "
    "how far the token's final state moved when the ending changed, as a share of its length. "
    "**Under causal attention it is exactly 0: an early token cannot know what comes later.** "
    "With re-routing it moves.",
)


def _show_example() -> None:
    st.session_state.first, st.session_state.second = EXAMPLES[st.session_state.example]


if "first" not in st.session_state:
    st.session_state.first, st.session_state.second = next(iter(EXAMPLES.values()))
st.selectbox("Example", list(EXAMPLES), key="example", on_change=_show_example)
left, right = st.columns(2)
first = left.text_input("One ending", key="first", persist_state="session")
second = right.text_input("Another ending", key="second", persist_state="session")
prompted = st.toggle(
    "Inside the compression prompt",
    True,
    help="KV-Embedding wraps a text as: Context: ... Compress the Context in one word: "
    "The final token, whose pair is re-routed, is then the prompt's colon.",
)

backbone, plan = visit.backbone(), visit.plan()
template = visit.methods()["kv-embedding"].template if prompted else prompting.BARE
moved = causality.movement(backbone, first, second, plan, template=template)
plain, rerouted = moved.plain[-1], moved.rerouted[-1]
a, b = st.columns(2)
a.metric("Plain model, largest move", f"{plain.max():.3g}")
b.metric("Re-routed, mean move", f"{rerouted.mean():.3f}")
if plain.max() == 0:
    st.markdown(
        f"All {len(plain)} shared tokens of the plain model stayed where they were, to the last "
        f"bit; re-routed at {selection.spoken_layers(plan.active, backbone.layers)}, "
        f"{int((rerouted > 0).sum())} of them moved."
    )
else:
    st.markdown(
        f"The plain model's tokens moved by {plain.max():.1g} of their length or less: that is "
        "rounding. Where experts share their work between tokens, as in a mixture of experts, or "
        "in half precision, equal states can differ in their last bits."
    )
third = backbone.layers // 3
if plan.active and plan.active[0] >= 2 * third:
    middle = tuple(range(third, third + selection.window_width(backbone.layers)))
    st.button(
        f"Re-route earlier: layers {selection.format_layers(middle, backbone.layers)}",
        on_click=visit.use_layers,
        args=(middle,),
        help="The rule chose late layers here, where little is left to change. Earlier layers "
        "show the effect better; whether they also score better is another page's question.",
    )
if not plan.active:
    st.info(
        "No layer is re-routed, so both strips show the plain model. Choose layers at the side."
    )
showing.figure(
    causal_figures.movement_strips(moved),
    causal_figures.movement_table(moved),
    "How far each shared token moved",
)
st.subheader("Where it happens")
st.markdown(
    "The same tokens, layer by layer, in the re-routed model. Below the first re-routed layer "
    "nothing can differ; above it the news spreads."
)
showing.figure(
    causal_figures.movement_by_layer(moved),
    causal_figures.movement_by_layer_table(moved),
    "How far each token moved, by layer",
)
with st.expander("Terms"):
    st.markdown(
        "- **Token**: a piece of text the model reads as one unit, often a word or part of one.\n"
        "- **State**: the vector that stands for a token at some layer.\n"
        "- **Causal attention**: each token looks only at itself and what came before it.\n"
        "- **Re-routing**: at chosen layers, the key and value of the *final* token are put in "
        "front of the sequence, where every token may look at them, in the same single pass."
    )
