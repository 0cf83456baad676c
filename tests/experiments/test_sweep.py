"""Sweeps: one that is stopped goes on from there."""

from typing import Any

import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding import trace as trace_embedding
from analysis.embedding.methods import DEFAULT
from analysis.experiments import score_store, searches
from analysis.experiments import sweep as sweeps
from analysis.rerouting.plan import Plan
from tests.support.scoring import PAIRS


def test_a_sweep_that_is_stopped_goes_on_from_there(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = searches.sliding(llama.layers, 2)
    for _, score in zip(range(3), sweeps.sweep(llama, PAIRS, plans), strict=False):
        assert score_store.known_score(llama, PAIRS, DEFAULT.under(score.plan)) is not None
    assert (
        sum(score_store.known_score(llama, PAIRS, DEFAULT.under(p)) is not None for p in plans) == 3
    )
    computed: list[Plan] = []
    embed = trace_embedding.Trace.embed

    def counted(self: trace_embedding.Trace, plan: Plan, *rest: Any) -> Any:
        computed.append(plan)
        return embed(self, plan, *rest)

    monkeypatch.setattr(trace_embedding.Trace, "embed", counted)
    result = list(sweeps.sweep(llama, PAIRS, plans))
    assert len(result) == len(plans)
    assert sorted(plan.layers for plan in computed) == sorted(p.layers for p in plans)[:3]
