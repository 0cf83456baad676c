"""What does re-routing change, layer by layer?"""

from dataclasses import replace

import streamlit as st

from analysis import causal_figures, causality, evaluation, score_figures, selection, study
from analysis.rerouting import PLAIN
from pages import showing, visit

visit.opening(
    "What does re-routing change, layer by layer?",
    "Every switch is a layer; a lit one hands the final token's key-value pair to all tokens. "
    "**Flip one and watch the score: the change and its interval say whether it helps.**",
)
loaded, plan, pairs = visit.backbone(), visit.plan(), visit.pairs()
if loaded.refusal:
    st.warning(loaded.refusal)
    st.stop()

third = loaded.layers // 3
presets = {
    "Automatic": "auto",
    "None": "none",
    "All": "all",
    "First third": f"0-{third - 1}",
    "Middle third": f"{third}-{2 * third - 1}",
    "Last third": f"{2 * third}-{loaded.layers - 1}",
}


def _preset(text: str) -> None:
    st.session_state.layers = text


def _switched() -> None:
    visit.use_layers(tuple(sorted(st.session_state.switches)))


for column, (name, text) in zip(st.columns(len(presets)), presets.items(), strict=True):
    column.button(name, on_click=_preset, args=(text,), width="stretch")
st.session_state.switches = list(plan.layers)
st.pills(
    "Layers",
    range(loaded.layers),
    selection_mode="multi",
    key="switches",
    on_change=_switched,
    help="Layer 0 is next to the input. Layers that this family cannot re-route are refused.",
)

method = visit.methods()["kv-embedding"]
shown = selection.spoken_layers(plan.layers, loaded.layers)
with showing.progress("Encoding without re-routing") as show:
    before = study.score(loaded, pairs, method, PLAIN, traced=True, progress=show)
with showing.progress("Re-running the layers that can differ") as show:
    after = study.score(loaded, pairs, method, plan, traced=True, progress=show)
found = evaluation.compare(
    after.sts.cosines,
    before.sts.cosines,
    pairs,
    names=(f"re-routing {shown}", "re-routing none"),
)
a, b, c = st.columns(3)
clear = found.ci_low > 0 or found.ci_high < 0
a.metric("Nothing re-routed", f"{before.sts.spearman:.1f}")
b.metric(
    "Re-routed",
    f"{after.sts.spearman:.1f}",
    showing.signed(found.delta),
    delta_color="normal" if clear else "off",
)
c.metric("95% interval of the change", f"{found.ci_low:+.1f} to {found.ci_high:+.1f}")
if plan.active:
    st.markdown(found.sentence)
else:
    st.info("No layer is re-routed, so both scores are the same.")
st.caption(
    f"Spearman correlation x 100 of cosine and human rating on {pairs.name}: {after.sts.pairs:,} "
    f"pairs of {after.sts.texts:,} texts, the interval by resampling {after.sts.resampled}. "
    f"{after.made.sentence}."
)

st.subheader("Who listens to the re-routed pair?")
st.markdown(
    "The *gate* is the share of a token's attention that goes to the re-routed pair, averaged over "
    "heads. Bright tokens listen most."
)
text = st.text_input(
    "A text", "The old bridge over the river was closed after the flood.", key="gate_text"
)
listening = causality.gates(loaded, text, plan, template=method.template)
if plan.active:
    strength = 100 * listening.values.mean(axis=(1, 2))
    st.markdown(
        "Mean gate by layer: "
        + ", ".join(
            f"{layer}: {value:.1f}%" for layer, value in zip(plan.active, strength, strict=True)
        )
    )
    showing.figure(
        causal_figures.gate_map(listening), causal_figures.gate_table(listening), "Gate by token"
    )
else:
    st.info("No layer is re-routed: there is no gate. Light a layer above.")

st.subheader("Which pairs moved most?")
table = score_figures.moved_pairs(before, after, pairs)
st.dataframe(table.head(20), hide_index=True)
if st.toggle("Compare one layer at a time on this plan", key="one_by_one"):
    rows = []
    with showing.progress("Layers") as show:
        for number, layer in enumerate(plan.layers, 1):
            without = replace(plan, layers=tuple(i for i in plan.layers if i != layer))
            left_out = study.score(loaded, pairs, method, without, traced=True)
            change = after.sts.spearman - left_out.sts.spearman
            rows.append({"layer": layer, "brings": change, "without it": left_out.sts.spearman})
            show(number, len(plan.layers))
    st.dataframe(rows, hide_index=True)
