"""Was the automatic choice a good one?"""

from dataclasses import replace
from typing import Any

import streamlit as st

from analysis import ablation_figures, evaluation, selection, shipped, study
from analysis.rerouting import PLAIN
from analysis.significance import Difference
from pages import showing, visit

visit.opening(
    "Was the automatic choice a good one?",
    "Every point re-routes other layers; its height is how much the score changes against "
    "re-routing nothing. **Look where the automatic choice (diamond) stands among the others, and "
    "whether any whole bar rises above the dashed line.**",
)
loaded, plan, pairs = visit.backbone(), visit.plan(), visit.pairs()
if loaded.refusal:
    st.warning(loaded.refusal)
    st.stop()

automatic = replace(plan, layers=visit.calibrated().selected(st.session_state.rule))
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
    replace(plan, layers=window.layers)
    for window in shipped.windows(loaded.layers, size, plan.bias)
    if set(window.layers) <= set(loaded.reroutable)
]
method = visit.methods()["kv-embedding"]
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
with showing.progress("Nothing re-routed") as show:
    plain = study.score(loaded, pairs, method, PLAIN, traced=running, progress=show)


@st.cache_data(show_spinner="Comparing", max_entries=20)
def _changes(
    cosines: dict[str, Any], base: Any, human: Any, sides: tuple[Any, Any]
) -> list[Difference]:
    """Each plan's change against nothing re-routed; the arguments are all that decides it."""
    del human, sides  # they are there for the cache: one name may stand for several uploads
    return evaluation.changes(cosines, base, pairs, "re-routing none")


def _draw(name: str) -> list[Difference]:
    scores = list(known.values())
    changes = _changes(
        {str(p.layers): score.sts.cosines for p, score in known.items()},
        plain.sts.cosines,
        pairs.scores,
        (pairs.left, pairs.right),
    )
    with place.container():
        showing.picture(
            ablation_figures.sweep_chart(scores, changes, automatic),
            "Change by first layer",
            key=name,
        )
    return changes


if running:

    def _tell(_done: int, _all: int) -> None:
        bar.progress(len(known) / len(plans), f"{len(known)} of {len(plans)} plans scored")

    todo = [p for p in plans if p not in known]
    for score in study.sweep(loaded, pairs, todo, method, progress=_tell):
        known[score.plan] = score
        _draw(f"sweep {len(known)}")
    st.session_state.sweeping = None
    st.rerun()
if not known:
    st.info("Nothing is scored yet for these settings; start above. The first point comes at once.")
    st.stop()

changes = _draw("sweep")
ranked = sorted(zip(known.values(), changes, strict=True), key=lambda pair: -pair[1].delta)
best = ranked[0][0]
a, b, c = st.columns(3)
a.metric("Nothing re-routed", f"{plain.sts.spearman:.1f}")
place_of = {s.plan: rank for rank, (s, _) in enumerate(ranked, 1)}
for column, title, wanted in ((b, "Automatic", automatic), (c, "Best", best.plan)):
    shown = selection.format_layers(wanted.layers, loaded.layers)
    if wanted in known:
        change = ranked[place_of[wanted] - 1][1]
        column.metric(
            f"{title} ({shown}), rank {place_of[wanted]} of {len(ranked)}",
            f"{known[wanted].sts.spearman:.1f}",
            f"{change.delta:+.1f} [{change.ci_low:+.1f}, {change.ci_high:+.1f}]",
            delta_color="normal" if change.ci_low > 0 or change.ci_high < 0 else "off",
        )
better = sum(d.ci_low > 0 for d in changes)
worse = sum(d.ci_high < 0 for d in changes)
st.markdown(
    f"Of {len(ranked)} plans, {better} score clearly better than re-routing nothing (their whole "
    f"interval lies above 0), {worse} clearly worse, {len(ranked) - better - worse} neither. The "
    "best of many looks better than it is: it was picked on these same pairs."
)
with st.expander("Table: scores by layers"):
    st.dataframe(ablation_figures.sweep_table(list(known.values()), changes), hide_index=True)
st.button(
    f"Use the best as plan ({selection.format_layers(best.plan.layers, loaded.layers)})",
    on_click=visit.use_layers,
    args=(best.plan.layers,),
)
st.caption(
    f"Spearman x 100 on {pairs.name}, {plain.sts.pairs:,} pairs of {plain.sts.texts:,} texts, bias "
    f"{plan.bias:g}; bars are 95% intervals of the change, paired, from 1,000 bootstrap draws of "
    f"{plain.sts.resampled}, not corrected for the number of plans. {plain.made.sentence}."
)
