"""KV-Embedding Explorer's library: text embeddings from frozen decoders, and their evaluation.

Importing the package costs nothing: each name is looked up when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from .runtime import environment, plotting

if TYPE_CHECKING:
    from .api import (
        choose_heads,
        compare,
        dimensions,
        encode,
        load_backbone,
        mean_ranks,
        output_layers,
        plot,
        ranks,
        score,
        select_layers,
        sensitivity,
        stability,
        words,
    )
    from .backbones.backbone import Backbone
    from .corpora.registry import load_labelled, load_pairs, load_retrieval, load_texts
    from .corpora.types import Pairs, Retrieval, Texts
    from .embedding.external import Precomputed
    from .embedding.external_files import load_vectors
    from .embedding.method_parts import CHANGES, READINGS
    from .embedding.methods import METHODS, Method
    from .embedding.named_prompts import PROMPTS, own_prompt
    from .errors import ExplorerError
    from .evaluation.comparison import Difference
    from .evaluation.measures import Measure
    from .evaluation.ranks import MeanRanks, Rank
    from .experiments.chosen_heads import Chosen
    from .experiments.dimension import Dimensions
    from .experiments.layer_scores import ByLayer
    from .experiments.score_result import Score
    from .experiments.sensitivity import Sensitivity
    from .experiments.stability import Stability
    from .experiments.words_result import Words
    from .integrations.sentence_transformers import Embedder
    from .recipes.answers import Answer, answer
    from .rerouting.plan import Plan

__all__ = [
    "CHANGES",
    "METHODS",
    "PROMPTS",
    "READINGS",
    "Answer",
    "Backbone",
    "ByLayer",
    "Chosen",
    "Difference",
    "Dimensions",
    "Embedder",
    "ExplorerError",
    "MeanRanks",
    "Measure",
    "Method",
    "Pairs",
    "Plan",
    "Precomputed",
    "Rank",
    "Retrieval",
    "Score",
    "Sensitivity",
    "Stability",
    "Texts",
    "Words",
    "answer",
    "choose_heads",
    "compare",
    "dimensions",
    "encode",
    "load_backbone",
    "load_labelled",
    "load_pairs",
    "load_retrieval",
    "load_texts",
    "load_vectors",
    "mean_ranks",
    "output_layers",
    "own_prompt",
    "plot",
    "ranks",
    "score",
    "select_layers",
    "sensitivity",
    "stability",
    "words",
]

__version__ = "0.1.0"

environment.prepare()


_HOMES = {
    "api": (
        "choose_heads",
        "compare",
        "dimensions",
        "encode",
        "load_backbone",
        "mean_ranks",
        "output_layers",
        "plot",
        "ranks",
        "score",
        "select_layers",
        "sensitivity",
        "stability",
        "words",
    ),
    "backbones.backbone": ("Backbone",),
    "corpora.registry": ("load_labelled", "load_pairs", "load_retrieval", "load_texts"),
    "corpora.types": ("Pairs", "Retrieval", "Texts"),
    "embedding.external": ("Precomputed",),
    "embedding.external_files": ("load_vectors",),
    "embedding.method_parts": ("CHANGES", "READINGS"),
    "embedding.methods": ("METHODS", "Method"),
    "embedding.named_prompts": ("PROMPTS", "own_prompt"),
    "errors": ("ExplorerError",),
    "evaluation.comparison": ("Difference",),
    "evaluation.measures": ("Measure",),
    "evaluation.ranks": ("MeanRanks", "Rank"),
    "experiments.chosen_heads": ("Chosen",),
    "experiments.dimension": ("Dimensions",),
    "experiments.layer_scores": ("ByLayer",),
    "experiments.score": ("Score",),
    "experiments.sensitivity": ("Sensitivity",),
    "experiments.stability": ("Stability",),
    "experiments.words_result": ("Words",),
    "integrations.sentence_transformers": ("Embedder",),
    "recipes.answers": ("Answer", "answer"),
    "rerouting.plan": ("Plan",),
}
"""The module that each public name lives in."""
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Results may not import figures; the first call of plot() does.
plotting.draw_with(
    lambda result: importlib.import_module(".figures.results", __name__).figure(result)
)
