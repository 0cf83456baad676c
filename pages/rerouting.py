"""What does re-routing change, layer by layer?"""

from dataclasses import replace

import streamlit as st

from analysis.evaluation import comparison
from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments import causal as causality
from analysis.experiments import gates as listening
from analysis.experiments import specs
from analysis.experiments.score import score
from analysis.figures import causal, scores
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import PLAIN
from pages.shared import corpus_picker, display, glossary, layer_switches, session

IN_FULL = 3
"""Pairs whose texts are shown whole."""

session.page_header(
    "What does re-routing change, layer by layer?",
    "Every column is a layer; a lit one hands the final token's key-value pair to all tokens. "
    "**Click one and watch the score: the change and its interval say whether it helps.**",
)
loaded, plan, pairs = session.backbone(), session.plan(), session.pairs()
if loaded.refusal:
    st.warning(loaded.refusal)
    st.stop()

curve = layer_switches.presets(loaded)
method = session.methods()["kv-embedding"].under(plan)
heard = listening.drawn(pairs.texts)
gates = layer_switches.row(loaded, curve, heard, method)

shown = layer_lists.spoken_layers(plan.layers, loaded.layers)
with display.progress("Encoding without re-routing") as show:
    (before,) = score(loaded, pairs, [method.under(PLAIN)], traced=True, progress=show)
with display.progress("Re-running the layers that can differ") as show:
    (after,) = score(loaded, pairs, [method], traced=True, progress=show)
names = (f"re-routing {shown}", "re-routing nothing")
was, now = before.first, after.first
found = comparison.difference(now, was, names, pairs.of)
a, b, c = st.columns(3)
a.metric("Nothing re-routed", f"{was.value:.1f}")
b.metric(
    "Re-routed",
    f"{now.value:.1f}",
    display.signed(found.delta),
    delta_color="normal" if found.clear else "off",
)
c.metric("95% interval of the change", f"{found.ci_low:+.1f} to {found.ci_high:+.1f}")
if not plan.active:
    st.info("No layer is re-routed, so both scores are the same.")
elif found.clear:
    st.markdown(f"{found.sentence[:1].upper()}{found.sentence[1:]}")
else:
    st.markdown(f"**The change is within noise.** {found.sentence}")
st.caption(
    f"Spearman correlation x 100 of cosine and human rating on {display.escaped(pairs.name)}: "
    f"{now.items:,} pairs of {len(pairs.texts):,} texts. In {DRAWS:,} bootstrap draws of "
    f"{now.resampled}, 95% of the scores lie in {was.ci_low:.1f} to {was.ci_high:.1f} with nothing "
    f"re-routed and in {now.ci_low:.1f} to {now.ci_high:.1f} re-routed; "
    f"the change is surer than both, since it is taken on the same draws. "
    f"{after.provenance.sentence}."
)
st.caption(
    f"Bias {plan.bias:g}, key position {plan.key_position}; both are set in the sidebar, and undo "
    f"takes back their changes too. The *gate* is the share of a token's attention that goes to "
    f"the re-routed pair; its mean is over the heads and the {gates.tokens:,} tokens of "
    f"{len(heard)} of the pairs' texts, at most {listening.LONGEST} of each."
)

st.subheader("Which pairs moved most?")
table = scores.moved_pairs(before, after, pairs)
if plan.active:
    st.markdown(
        "All pairs are ranked by cosine, before and after; a pair that *gained* places looks more "
        "alike now. It moved *towards people* if its rank is now nearer to that of its rating."
    )
    for _, pair in table.head(IN_FULL).iterrows():
        with st.container(border=True):
            st.markdown(
                f"**{pair['places moved']:+,.0f} places of {len(table):,}**, "
                f"{'towards' if pair['towards people'] else 'away from'} people: human "
                f"{pair['human']:.2f}, cosine {pair['cosine before']:.3f} before and "
                f"{pair['cosine after']:.3f} after."
            )
            for column, side in zip(st.columns(2), ("first", "second"), strict=True):
                column.text(pair[side])
    display.folded_table("Pairs by places moved", lambda: table)
else:
    st.info("No layer is re-routed: no pair moves. Light a layer above.")

st.subheader("Who listens to the re-routed pair?")
st.markdown("The gate of each token of one text, averaged over heads. Bright tokens listen most.")
text = st.text_input(
    "A text", "The old bridge over the river was closed after the flood.", key="gate_text"
)
heat = causality.gates(loaded, text, plan, template=method.template)
if plan.active:
    display.figure(causal.gate_map(heat), causal.gate_table(heat), "Gate by token")
else:
    st.info("No layer is re-routed: there is no gate. Light a layer above.")

if plan.active and st.toggle("What does each layer of the plan bring?", key="one_by_one"):
    rows = []
    with display.progress("Leaving out one layer at a time") as show:
        for number, layer in enumerate(plan.layers, 1):
            without = replace(plan, layers=tuple(i for i in plan.layers if i != layer))
            (left_out,) = score(loaded, pairs, [method.under(without)], traced=True)
            names = ("the plan", f"the plan without layer {layer}")
            brings = comparison.difference(now, left_out.first, names, pairs.of)
            rows.append(
                {
                    "layer": layer,
                    "brings": brings.delta,
                    "low": brings.ci_low,
                    "high": brings.ci_high,
                    "without it": left_out.first.value,
                }
            )
            show(number, len(plan.layers))
    st.dataframe(rows, hide_index=True)
display.reproduce(
    session.recipe(
        specs.Score,
        page="rerouting",
        **corpus_picker.spoken("pairs"),
        method=["prompt-only", method.name],
    )
)
glossary.explain(
    *("re-routing", "plan", "bias", "gate", "Spearman", "interval", "cosine", "intrinsic dimension")
)
