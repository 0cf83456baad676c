"""The section that composes a method of named parts and compares it with where it began."""

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Retrieval
from analysis.embedding import method_spelling, named_methods
from analysis.embedding.method_parts import CHANGES, READINGS
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.named_prompts import PROMPTS
from analysis.embedding.pooling import POOLINGS
from analysis.embedding.postprocessing import POSTPROCESSINGS
from analysis.embedding.read_prompts import read_prompts
from analysis.evaluation import comparison
from analysis.experiments import score as scoring
from analysis.experiments.score_result import Corpus, Score
from analysis.figures import scores
from analysis.recipes import method_files
from analysis.rerouting.plan import Plan
from pages.shared import display, own_methods, progress, similarity_sections
from pages.shared.questions import SIMILARITY

_OWN = "one of your own"
_STEPS = [name for name in POSTPROCESSINGS if name != "none"]


def show(
    backbone: Backbone, plan: Plan, corpus: Corpus, results: Mapping[str, Score], measure: str
) -> None:
    """Compose a method, show its tokens, its score and its change, and offer to compare it.

    Args:
        backbone: the loaded backbone.
        plan: the sidebar's plan, for a method without layers of its own.
        corpus: the corpus that is scored on.
        results: the scores that the page shows, by name.
        measure: the name of the measure that is shown.
    """
    st.markdown(
        "A method is five parts. **Begin with one that is known, change a part, and see what the "
        "change is worth.** What is left open stays as it is."
    )
    start = st.selectbox(
        "Begin with", list(METHODS | VARIANTS), key="compose_start", bind="query-params"
    )
    begun = named_methods.method(start)
    with display.errors_skip_section():
        chosen = named_methods.method(_spelling(begun))
        _compare(backbone, corpus, [each.planned(plan) for each in (begun, chosen)], measure)
        _keep(chosen, results)
        document = corpus.documents[0] if isinstance(corpus, Retrieval) else corpus.texts[0]
        for prompt in read_prompts(backbone, document, chosen):
            st.html(scores.prompt_strip(prompt))
        st.caption(similarity_sections.STRIP)


def _spelling(begun: Method) -> str:
    """The parts that are chosen, spelled after the method that they change."""
    prompt, change, reading, pooling, step = st.columns(5)
    parts = [
        _part(prompt, "Prompt", [*PROMPTS, _OWN], begun.prompt.name),
        _part(change, "Change in the pass", list(CHANGES), begun.change.name),
        _part(reading, "What is read", list(READINGS), begun.reading.name),
        _part(pooling, "Pooling", list(POOLINGS), begun.pooling),
        _part(step, "Post-processing", _STEPS, "none"),
    ]
    left, middle, right = st.columns([2, 2, 3])
    at_change = left.text_input(
        "Layers of the change",
        key="compose_layers",
        bind="query-params",
        placeholder="those of the sidebar",
        help="Layers and heads that re-route, such as 10-13 or 12.0,15; of token-prepending the "
        "layers whose input changes.",
    )
    at_reading = middle.text_input(
        "Layers that are read",
        key="compose_read",
        bind="query-params",
        placeholder="as it is",
        help="Of states one layer, such as -2; of sums over layers a range, such as 10-19.",
    )
    name = right.text_input(
        "Name",
        key="compose_name",
        bind="query-params",
        placeholder="its parts",
        help="Letters, digits, . _ and -",
    )
    if parts[0] == _OWN:
        template = st.text_area(
            "Prompt",
            'The topic of "{text}" in one word:"',
            key="compose_template",
            persist_state="session",
            max_chars=2000,
            help="{text} stands for the text. The link of the page holds the prompt too.",
        )
        parts[0] = method_spelling.quoted_template(template)
    parts[1] = _with_layers(parts[1] or begun.change.name, at_change) if at_change else parts[1]
    parts[2] = _with_layers(parts[2] or begun.reading.name, at_reading) if at_reading else parts[2]
    words = "+".join([begun.name, *(part for part in parts if part)])
    own = name.strip() or ("mine" if parts[0] and parts[0].startswith('"') else "")
    return f"{own}={words}" if own else words


def _part(column: DeltaGenerator, label: display.Markdown, names: list[str], now: str) -> str:
    """The name of another part, or "" for the one that the method has."""
    chosen = column.selectbox(
        label,
        names,
        None,
        key=f"compose_{label.split()[0].lower()}",
        bind="query-params",
        placeholder=now,
    )
    return chosen or ""


def _with_layers(word: str, at: str) -> str:
    return f"{word}@{at.strip()}"


def _compare(backbone: Backbone, corpus: Corpus, methods: list[Method], measure: str) -> None:
    """The score of the composed method, and its change over the one it began with."""
    begun, chosen = methods
    st.code(method_spelling.spelled(chosen), language=None, wrap_lines=True)
    with progress.progress(f"Encoding with {chosen.name}") as show_progress:
        before, after = scoring.score(backbone, corpus, methods, progress=show_progress)
    value = after.measure(measure)
    if after.method.identity == before.method.identity:
        st.markdown(f"As {display.escaped(begun.name)}: {display.escaped(value.sentence)}")
        return
    (difference,) = comparison.differences(
        {chosen.name: value}, before.measure(measure), begun.name, before.of
    )
    st.markdown(f"**{display.escaped(difference.sentence)}** {display.escaped(value.sentence)}")


def _keep(chosen: Method, results: Mapping[str, Score]) -> None:
    """Offer to compare the method with the others of the page, and to save it."""
    left, right = st.columns(2)
    spelled = method_spelling.spelled(chosen)
    key = SIMILARITY.control("method").key
    full = len(results) >= own_methods.MOST and chosen.name not in results
    left.button(
        "Compare it with the others",
        on_click=own_methods.add,
        args=(spelled, key),
        disabled=spelled in st.session_state[key] or full,
        help=f"The page compares at most {own_methods.MOST} methods." if full else None,
        width="stretch",
    )
    right.download_button(
        "Download the method",
        method_files.write(chosen),
        file_name=f"{chosen.name if chosen.name.isidentifier() else 'method'}.yaml",
        mime="application/yaml",
        help="A file for --method on the command line.",
        width="stretch",
        on_click="ignore",
    )
