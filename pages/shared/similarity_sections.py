"""The sections of the page on similarity: comparisons, geometry, two own texts, and the prompts."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Retrieval
from analysis.embedding import cached_encoder, yardstick
from analysis.embedding.encoder import Encoding
from analysis.embedding.external import MethodOrVectors
from analysis.embedding.methods import Method
from analysis.embedding.prompts import check_text
from analysis.embedding.read_prompts import read_prompts
from analysis.evaluation import comparison, isotropy
from analysis.experiments import score_result
from analysis.experiments.score_result import Corpus, Score
from analysis.figures import scores, space_tables
from pages.shared import (
    address,
    beside_section,
    display,
    downloads,
    progress,
    session,
    valid_values,
)

STRIP: display.Markdown = (
    "Exactly the tokens that the model reads. Underlined: the tokens of the text itself. Coloured: "
    "tokens that are pooled, the stronger the larger their weight. Dashed: a placeholder."
)

OWN_TEXTS = ("A man is playing a guitar.", "Someone makes music.")
"""The two texts that the page opens with."""


def choose_measure(scored: Sequence[Score], key: str) -> str:
    """Choose one of the measures of the scores; ``key`` is the widget's."""
    names = [measure.name for measure in scored[0].measures]
    measure = st.radio(
        "Measure",
        names,
        horizontal=True,
        key=key,
        bind="query-params",
        format_func=display.escaped,
    )
    address.note_label(key, display.escaped(measure))
    return measure


def paired_comparison(results: Mapping[str, Score], measure: str) -> None:
    """Compare all methods with one of them on the same bootstrap draws."""
    baseline = st.selectbox("Compare with", list(results), key="base", bind="query-params")
    others = {name: r.measure(measure) for name, r in results.items() if name != baseline}
    differences = comparison.differences(
        others, results[baseline].measure(measure), baseline, results[baseline].of
    )
    differences.sort(key=lambda difference: -difference.delta)
    if differences:
        display.figure(
            scores.difference_plot(differences, measure),
            scores.difference_table(differences),
            "Comparisons",
        )
    for difference in differences:
        st.markdown(f"- {display.escaped(difference.sentence)}")
    beside_section.warn(list(results.values()), [results[baseline]])
    st.caption(
        f"{display.escaped(measure)}. Paired: both methods are scored on the same bootstrap draws, "
        "which also give p. If there are several comparisons, p is corrected by Holm's method, "
        "so that the chance of any false finding among them stays below 5%."
    )


def figures_of(corpus: Corpus, scored: Sequence[Score]) -> None:
    """Say what the figures are of, for their pictures."""
    first = scored[0].first
    what = f"{corpus.name}, n = {first.items:,} {first.things}"
    session.figures_of(what, *(result.provenance for result in scored))


def source(corpus: Corpus, scored: Sequence[Score], given: Sequence[str]) -> None:
    """Say what was scored and how, and warn where texts were cut.

    Args:
        corpus: the corpus that is scored on.
        scored: the scores.
        given: names of vectors made elsewhere.
    """
    first = scored[0].first
    total = f" of {scored[0].of:,}" if scored[0].of else ""
    texts = f" of {len(corpus.texts):,} texts" if isinstance(corpus, Pairs) else ""
    st.caption(
        display.escaped(
            f"{corpus.name}: {first.items:,}{total} {first.things}{texts}; 95% intervals from "
            f"{len(first.drawn):,} bootstrap draws of {first.resampled}. {corpus.source} "
            f"{getattr(corpus, 'note', '')} {scored[0].provenance.sentence}."
        )
    )
    for each in scored:
        if each.texts_cut and each.name in given:
            st.warning(
                display.escaped(
                    f"{each.name} reads {yardstick.TOKENS} tokens, and {each.texts_cut:,} texts "
                    "were longer and were cut for it."
                )
            )
    if texts_cut := max((each.texts_cut for each in scored if each.name not in given), default=0):
        st.warning(f"{texts_cut:,} texts were longer than the backbone's context and were cut.")


def ranks(results: Mapping[str, Score], measure: str) -> None:
    """Say which neighbours in the order of scores cannot be told apart."""
    if len(results) < 2:
        return
    ranked = sorted(score_result.ranks([*results.values()], measure), key=lambda each: each.rank)
    level = [
        f"{above.name} and {below.name}"
        for above, below in pairwise(ranked)
        if below.name in above.level_with
    ]
    st.caption(
        display.escaped(
            "Rank 1 is the best; equal scores share the mean of their ranks. Its interval holds "
            "95% of the ranks over the bootstrap draws. Neighbours that cannot be told apart, "
            f"paired and corrected by Holm's method: {', '.join(level) or 'none'}."
        )
    )


def ratings_and_cosines(results: Mapping[str, Score], pairs: Pairs) -> None:
    """Show each pair's human rating and cosine for one method."""
    name = st.selectbox("Method", list(results), key="shown", bind="query-params")
    display.figure(
        scores.human_against_cosine(results[name], pairs),
        scores.pair_table(results[name], pairs),
        "Human rating and cosine, worst pairs first",
    )


def geometry(backbone: Backbone, corpus: Corpus, methods: Mapping[str, MethodOrVectors]) -> None:
    """Show isotropy, uniformity and alignment of each method's embeddings."""
    texts = corpus.documents if isinstance(corpus, Retrieval) else corpus.texts
    with progress.progress("Encoding") as show_progress:
        encodings = cached_encoder.encode_methods(
            backbone, texts, list(methods.values()), progress=show_progress
        )
    pairs = corpus if isinstance(corpus, Pairs) else None
    shapes = [isotropy.geometry(encoding.embeddings, pairs) for encoding in encodings]
    st.dataframe(space_tables.geometry_table(shapes, list(methods)), hide_index=True)
    st.caption(
        "After each method's post-processing, if any. *Mean cosine* of two different texts: 0 if "
        "all directions are used evenly, 1 in a narrow cone. *Uniformity*: the lower, the more "
        "even. *Isotropy*: 1 if no direction is preferred. *Alignment*, on rated pairs: the mean "
        "squared distance of the pairs in the top fifth of the ratings. Low alignment is good only "
        "if uniformity is low too, because a collapsed space aligns everything."
    )


def own_first(place: Any) -> str:
    """Ask in a place of the page for the first of the own texts; "..." for a blank one."""
    text: str = place.text_input(
        "First text", OWN_TEXTS[0], key="own_first", persist_state="session"
    )
    return text if text.strip() else "..."


def own_texts(
    backbone: Backbone, methods: Mapping[str, Method], mean_cosines: Mapping[str, float]
) -> None:
    """Show the cosine of two texts of the visitor's own by method.

    ``mean_cosines`` are those of the rated pairs by method, empty where there are none to compare.
    """
    left, right = st.columns(2)
    own_first(left)
    right.text_input("Second text", OWN_TEXTS[1], key="own_second", persist_state="session")

    def encode(*texts: str) -> tuple[str, list[Encoding]]:
        for text, name in zip(texts, ("The first text", "The second text"), strict=True):
            check_text(text, name)
        return texts[0], cached_encoder.encode_methods(backbone, texts, list(methods.values()))

    _, encodings = valid_values.computed(("own_first", "own_second"), encode, *OWN_TEXTS)
    rows = []
    for name, encoding in zip(methods, encodings, strict=True):
        row = {"method": name, "cosine": float(encoding.embeddings[0] @ encoding.embeddings[1])}
        if name in mean_cosines:
            row["mean of the rated pairs"] = mean_cosines[name]
        rows.append(row)
    st.dataframe(rows, hide_index=True)
    st.caption("A cosine means little by itself: compare it with the method's own mean.")


def prompts(backbone: Backbone, methods: Mapping[str, Method], text: str) -> None:
    """Show the tokens that the model reads for ``text`` with each method."""
    for name, method in methods.items():
        st.markdown(f"**{display.escaped(name)}**: {display.escaped(method.summary)}")
        shown = read_prompts(backbone, text or "...", method)
        for prompt in shown:
            if prompt.away:
                st.caption("The prompt that its last token is moved away from:")
            st.html(scores.prompt_strip(prompt))
        strips = [
            (
                f"Prompt {number} of {len(shown)}" + ", moved away from" * prompt.away,
                scores.prompt_strip(prompt),
            )
            for number, prompt in enumerate(shown, 1)
        ]
        title = f"Tokens of {name}"
        display.folded_table(
            title,
            partial(scores.prompt_table, shown),
            partial(downloads.strips_page, title, strips),
        )
    st.caption(f"For the first text above. {STRIP}")
