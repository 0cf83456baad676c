"""Texts -> embeddings: the same whatever the order, the batches or the way; and what is refused."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from analysis.backbones.backbone import Backbone
from analysis.corpora.registry import load_pairs
from analysis.dimension.states import any_token_states, last_token_states
from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode, encode_methods
from analysis.embedding.method_parts import Reading
from analysis.embedding.methods import DEFAULT, METHODS, Method, variant
from analysis.embedding.named_methods import method
from analysis.embedding.named_prompts import PROMPTS
from analysis.embedding.prompts import tokenize
from analysis.embedding.shared_passes import branches
from analysis.embedding.trace import Trace
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.rerouting.plan import PLAIN, Head, Plan
from tests.support import properties
from tests.support.passes import before_passes, pass_starts
from tests.support.properties import FORMS, Case
from tests.support.tiny_models import (
    CONTEXT,
    FAMILIES,
    IGNORING,
    LAYERS,
    backbone_of,
    byte_tokenizer,
    plain,
)

SUBJECTS = [*FAMILIES, pytest.param("smollm2", marks=pytest.mark.weights)]
TEXTS = (
    "the thermostat is on",
    "a",
    "The heating runs, and nobody knows why. " * 2,
    "naïve café 東京 \U0001f600",
    "the thermostat is on",
    "Context: a text that looks like the prompt\nCompress the Context in one word:",
    "rain",
)
PLANS = (
    PLAIN,
    Plan((0,)),
    Plan((2,), 0.0),
    Plan((2, 3)),
    Plan((1, 4), 5.0),
    Plan((LAYERS - 1,), -2.0),
    Plan(tuple(range(LAYERS))),
    Plan((0, 3), -math.inf),
)
Vectors = NDArray[np.float32]


@pytest.fixture(params=SUBJECTS)
def case(request: pytest.FixtureRequest) -> Case:
    """Every family and the packaged weights, one after the other."""
    return properties.case(request.param)


@pytest.fixture(params=["llama", "gemma3", "gpt_oss"])
def backbone(request: pytest.FixtureRequest, tiny: Callable[[str], Backbone]) -> Backbone:
    """One family of each kind: full attention, sliding windows, its own eager function."""
    return tiny(request.param)


def assert_same(result: Vectors, expected: Vectors) -> None:
    np.testing.assert_allclose(result, expected, atol=2e-5)


# Encoding


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_embeddings_are_finite_unit_vectors(backbone: Backbone, name: str) -> None:
    result = encode(backbone, TEXTS, method(name).under(Plan((2, 3))))
    assert result.embeddings.shape == (len(TEXTS), backbone.facts.hidden)
    assert result.embeddings.dtype == np.float32
    assert_same(np.linalg.norm(result.embeddings, axis=1), np.ones(len(TEXTS), np.float32))
    assert np.array_equal(result.embeddings[0], result.embeddings[4])
    distinct = {
        prompt.ids
        for template in method(name).templates
        for prompt in tokenize(
            backbone.tokenizer, TEXTS, template, tidy=method(name).tidy, placeholder="*"
        )
    }
    assert result.tokens == sum(map(len, distinct))
    assert (result.texts_cut, result.tokens_cut) == (0, 0)
    assert result.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["post", "pre"])
def test_kv_embedding_is_the_papers_pooling_of_its_prompt(case: Case, norm: Any) -> None:
    """e = normalise((h_last + h_mean) / 2) from states that transformers itself computes."""
    chosen = Method("m", "", PROMPTS["compression"], "hybrid", reading=Reading("", "", norm=norm))
    result = encode(case.backbone, TEXTS, chosen).embeddings
    for text, vector in zip(TEXTS, result, strict=True):
        prompt = f"Context: {text}\nCompress the Context in one word:"
        ids = torch.tensor([case.backbone.tokenizer(prompt)["input_ids"]])
        outputs, final = reported(case, ids)
        states = final if norm == "post" else outputs[-1]
        pooled = (states[-1] + states.mean(0)) / 2
        assert_same(vector, (pooled / pooled.norm()).numpy())


def reported(case: Case, ids: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """From one pass of the untouched model: each layer's output (T, D), and the final states."""
    kept: list[Any] = []
    layers = case.plain.h if hasattr(case.plain, "h") else case.plain.layers
    handle = layers[-1].register_forward_hook(lambda *args: kept.append(args[-1]))
    try:
        with torch.inference_mode():
            output = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
    finally:
        handle.remove()
    # transformers' last hidden state comes after the final norm, so that one is caught above.
    raw = kept[0][0] if isinstance(kept[0], tuple) else kept[0]
    outputs = [*output.hidden_states[1 : len(layers)], raw]
    return [states[0] for states in outputs], output.last_hidden_state[0]


@pytest.mark.slow
@pytest.mark.parametrize("plan", [PLAIN, Plan((2, 3))], ids=["plain", "re-routed"])
def test_encode_does_not_depend_on_order_duplicates_or_batches(case: Case, plan: Plan) -> None:
    expected = encode(case.backbone, TEXTS, DEFAULT.under(plan)).embeddings
    order = np.random.default_rng(0).permutation(len(TEXTS))
    shuffled = encode(case.backbone, [TEXTS[i] for i in order], DEFAULT.under(plan)).embeddings
    assert_same(shuffled, expected[order])
    for batch_tokens in (1, 100, 10**9):
        result = encode(case.backbone, TEXTS, DEFAULT.under(plan), batch_tokens=batch_tokens)
        assert_same(result.embeddings, expected)
    doubled = encode(case.backbone, (*TEXTS, *TEXTS[::-1]), DEFAULT.under(plan))
    assert_same(doubled.embeddings, np.concatenate([expected, expected[::-1]]))
    alone = [encode(case.backbone, [text], DEFAULT.under(plan)).embeddings[0] for text in TEXTS[:2]]
    assert_same(np.stack(alone), expected[:2])


@pytest.mark.slow
def test_only_rerouting_methods_follow_the_plan(backbone: Backbone) -> None:
    plan = Plan((2, 3))
    for chosen in METHODS.values():
        moved = encode(backbone, TEXTS, chosen.under(plan)).embeddings
        still = encode(backbone, TEXTS, chosen).embeddings
        assert np.array_equal(moved, still) == (not chosen.reroutes)
    prompt_only = encode(backbone, TEXTS, method("prompt-only")).embeddings
    assert np.array_equal(prompt_only, encode(backbone, TEXTS, DEFAULT).embeddings)


@pytest.mark.slow
def test_the_role_is_part_of_the_prompt(backbone: Backbone) -> None:
    query = encode(backbone, TEXTS, DEFAULT, role="Query").embeddings
    assert not np.allclose(query, encode(backbone, TEXTS, DEFAULT).embeddings, atol=1e-3)


def test_batches_are_sorted_and_keep_to_their_budget(tiny: Callable[[str], Backbone]) -> None:
    texts = [f"text {i} " + "x" * (i % 17) for i in range(100)]
    ready = prepare(tiny("llama"), texts, method("mean"), batch_tokens=120)
    assert sorted(row for batch in ready.batches for row in batch.rows) == list(range(100))
    assert all(batch.ids.numel() <= 120 for batch in ready.batches)
    widths = [batch.ids.shape[1] for batch in ready.batches]
    assert widths == sorted(widths)
    padding = sum(int(batch.ids.numel() - batch.lengths.sum()) for batch in ready.batches)
    assert padding < 0.1 * sum(batch.ids.numel() for batch in ready.batches)


def test_progress_counts_distinct_texts_and_may_stop_the_run(backbone: Backbone) -> None:
    steps: list[tuple[int, int]] = []
    expected = encode(
        backbone, TEXTS, DEFAULT, batch_tokens=1, progress=lambda *step: steps.append(step)
    ).embeddings
    assert steps == [(i, 6) for i in range(1, 7)]
    assert all(a < b for a, b in pairwise(steps))

    def stop(done: int, _all: int) -> None:
        assert backbone.lock.locked(), "others take their turn inside a pass, by what they used"
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(backbone, TEXTS, DEFAULT, batch_tokens=1, progress=stop)
    assert not backbone.lock.locked()
    assert_same(encode(backbone, TEXTS, DEFAULT).embeddings, expected)


# Traces


@pytest.mark.slow
def test_a_trace_embeds_every_plan_as_encode_does(case: Case) -> None:
    trace = Trace(case.backbone, TEXTS, DEFAULT)
    plans = PLANS if case.backbone.layers == LAYERS else (*PLANS[3:4], Plan((20, 21), 0.0))
    for plan in plans:
        assert_same(trace.embed(plan), encode(case.backbone, TEXTS, DEFAULT.under(plan)).embeddings)
    assert_same(trace.embeddings, encode(case.backbone, TEXTS, DEFAULT).embeddings)


@pytest.mark.slow
def test_a_trace_holds_a_layer_before_those_that_re_route(backbone: Backbone) -> None:
    for layer in range(-LAYERS, LAYERS):
        base = variant(DEFAULT, output_layer=layer)
        trace = Trace(backbone, TEXTS, base)
        for plan in (Plan((3,)), Plan((1, 4))):
            expected = encode(backbone, TEXTS, base.under(plan)).embeddings
            assert_same(trace.embed(plan), expected)
            assert_same(trace.under(plan).embed(plan), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("layers_kept", "stride"), [(6, 1), (3, 2), (2, 3), (1, 6), (0, 6)])
def test_a_trace_keeps_to_its_budget(backbone: Backbone, layers_kept: int, stride: int) -> None:
    batches = prepare(backbone, TEXTS, DEFAULT).batches
    one_layer = sum(batch.ids.numel() for batch in batches) * backbone.facts.hidden * 4
    trace = Trace(backbone, TEXTS, DEFAULT, budget=layers_kept * one_layer)
    kept = [sorted(inputs) for inputs in trace._inputs.values()]
    assert kept == [list(range(0, LAYERS, stride))] * len(batches)
    for plan in PLANS:
        assert_same(trace.embed(plan), encode(backbone, TEXTS, DEFAULT.under(plan)).embeddings)


@pytest.mark.slow
def test_a_trace_runs_only_what_can_differ(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = pass_starts(monkeypatch)
    trace = Trace(backbone, TEXTS, DEFAULT)
    starts.clear()
    for plan in PLANS:
        trace.embed(plan)
    assert set(starts) == {plan.active[0] for plan in PLANS if plan.active}
    starts.clear()
    trace.embed(PLAIN)
    assert starts == []


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_trace_is_right_for_every_method(backbone: Backbone, name: str) -> None:
    trace = Trace(backbone, TEXTS, method(name))
    plan = Plan((2, 3))
    assert_same(trace.embed(plan), encode(backbone, TEXTS, method(name).under(plan)).embeddings)


# Together


@pytest.mark.slow
def test_together_is_what_each_gives_alone(backbone: Backbone) -> None:
    """Every method, plain and under several plans, in one request of shared passes."""
    asked = [
        m.under(plan) for m in METHODS.values() for plan in (PLAIN, Plan((2, 3)), Plan((1, 4)))
    ]
    steps: list[tuple[int, int]] = []
    result = encode_methods(
        backbone,
        TEXTS,
        asked,
        role="Query",
        batch_tokens=100,
        progress=lambda *step: steps.append(step),
    )
    for m, together in zip(asked, result, strict=True):
        alone = encode(backbone, TEXTS, m, role="Query")
        assert_same(together.embeddings, alone.embeddings)
        assert (together.tokens, together.texts_cut) == (alone.tokens, alone.texts_cut)
    assert steps[-1][0] == steps[-1][1]
    assert all(a[0] < b[0] and a[1] == b[1] for a, b in pairwise(steps))


def test_together_takes_one_pass_for_methods_of_one_prompt(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[tuple[int, ...], int]] = []
    before_passes(monkeypatch, lambda asked: passes.append((asked[0].plan.active, asked[0].start)))
    names = ("mean", "last-token", "pooling-only", "prompt-only")
    plans = [DEFAULT.under(Plan((2, 3))), DEFAULT.under(Plan((4,)))]
    encode_methods(backbone, ["one text"], [*(METHODS[n] for n in names), *plans])
    assert passes == [((), 0), ((), 0), ((2, 3), 2), ((4,), 4)]


WINDOWS = [
    Plan(tuple(range(first, stop)))
    for first in range(LAYERS)
    for stop in range(first + 1, LAYERS + 1)
]


def test_plans_begin_where_they_part_from_an_earlier_one() -> None:
    loud = Plan((1, 2), 3.0)
    plans = [PLAIN, Plan((1, 2)), Plan((1,)), Plan((0, 3), -math.inf), loud, Plan((1, 2))]
    assert branches(plans, 4) == [(-1, 0), (0, 1), (1, 2), (0, 4), (0, 1), (1, 4)]
    assert branches([Plan((0,)), PLAIN], 4) == [(-1, 0), (-1, 0)]


def test_plans_of_heads_begin_at_the_first_head_that_differs() -> None:
    heads = (Head(1, 0), Head(3, 2))
    plans = [
        *(PLAIN, Plan(heads=heads), Plan(heads=(*heads, Head(3, 3)))),
        *(Plan((1,), heads=heads[1:]), Plan(heads=(heads[0], Head(3, 2, 1.0)))),
        *(Plan(heads=(heads[0], Head(3, 2, 2.0))), Plan(heads=heads, key_position="first")),
    ]
    assert branches(plans, 4) == [(-1, 0), (0, 1), (1, 3), (0, 1), (1, 4), (1, 3), (0, 1)]


@pytest.mark.parametrize("family", ["llama", "gpt_oss"])
def test_plans_of_heads_share_passes_and_a_trace_and_keep_their_bits(
    family: str, tiny: Callable[[str], Backbone]
) -> None:
    backbone = tiny(family)
    plans = [
        *(Plan(heads=(Head(2, 0),)), Plan((3,), heads=(Head(2, 0), Head(4, 1, 3.0)))),
        *(Plan((3,)), Plan(heads=(Head(4, 0),))),
    ]
    alone = [encode(backbone, TEXTS, DEFAULT.under(plan)).embeddings for plan in plans]
    together = encode_methods(backbone, TEXTS, [DEFAULT.under(plan) for plan in plans])
    trace = Trace(backbone, TEXTS, DEFAULT)
    for plan, expected, shared in zip(plans, alone, together, strict=True):
        assert_same(shared.embeddings, expected)
        assert_same(trace.embed(plan), expected)
    assert not np.allclose(alone[0], alone[1], atol=1e-4)


@pytest.mark.slow
def test_all_windows_share_their_beginnings(
    tiny: Callable[[str], Backbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all windows of 30 layers this costs 0.36 of whole passes; of 6 layers, 0.44."""
    backbone, starts = tiny("gemma3"), pass_starts(monkeypatch)
    result = encode_methods(backbone, TEXTS, [DEFAULT.under(plan) for plan in WINDOWS])
    layers_run = [LAYERS - start for start in starts]
    batches = layers_run.count(LAYERS) // 2  # the plain pass and the first window of layer 0
    assert sum(layers_run) == batches * (LAYERS + LAYERS * (LAYERS + 1) * (LAYERS + 2) // 6)

    monkeypatch.undo()
    for plan, together in zip(WINDOWS, result, strict=True):
        assert_same(together.embeddings, encode(backbone, TEXTS, DEFAULT.under(plan)).embeddings)


# Last-token states


@pytest.mark.slow
@pytest.mark.parametrize("prompted", [True, False])
def test_last_token_states_are_those_that_transformers_reports(case: Case, prompted: bool) -> None:
    result = last_token_states(case.backbone, TEXTS, prompted=prompted)
    assert result.shape == (case.backbone.layers, len(TEXTS), case.backbone.facts.hidden)
    assert result.dtype == np.float32
    for i, text in enumerate(TEXTS):
        prompt = f"Context: {text}\nCompress the Context in one word:" if prompted else text
        ids = torch.tensor([case.backbone.tokenizer(prompt)["input_ids"]])
        wanted = torch.stack([states[-1] for states in reported(case, ids)[0]]).numpy()
        np.testing.assert_allclose(
            result[:, i], wanted, atol=1e-5 * np.abs(wanted).max(), rtol=1e-3
        )


@pytest.mark.slow
@pytest.mark.parametrize("prompted", [True, False])
def test_any_token_states_are_those_that_transformers_reports(case: Case, prompted: bool) -> None:
    """All tokens of all texts, each beginning once; found again among what each text gives."""
    texts = [*TEXTS, "the thermostat is off"]
    result = any_token_states(case.backbone, texts, points=10_000, prompted=prompted)
    wanted: dict[tuple[int, ...], np.ndarray] = {}
    for text in texts:
        prompt = f"Context: {text}\nCompress the Context in one word:" if prompted else text
        ids = case.backbone.tokenizer(prompt)["input_ids"]
        states = np.stack([s.numpy() for s in reported(case, torch.tensor([ids]))[0]])
        for stop in range(1, len(ids) + 1):
            wanted[tuple(ids[:stop])] = states[:, stop - 1]
    assert result.shape == (case.backbone.layers, len(wanted), case.backbone.facts.hidden)
    expected = np.stack(list(wanted.values()), axis=1)
    for layer in (0, case.backbone.layers // 2, case.backbone.layers - 1):
        apart = cdist(result[layer], expected[layer])
        near = 1e-3 * np.linalg.norm(expected[layer], axis=1).max()
        assert apart.min(0).max() < near, "all of them"
        assert apart.min(1).max() < near, "nothing else"


@pytest.mark.slow
def test_any_token_states_draw_by_the_seed(backbone: Backbone) -> None:
    def drawn(points: int, seed: int) -> set[bytes]:
        states = any_token_states(backbone, TEXTS, points=points, seed=seed)
        assert states.shape[1] == points
        return {row.tobytes() for row in states[-1].round(3)}

    assert drawn(20, 0) == drawn(20, 0)
    assert drawn(20, 0) != drawn(20, 1)
    assert drawn(10, 0) < drawn(20, 0)


def test_last_token_states_report_progress(backbone: Backbone) -> None:
    steps: list[tuple[int, int]] = []
    last_token_states(backbone, TEXTS, progress=lambda *step: steps.append(step))
    assert steps[-1] == (6, 6)


# Long texts


def test_a_text_longer_than_the_context_is_cut_and_counted(backbone: Backbone) -> None:
    long = "word " * CONTEXT
    result = encode(backbone, ["short", long, long + "more"], DEFAULT.under(Plan((2, 3))))
    assert result.texts_cut == 2
    full = tokenize(backbone.tokenizer, [long, long + "more"], DEFAULT.template)
    ready = prepare(backbone, ["short", long, long + "more"], DEFAULT)
    lengths = [len(prompt.ids) for prompt in ready.prompts[0]]
    assert CONTEXT - 2 <= lengths[1] == lengths[2] <= CONTEXT
    assert result.tokens_cut == sum(len(prompt.ids) for prompt in full) - lengths[1] * 2
    end = "\nCompress the Context in one word:"
    assert backbone.tokenizer.decode(list(ready.prompts[0][1].ids)).endswith(end)
    assert np.array_equal(result.embeddings[1], result.embeddings[2]), "cut, they are the same text"
    assert [c > 0 for c in Trace(backbone, ["short", long, long + "more"], DEFAULT).cut] == [
        False,
        True,
        True,
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("tokens", [4_100, 8_192])
@pytest.mark.weights
def test_a_long_text_is_exact_on_real_weights(tokens: int) -> None:
    """Both forms agree, and what comes before the first selected layer is untouched."""
    case = properties.case("smollm2")
    ids, lengths = case.tokens(tokens)
    with torch.inference_mode():
        expected = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
    plan = Plan((10, 29))
    kept = [case.run(ids, lengths, plan, form=form, keep_inputs=[10, 11]) for form in FORMS]
    assert torch.equal(kept[0].inputs[10], expected.hidden_states[10])
    assert not torch.equal(kept[0].inputs[11], expected.hidden_states[11])
    case.close(kept[0].final, kept[1].final)


def test_a_lower_limit_cuts_more_and_a_higher_one_no_less(
    tiny: Callable[[str], Backbone],
) -> None:
    backbone = tiny("gpt2")  # has no positions beyond its context
    long = ["word " * CONTEXT]
    lengths = {
        limit: len(prepare(backbone, long, DEFAULT, max_tokens=limit).prompts[0][0].ids)
        for limit in (64, None, 10 * CONTEXT)
    }
    assert 60 <= lengths[64] <= 64
    assert lengths[10 * CONTEXT] == lengths[None] <= CONTEXT
    encode(backbone, long, DEFAULT, max_tokens=10 * CONTEXT)


# Refusals


def test_no_text_is_refused(backbone: Backbone) -> None:
    with pytest.raises(CorpusError, match="no text to encode"):
        encode(backbone, [], DEFAULT)


def test_a_blank_text_is_named(backbone: Backbone) -> None:
    for refused in (encode, Trace):
        with pytest.raises(CorpusError, match="Text 3 is empty"):
            refused(backbone, ["a", "b", " "], DEFAULT)
    with pytest.raises(CorpusError, match="Text 1 is empty"):
        last_token_states(backbone, [""])


def test_a_layer_that_does_not_exist_is_refused(backbone: Backbone) -> None:
    for plan in (Plan((LAYERS,)), Plan((0, 99), -math.inf)):
        with pytest.raises(PlanError, match=r"does not exist: .* has layers 0 to 5"):
            encode(backbone, TEXTS, DEFAULT.under(plan))
        with pytest.raises(PlanError):
            Trace(backbone, TEXTS, DEFAULT).embed(plan)


@pytest.mark.slow
@pytest.mark.parametrize("family", IGNORING)
def test_a_family_that_cannot_be_rerouted_is_encoded_plainly(
    family: str,
) -> None:
    case = properties.case(family)
    with pytest.raises(BackboneError, match=f"{family} cannot be re-routed"):
        encode(case.backbone, TEXTS, DEFAULT.under(Plan((1,))))
    result = encode(case.backbone, TEXTS, method("mean").under(Plan((1,)))).embeddings
    for text, vector in zip(TEXTS, result, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([case.backbone.tokenizer(text)["input_ids"]])
            mean = case.plain(input_ids=ids, use_cache=False).last_hidden_state[0].mean(0)
        assert_same(vector, (mean / mean.norm()).numpy())
    off = Plan((1,), -math.inf)
    assert np.array_equal(
        encode(case.backbone, TEXTS, DEFAULT.under(off)).embeddings,
        encode(case.backbone, TEXTS, DEFAULT).embeddings,
    )


def test_layers_without_attention_are_named(tiny: Callable[[str], Backbone]) -> None:
    hybrid = replace(tiny("llama"), reroutable=(1, 3, 5))
    encode(hybrid, TEXTS, DEFAULT.under(Plan((1, 3))))
    with pytest.raises(BackboneError, match=r"Layers \[2\] of .* these have: \[1, 3, 5\]"):
        encode(hybrid, TEXTS, DEFAULT.under(Plan((1, 2))))


def test_overflow_is_said_not_returned() -> None:
    model = plain("llama").to(torch.float16)
    backbone = backbone_of(model, byte_tokenizer(), "hot")
    with torch.no_grad():
        model.layers[3].mlp.down_proj.weight.mul_(60_000)
    with pytest.raises(BackboneError, match="hot overflowed in float16; load it in float32"):
        encode(backbone, TEXTS, DEFAULT)


def test_unknown_methods_are_refused_with_the_known_ones() -> None:
    with pytest.raises(PlanError, match="no method 'best'; choose one of kv-embedding, "):
        method("best")


# Real weights


@pytest.mark.nightly
@pytest.mark.weights
@pytest.mark.parametrize("name", properties.LEE50)
def test_scores_of_the_baselines_on_smollm2(name: str, smollm2: Backbone) -> None:
    pairs = load_pairs("lee50")
    vectors = encode(smollm2, pairs.texts, method(name)).embeddings
    cosines = (vectors[pairs.left] * vectors[pairs.right]).sum(1)
    result = 100 * spearmanr(cosines, pairs.scores).statistic
    assert result == pytest.approx(properties.LEE50[name], abs=0.3)
