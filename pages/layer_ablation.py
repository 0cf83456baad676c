"""Was the automatic choice a good one?"""

import streamlit as st

from analysis import figures, methods, selection, shipped, study
from analysis.rerouting import PLAIN, Plan
from pages import visit

visit.opening(
    "Was the automatic choice a good one?",
    "Every point re-routes other layers and scores them on the rated pairs. **Look where the "
    "automatic choice (diamond) stands among all windows of its width, and whether anything rises "
    "clearly above the dashed line, where nothing is re-routed.**",
)
loaded, plan, pairs = visit.backbone(), visit.plan(), visit.pairs()
if loaded.refusal:
    st.warning(loaded.refusal)
    st.stop()

automatic = Plan(visit.calibrated().selected(st.session_state.rule), plan.bias)
width = selection.window_width(loaded.layers)
kind = st.segmented_control(
    "Re-route",
    [f"windows of {width} layers", "single layers"],
    default=f"windows of {width} layers",
    required=True,
    key="kind",
)
size = 1 if kind == "single layers" else width
plans = [
    window
    for window in shipped.windows(loaded.layers, size, plan.bias)
    if set(window.layers) <= set(loaded.reroutable)
]
method = methods.DEFAULT
known = {p: s for p in plans if (s := study.known_score(loaded, pairs, method, p)) is not None}
missing = len(plans) - len(known)
running = st.session_state.get("sweeping") == (plan.bias, pairs.name, size)


def _start() -> None:
    st.session_state.sweeping = (plan.bias, pairs.name, size)


def _stop() -> None:
    st.session_state.sweeping = None


if missing:
    st.button(
        "Stop" if running else f"Score the {missing} missing plans",
        on_click=_stop if running else _start,
        type="primary",
        help="Scores are kept as they come: stopping loses nothing, starting again goes on.",
    )
place, bar = st.empty(), st.empty()
with visit.progress("Nothing re-routed") as show:
    plain = study.score(loaded, pairs, method, PLAIN, progress=show)
with visit.progress("The automatic choice") as show:
    chosen = study.score(loaded, pairs, method, automatic, traced=missing > 0, progress=show)

with place.container():
    if known:
        st.plotly_chart(figures.sweep_chart(list(known.values()), plain, chosen), key="sweep start")
if running:
    for score in study.sweep(loaded, pairs, [p for p in plans if p not in known], method):
        known[score.plan] = score
        bar.progress(len(known) / len(plans), f"{len(known)} of {len(plans)} plans scored")
        with place.container():
            st.plotly_chart(
                figures.sweep_chart(list(known.values()), plain, chosen),
                key=f"sweep {len(known)}",
            )
    st.session_state.sweeping = None
    st.rerun()
if not known:
    st.info("Nothing is scored yet for these settings; start above. The first point comes at once.")
    st.stop()

found = sorted(known.values(), key=lambda s: -s.sts.spearman)
best = found[0]
a, b, c = st.columns(3)
a.metric("Nothing re-routed", f"{plain.sts.spearman:.1f}")
b.metric(
    f"Automatic ({selection.format_layers(automatic.layers, loaded.layers)})",
    f"{chosen.sts.spearman:.1f}",
    visit.signed(chosen.sts.spearman - plain.sts.spearman),
)
c.metric(
    f"Best of {len(found)} ({selection.format_layers(best.plan.layers, loaded.layers)})",
    f"{best.sts.spearman:.1f}",
    visit.signed(best.sts.spearman - plain.sts.spearman),
)
better = sum(s.sts.spearman > chosen.sts.spearman for s in found)
above = sum(s.sts.spearman > plain.sts.spearman for s in found)
st.markdown(
    f"{above} of {len(found)} plans score above re-routing nothing, and {better} above the "
    "automatic choice. The best of many looks better than it is: it was picked on these same pairs."
)
with st.expander("Table: scores by layers"):
    st.dataframe(figures.score_table(found), hide_index=True)
st.button(
    f"Use the best as plan ({selection.format_layers(best.plan.layers, loaded.layers)})",
    on_click=visit.use_layers,
    args=(best.plan.layers,),
)
st.caption(
    f"Spearman x 100 on {pairs.name}, {plain.sts.pairs:,} pairs; light bars are 95% intervals. "
    f"{plain.made.sentence}."
)
