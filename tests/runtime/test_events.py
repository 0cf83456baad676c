"""Work that a listener may stop: between the layers of every pass, and in the fit of a map."""

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.runtime import events
from analysis.spaces import projection
from tests.support.tiny_models import backbone_of, byte_tokenizer, plain


class Cancelled(BaseException):
    """What a page raises where a visitor cancelled."""


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbone_of(plain("llama"), byte_tokenizer())


class Stop:
    """Stops the work when it has been asked so often."""

    def __init__(self, at: int) -> None:
        self.asked, self.at = 0, at

    def __call__(self) -> None:
        self.asked += 1
        if self.asked >= self.at:
            raise Cancelled


def test_one_long_call_stops_at_the_next_layer_without_being_asked_for_progress(
    backbone: Backbone,
) -> None:
    texts = [f"text {number}" for number in range(8)]
    full = Stop(10**9)
    with events.listening(print, stop=full):
        before = encode(backbone, texts, DEFAULT, batch_tokens=1)
    assert full.asked >= backbone.layers * len(texts)
    part = Stop(full.asked // 2)
    with pytest.raises(Cancelled), events.listening(print, stop=part):
        encode(backbone, texts, DEFAULT, batch_tokens=1)
    assert part.asked == full.asked // 2
    after = encode(backbone, texts, DEFAULT, batch_tokens=1)
    assert np.array_equal(before.embeddings, after.embeddings)


@pytest.mark.slow
def test_the_fit_of_a_map_stops_in_its_middle_and_leaves_the_next_alone() -> None:
    rows = np.random.default_rng(0).standard_normal((400, 8))
    with events.listening(print, stop=(full := Stop(10**9))):
        before = projection.project(rows)
    assert full.asked > 2
    with pytest.raises(Cancelled), events.listening(print, stop=(part := Stop(3))):
        projection.project(rows)
    assert part.asked == 3
    assert not projection.FITTING.locked()
    assert np.array_equal(projection.project(rows).points, before.points)
