"""Control tokens that texts spell are read as text, and nothing else is read otherwise."""

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from analysis.backbones import download, sources
from analysis.backbones.backbone import Backbone
from analysis.corpora import registry
from analysis.embedding import encoder
from analysis.embedding.control_tokens import PLACEHOLDER, control_tokens, copy_of
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.prompted import Prompted
from analysis.embedding.prompts import BARE, COMPRESSION, tokenize
from analysis.embedding.read_prompts import read_prompts
from analysis.errors import CorpusError, PlanError
from analysis.experiments import causal
from analysis.figures.causal import movement_table
from analysis.rerouting.plan import Plan
from tests.support.tiny_models import (
    backbone_of,
    byte_tokenizer,
    plain,
    sentencepiece_tokenizer,
    word_tokenizer,
)

GEMMA = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
CHAT = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")


def with_specials(tokenizer: Any, *names: str) -> Any:
    tokenizer.add_special_tokens({"additional_special_tokens": list(names)})
    return tokenizer


def composing() -> Any:
    """A tokenizer whose merges make ``</s>``, as some conversions of SentencePiece do."""
    words = ["<s>", "</s>", "<pad>", "<unk>", "</", "s>", *map(chr, range(32, 127))]
    merges = [("<", "/"), ("s", ">"), ("</", "s>")]
    model = models.BPE({word: i for i, word in enumerate(words)}, merges, unk_token="<unk>")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer(model),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def unigram() -> Any:
    """A tokenizer of pieces with probabilities, as XGLM has it, its control tokens among them."""
    pieces = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(chr(code), -5.0) for code in range(32, 127)] + [("the", -3.0)]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer(models.Unigram(pieces, unk_id=2, byte_fallback=False)),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
    )


def whole_words() -> Any:
    """A tokenizer that knows words only, and so cannot read ``</s>`` otherwise."""
    tokenizer = Tokenizer(models.WordLevel({"</s>": 0, "<unk>": 1, "rain": 2}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


TOKENIZERS: dict[str, Any] = {
    "Qwen": with_specials(byte_tokenizer(), *CHAT),
    "Llama 3": with_specials(byte_tokenizer(bos=True, trim_offsets=True), *CHAT),
    "GPT-2, EOS too": byte_tokenizer(bos=True, eos=True),
    "Llama 2": sentencepiece_tokenizer(),
    "Gemma": with_specials(sentencepiece_tokenizer(eos=True), *GEMMA),
    "merges": composing(),
    "Unigram": unigram(),
}
WEIGHTS = [
    pytest.param("smollm2", marks=[pytest.mark.weights, pytest.mark.slow]),
    pytest.param("gemma3-270m", marks=[pytest.mark.weights, pytest.mark.nightly]),
]
TEMPLATES = dict.fromkeys(
    [BARE, *COMPRESSION.values(), *(t for m in METHODS.values() for t in m.templates)]
)
EVALDATA = Path(os.environ.get("KVE_EVALDATA", Path(__file__).parents[3] / "shared/evaldata"))


@pytest.fixture(scope="module", params=[*TOKENIZERS, *WEIGHTS])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param in TOKENIZERS:
        return TOKENIZERS[request.param]
    return AutoTokenizer.from_pretrained(download.folder_of(sources.resolve(request.param)))


def one(tokenizer: Any, text: str, template: str = BARE, **settings: Any) -> Prompted:
    settings.setdefault("placeholder", "*")
    (prompted,) = tokenize(tokenizer, [text], template, **settings)
    return prompted


def inside(prompted: Prompted) -> set[int]:
    return {token for first, stop in prompted.spans for token in prompted.ids[first:stop]}


def spellings(tokenizer: Any) -> list[str]:
    names = list(dict.fromkeys(control_tokens(tokenizer).values()))
    return names[:: max(1, len(names) // 12)]


def test_a_spelled_control_token_is_read_as_text(tokenizer: Any) -> None:
    control = control_tokens(tokenizer)
    for name in spellings(tokenizer):
        text = f"stop{name} here"
        for template in TEMPLATES:
            prompted = one(tokenizer, text, template)
            assert inside(prompted).isdisjoint(control), (name, template)
        parsed = one(tokenizer, text, special_tokens="parse")
        assert control[next(token for token in parsed.ids[1:] if token in control)] == name


def test_it_is_read_as_transformers_splits_it(tokenizer: Any) -> None:
    """The same tokens as ``split_special_tokens``, BOS included, where its model allows it."""
    if tokenizer in (TOKENIZERS["merges"], TOKENIZERS["Unigram"]):
        pytest.skip("transformers still makes the control token of the text's pieces")
    for name in spellings(tokenizer):
        text = f"a{name}b {name}"
        expected = tokenizer(text, split_special_tokens=True)["input_ids"]
        expected = expected[: -1 if expected[-1] == tokenizer.eos_token_id else None]
        assert list(one(tokenizer, text).ids) == expected


def test_the_prompts_own_control_tokens_stay() -> None:
    tokenizer = TOKENIZERS["Qwen"]
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    template = "<|im_start|>user {text}<|im_end|> "
    for text in ("plain", "bad<|im_end|>", "<|im_start|>"):
        ids = one(tokenizer, text, template).ids
        assert ids[0] == start
        assert (ids.count(start), ids.count(end)) == (1, 1)
        assert tokenizer.decode(list(ids)) == template.replace("{text}", text)
    parsed = one(tokenizer, "bad<|im_end|>", template, special_tokens="parse")
    assert parsed.ids.count(end) == 2


def test_a_text_cannot_hold_a_placeholder() -> None:
    tokenizer = TOKENIZERS["Qwen"]
    template = METHODS["token-prepending"].template
    for text in (PLACEHOLDER, "<PST>", "a{text}"):
        prompted = one(tokenizer, text, template)
        assert text in tokenizer.decode(list(prompted.ids))
        assert prompted.copies == ((prompted.slots[0], len(prompted.ids) - 1),)
        assert prompted.slots[0] < prompted.spans[0][0]


def test_a_tokenizer_that_cannot_read_it_as_text_refuses_it() -> None:
    tokenizer = whole_words()
    assert one(tokenizer, "rain rain").ids == (2, 2)
    assert one(tokenizer, "rain </s>", special_tokens="parse").ids == (2, 0)
    with pytest.raises(PlanError, match="no token for"):
        one(word_tokenizer(), "a b", METHODS["token-prepending"].template)
    with pytest.raises(CorpusError, match=r"Text 2 spells the control token </s>, .* text; take"):
        tokenize(tokenizer, ["rain", "rain </s>"], BARE)


def test_unknown_characters_are_no_control_token() -> None:
    tokenizer = TOKENIZERS["merges"]
    unknown = tokenizer.unk_token_id
    assert unknown in one(tokenizer, "a caf\u00e9").ids
    assert unknown not in one(tokenizer, "a <unk> caf").ids


def test_a_long_text_is_cut_as_text() -> None:
    tokenizer = TOKENIZERS["Qwen"]
    for limit in range(20, 40):
        prompted = one(tokenizer, "word<|im_end|>" * 9, METHODS["echo"].template, max_tokens=90)
        assert len(prompted.ids) <= 90
        assert prompted.tokens_cut > 0
        assert inside(prompted).isdisjoint(control_tokens(tokenizer))
        cut = one(tokenizer, "</s>word" * 9, max_tokens=limit)
        assert len(cut.ids) == limit


@st.composite
def spelled_texts(draw: st.DrawFn) -> tuple[Any, str]:
    tokenizer = draw(st.sampled_from(list(TOKENIZERS.values())))
    names = list(control_tokens(tokenizer).values())
    pieces = st.sampled_from([*names, *(name[:-1] for name in names), "<", ">", "|", " ", "a"])
    parts = draw(st.lists(pieces | st.text(max_size=3), min_size=1, max_size=8))
    return tokenizer, "".join(parts)


@given(spelled_texts(), st.sampled_from(list((METHODS | VARIANTS).values())), st.data())
def test_no_text_yields_a_control_token_in_its_span(
    case: tuple[Any, str], method: Method, data: st.DataObject
) -> None:
    tokenizer, text = case
    assume(text.strip())
    control = control_tokens(tokenizer).keys() - {tokenizer.unk_token_id}
    template = data.draw(st.sampled_from(method.templates))
    prompted = one(tokenizer, text, template, tidy=method.tidy)
    assert inside(prompted).isdisjoint(control)


def real_texts() -> list[str]:
    """Distinct texts of the packaged corpora and, where they are, of the evaluation data."""
    texts = [*registry.load_texts("chatterbot").texts, *registry.load_texts("lee-background").texts]
    for name in ("stsb-dev", "sts12", "sickr-test"):
        if (path := EVALDATA / "sts" / f"{name}.tsv").is_file():
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
            texts += [text for row in rows[1:] for text in row[:2]]
    return list(dict.fromkeys(text for text in texts if text.strip()))


@pytest.mark.slow
def test_texts_without_control_tokens_are_read_as_ever(tokenizer: Any) -> None:
    """Thousands of real texts in every prompt: token by token what the whole prompt gives."""
    texts = real_texts()[:: 1 if len(tokenizer) > 1000 else 7]
    assert len(texts) > 300
    for template in (BARE, COMPRESSION["newline"], METHODS["prompt-eol"].template):
        prompts = [template.replace("{role}", "Context").replace("{text}", t) for t in texts]
        expected = tokenizer(prompts)["input_ids"]
        end = tokenizer.eos_token_id if expected[0][-1] == tokenizer.eos_token_id else None
        read = tokenize(tokenizer, texts, template)
        for prompt, ids in zip(read, expected, strict=True):
            assert [*prompt.ids, *([] if end is None else [end])] == ids


@pytest.mark.slow
def test_a_copy_reads_plain_texts_as_the_tokenizer_does(tokenizer: Any) -> None:
    """What reads texts with control tokens gives the same tokens for all others."""
    texts = real_texts()[:: 2 if len(tokenizer) > 1000 else 9]
    copied = copy_of(tokenizer, parse=False).backend
    assert [e.ids for e in copied.encode_batch(texts)] == tokenizer(texts)["input_ids"]


# Every door


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbone_of(plain("llama"), byte_tokenizer(bos=True), "tiny")


TEXT, SPELLED = "stop", "stop</s>"


@pytest.mark.slow
@pytest.mark.parametrize("method", (METHODS | VARIANTS).values(), ids=lambda m: m.name)
def test_the_choice_reaches_every_method(backbone: Backbone, method: Method) -> None:
    if method.reading.routers:
        backbone = backbone_of(plain("mixtral"), byte_tokenizer(bos=True), "tiny mixture")
    parsing = replace(backbone, special_tokens="parse")
    both = [encoder.encode(b, [TEXT, SPELLED], method).embeddings for b in (backbone, parsing)]
    np.testing.assert_array_equal(both[0][0], both[1][0])
    assert not np.allclose(both[0][1], both[1][1], atol=1e-3)
    identities = {encoder.MethodEncoder(b, method).identity for b in (backbone, parsing)}
    assert len(identities) == 2


def test_the_table_of_tokens_shows_which_are_control_tokens(backbone: Backbone) -> None:
    parsing = replace(backbone, special_tokens="parse")
    for choice, expected in ((backbone, ["<s>"]), (parsing, ["<s>", "</s>"])):
        moved = causal.movement(choice, "a</s> b", "a</s> c", Plan((1,)), template=BARE)
        table = movement_table(moved)
        assert table["token"][table["control token"]].tolist() == expected
        (prompt,) = read_prompts(choice, "a</s>", METHODS["mean"])
        shown = [t for t, c in zip(prompt.tokens, prompt.control, strict=True) if c]
        assert shown == expected
