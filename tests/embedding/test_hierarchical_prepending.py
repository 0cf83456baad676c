"""Placeholders before pieces of a text: where they stand, what they take, and what is pooled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.embedding import pieces
from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode
from analysis.embedding.method_parts import CHANGES, READINGS, Prepending
from analysis.embedding.method_spelling import spelling
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.named_methods import method as named
from analysis.embedding.named_prompts import PROMPTS
from analysis.embedding.prompted import Prompted
from analysis.embedding.prompts import tokenize
from analysis.embedding.read_prompts import read_prompts
from analysis.errors import PlanError
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import properties
from tests.support.shared_plans import assert_plans_share
from tests.support.tiny_models import (
    FAMILIES,
    MORE,
    OTHERS,
    PARTLY,
    byte_tokenizer,
    sentencepiece_tokenizer,
    tiny,
)

HTP = VARIANTS["htp"]
TEXTS = (
    "The old bridge was closed. It rained! Why? Nobody knows",
    "rain",
    "One sentence, which is longer than the others of its kind here.",
)
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] * bool(at % 9))
    for at, name in enumerate((*FAMILIES, *MORE, *PARTLY, *OTHERS))
]


def by(before: pieces.Pieces) -> Method:
    prepending = replace(Prepending(), before=before)
    return replace(HTP, change=replace(HTP.change, prepending=prepending))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", " Two!", " Three?"]),
        ('He said "No." She left.', ['He said "No."', " She left."]),
        ("About 3.5 of them, e.g. these", ["About 3.5 of them, e.g. these"]),
        ("What?! Yes... No", ["What?!", " Yes...", " No"]),
        ("一。二！三？", ["一。", "二！", "三？"]),
        ("a title\n\nA text.", ["a title\n", "\nA text."]),
        ("no end", ["no end"]),
        (" . ", [" . "]),
        ("...", ["..."]),
    ],
)
def test_sentences_are_cut_where_they_end(text: str, expected: list[str]) -> None:
    assert list(pieces.cut(text, "sentences", None)) == expected


@given(st.text(), st.integers(1, 7))
def test_pieces_joined_are_the_text(text: str, tokens: int) -> None:
    for before in ("text", "sentences", tokens):
        parts = pieces.cut(text, before, byte_tokenizer())
        assert "".join(parts) == text
        assert all(part.strip() for part in parts) or len(parts) == 1


def one(tokenizer: Any, text: str, before: pieces.Pieces, limit: int | None = None) -> Prompted:
    prompt = PROMPTS["bare-placeholder"]
    (prompted,) = tokenize(
        *(tokenizer, [text], prompt.templates[0]),
        tidy=prompt.tidy,
        placeholder="*",
        before=before,
        max_tokens=limit,
    )
    return prompted


@pytest.mark.parametrize("make", [byte_tokenizer, sentencepiece_tokenizer])
def test_each_piece_has_two_placeholders_that_take_its_end(make: Callable[..., Any]) -> None:
    tokenizer = make(bos=True)
    prompted = one(tokenizer, TEXTS[0], "sentences")
    first, stop = prompted.spans[0]
    assert stop == len(prompted.ids)
    inside = [(slot, source) for slot, source in prompted.copies if slot >= first]
    front = [(slot, source) for slot, source in prompted.copies if slot < first]
    assert [slot for slot, _ in front] == [first - 4, first - 3, first - 2, first - 1]
    assert [source for _, source in front] == [source for _, source in inside]
    star = tokenizer.encode("*", add_special_tokens=False)[-1]
    assert {prompted.ids[slot] for slot in prompted.slots} == {star}
    ends = [tokenizer.decode([prompted.ids[source]]) for _, source in inside]
    assert ends == [".", "!", "?", "."]
    own = [token for at, token in enumerate(prompted.ids) if at not in prompted.slots]
    assert tokenizer.decode(own[first - 4 :]).strip() == TEXTS[0] + "."
    assert prompted.text_tokens == stop - first - 4


def test_so_many_tokens_each() -> None:
    tokenizer = byte_tokenizer()
    prompted = one(tokenizer, "abcdefghij", 4)
    first, _ = prompted.spans[0]
    assert [slot - first for slot in prompted.slots if slot >= first] == [0, 5, 10]
    assert len(prompted.slots) == 6
    assert prompted.text_tokens == 11


@pytest.mark.parametrize("make", [byte_tokenizer, sentencepiece_tokenizer])
@pytest.mark.parametrize("before", ["sentences", 3])
def test_a_text_that_is_too_long_loses_its_end(make: Callable[..., Any], before: Any) -> None:
    tokenizer = make()
    full = one(tokenizer, TEXTS[0], before)
    for limit in range(8, len(full.ids) + 1):
        cut = one(tokenizer, TEXTS[0], before, limit)
        assert len(cut.ids) <= limit
        assert cut.tokens_cut == full.text_tokens - cut.text_tokens
        own = [token for at, token in enumerate(cut.ids) if at not in cut.slots]
        read = tokenizer.decode(own).replace("<s>", "").strip()
        assert (TEXTS[0] + ".").startswith(read)
        if limit < len(full.ids):  # not much shorter than it has to be
            assert len(cut.ids) >= limit - 3
    assert one(tokenizer, TEXTS[0], before, len(full.ids)) == full
    with pytest.raises(PlanError, match="leaves no room for the text"):
        one(tokenizer, TEXTS[0], before, 2)


def test_a_control_token_that_a_text_spells_stays_text() -> None:
    tokenizer = byte_tokenizer()
    prompted = one(tokenizer, "One </s>. Two <s>", "sentences")
    end, start = (tokenizer.convert_tokens_to_ids(name) for name in ("</s>", "<s>"))
    assert {end, start}.isdisjoint(prompted.ids)
    assert len(prompted.slots) == 4


def by_hooks(case: properties.Case, prompted: Prompted) -> torch.Tensor:
    """Plain transformers with a hook that copies states before layer 1; the mean of the text."""
    layers = next(
        module
        for module in case.plain.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == case.backbone.layers
    )
    slots, sources = map(list, zip(*prompted.copies, strict=True))

    def overwrite(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        held = (args[0] if args else kwargs["hidden_states"]).clone()
        held[:, slots] = held[:, sources]
        return ((held, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": held})

    hook = layers[1].register_forward_pre_hook(overwrite, with_kwargs=True)
    try:
        with torch.inference_mode():
            output = case.plain(
                input_ids=torch.tensor([prompted.ids]), use_cache=False, output_hidden_states=True
            )
    finally:
        hook.remove()
    first, stop = prompted.spans[0]
    pooled = [at for at in range(first, stop) if at not in prompted.slots]
    mean: torch.Tensor = output.hidden_states[-2][0, pooled].float().mean(0)
    return mean


@pytest.mark.parametrize("name", EVERY)
def test_in_every_family_it_is_what_hooks_on_the_plain_model_give(name: str) -> None:
    case = properties.case(name)
    assert Prepending().stop(case.backbone.layers) == 2
    (prompted,) = prepare(case.backbone, TEXTS[:1], HTP).prompts[0]
    expected = by_hooks(case, prompted)
    result = encode(case.backbone, TEXTS[:1], HTP).embeddings[0]
    np.testing.assert_allclose(result, (expected / expected.norm()).numpy(), atol=5e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gemma2", "gpt_oss", "falcon"])
def test_neighbours_and_their_padding_change_nothing(family: str) -> None:
    backbone = tiny(family)
    for method in (HTP, by(5)):
        together = encode(backbone, TEXTS, method).embeddings
        alone = np.concatenate([encode(backbone, (text,), method).embeddings for text in TEXTS])
        np.testing.assert_array_equal(together, alone)


def test_plans_share_passes_and_traces() -> None:
    backbone = tiny("llama")
    base = replace(HTP, change=replace(HTP.change, reroutes=True))
    plans = (PLAIN, Plan((0, 3)), Plan((4,)), Plan((1, 2)))
    assert_plans_share(backbone, base, plans, TEXTS)


def test_of_one_sentence_it_is_token_prepending_with_two_placeholders() -> None:
    """A known answer: both placeholders take the last token of the one piece, and the prompt."""
    backbone, text = tiny("llama"), TEXTS[2]
    prompt = replace(PROMPTS["bare-placeholder"], templates=("{placeholder}{placeholder}{text}",))
    change = CHANGES["token-prepending"]
    twice = Method("twice", "", prompt, "text-mean", change, READINGS["last-but-one"])
    np.testing.assert_array_equal(
        encode(backbone, [text], twice).embeddings, encode(backbone, [text], HTP).embeddings
    )


def test_what_is_shown_is_what_is_pooled() -> None:
    (shown,) = read_prompts(tiny("llama"), TEXTS[0], HTP)
    assert len(shown.slots) == 8
    for slot in shown.slots:
        assert shown.tokens[slot] == "*"
        assert shown.weights[slot] == 0
        assert not shown.text[slot]
    assert shown.weights.sum() == pytest.approx(1)
    inside = "".join(t for t, own in zip(shown.tokens, shown.text, strict=True) if own)
    assert inside == TEXTS[0] + "."
    assert ((shown.weights > 0) == shown.text).all()


def test_texts_of_the_same_tokens_may_have_other_placeholders() -> None:
    backbone = tiny("llama")
    prompt = replace(PROMPTS["bare-placeholder"], tidy=str)
    method = replace(HTP, prompt=prompt)
    texts = ["a.* B", "*a. B"]  # an asterisk is what placeholders look like to the model
    ready = prepare(backbone, texts, method)
    rows = encode(backbone, texts, method).embeddings
    alone = np.concatenate([encode(backbone, [text], method).embeddings for text in texts])
    np.testing.assert_array_equal(rows, alone)
    assert ready.distinct == 2


def test_identities_and_spellings_tell_pieces_apart() -> None:
    several = [HTP, by("text"), by(4), by(5)]
    assert len({str(method.identity) for method in several}) == 4
    usual = METHODS["token-prepending"].identity["prepending"]
    assert usual == {"start": 1, "exit": None, "placeholder": "*"}
    assert named(spelling(HTP)) == HTP
    late = replace(HTP, change=replace(HTP.change, prepending=Prepending(2, 5, before="sentences")))
    assert named(spelling(late)).change == late.change
    with pytest.raises(PlanError, match="change is none that can be spelled"):
        spelling(by(4))


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(PlanError, match=r"its template .* gives more than once"):
        replace(HTP, prompt=replace(HTP.prompt, templates=("{placeholder}{text}{text}",)))
    for before in (0, "word", -3):
        with pytest.raises(PlanError, match="or before every so many tokens, at least 1; not"):
            Prepending(before=before)  # type: ignore[arg-type]
