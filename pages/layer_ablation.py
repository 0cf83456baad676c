"""Was the automatic choice a good one?"""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from analysis.dimension import selection
from analysis.evaluation.bootstrap import DRAWS
from analysis.experiments import ablation, searches, specs
from analysis.experiments.held_out import BEST, Range
from analysis.experiments.searches import AUTOMATIC, RANDOM, SEARCHES
from analysis.figures import ablation as ablation_figures
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import PLAIN, Plan
from pages.shared import corpus_picker, display, glossary, search_progress, session

SAID = {
    "windows": "Each point re-routes a window of {width} adjacent layers, as wide as the rule's.",
    "single layers": "Each point re-routes one layer.",
    "all windows": "Each cell re-routes the window that begins at its layer and is so many layers "
    "wide. Point at a cell for its interval; click it to choose it.",
    "bias": "Each point re-routes the plan's layers, {layers}, with another bias on the attention "
    "to the re-routed pair: at a low one it is hardly listened to, *off* not at all.",
    "greedy search": "From nothing re-routed, each step adds the layer that helps most, until none "
    "helps. Grey: all that were tried.",
}
"""What each search is, by its name."""
PLANS, STANDING = "Change of the score by plan", "The automatic choice among others"


def _spoken(one: Plan) -> str:
    shown = layer_lists.spoken_layers(one.layers, loaded.layers)
    return f"{shown} at bias {one.bias:g}" if kind == "bias" and one.layers else shown


def _with_range(middle: float, low: float, high: float) -> str:
    return f"{middle:+z.1f} [{low:+z.1f}, {high:+z.1f}]"


def _mean(of: Range) -> str:
    return _with_range(of.mean, of.low, of.high)


def _use(chosen: Plan) -> None:
    session.use_layers(chosen.layers)
    st.session_state.bias = chosen.bias


def _draw(number: int = 0) -> Any:
    """Figures and numbers as they are by now; ``number`` tells the drawings of one run apart."""
    walk, again = following.walk, f" {number}" if number else ""
    drawn = ablation_figures.search_chart(kind, walk, loaded.layers, automatic)
    with main.next():
        event = display.chart(
            drawn,
            PLANS,
            key=PLANS + again,
            on_select="ignore" if number else "rerun",
            selection_mode="points",
        )
    for slot, (name, one) in zip(
        slots,
        (("Nothing re-routed", PLAIN), ("Automatic", automatic), ("Best so far", walk.best)),
        strict=True,
    ):
        if one is None or one not in walk.points:
            slot.metric(name, "not scored yet")
            continue
        change = walk.points[one].change
        layers = f" ({_spoken(one)})" if one != PLAIN else ""
        slot.metric(
            f"{name}{layers}, rank {walk.rank(one)} of {len(walk.points)}",
            f"{walk.spearman(one):.1f}",
            _with_range(change.delta, change.ci_low, change.ci_high) if one != PLAIN else None,
            delta_color="normal" if change.ci_low > 0 or change.ci_high < 0 else "off",
        )
    rows = ablation_figures.standing(walk, automatic, beside)
    drawn = ablation_figures.standing_chart(walk, rows)
    with stand.next():
        display.chart(drawn, STANDING, key=STANDING + again)
    return event


@st.cache_resource(show_spinner="Halving the texts", max_entries=20)
def _held_out(what: Any, human: Any, sides: Any, cosines: Any) -> Any:
    del what, human, sides, cosines  # they are there for the cache and are all that decides it
    return ablation.held_out(walk, pairs, automatic)


session.page_header(
    "Was the automatic choice a good one?",
    "Every plan re-routes other layers and is scored on the same pairs, as a change against "
    "re-routing nothing. **Look where the automatic choice (diamond) stands among the others, and "
    "whether any whole bar lies above 0.**",
)
loaded, plan, pairs = session.backbone(), session.plan(), session.pairs()
if loaded.refusal:
    st.warning(loaded.refusal)
    st.stop()
width, method = selection.window_width(loaded.layers), session.methods()["kv-embedding"]
automatic = replace(plan, layers=session.calibration_dimensions().selected(st.session_state.rule))
beside = searches.references(automatic, loaded.reroutable)
left, right = st.columns([4, 1], vertical_alignment="bottom")
kind = left.segmented_control(
    "Re-route",
    list(SEARCHES),
    default="windows",
    required=True,
    key="sweep",
    bind="query-params",
    wrap=True,
)
most = width
if kind == "greedy search":
    most = right.number_input(
        "At most so many layers", 1, loaded.layers, width, key="greedy_most", bind="query-params"
    )
st.caption(SAID[kind].format(width=width, layers=layer_lists.format_layers(plan.layers, 0)))
following = search_progress.follow(
    *(loaded, pairs, method),
    SEARCHES[kind](plan, loaded.layers, loaded.reroutable, most),
    [one for plans in beside.values() for one in plans],
    *(kind, most, plan.bias, plan.key_position, automatic.layers),
    plan.layers if kind == "bias" else (),
)
walk = following.walk
if () in walk.steps:
    st.info(
        "No layer is re-routed, so the bias changes nothing. Choose layers at the side."
        if kind == "bias"
        else f"No window of {width} layers lies within the layers of this backbone that can be "
        f"re-routed, {layer_lists.format_layers(loaded.reroutable, 0)}. Try single layers."
    )
    st.stop()

main, tables = following.place("plans"), st.container()
slots = [column.empty() for column in st.columns(3)]
clicked, words = st.container(horizontal=True), st.container()
stand = following.place("standing")
event = _draw()
with tables:
    display.folded_table(PLANS, lambda: ablation_figures.plan_table(walk, walk.plans))
display.folded_table(
    STANDING,
    lambda: ablation_figures.standing_table(
        walk, ablation_figures.standing(walk, automatic, beside)
    ),
)
with clicked:
    choices = {"best": walk.best}
    for point in event.selection.points:
        layers, bias = point["customdata"][:2]
        layers = layer_lists.parse_layers(layers, loaded.layers)
        choices["chosen"] = Plan(layers, float(bias), plan.key_position)
    for name, one in choices.items():
        if one is not None and one in walk.points:
            st.button(f"Use the {name} as plan ({_spoken(one)})", on_click=_use, args=(one,))
with words:
    points = [walk.points[one] for one in walk.points if one != PLAIN]
    better = sum(point.change.ci_low > 0 for point in points)
    worse = sum(point.change.ci_high < 0 for point in points)
    drawn = [walk.points[one].change.delta for one in beside[RANDOM] if one in walk.points]
    st.markdown(
        f"Of {len(points)} plans, {better} score clearly better than re-routing nothing (their "
        f"whole interval lies above 0), {worse} clearly worse, {len(points) - better - worse} "
        "neither."
        + (
            f" {len(drawn)} random sets of as many layers as the automatic choice has change the "
            f"score by {np.mean(drawn):+z.1f} on average, from {min(drawn):+z.1f} to "
            f"{max(drawn):+z.1f}."
            if drawn
            else ""
        )
    )
plain = walk.points[PLAIN].score
st.caption(
    f"Spearman x 100 on {display.escaped(pairs.name)}, {plain.first.items:,} pairs of "
    f"{len(pairs.texts):,} texts; bars are 95% intervals of the change, paired, from {DRAWS:,} "
    f"bootstrap draws of {plain.first.resampled}, not corrected for the number of plans. "
    f"{plain.provenance.sentence}."
)

st.subheader("Is the best more than luck?")
if following.running:
    st.caption("Answered when the search rests.")
elif walk.tried:
    with display.errors_skip_section():
        tested = _held_out(
            (automatic, walk.tried, tuple(walk.points)),
            pairs.scores,
            (pairs.left, pairs.right),
            [one.score.cosines for one in walk.points.values()],
        )
        best, held = tested[BEST]
        st.markdown(
            f"The best of {held.windows} plans looks better than it is: it was picked on these "
            "same pairs. Picked on one half of the texts, the best gains "
            f"**{_mean(held.seen)}** there and **{_mean(held.gain)}** on the other half, where it "
            f"ranks {held.rank.mean:.0f} of "
            f"{held.windows} on average; most often ({100 * held.share:.0f}%) it is "
            f"{_spoken(best)}."
            + (
                f" The automatic choice, which was picked on other texts, gains "
                f"{_mean(tested[AUTOMATIC][1].gain)} on such halves, rank "
                f"{tested[AUTOMATIC][1].rank.mean:.0f}."
                if AUTOMATIC in tested
                else ""
            )
            + (
                " The greedy search went where all texts led it, so even this is too kind to it."
                if kind == "greedy search"
                else ""
            )
        )
        st.caption(
            f"Means over {2 * ablation.SPLITS} halves, {ablation.SPLITS} random halvings of the "
            "texts each way round, pairs across the halves left out; in brackets where 95% of them "
            "lie. That says how much hangs on the halving; new texts would vary more."
        )
display.reproduce(
    session.recipe(specs.Ablation, **corpus_picker.spoken("pairs"), search=kind, most=int(most))
)
glossary.explain("re-routing", "plan", "window", "bias", "rule", "Spearman", "held-out half")
following.watch(_draw)
