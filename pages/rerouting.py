"""What does re-routing change, layer by layer?"""

import streamlit as st

from analysis.evaluation import comparison
from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments import gates as gate_experiment
from analysis.experiments.score import score
from analysis.figures import scores
from analysis.rerouting import head_lists
from analysis.rerouting.plan import PLAIN
from pages.shared import (
    display,
    gate_section,
    glossary,
    head_switches,
    header,
    layer_switches,
    progress,
    session,
)
from pages.shared.questions import REROUTING

SHOWN_PAIRS = 3
"""Pairs whose texts are folded above the table."""

header.page_header(
    "What does re-routing change, layer by layer?",
    "Each column is a layer. If its switch is on, every token may attend to the final token's "
    "key-value pair there. **Click a column and watch the score: the change and its interval say "
    "whether that layer helps.**",
)
backbone, plan, pairs = session.reroutable_backbone(), session.plan(), session.pairs()
session.figures_of(f"{pairs.name}, n = {len(pairs.scores):,} pairs")

curve = layer_switches.presets(backbone)
method = session.methods()["kv-embedding"].under(plan)
gate_texts = gate_experiment.spread_sample(pairs.texts)
gates = layer_switches.strip(backbone, curve, gate_texts, method)

layers = head_lists.plan_in_words(plan, backbone.layers)
with progress.progress("Encoding without re-routing") as show_progress:
    (before,) = score(backbone, pairs, [method.under(PLAIN)], traced=True, progress=show_progress)
with progress.progress("Encoding from the first re-routed layer on") as show_progress:
    (after,) = score(backbone, pairs, [method], traced=True, progress=show_progress)
plain, rerouted = before.first, after.first
names = (f"re-routing {layers}", comparison.NOTHING)
change = comparison.difference(rerouted, plain, names, pairs.total)
a, b, c = st.columns(3)
a.metric("Nothing re-routed", f"{plain.value:.1f}")
b.metric(
    "Re-routed",
    f"{rerouted.value:.1f}",
    display.signed(change.delta),
    delta_color="normal" if change.clear else "off",
)
c.metric("95% interval of the change", f"{change.ci_low:+.1f} to {change.ci_high:+.1f}")
if not plan.active:
    st.info("No layer is re-routed, so both scores are the same.")
elif change.clear:
    st.markdown(display.escaped(f"{change.sentence[:1].upper()}{change.sentence[1:]}"))
else:
    st.markdown(f"**The change is within noise.** {display.escaped(change.sentence)}")
total = f" of {pairs.total:,}" if pairs.total else ""
st.caption(
    "Spearman correlation x 100 of cosine and human rating on "
    f"{display.escaped(pairs.name)}: {rerouted.items:,}{total} pairs of {len(pairs.texts):,} "
    "texts. "
    f"Bootstrap of {DRAWS:,} draws of {display.escaped(rerouted.resampled)}: the 95% interval is "
    f"{plain.ci_low:.1f} to {plain.ci_high:.1f} with nothing re-routed and "
    f"{rerouted.ci_low:.1f} to {rerouted.ci_high:.1f} re-routed. The interval of the change is "
    "narrower than these suggest because both scores use the same draws. "
    f"{display.escaped(after.provenance.sentence)}."
)
layer_switches.buttons(backbone, plan, curve, gates)
score_heads = head_switches.switches(backbone, method, pairs, curve, gates)
st.caption(
    f"Bias {plan.bias:g}, key position {display.escaped(plan.key_position)}: set them in the "
    "sidebar; undo also reverts changes made there. The *gate* is the share of a token's attention "
    f"that goes to the re-routed pair. Its mean is over all heads and the "
    f"{gates.tokens:,} tokens of {len(gate_texts)} texts of the pairs, of each at "
    f"most {gate_experiment.MAX_TOKENS} tokens."
)

st.header("Pairs that moved most")
table = scores.moved_pairs(before, after, pairs)
if plan.active:
    st.markdown(
        "All pairs are ranked by cosine, before and after. A pair that *gains* places is ranked as "
        "more similar than before. It moves *closer to the ratings* if its new rank is closer to "
        "the rank of its human rating."
    )
    with st.expander(f"Texts of the {SHOWN_PAIRS} pairs that moved most"):
        for _, pair in table.head(SHOWN_PAIRS).iterrows():
            with st.container(border=True):
                st.markdown(
                    f"**{pair['places moved']:+,.0f} places of {len(table):,}**, "
                    f"{'closer to' if pair['closer to the ratings'] else 'away from'} the ratings. "
                    "Human rating "
                    f"{pair['human']:.2f}, cosine {pair['cosine before']:.3f} before and "
                    f"{pair['cosine after']:.3f} after."
                )
                for column, side in zip(st.columns(2), ("first", "second"), strict=True):
                    column.text(pair[side])
    display.folded_table("Pairs by places moved", lambda: table)
else:
    st.info("No layer is re-routed, so no pair moves. Switch on a layer above.")

gate_section.show(backbone, method)

if plan.active and st.toggle(
    "Score the contribution of each layer", key="one_by_one", bind="query-params"
):
    contributions = []
    with progress.progress("Leaving out one layer at a time") as show_progress:
        for number, layer in enumerate(plan.active, 1):
            others = plan.without(layer)
            (without,) = score(backbone, pairs, [method.under(others)], traced=True)
            names = ("the plan", f"the plan without layer {layer}")
            gain = comparison.difference(rerouted, without.first, names, pairs.total)
            contributions.append(
                {
                    "layer": layer,
                    "contribution": gain.delta,
                    "low": gain.ci_low,
                    "high": gain.ci_high,
                    "score without it": without.first.value,
                }
            )
            show_progress(number, len(plan.active))
    st.dataframe(contributions, hide_index=True)
display.reproduce(REROUTING.recipe())
glossary.explain(
    *("re-routing", "plan", "bias", "gate", "lee50", "Spearman", "interval", "cosine"),
    "intrinsic dimension",
)
score_heads()
