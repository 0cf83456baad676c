"""The sections of the page on similarity: comparisons, geometry, two own texts, and the prompts."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Retrieval
from analysis.embedding import batching, cached_encoder
from analysis.embedding.methods import Method
from analysis.evaluation import comparison, isotropy
from analysis.experiments.score_result import Corpus, Score
from analysis.figures import scores
from analysis.figures import spaces as space_figures
from pages.shared import display, downloads


def paired_comparison(results: Mapping[str, Score], measure: str) -> None:
    """Compare all methods with one of them on the same bootstrap draws."""
    baseline = st.selectbox("Compare with", list(results), key="base")
    others = {name: r.measure(measure) for name, r in results.items() if name != baseline}
    differences = comparison.differences(
        others, results[baseline].measure(measure), baseline, results[baseline].of
    )
    for difference in sorted(differences, key=lambda d: -d.delta):
        st.markdown(f"- {display.escaped(difference.sentence)}")
    display.folded_table("Comparisons", lambda: scores.difference_table(differences))
    st.caption(
        f"{display.escaped(measure)}. Paired: both methods are scored on the same bootstrap draws, "
        "which also give p. If there are several comparisons, p is corrected by Holm's method, "
        "so that the chance of any false finding among them stays below 5%."
    )


def ratings_and_cosines(results: Mapping[str, Score], pairs: Pairs) -> None:
    """Show each pair's human rating and cosine for one method."""
    name = st.selectbox("Method", list(results), key="shown")
    display.figure(
        scores.human_against_cosine(results[name], pairs),
        scores.pair_table(results[name], pairs),
        "Human rating and cosine, worst pairs first",
    )


def geometry(backbone: Backbone, corpus: Corpus, methods: Mapping[str, Method]) -> None:
    """Show isotropy, uniformity and alignment of each method's embeddings."""
    texts = corpus.documents if isinstance(corpus, Retrieval) else corpus.texts
    with display.progress("Encoding") as show_progress:
        encodings = cached_encoder.encode_methods(
            backbone, texts, list(methods.values()), progress=show_progress
        )
    pairs = corpus if isinstance(corpus, Pairs) else None
    shapes = [isotropy.geometry(encoding.embeddings, pairs) for encoding in encodings]
    st.dataframe(space_figures.geometry_table(shapes, list(methods)), hide_index=True)
    st.caption(
        "Before any post-processing. *Mean cosine* of two different texts: 0 if all directions are "
        "used evenly, 1 in a narrow cone. *Uniformity*: the lower, the more even. *Isotropy*: 1 if "
        "no direction is preferred. *Alignment*, on rated pairs: the mean squared distance of the "
        "pairs in the top fifth of the ratings. Low alignment is good only if uniformity is low "
        "too, because a collapsed space aligns everything."
    )


def own_texts(
    backbone: Backbone, methods: Mapping[str, Method], mean_cosines: Mapping[str, float]
) -> str:
    """Show the cosine of two texts of the visitor's own by method; returns the first text.

    ``mean_cosines`` are those of the rated pairs by method, empty where there are none to compare.
    """
    left, right = st.columns(2)
    first = left.text_input("First text", "A man is playing a guitar.", key="own_first")
    second = right.text_input("Second text", "Someone makes music.", key="own_second")
    encodings = cached_encoder.encode_methods(backbone, [first, second], list(methods.values()))
    rows = []
    for name, encoding in zip(methods, encodings, strict=True):
        row = {"method": name, "cosine": float(encoding.embeddings[0] @ encoding.embeddings[1])}
        if name in mean_cosines:
            row["mean of the rated pairs"] = mean_cosines[name]
        rows.append(row)
    st.dataframe(rows, hide_index=True)
    st.caption("A cosine means little by itself: compare it with the method's own mean.")
    return first


def prompts(backbone: Backbone, methods: Mapping[str, Method], text: str) -> None:
    """Show the tokens that the model reads for ``text`` with each method."""
    for name, method in methods.items():
        st.markdown(f"**{display.escaped(name)}**: {display.escaped(method.summary)}")
        shown = batching.read_prompts(backbone, text or "...", method)
        for prompt in shown:
            st.html(scores.prompt_strip(prompt))
        strips = [
            (f"Prompt {number} of {len(shown)}", scores.prompt_strip(prompt))
            for number, prompt in enumerate(shown, 1)
        ]
        title = f"Tokens of {name}"
        display.folded_table(
            title,
            partial(scores.prompt_table, shown),
            partial(downloads.strips_page, title, strips),
        )
    st.caption(
        "Exactly the tokens that the model reads for the first text above. Underlined: the tokens "
        "of the text itself. Coloured: tokens that are pooled, the stronger the larger their "
        "weight. Dashed: a placeholder."
    )
