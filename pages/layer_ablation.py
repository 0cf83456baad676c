"""Was the automatic choice a good one?"""

import streamlit as st

from analysis.dimension import selection
from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments import searches
from analysis.experiments.searches import SEARCHES
from analysis.figures import plan_points
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import PLAIN
from pages.shared import ablation_sections, display, glossary, header, search_progress, session
from pages.shared.questions import ABLATION

DESCRIPTIONS = {
    "windows": "Each point re-routes a window of {width} adjacent layers, as wide as the rule's.",
    "single layers": "Each point re-routes one layer.",
    "single heads": "Each square re-routes one head alone. **Blue heads raise the score, red ones "
    "lower it: see whether one layer has both.** Point at a square for its interval; click it to "
    "select it. The best head so far has an orange edge. There are {heads} heads, so this takes "
    "long; it can be stopped and resumed.",
    "all windows": "Each cell re-routes a window: its first layer is on the horizontal axis, its "
    "width on the vertical one. Point at a cell for its interval; click it to select it.",
    "bias": "Each point re-routes the layers of the plan, {layers}, with another bias on the "
    "attention to the re-routed pair: the lower, the less attention it gets; *off* is none.",
    "greedy search": "Starting with nothing re-routed, each step adds the layer that helps most, "
    "until none helps. Grey: all plans that were tried.",
}
"""A sentence on each search, by its name."""
ENOUGH = 10
"""Plans of an unfinished search from which on the best of them is judged."""

header.page_header(
    "Was the automatic choice a good one?",
    "Each plan re-routes other layers and is scored on the same pairs, as a change against "
    "re-routing nothing. **See where the automatic choice (diamond) stands among the others, and "
    "whether the bar of any plan lies completely above 0.**",
)
backbone, plan, pairs = session.reroutable_backbone(), session.plan(), session.pairs()
session.figures_of(f"{pairs.name}, n = {len(pairs.scores):,} pairs")
width, method = selection.window_width(backbone.layers), session.methods()["kv-embedding"]
rule_layers = session.calibration_dimensions().selected(st.session_state.rule)
automatic = plan.with_layers(rule_layers)
references = searches.references(automatic, backbone.reroutable)

left, right = st.columns([4, 1], vertical_alignment="bottom")
ABLATION.show("search", left, wrap=True)
if st.session_state.ablation_search == "greedy search":
    ABLATION.show("most", right, placeholder=str(width))
spec = ABLATION.spec()
search, most = spec.search, spec.most or width
plan_layers = plan_points.layers_of(plan)
heads = len(backbone.reroutable) * backbone.facts.heads
st.caption(DESCRIPTIONS[search].format(width=f"{width:,}", layers=plan_layers, heads=f"{heads:,}"))
progress = search_progress.start(
    *(backbone, pairs, method),
    SEARCHES[search](plan, backbone, most),
    [reference for plans in references.values() for reference in plans],
    *(search, most, plan.bias, plan.key_position, automatic.layers),
    (plan.layers, plan.heads) if search == "bias" else (),
)
walk = progress.walk
if () in walk.steps:
    st.info(
        "No layer is re-routed, so the bias changes nothing. Choose layers in the sidebar."
        if search == "bias"
        else f"No window of {width:,} layers lies within the layers of this backbone that can be "
        f"re-routed, {layer_lists.format_layers(backbone.reroutable, 0)}. Try single layers."
    )
    st.stop()

view = ablation_sections.View(search, backbone.layers, backbone.facts.heads, automatic, references)
results = ablation_sections.Results(view, progress)
selection_event = results.draw()
results.tables()
with results.below_metrics:
    ablation_sections.plan_buttons(view, walk, selection_event, plan.key_position)
    ablation_sections.counts(view, walk)
plain = walk.points[PLAIN].score
total = f" of {pairs.total:,}" if pairs.total else ""
st.caption(
    f"Spearman x 100 on {display.escaped(pairs.name)}, {plain.first.items:,}{total} pairs of "
    f"{len(pairs.texts):,} texts. Bars are 95% intervals of the paired change, from {DRAWS:,} "
    f"bootstrap draws of {display.escaped(plain.first.resampled)}, not corrected for the "
    "number of plans. "
    f"{display.escaped(plain.provenance.sentence)}."
)

st.header("The best plan on held-out texts")
if progress.running:
    st.caption("Shown when the search is finished or stopped.")
elif not walk.done and len(walk.tried) < ENOUGH:
    st.caption(f"Shown once {ENOUGH} plans of the search are scored.")
elif walk.tried:
    with display.errors_skip_section():
        ablation_sections.held_out(view, walk, pairs)
display.reproduce(ABLATION.recipe())
glossary.explain(
    "re-routing", "plan", "window", "bias", "lee50", "rule", "Spearman", "held-out half"
)
progress.run(results.draw)
