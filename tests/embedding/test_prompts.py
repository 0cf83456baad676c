"""Prompts: what is tokenised, where the text is found again, and what is cut when it is long."""

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.embedding.methods import METHODS
from analysis.embedding.prompted import Prompted, render
from analysis.embedding.prompts import BARE, COMPRESSION, check_text, tokenize
from analysis.errors import CorpusError, PlanError
from tests.support.tiny_models import byte_tokenizer, sentencepiece_tokenizer, word_tokenizer

TOKENIZERS: dict[str, Any] = {
    "byte-level": byte_tokenizer(),
    "byte-level, BOS": byte_tokenizer(bos=True),
    "byte-level, BOS and EOS": byte_tokenizer(bos=True, eos=True),
    "byte-level, trimmed": byte_tokenizer(bos=True, trim_offsets=True),
    "SentencePiece, BOS": sentencepiece_tokenizer(),
    "SentencePiece, BOS and EOS": sentencepiece_tokenizer(eos=True),
}
SUBJECTS = [*TOKENIZERS, pytest.param("smollm2", marks=pytest.mark.weights)]
TEMPLATES = {
    "bare": BARE,
    **COMPRESSION,
    "prompt-eol": METHODS["prompt-eol"].template,
    "echo": METHODS["echo"].template,
}
TEXTS = [
    "The thermostat is on.",
    "a",
    "  two spaces before, and a line break after\n",
    "naïve café, 東京 and \U0001f600\U0001f469‍\U0001f469‍\U0001f467 together",
    'She said "the {role} and the {text} {0} {}" on \\d+ \\1 $& %s.',
    "\n\tthe\r\n",
    "</s><s> a text that speaks of special tokens",
]


@pytest.fixture(params=SUBJECTS)
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """Every kind of tokenizer, and SmolLM2's own."""
    if request.param == "smollm2":
        return request.getfixturevalue("smollm2").tokenizer
    return TOKENIZERS[request.param]


def decoded(tokenizer: Any, ids: tuple[int, ...]) -> str:
    text: str = tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
    return text


def one(tokenizer: Any, text: str, template: str, **settings: Any) -> Prompted:
    (prompted,) = tokenize(tokenizer, [text], template, **settings)
    return prompted


def findable(tokenizer: Any, text: str) -> str:
    """What of a text its span must hold: not white space around it if offsets leave that out."""
    return text.strip() if tokenizer is TOKENIZERS["byte-level, trimmed"] else text


def begin_of(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before every text."""
    first = tokenizer("a")["input_ids"][0]
    return (first,) if first == tokenizer.bos_token_id else ()


# Rendering


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("role", ["Context", "Query"])
def test_render_fills_fields_once_and_finds_the_text(template: str, text: str, role: Any) -> None:
    prompt, spans = render(template, text, role)
    parts = re.split(r"\{text\}", template.replace("{role}", role))
    assert prompt == text.join(parts)
    assert len(spans) == len(parts) - 1
    assert all(prompt[a:b] == text for a, b in spans)


def test_compression_prompts_are_worded_as_the_paper_has_them() -> None:
    variants = {name: render(template, "T", "Query")[0] for name, template in COMPRESSION.items()}
    assert variants == {
        "newline": "Query: T\nCompress the Query in one word:",
        "space": "Query: T Compress the Query in one word:",
        "quoted": 'Query: "T"\nCompress the Query in one word:',
    }


# Tokens and spans


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_the_prompt_is_tokenised_as_a_whole(tokenizer: Any, template: str, text: str) -> None:
    prompted = one(tokenizer, text, template)
    begin = begin_of(tokenizer)
    full = tuple(
        tokenizer(render(template, text)[0], add_special_tokens=False, split_special_tokens=True)[
            "input_ids"
        ]
    )
    assert prompted.ids == begin + full, "BOS as the tokenizer gives it, and no EOS"
    assert prompted.tokens_cut == 0


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_spans_hold_exactly_the_texts_tokens(tokenizer: Any, template: str, text: str) -> None:
    prompted = one(tokenizer, text, template)
    assert len(prompted.spans) == template.count("{text}")
    for first, stop in prompted.spans:
        inside = decoded(tokenizer, prompted.ids[first:stop])
        assert findable(tokenizer, text) in inside
        # A token that holds the text's first or last character may hold its neighbour too.
        assert len(inside) - len(text) <= 2
        without_borders = decoded(tokenizer, prompted.ids[first + 1 : stop - 1])
        assert without_borders in text


def test_a_token_shared_by_text_and_prompt_is_the_texts() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    prompted = one(tokenizer, "the end.", COMPRESSION["newline"])
    first, stop = prompted.spans[0]
    assert decoded(tokenizer, prompted.ids[first:stop]) == " the end.\n"
    assert decoded(tokenizer, prompted.ids[stop:]).startswith("Compress")


def test_echo_has_two_copies_one_after_the_other() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    prompted = one(tokenizer, "one thing", METHODS["echo"].template)
    (a, b), (c, d) = prompted.spans
    assert a < b < c < d == len(prompted.ids)
    assert prompted.ids[a:b] == prompted.ids[c:d]


def test_prompts_do_not_depend_on_their_neighbours(tokenizer: Any) -> None:
    template = COMPRESSION["newline"]
    together = tokenize(tokenizer, TEXTS, template)
    assert together == [one(tokenizer, text, template) for text in TEXTS]


def test_no_chat_template_is_applied() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "You are helpful. {{ messages[0]['content'] }}"
    ids = one(tokenizer, "hello", COMPRESSION["newline"]).ids
    assert decoded(tokenizer, ids) == "Context: hello\nCompress the Context in one word:"


# Limits


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_long_text_is_cut_and_the_prompts_end_survives(tokenizer: Any, template: str) -> None:
    words = " ".join(f"word{i}" for i in range(60))
    full = one(tokenizer, words, template)
    empty = len(full.ids) - len(full.spans) * (full.spans[0][1] - full.spans[0][0])
    limit = empty + 20 * len(full.spans)
    cut = one(tokenizer, words, template, max_tokens=limit)
    end = render(template, "\0")[0].rpartition("\0")[2]
    assert limit - 2 * len(full.spans) <= len(cut.ids) <= limit, "no more is cut than needed"
    assert decoded(tokenizer, cut.ids).endswith(end)
    kept = {decoded(tokenizer, cut.ids[a:b]).strip(' "\n') for a, b in cut.spans}
    assert len(kept) == 1, "every copy is cut alike"
    assert words.startswith(kept.pop())
    first, stop = full.spans[0]
    a, b = cut.spans[0]
    assert cut.tokens_cut == (stop - first) - (b - a) > 0


def test_a_text_within_the_limit_is_not_cut(tokenizer: Any) -> None:
    full = one(tokenizer, TEXTS[0], COMPRESSION["newline"])
    assert one(tokenizer, TEXTS[0], COMPRESSION["newline"], max_tokens=len(full.ids)) == full


def test_a_cut_never_halves_a_character() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    for limit in range(4, 40):
        cut = one(tokenizer, "\U0001f600" * 10, BARE, max_tokens=limit)
        assert set(decoded(tokenizer, cut.ids)) == {"\U0001f600"}
        assert len(cut.ids) == limit // 4 * 4


@pytest.mark.parametrize("limit", [1, 5, 9])
def test_a_limit_below_the_prompt_is_refused(tokenizer: Any, limit: int) -> None:
    with pytest.raises(PlanError, match=rf"limit of {limit} tokens .* raise the limit"):
        tokenize(tokenizer, ["some words"], COMPRESSION["newline"], max_tokens=limit)


# Bad texts


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000\u00a0"])
def test_blank_texts_are_refused_by_number(text: str) -> None:
    with pytest.raises(CorpusError, match="Text 2 is empty"):
        tokenize(TOKENIZERS["byte-level"], ["good", text], BARE)


def test_a_lone_surrogate_is_refused_with_its_place() -> None:
    with pytest.raises(CorpusError, match=r"Text 1 .*lone surrogate, '\\ud83d'\) at position 4"):
        tokenize(TOKENIZERS["byte-level"], ["abc\ud83d"], BARE)


def test_a_text_that_leaves_no_token_is_refused() -> None:
    tokenizer = word_tokenizer()
    assert one(tokenizer, "words", BARE).spans == ((1, 6),)
    for template in (BARE, COMPRESSION["newline"]):
        with pytest.raises(CorpusError, match="Text 1 gives no token"):
            one(tokenizer, "123 !", template)


any_text = st.text(max_size=40) | st.text(
    st.sampled_from("ab .\n\"'\U0001f600é\u3000{}<s>"), max_size=60
)
any_tokenizer = st.sampled_from(list(TOKENIZERS.values()))
any_template = st.sampled_from(list(TEMPLATES.values()))


@given(any_text, any_tokenizer, any_template, st.sampled_from(list(METHODS.values())))
def test_any_text_is_tokenised_or_refused(
    text: str, tokenizer: Any, template: str, method: Any
) -> None:
    try:
        check_text(text, 1)
    except CorpusError:
        with pytest.raises(CorpusError):
            tokenize(tokenizer, [text], template)
        return
    prompted = one(tokenizer, text, template, tidy=method.tidy)
    assert prompted.tokens_cut == 0
    for first, stop in prompted.spans:
        assert 0 <= first < stop <= len(prompted.ids)
        inside = decoded(tokenizer, prompted.ids[first:stop])
        assert findable(tokenizer, method.tidy(text)) in inside


@given(any_text.map(str.lstrip), any_tokenizer, any_template, st.integers(4, 60))
def test_any_text_fits_any_limit_with_room(
    text: str, tokenizer: Any, template: str, room: int
) -> None:
    try:
        check_text(text, 1)
    except CorpusError:
        assume(False)
    copies = template.count("{text}")
    empty = len(one(tokenizer, "a", template).ids)
    full = one(tokenizer, text, template)
    limit = empty + room * copies  # one character takes four tokens at most
    result = one(tokenizer, text, template, max_tokens=limit)
    assert len(result.ids) <= limit
    assert (result.tokens_cut > 0) == (len(full.ids) > limit)
    end = render(template, "\0")[0].rpartition("\0")[2]
    assert decoded(tokenizer, result.ids).endswith(end)
    begin = begin_of(tokenizer)
    assert result.ids[: len(begin)] == begin
    for (first, stop), (a, b) in zip(result.spans, full.spans, strict=True):
        assert 0 < stop - first <= b - a


# Tidying


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("no stop", "no stop."),
        ("a stop.", "a stop."),
        ("a question?", "a question."),
        ("a question? ", "a question."),
        ('"a question?"', "'a question?'"),
        ("which??", "which?."),
        ("an exclamation!", "an exclamation!."),
        ("  spaces around  ", "spaces around."),
        ('"quoted"', "'quoted'"),
        ("it's 'so'", "it's 'so'"),
        ('a "word" inside', "a 'word' inside."),
        ("dots...", "dots..."),
        ("line\nbreak", "line\nbreak."),
        (
            "…",
            "….",
        ),
        ("?", "."),
    ],
)
def test_prompt_eol_tidies_as_published(text: str, tidied: str) -> None:
    method = METHODS["prompt-eol"]
    assert method.tidy(text) == tidied
    tokenizer = TOKENIZERS["byte-level"]
    ids = one(tokenizer, text, method.template, tidy=method.tidy).ids
    assert decoded(tokenizer, ids) == f'This sentence : "{tidied}" means in one word:"'


@pytest.mark.parametrize("name", [name for name, m in METHODS.items() if m.tidy is str])
def test_other_methods_leave_the_text_alone(name: str) -> None:
    assert METHODS[name].tidy('  "as it is" ') == '  "as it is" '
