"""Passes kept for the next plan: one serves them all, and only what changed runs."""

from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder, trace_cache
from analysis.embedding import trace as trace_embedding
from analysis.embedding.methods import DEFAULT
from analysis.evaluation import similarity
from analysis.rerouting.plan import Plan
from tests.support.passes import pass_starts
from tests.support.scoring import PAIRS, scored


def test_one_plain_pass_serves_every_plan_until_it_is_forgotten(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    trace = trace_embedding.Trace

    def counted(*arguments: Any, **options: Any) -> trace_embedding.Trace:
        passes.append(1)
        return trace(*arguments, **options)

    monkeypatch.setattr(trace_cache, "Trace", counted)
    for layer in range(4):
        scored(llama, PAIRS, DEFAULT.under(Plan((layer,))), traced=True)
    assert len(passes) == 1
    trace_cache.forget()
    scored(llama, PAIRS, DEFAULT.under(Plan((4,))), traced=True)
    assert len(passes) == 2


def test_a_flip_runs_only_the_layers_from_the_flipped_one_on(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(llama, PAIRS, DEFAULT.under(Plan((1,))), traced=True)
    starts = pass_starts(monkeypatch)
    flipped = {4: Plan((1, 4)), 3: Plan((1, 3, 4)), 5: Plan((1, 3, 4, 5)), 1: Plan((3, 4, 5))}
    for layer, plan in flipped.items():
        starts.clear()
        result = scored(llama, PAIRS, DEFAULT.under(plan), traced=True)
        # Taking out the only layer below is as near to the plain pass: its first layer decides.
        assert set(starts) == {3 if layer == 1 else layer}
        alone = encoder.encode(llama, PAIRS.texts, DEFAULT.under(plan)).embeddings
        expected = similarity.cosines(alone, PAIRS)
        assert result.cosines is not None
        np.testing.assert_allclose(result.cosines, expected, atol=2e-6)
