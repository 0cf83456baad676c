"""A short request beside long texts of another visitor."""

import pytest

from analysis.backbones.backbone import Backbone
from benchmarks import waiting


@pytest.mark.slow
def test_long_texts_are_stopped_and_change_no_vector(llama: Backbone) -> None:
    result = waiting.measure(llama, tabs=2, tokens=400, repetitions=2)
    assert result.equal
    assert len(result.alone) == len(result.beside) == 2
    assert not llama.lock.locked()


@pytest.mark.nightly
@pytest.mark.weights
def test_a_short_request_does_not_wait_for_three_long_texts(smollm2: Backbone) -> None:
    result = waiting.measure(smollm2, tabs=3, tokens=2_500, repetitions=5)
    assert result.equal
    assert result.ratio < waiting.TARGET, result
