"""Terms, each in one or two sentences, shown on the pages where they appear."""

import streamlit as st

TERMS = {
    "token": "A piece of text that the model reads as one unit, often a word or a part of one.",
    "state": "The vector that stands for a token at some layer.",
    "layer": "One of the model's equal steps: attention, then a small network for each token. "
    "Layers count from 0, next to the input.",
    "causal attention": "Each token looks only at itself and at what came before it.",
    "head": "One of several attentions that a layer runs side by side.",
    "key and value": "What a token offers to those that look at it: the key decides how much it is "
    "looked at, the value is what they then take.",
    "re-routing": "At chosen layers the final token's key and value are put in front of the "
    "sequence as a prefix, where every token may look at them, in the same single pass.",
    "gate": "The share of a token's attention that goes to the re-routed pair, 0 to 100%.",
    "bias": "A number added to the re-routed pair's attention logit: the higher, the more all "
    "tokens look at it. The paper uses 1.",
    "plan": "Which layers are re-routed, with what bias and key position.",
    "embedding": "One vector for a whole text, made of its tokens' states by pooling.",
    "pooling": "How token states become one vector: the last token's, the mean of all, or the "
    "average of both (hybrid).",
    "intrinsic dimension": "In how many independent directions the states of a layer really vary, "
    "however many coordinates they have.",
    "TwoNN": "An estimate of the intrinsic dimension from each point's two nearest neighbours: the "
    "faster the second is farther than the first, the lower the dimension.",
    "band": "Where the estimate lies in 95% of repetitions on resampled data.",
    "rule": "How layers are chosen from the curve of the intrinsic dimension. The paper's takes "
    "the window around its lowest point, the first fifth of the layers left out.",
    "cosine": "The similarity of two embeddings: 1 for one direction, 0 for unrelated ones.",
    "Spearman": "The rank correlation of cosines and human ratings, times 100: 100 if both order "
    "the pairs alike, 0 if they have nothing to do with each other.",
    "interval": "Where the score would lie in 95% of repetitions with other texts of the same "
    "kind, by the bootstrap.",
    "paired comparison": "Two methods on the same draws of texts: the interval of the difference, "
    "which is narrower than those of the scores suggest.",
    "nDCG@10": "How well a query's relevant documents stand at the top of its first ten, times "
    "100; lower places count less.",
    "anisotropy": "The mean cosine of two different texts. Frozen decoders crowd all texts into a "
    "narrow cone, where it is near 1.",
    "UMAP": "A drawing in the plane that keeps near texts near. Distances between far groups mean "
    "little.",
    "trustworthiness": "From 0 to 1: whether neighbours on the map are neighbours in the space.",
    "neighbours kept": "The share of a text's nearest texts that are the same in both spaces.",
    "window": "Adjacent layers that are re-routed together.",
    "held-out half": "Pairs that took no part in a choice, and so can judge it fairly.",
}


def explain(*terms: str) -> None:
    """The named terms, folded away at a page's end."""
    with st.expander("Terms"):
        st.markdown("\n".join(f"- **{term}**: {TERMS[term]}" for term in terms))
