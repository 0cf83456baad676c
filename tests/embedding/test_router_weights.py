"""The weights of routers beside states: as transformers gives them, standardised, and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.embedding import cached_encoder, finishing
from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode
from analysis.embedding.method_parts import CHANGES
from analysis.embedding.method_spelling import spelling
from analysis.embedding.methods import METHODS, VARIANTS, variant
from analysis.embedding.named_methods import method as named
from analysis.embedding.read_out import width
from analysis.errors import BackboneError, PlanError
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import properties
from tests.support.shared_plans import assert_plans_share
from tests.support.tiny_models import FAMILIES, HIDDEN, IGNORING, LAYERS, MORE, OTHERS, PARTLY, tiny

MOEE = VARIANTS["moee"]
RAW = replace(MOEE, processing="none")
TEXTS = ("The old bridge was closed.", "rain", "a longer text of several words, which is padded")
MIXTURES = tuple(
    name
    for name in (*FAMILIES, *MORE, *PARTLY, *OTHERS)
    if name.endswith(("moe", "moe_lite", "moeshared"))
    or name in ("gpt_oss", "mixtral", "deepseek_v3", "qwen3_next", "jetmoe", "jamba", "laguna")
    or name in ("llama4_text", "flex_olmo", "minimax", "minimax_m2", "hy_v3", "afmoe", "mellum")
)
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in ("mixtral", "gpt_oss", "olmoe")))
    for name in MIXTURES
]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits on few calibration texts, which takes no time."""
    monkeypatch.setattr(finishing, "FITTED_ON", 24)


@pytest.mark.parametrize("name", EVERY)
def test_it_is_what_transformers_gives_beside_the_last_state(name: str) -> None:
    case = properties.case(name)
    encoding = encode(case.backbone, TEXTS, RAW)
    assert encoding.embeddings.shape[1] == width(case.backbone, RAW)
    ready = prepare(case.backbone, TEXTS, RAW)
    for row, prompt in zip(encoding.pooled, ready.prompts[0], strict=True):
        with torch.inference_mode():
            output = case.plain(
                input_ids=torch.tensor([prompt.ids]), use_cache=False, output_router_logits=True
            )
        routed = [
            logits.view(len(prompt.ids), -1)[-1].float().softmax(-1)
            for logits in output.router_logits
        ]
        expected = torch.cat([output.last_hidden_state[0, -1].float(), *routed])
        np.testing.assert_allclose(row, expected.numpy(), rtol=1e-4, atol=5e-5)
        assert len(routed) == len(case.backbone.experts)
        for weights in np.split(row[HIDDEN:], np.cumsum(case.backbone.experts)[:-1]):
            assert weights.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "falcon"])
def test_a_family_without_experts_is_refused_by_name(family: str) -> None:
    with pytest.raises(BackboneError, match=rf"moee reads the routers of a mixture .* {family}"):
        encode(tiny(family), TEXTS, MOEE)
    assert tiny(family).experts == ()


def test_routers_are_no_directions_of_the_unembedding() -> None:
    with pytest.raises(PlanError, match="reads routers, which are no directions of the unembed"):
        replace(MOEE, processing="unembedding-filter")


@pytest.mark.slow
def test_all_other_families_have_no_experts() -> None:
    for name in (*FAMILIES, *MORE, *PARTLY, *OTHERS, *IGNORING):
        backbone = tiny(name)
        named = (getattr(backbone.model, "_can_record_outputs", None) or {}).keys()
        assert bool(backbone.experts) == ("router_logits" in named and name != "doge")


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_a_vector_does_not_depend_on_its_neighbours(family: str) -> None:
    """Its deviations are those of the calibration texts, not of its batch."""
    backbone = tiny(family)
    together = cached_encoder.encode_methods(backbone, TEXTS, [MOEE])[0].embeddings
    for text, row in zip(TEXTS, together, strict=True):
        alone = cached_encoder.encode_methods(backbone, [text], [MOEE])[0].embeddings
        np.testing.assert_array_equal(alone[0], row)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


@pytest.mark.usefixtures("few")
def test_each_channel_is_standardised_by_the_calibration_texts() -> None:
    backbone = tiny("mixtral")
    fitted_on = encode(backbone, finishing.calibration_texts(), RAW).pooled.astype(np.float64)
    pooled = encode(backbone, TEXTS, RAW).pooled
    scores = (pooled - fitted_on.mean(0)) / fitted_on.std(0, ddof=1)
    scores[:, np.ptp(fitted_on, axis=0) < 1e-4] = 0  # a router that is as good as decided
    expected = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    for embedder in (Embedder(backbone, "moee"), Embedder(backbone, "moee", cached=False)):
        np.testing.assert_allclose(np.asarray(embedder.encode(TEXTS)), expected, atol=1e-4)
        assert embedder.get_embedding_dimension() == HIDDEN + 2 * LAYERS


def test_plans_share_passes_and_traces() -> None:
    backbone, base = tiny("qwen3_moe"), replace(RAW, change=CHANGES["re-routing"])
    plans = (PLAIN, Plan((1, 3)), Plan((5,)), Plan((1, 2)))
    assert_plans_share(backbone, base, plans, TEXTS)


def test_it_goes_with_other_prompts_poolings_and_layers() -> None:
    backbone = tiny("mixtral")
    mean = encode(backbone, TEXTS, replace(RAW, pooling="mean")).pooled
    for weights in np.split(mean[:, HIDDEN:], LAYERS, axis=1):
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-4)
    early, late = (
        encode(backbone, TEXTS, variant(RAW, output_layer=layer)).pooled for layer in (2, -1)
    )
    np.testing.assert_allclose(early[:, HIDDEN:], late[:, HIDDEN:], atol=1e-6)
    assert not np.allclose(early[:, :HIDDEN], late[:, :HIDDEN], atol=1e-2)
    states = encode(backbone, TEXTS, METHODS["prompt-eol"]).pooled
    np.testing.assert_allclose(late[:, :HIDDEN], states, rtol=1e-5, atol=1e-5)
    assert named(spelling(MOEE)) == MOEE
    assert len({str(each.identity) for each in (MOEE, RAW, METHODS["prompt-eol"])}) == 3
