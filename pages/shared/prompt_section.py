"""The section that scores a method under several prompts, the visitor's own among them."""

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.embedding.named_prompts import PROMPTS
from analysis.experiments import prompt_bench
from analysis.experiments.score_result import Corpus
from analysis.experiments.specs import PromptBench
from analysis.recipes import charts, findings
from analysis.recipes.recipe import Recipe
from analysis.recipes.score_answers import prompt_rows
from analysis.rerouting.plan import Plan
from pages.shared import display, progress, session
from pages.shared.questions import SIMILARITY

FIRST = "eol\ncompression\nbare\n" + 'The topic of "{text}" in one word:"'
MOST = 12
"""Most prompts that the page compares."""


def show(backbone: Backbone, plan: Plan, corpus: Corpus) -> None:
    """Ask for prompts and for what is read, and compare their scores.

    Args:
        backbone: the loaded backbone.
        plan: the sidebar's plan, for methods without layers of their own.
        corpus: the corpus that the page scores on.
    """
    st.markdown(
        "How much hangs on the words of a prompt? **Look at how far the dots of one colour lie "
        "apart, and whether a change over the first prompt is clear.**"
    )
    left, right = st.columns([3, 2])
    written = left.text_area(
        "Prompts, one on each line",
        FIRST,
        key="own_prompts",
        persist_state="session",
        height="content",
        max_chars=10_000,
        help="By name, or with {text} where the text stands, and \\n for a line break: "
        + display.escaped(", ".join(PROMPTS)),
    )
    methods_offered: list[str] = SIMILARITY.control("method").names  # type: ignore[attr-defined]
    named = right.multiselect(
        "Change in the pass, reading and pooling of",
        methods_offered,
        ["prompt-eol", "mean"],
        key="prompt_methods",
        bind="query-params",
        max_selections=5,
    )
    templates = [line.strip().replace("\\n", "\n") for line in written.splitlines() if line.strip()]
    if not templates or not named or len(templates) > MOST:
        st.info(f"Write 1 to {MOST} prompts, and choose at least one method.")
        return
    with display.errors_skip_section():
        methods = session.methods()
        asked = [methods[name].planned(plan) for name in named]
        with progress.progress("Encoding") as show_progress:
            bench = prompt_bench.prompt_bench(
                backbone, corpus, templates, asked, progress=show_progress
            )
        rows = prompt_rows(bench, asked, backbone)
        (chart,) = charts.draw("prompts", rows)
        if chart.figure is not None:
            display.figure(chart.figure, chart.table, chart.name)
        for sentence in findings.sentences("prompts", rows):
            st.markdown(f"- {display.escaped(sentence)}")
        st.caption(
            "Changes are paired and corrected by Holm's method within a method. Standard "
            "deviations hold the chance in the sample, too."
        )
        shown = {**SIMILARITY.spec().values(), "template": templates, "method": named}
        options = PromptBench.options()
        spec = PromptBench.read({key: value for key, value in shown.items() if key in options})
        st.code(Recipe(spec).command_line(), language=None, wrap_lines=True)
