"""The methods of the page on similarity on a second backbone, beside the sidebar's."""

from collections.abc import Mapping, Sequence

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import Method
from analysis.experiments import plans, two_backbones
from analysis.experiments import score as scoring
from analysis.experiments.score_result import Corpus, Score
from analysis.experiments.specs import Score as Question
from analysis.figures import scores
from analysis.figures import two_backbones as figures
from pages.shared import display, progress, second_backbone, session, valid_values
from pages.shared.questions import SIMILARITY

_CONTROL = SIMILARITY.control("beside")


def choose() -> Backbone | None:
    """Choose a second backbone; None where none is chosen."""
    named = st.session_state.get(_CONTROL.key) or st.query_params.get(_CONTROL.key)
    with st.expander("Compare with another backbone", expanded=bool(named)):
        return second_backbone.choose(_CONTROL)


def name(other: Backbone | None) -> str | None:
    """The second backbone as the question names it."""
    return str(valid_values.value(_CONTROL.key)) if other else None


def score(
    other: Backbone | None, spec: Question, corpus: Corpus, methods: Mapping[str, Method]
) -> dict[str, Score]:
    """The scores of the chosen methods on the second backbone, by the names of their rows.

    Args:
        other: the second backbone, if any.
        spec: the page's question.
        corpus: what the methods are scored on.
        methods: every method by its name or spelling.
    """
    results: dict[str, Score] = {}
    if other is None:
        return results
    plan = None
    for each in spec.method:
        label = f"Encoding with {each} on {other.facts.name}"
        with display.errors_skip_section(), progress.progress(label) as show_progress:
            method = methods[each]
            if method.reroutes and not method.has_plan:
                if plan is None:
                    texts = session.calibration()
                    plan, sentence = plans.planned_beside(
                        spec, other, calibration=texts, progress=show_progress
                    )
                    if sentence:
                        st.info(display.escaped(sentence))
                method = method.under(plan)
            (scored,) = scoring.score(other, corpus, [method], progress=show_progress)
            scored = two_backbones.beside(scored, other)
            results[scored.name] = scored
    return results


def warn(scored: Sequence[Score], against: Sequence[Score] = ()) -> None:
    """Warn where what is compared differs in both method and backbone."""
    rows, other = two_backbones.subjects(scored), two_backbones.subjects(against)
    if sentence := two_backbones.mixing(rows, other):
        st.warning(display.escaped(sentence))


def changes(scored: Sequence[Score], measure: str, backbone: Backbone) -> None:
    """Show what the second backbone changes for each method, if there is one."""
    differences = two_backbones.changes(scored, measure, scored[0].of)
    if not differences:
        return
    st.header("The same method on the other backbone")
    display.figure(
        figures.change_plot(differences, measure, backbone.facts.name),
        scores.difference_table(differences),
        "Changes with the backbone",
    )
    for difference in differences:
        st.markdown(f"- {display.escaped(difference.sentence)}")
