"""The glossary: each term in one or two sentences, shown on the pages where it appears."""

import streamlit as st

from pages.shared.display import escaped

TERMS = {
    "token": "A piece of text that the model reads as one unit, often a word or a part of one.",
    "state": "The vector that stands for a token at some layer.",
    "layer": "One of the model's blocks: attention, then a small network applied to each token. "
    "Layers count from 0, next to the input.",
    "causal attention": "Each token attends only to itself and to the tokens before it.",
    "head": "One of the attentions that a layer computes in parallel.",
    "key and value": "What a token offers to the tokens that attend to it: the key decides how "
    "much attention it gets, the value is what they receive.",
    "re-routing": "At chosen layers, the key and value of the final token are put in front of the "
    "sequence as a prefix, where every token may attend to them, all in one forward pass.",
    "gate": "The share of a token's attention that goes to the re-routed pair, 0 to 100%.",
    "bias": "A number added to the attention logit of the re-routed pair: the higher, the more "
    "attention it gets from all tokens. The paper uses 1.",
    "plan": "The layers that are re-routed, with the bias and the key position.",
    "compression prompt": "The words around a text that ask the model to sum it up: Context: ... "
    "Compress the Context in one word: The final token, whose pair is re-routed, is the colon.",
    "hybrid": "KV-Embedding's pooling: the average of the last token's state and the mean of all.",
    "lee50": "50 Australian news texts; people rated the similarity of all 1,225 pairs of them.",
    "chatterbot": "Short English questions and answers in 21 topics, which serve as labels.",
    "logit lens": "A layer's output read through the model's final norm and unembedding, as if no "
    "layer followed: the word that the model would go on with.",
    "embedding": "One vector for a text, pooled from the states of its tokens.",
    "pooling": "How token states become one vector: the last token's state, the mean of all, or "
    "the average of both (hybrid).",
    "intrinsic dimension": "The number of independent directions in which the states of a layer "
    "really vary, however many coordinates they have.",
    "TwoNN": "An estimate of the intrinsic dimension from each point's two nearest neighbours: the "
    "farther the second is compared with the first, the lower the dimension.",
    "band": "The range in which the estimate lies in 95% of repetitions on resampled data.",
    "rule": "How layers are chosen from the curve of the intrinsic dimension. The paper's rule "
    "skips the first fifth of the layers and takes a window that starts at the lowest point of "
    "the rest.",
    "cosine": "The similarity of two embeddings: 1 for the same direction, 0 for perpendicular "
    "ones.",
    "Spearman": "The rank correlation of cosines and human ratings, times 100: 100 if both put the "
    "pairs in the same order, 0 if the two orders are unrelated.",
    "interval": "The range in which the score would lie in 95% of repetitions with other texts "
    "of the same kind, estimated by the bootstrap.",
    "paired comparison": "Two methods compared on the same bootstrap draws. The interval of the "
    "difference is usually narrower than those of the two scores suggest.",
    "rank": "1 for the method with the highest score; equal scores share the mean of their ranks. "
    "Its interval holds 95% of the ranks over bootstrap draws.",
    "nDCG@10": "How high a query's relevant documents rank among its first ten results, times 100. "
    "Lower places count less.",
    "anisotropy": "Measured here by the mean cosine of two different texts. Frozen decoders "
    "crowd all texts into a narrow cone, where it is near 1.",
    "UMAP": "A projection to the plane that keeps similar texts close to each other. Distances "
    "between separate groups mean little.",
    "trustworthiness": "How far neighbours on the map are also neighbours in the space, from 0 "
    "to 1.",
    "neighbours kept": "The share of a text's nearest texts that are the same in both spaces.",
    "window": "Adjacent layers that are re-routed together.",
    "held-out half": "The pairs that took no part in a choice, and so can test it fairly.",
}


def explain(*terms: str) -> None:
    """Show the named terms in a folded box at the end of a page."""
    with st.expander("Glossary"):
        st.markdown("\n".join(f"- **{escaped(term)}**: {TERMS[term]}" for term in terms))
