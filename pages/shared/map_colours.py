"""What the dots of the maps are coloured by."""

import numpy as np
import streamlit as st

from analysis.corpora import registry
from analysis.figures import spaces
from analysis.figures.spaces import Colours
from analysis.spaces import comparison, neighbours
from analysis.spaces.comparison import NEAREST
from pages.shared import display
from pages.shared.space_pair import Sides, compared, remembered

_CLUSTERS = 8
COLOURS = {
    "label": "the corpus's own",
    "neighbours kept": f"how many of a text's {NEAREST} nearest stay so in the other space",
    "length": "in characters, on a logarithmic scale",
    "cluster": "k-means in the left space, with as many clusters as there are labels, or else "
    f"{_CLUSTERS}",
    "mean rating": "of the rated pairs a text is in, where the texts come from such pairs",
}
"""What can be asked for, and what it means."""


def coloured(by: str, sides: Sides) -> Colours:
    """The colours asked for; neighbours kept, and a sentence, where the corpus has no others."""
    corpus = sides.texts
    match by:
        case "label" if (labels := spaces.by_label(corpus.labels)) is not None:
            return labels
        case "length":
            lengths = np.array([len(text) for text in corpus.texts], dtype=np.float64)
            return Colours("characters", lengths, logarithmic=True)
        case "cluster":
            k = len(set(corpus.labels)) if corpus.labels else _CLUSTERS
            codes = remembered(
                "space_clusters",
                (sides.made, k),
                lambda: neighbours.clusters(sides.left.embeddings, k),
            )
            return Colours("cluster", np.array([f"{code + 1:2}" for code in codes]))
        case "mean rating" if corpus.name in registry.names("pairs", at_hand=True):
            rated = comparison.mean_ratings(registry.load_pairs(corpus.name), corpus.texts)
            return Colours("mean rating", rated)
        case "label" | "mean rating":
            lacking = "labels" if by == "label" else "rated pairs"
            st.caption(
                f"{display.escaped(corpus.name)} has no {lacking}; the colours show the neighbours "
                "kept."
            )
    return Colours("neighbours kept (%)", 100 * compared(sides).kept)
