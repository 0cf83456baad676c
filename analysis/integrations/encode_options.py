"""Options that callers of sentence-transformers give: what they mean here, and what is refused."""

from collections.abc import Mapping
from typing import Any

import torch

from ..backbones.backbone import Backbone
from ..backbones.devices import SPREAD
from ..embedding.prompts import Role
from ..errors import PlanError, quoted
from ..runtime.lookup import by_name

ROLES: dict[str, Role] = {
    "query": "Query",
    "document": "Context",
    "Query": "Query",
    "Context": "Context",
}
"""The role that each ``prompt_name`` means; a method without a role in its prompt ignores it."""

_INDIFFERENT: dict[str, tuple[Any, ...]] = {
    "output_value": ("sentence_embedding",),
    "precision": ("float32", None),
    "prompt_type": ("query", "document", None),
    "task": ("query", "document", None),
}
"""Options of sentence-transformers, and the values that change nothing here; else None alone."""


class Card:
    """Keeps what sentence-transformers' evaluators and caches ask a model's card for.

    ``base_model`` is the key of its caches, so it differs wherever vectors do.
    """

    def __init__(self) -> None:
        self.base_model = ""
        self.metrics: dict[str, float] = {}

    def set_evaluation_metrics(
        self, evaluator: Any, metrics: Mapping[str, float], *_: Any, **__: Any
    ) -> None:
        """Store ``metrics`` under the evaluator's names."""
        del evaluator
        self.metrics.update(metrics)


def role_of(prompt_name: str | None) -> Role:
    """The role that a ``prompt_name`` means; None is a document.

    Raises:
        PlanError: there is no such name.
    """
    return "Context" if prompt_name is None else by_name(ROLES, prompt_name, "prompt name")


def check_prompt(prompt: str | None) -> None:
    """PlanError for a prompt that is not empty."""
    if prompt:
        raise PlanError(
            "A prompt cannot be given, since prompts belong to the method; leave it out, or choose "
            "another method or prompt_name."
        )


def check_device(device: Any, own: torch.device) -> None:
    """PlanError for another device than the backbone's ``own``; None is that one."""
    kind, _, number = str(device).partition(":")
    same = kind == own.type and number in ("", str(own.index or 0))
    if device is not None and not same:
        raise PlanError(
            f"The backbone is on {own} and stays there; leave device={quoted(str(device))} out, or "
            "give the device when the backbone is loaded."
        )


def check_loaded(backbone: Backbone, dtype: Any, device: Any) -> None:
    """PlanError for a loaded backbone that is in another dtype or on another device than asked."""
    own = backbone.device.value
    if str(device) not in ("auto", own):
        check_device(device, torch.device("cpu" if own == SPREAD else own))
    if str(dtype) not in ("auto", backbone.dtype.value):
        raise PlanError(
            f"The backbone is loaded in {backbone.dtype.value}; leave dtype={quoted(dtype)} out, "
            "or give the dtype when the backbone is loaded."
        )


def check_options(options: Mapping[str, Any]) -> None:
    """PlanError for options that would change an embedding and are not supported."""
    for name, value in options.items():
        known = value is None or isinstance(value, str)
        if not known or value not in _INDIFFERENT.get(name, (None,)):
            raise PlanError(f"The option {name}={quoted(value)} is not offered here; leave it out.")
