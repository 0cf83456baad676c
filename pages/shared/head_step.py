"""A step of the page on causal limits: a head that gains from the final token, and one that loses.

The two are those of largest and smallest derivative of the score of the page's rated pairs; what
each does alone is scored exactly.
"""

from typing import TYPE_CHECKING

import streamlit as st

from analysis.evaluation import comparison
from analysis.evaluation.comparison import Difference
from analysis.experiments import causal as causality
from analysis.experiments import head_choices
from analysis.experiments.score import score
from analysis.figures import attention as figures
from analysis.rerouting.head_lists import plan_in_words
from analysis.rerouting.plan import PLAIN, Head, Plan
from pages.shared import display, head_colours, progress, session
from pages.shared.causal_view import BELOW_NUMBERS
from pages.shared.ending_choice import choose_text

if TYPE_CHECKING:
    from pages.shared.causal_view import View


def step(view: "View") -> None:
    """Show for one sentence which tokens each of the two heads lets hear the final one."""
    view.say(
        "A layer re-routes with all its heads, but heads differ: one gains from hearing the final "
        "token, another loses what it was listening to. **Each head below re-routes alone. The "
        "higher a bar, the more its token attends to the final one.**"
    )
    with display.errors_skip_section():
        heads = _two_heads(view)
        if heads is None:
            return
        changes = _alone(view, heads)
        labels = {}
        for column, head, change in zip(st.columns(2), heads, changes, strict=True):
            label = plan_in_words(_only(view, head), view.backbone.layers)
            label = label[:1].upper() + label[1:]
            labels[label] = head
            column.metric(
                f"{display.escaped(label)} alone, on {display.escaped(session.pairs().name)}",
                f"{change.delta:+z.1f}",
                help=display.escaped(change.sentence),
            )
            if not view.presenting:
                column.caption(f"95% interval {change.ci_low:+z.1f} to {change.ci_high:+z.1f}")
        text = choose_text(view.texts, view.choices)
        together = Plan(heads=tuple(sorted(heads)), bias=view.plan.bias)
        gates = causality.gates(view.backbone, text, together, template=view.template)
        view.show(
            figures.gates_of_heads(gates, labels),
            figures.gates_of_heads_table(gates, labels),
            "Gate of each token in two heads",
            BELOW_NUMBERS,
        )
        view.small_print(
            "Of all heads outside the first fifth of the layers, the two by which the score of "
            "these pairs would rise and fall fastest if they began to re-route; so the changes "
            "above are of the pairs that chose them. Whether chosen heads help other texts is "
            "judged in the study *Which heads should listen?*; the page *Re-routing* shows all "
            "heads."
        )


def _two_heads(view: "View") -> tuple[Head, Head] | None:
    """The heads that help and harm most by derivative; None where they are not measured yet."""
    backbone, method, pairs = view.backbone, view.methods["kv-embedding"], session.pairs()
    if not backbone.reroutable:
        st.info("This backbone cannot be re-routed, so no head can hear the final token.")
        return None
    found = head_colours.known(backbone, method, pairs, "judgements")
    asked = {"two_heads_of": (backbone.facts.name, pairs.name)}
    if found is None:
        if st.session_state.get("two_heads_of") != asked["two_heads_of"]:
            st.caption(
                f"The ratings of {display.escaped(pairs.name)} say which two heads they are; that "
                "takes about four passes over its texts."
            )
            st.button(
                "Find the two heads",
                type="primary",
                on_click=st.session_state.update,
                kwargs=asked,
            )
            return None
        found = head_colours.measured(backbone, method, pairs, "judgements")
    heads = head_choices.extremes(found.values)
    if heads is None:
        st.info("This backbone has no two heads that can be re-routed; choose another.")
    return heads


def _only(view: "View", head: Head) -> Plan:
    return Plan(heads=(head,), bias=view.plan.bias)


def _alone(view: "View", heads: tuple[Head, Head]) -> list[Difference]:
    """How each head alone changes the score of the pairs, with its interval."""
    pairs, method = session.pairs(), view.methods["kv-embedding"]
    plans = [PLAIN, *(_only(view, head) for head in heads)]
    with progress.progress("Scoring each head alone") as show_progress:
        before, *after = score(
            view.backbone,
            pairs,
            [method.under(plan) for plan in plans],
            traced=True,
            progress=show_progress,
        )
    return [
        comparison.difference(
            each.first,
            before.first,
            (plan_in_words(each.plan, view.backbone.layers), comparison.NOTHING),
            pairs.total,
        )
        for each in after
    ]
