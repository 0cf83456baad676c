"""Methods spelled by their parts: the same as those built as values, or refused in a sentence."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones.backbone import Backbone
from analysis.embedding import cached_encoder, encoder, finishing
from analysis.embedding.method_parts import CHANGES, READINGS
from analysis.embedding.method_spelling import KINDS, is_spelling, spelled, spelling
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.named_methods import method
from analysis.embedding.named_prompts import PROMPTS, own_prompt
from analysis.embedding.pooling import POOLINGS
from analysis.embedding.postprocessing import postprocessing
from analysis.errors import PlanError
from analysis.rerouting.plan import Head, Plan
from tests.support.checks import assert_one_sentence

TEXTS = ["A quiet river", "The old bridge was closed.", "rain, again"]
ALL = METHODS | VARIANTS


def test_a_name_is_the_method_and_every_method_is_spelled_by_its_parts() -> None:
    for name, known in ALL.items():
        assert method(name) is known
        assert spelled(known) == name
        assert method(spelling(known)) is known


def test_no_part_is_called_like_another() -> None:
    words = [word for kind, parts in KINDS.items() for word in parts]
    assert len(set(words)) == len(words)


def test_a_spelling_is_the_value() -> None:
    assert method("eol+re-routing@10-13+attention-outputs+last+centre") == Method(
        "eol+re-routing@10-13+attention-outputs+last+centre",
        method("eol+re-routing@10-13+attention-outputs+last+centre").summary,
        PROMPTS["eol"],
        "last",
        CHANGES["re-routing"],
        READINGS["attention-outputs"],
        Plan((10, 11, 12, 13)),
        "centre",
    )
    own = method('mine="Topic of {text} ?"+"So {text}:"+re-routing@2.0-1@3,5+bias@-inf+mean')
    assert (own.name, own.pooling) == ("mine", "mean")
    assert own.prompt == own_prompt("Topic of {text} ?", "So {text}:")
    assert own.plan == Plan((5,), float("-inf"), heads=(Head(2, 0, 3.0), Head(2, 1, 3.0)))
    assert method("prompt-eol+states@-2").reading == READINGS["states"].at(-2)
    assert method("aligned-wva+attention-outputs@3-9").reading.layers == (3, 9)
    prepending = method("token-prepending@2-6").change.prepending
    assert prepending is not None
    assert (prepending.start, prepending.exit) == (2, 7)


@st.composite
def composed(draw: st.DrawFn) -> str:
    parts = [draw(st.sampled_from([*PROMPTS, '"{text}"', r'"a \"b\" + {text}"']))]
    parts += draw(st.sampled_from([[], ["re-routing"], ["re-routing@1-2,4.1@0.5", "bias@2"]]))
    parts += draw(st.sampled_from([[], ["nothing"], ["no-mask"]])) if len(parts) == 1 else []
    parts += draw(st.sampled_from([[], ["values@1-3"], ["states@1"], ["last-but-one"], ["pre"]]))
    parts += [draw(st.sampled_from(list(POOLINGS)))]
    parts += draw(st.sampled_from([[], ["whiten"]]))
    first, *others = parts
    return "mine=" + "+".join([first, *draw(st.permutations(others))])


@given(composed())
def test_what_is_written_reads_back_the_same(text: str) -> None:
    try:
        chosen = method(text)
    except PlanError as error:
        assert_one_sentence(error)
        return
    written = spelled(chosen)
    assert replace(method(written), summary="") == replace(chosen, summary="")
    assert spelled(method(written)) == written
    unnamed = method(spelling(chosen)) if '"' not in written else chosen
    assert replace(unnamed, name="", summary="") == replace(chosen, name="", summary="")


@given(st.text(alphabet=' abelmnost+=@"{}-0123.,', max_size=40))
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    try:
        method(text)
    except PlanError as error:
        assert_one_sentence(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("meen", "no method 'meen'; choose one of .*mean"),
        ("eol", "has no pooling; name one, such as last"),
        ("last", "has no prompt"),
        ("eol+lst", "no part 'lst' of a method; parts are last"),
        ("eol+", "'' is no name"),
        ("+", "is no name"),
        ('"a {text}', "quotation mark is missing"),
        ('"a {text}"+last', "needs a name"),
        (r'm="\q {text}"+last', "backslash"),
        ('m="no field"+last', "no field {text}"),
        ("m=" + '"{text}"+' * 17 + "last", "at most 16 templates"),
        ('m=eol+"{text}"+last', "one prompt"),
        ("eol+last+mean", "one pooling; 'mean' is a second"),
        ("eol+re-routing+no-mask+last", "one change"),
        ("echo=eol+last", "echo is a method already"),
        ("prompt-eol+last@3", "last takes no layers"),
        ("prompt-eol+nothing@3", "nothing takes no layers"),
        ("prompt-eol+re-routing@x", "'x' names no layer or head"),
        ("prompt-eol+re-routing@3-1", "range 3-1 is reversed"),
        ("prompt-eol+re-routing@1,1", "names something twice"),
        ("prompt-eol+re-routing@0-99999", "over 1,000"),
        ("prompt-eol+re-routing@1,1.3", "Layer 1 re-routes as a whole"),
        ("prompt-eol+bias@2", "has layers of its own too"),
        ("prompt-eol+re-routing@1+bias@x", "bias is a number"),
        ("prompt-eol+re-routing@1+key@x", "no key position 'x'"),
        ("prompt-eol+states@x", "takes one layer"),
        ("prompt-eol+values@3", "takes layers such as values@1-6"),
        ("prompt-eol+values+pre", "leave out the norm"),
        ("eol-placeholder+last", "needs both or neither"),
        ("m=" + "eol+" * 3000 + "last", "at most 8,000 characters"),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message.replace("{", r"\{").replace("'", ".")) as caught:
        method(text)
    assert_one_sentence(caught.value)


def test_names_are_told_from_spellings() -> None:
    assert not any(map(is_spelling, ("a name", "prompt-eol", "meen", "")))
    assert all(map(is_spelling, ("eol", "eol+last", "a=b", "x@3", '"', "hybrid")))


def test_a_spelled_method_embeds_as_the_value_does(llama: Backbone) -> None:
    for text, value in (
        ("prompt-eol+mean", replace(METHODS["prompt-eol"], pooling="mean")),
        ("re-routing-only+re-routing@1-2", METHODS["re-routing-only"].under(Plan((1, 2)))),
        ('mine="{text} means:"+last', Method("m", "", own_prompt("{text} means:"), "last")),
    ):
        one, other = cached_encoder.encode_methods(llama, TEXTS, [method(text), value])
        np.testing.assert_array_equal(one.embeddings, other.embeddings)


@pytest.mark.parametrize("step", ["centre", "whiten"])
def test_a_post_processing_is_fitted_on_calibration_texts(llama: Backbone, step: str) -> None:
    asked = method(f"mean+{step}")
    (result,) = cached_encoder.encode_methods(llama, TEXTS, [asked])
    raw, fitted_on = (
        encoder.encode(llama, texts, METHODS["mean"]).embeddings
        for texts in (TEXTS, finishing.calibration_texts())
    )
    expected = postprocessing(step).fit(fitted_on)(raw)
    np.testing.assert_allclose(result.embeddings, expected, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(result.embeddings, axis=1), 1, atol=1e-6)
    alone = cached_encoder.CachedEncoder(encoder.MethodEncoder(llama, asked)).encode(TEXTS[1:2])
    np.testing.assert_array_equal(alone.embeddings[0], result.embeddings[1])
    other = encoder.MethodEncoder(llama, METHODS["mean"])
    assert encoder.MethodEncoder(llama, asked).identity != other.identity
