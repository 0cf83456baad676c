"""KV-Embedding Explorer's library: text embeddings from frozen decoders, and their evaluation.

Importing the package costs nothing: each name is looked up when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from .runtime import environment, plotting

if TYPE_CHECKING:
    from .api import (
        compare,
        dimensions,
        encode,
        load_backbone,
        plot,
        score,
        select_layers,
        sensitivity,
    )
    from .backbones.backbone import Backbone
    from .corpora.registry import load_labelled, load_pairs, load_retrieval, load_texts
    from .corpora.types import Pairs, Retrieval, Texts
    from .embedding.methods import METHODS, Method
    from .errors import ExplorerError
    from .evaluation.comparison import Difference
    from .evaluation.measures import Measure
    from .experiments.dimension import Dimensions
    from .experiments.score_result import Score
    from .experiments.sensitivity import Sensitivity
    from .integrations.sentence_transformers import Embedder
    from .recipes.answers import Answer, answer
    from .rerouting.plan import Plan

__all__ = [
    "METHODS",
    "Answer",
    "Backbone",
    "Difference",
    "Dimensions",
    "Embedder",
    "ExplorerError",
    "Measure",
    "Method",
    "Pairs",
    "Plan",
    "Retrieval",
    "Score",
    "Sensitivity",
    "Texts",
    "answer",
    "compare",
    "dimensions",
    "encode",
    "load_backbone",
    "load_labelled",
    "load_pairs",
    "load_retrieval",
    "load_texts",
    "plot",
    "score",
    "select_layers",
    "sensitivity",
]

__version__ = "0.1.0"

environment.prepare()


_HOMES = {
    "api": (
        "compare",
        "dimensions",
        "encode",
        "load_backbone",
        "plot",
        "score",
        "select_layers",
        "sensitivity",
    ),
    "backbones.backbone": ("Backbone",),
    "corpora.registry": ("load_labelled", "load_pairs", "load_retrieval", "load_texts"),
    "corpora.types": ("Pairs", "Retrieval", "Texts"),
    "embedding.methods": ("METHODS", "Method"),
    "errors": ("ExplorerError",),
    "evaluation.comparison": ("Difference",),
    "evaluation.measures": ("Measure",),
    "experiments.dimension": ("Dimensions",),
    "experiments.score": ("Score",),
    "experiments.sensitivity": ("Sensitivity",),
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
