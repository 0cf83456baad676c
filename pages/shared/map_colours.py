"""The colours of the dots on the maps."""

import numpy as np
import streamlit as st

from analysis.corpora import registry
from analysis.figures import spaces
from analysis.figures.spaces import Colours
from analysis.spaces import comparison, neighbours
from analysis.spaces.cluster_names import cluster_names
from analysis.spaces.comparison import NEAREST
from pages.shared import display, map_tags
from pages.shared.space_pair import Sides, compare, remembered

_CLUSTERS = 8
COLOURS = {
    "label": "the label in the corpus",
    "neighbours kept": f"how many of a text's {NEAREST} nearest are also nearest in the other "
    "space",
    "length": "in characters, on a logarithmic scale",
    "cluster": "k-means in the left space, with as many clusters as there are labels, or "
    f"{_CLUSTERS}; a cluster's name is the words that set its texts apart (class-based TF-IDF)",
    "tag": "given to selected texts below the maps",
    "mean rating": "of the rated pairs that contain the text, if the corpus has such pairs",
}
"""Each colouring and its meaning."""


def choose_colours(colouring: str, sides: Sides) -> Colours:
    """The chosen colours, or else, with a note, neighbours kept where the corpus lacks them."""
    corpus = sides.texts
    match colouring:
        case "label" if (labels := spaces.by_label(corpus.labels)) is not None:
            return labels
        case "length":
            lengths = np.array([len(text) for text in corpus.texts], dtype=np.float64)
            return Colours("characters", lengths, logarithmic=True)
        case "cluster":
            k = len(set(corpus.labels)) if corpus.labels else _CLUSTERS
            codes = remembered(
                "space_clusters",
                (sides.identity, k),
                lambda: neighbours.clusters(sides.left.embeddings, k),
            )
            names = cluster_names(corpus.texts, codes)
            numbered = [f"{n:2} {name}".rstrip() for n, name in enumerate(names, 1)]
            return Colours("cluster", np.array(numbered)[codes])
        case "tag":
            return Colours("tag", map_tags.tags(len(corpus.texts)))
        case "mean rating" if corpus.name in registry.names("pairs", offline=True):
            ratings = comparison.mean_ratings(registry.load_pairs(corpus.name), corpus.texts)
            return Colours("mean rating", ratings)
        case "label" | "mean rating":
            missing = "labels" if colouring == "label" else "rated pairs"
            st.caption(
                f"{display.escaped(corpus.name)} has no {missing}; the colours show the neighbours "
                "kept."
            )
    return Colours("neighbours kept (%)", 100 * compare(sides).kept)
