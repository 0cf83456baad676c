"""A check that several test files share: plans of a method share passes and keep their numbers."""

from collections.abc import Sequence

import numpy as np

from analysis.backbones.backbone import Backbone
from analysis.embedding.encoder import encode, encode_methods
from analysis.embedding.methods import Method
from analysis.embedding.trace import Trace
from analysis.rerouting.plan import Plan


def assert_plans_share(
    backbone: Backbone, base: Method, plans: Sequence[Plan], texts: Sequence[str]
) -> None:
    """Plans together, and from a trace, embed as each alone; the first two differ."""
    methods = [base.under(plan) for plan in plans]
    alone = [encode(backbone, texts, method).embeddings for method in methods]
    for encoding, expected in zip(encode_methods(backbone, texts, methods), alone, strict=True):
        np.testing.assert_allclose(encoding.embeddings, expected, atol=2e-6)
    trace = Trace(backbone, texts, base)
    for plan, expected in zip(plans, alone, strict=True):
        np.testing.assert_allclose(trace.embed(plan), expected, atol=2e-6)
    assert not np.allclose(alone[0], alone[1], atol=1e-3)
