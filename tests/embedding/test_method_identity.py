"""A method's identity: all that decides a number, a custom tidying's code included."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder, trace_cache
from analysis.embedding.method_parts import CHANGES
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS, Method
from analysis.embedding.named_prompts import own_prompt
from analysis.errors import PlanError
from analysis.rerouting.plan import OFF, PLAIN, Head, Plan
from analysis.storage import result_store, vector_cache
from tests.support import encoding
from tests.support.tiny_models import tiny

Tidy = Callable[[str], str]
MEAN = METHODS["mean"]
TEXTS = ("A small text", "Another one")
WORD, TABLE, LISTED = "!", {"a": "b"}, ["x"]


def tidied(tidy: Tidy, base: Method = MEAN) -> Method:
    return replace(base, prompt=replace(base.prompt, tidy=tidy))


def key(tidy: Tidy) -> str:
    return result_store.digest(tidied(tidy).identity)


def closing(word: str) -> Tidy:
    return lambda text: text + word


def nested(word: str) -> Tidy:
    return lambda text: closing(word)(text)


def with_default(word: str) -> Tidy:
    def tidy(text: str, end: str = word) -> str:
        return text + end

    return tidy


def with_keyword(word: str) -> Tidy:
    def tidy(text: str, *, end: str = word) -> str:
        return text + end

    return tidy


def with_inner(upper: bool) -> Tidy:
    def tidy(text: str) -> str:
        if upper:
            return "".join(c.upper() for c in text)
        return "".join(c.lower() for c in text)

    return tidy


@dataclass(frozen=True)
class Ending:
    word: str

    def __call__(self, text: str) -> str:
        return text + self.word


class Slotted:
    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, text: str) -> str:
        return text + self.word

    def other(self, text: str) -> str:
        return self.word + text


def joined(first: str, text: str) -> str:
    return first + text


def global_word(text: str) -> str:
    return text + WORD


def global_table(text: str) -> str:
    return "".join(TABLE.get(c, c) for c in text)


def global_function(text: str) -> str:
    return global_word(text)


def recursive(text: str) -> str:
    return text if len(text) < 3 else recursive(text[1:])


DIFFERENT: dict[str, tuple[Tidy, Tidy]] = {
    "two lambdas": (lambda text: text.upper(), lambda text: text.lower()),
    "constants of lambdas": (lambda text: text + "a", lambda text: text + "b"),
    "what a lambda calls": (lambda text: text.strip(), lambda text: text.title()),
    "a number and a truth value": (lambda text: text * 1, lambda text: text * True),
    "closures": (closing("a"), closing("b")),
    "closures in closures": (nested("a"), nested("b")),
    "closed-over truth values": (with_inner(True), with_inner(False)),
    "defaults": (with_default("a"), with_default("b")),
    "defaults of keywords": (with_keyword("a"), with_keyword("b")),
    "partial": (functools.partial(joined, "a"), functools.partial(joined, "b")),
    "objects": (Ending("a"), Ending("b")),
    "objects with slots": (Slotted("a"), Slotted("b")),
    "bound methods": (Slotted("a").other, Slotted("b").other),
    "two methods of an object": (Slotted("a").other, Slotted("a").__call__),
    "built in": (str.upper, str.lower),
    "patterns": (re.compile("a").pattern.join, re.compile("b").pattern.join),
    "bound to patterns": (
        functools.partial(re.compile("a").sub, "x"),
        functools.partial(re.compile("b").sub, "x"),
    ),
    "a module's functions": (lambda text: re.sub("a", "b", text), lambda text: re.escape(text)),
    "one of the library's, and its name": (METHODS["prompt-eol"].tidy, str),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_tidyings_that_differ_have_two_identities(name: str) -> None:
    one, other = DIFFERENT[name]
    for tidy in (one, other):
        assert key(tidy) == key(tidy), "it is stored and found again"
        assert result_store.storable(key(tidy))
    assert key(one) != key(other)


def test_the_same_code_has_one_identity() -> None:
    assert key(closing("a")) == key(closing("a"))
    assert key(with_inner(True)) == key(with_inner(True))
    assert key(Ending("a")) == key(Ending("a")), "another object that holds the same"
    assert result_store.storable(key(recursive))


def test_a_global_that_changes_changes_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [key(tidy) for tidy in (global_word, global_table, global_function)]
    monkeypatch.setitem(TABLE, "c", "d")
    after_table = [key(tidy) for tidy in (global_word, global_table, global_function)]
    assert [a == b for a, b in zip(before, after_table, strict=True)] == [True, False, True]
    monkeypatch.setattr(f"{__name__}.WORD", "?")
    after_word = [key(tidy) for tidy in (global_word, global_table, global_function)]
    assert [a == b for a, b in zip(after_table, after_word, strict=True)] == [False, True, False]


def reads_a_file(text: str) -> str:
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        return text + file.read(1)


def imports(text: str) -> str:
    import os

    return text + os.sep


ARRAY = np.zeros(2)
NOT_IDENTIFIABLE: dict[str, Tidy] = {
    "reads a file": reads_a_file,
    "imports": imports,
    "another module": lambda text: text + str(np.pi),
    "an array": lambda text: text + str(ARRAY[0]),
    "random": lambda text: text[: hash(text) % 3],
    "an object that holds an array": Ending(ARRAY),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", NOT_IDENTIFIABLE)
def test_what_cannot_be_identified_is_never_stored(name: str) -> None:
    tidy = NOT_IDENTIFIABLE[name]
    assert key(tidy) != key(tidy)
    assert not result_store.storable(key(tidy))


@pytest.mark.parametrize("traced", [False, True])
def test_the_second_of_two_lambdas_gets_its_own_vectors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, traced: bool
) -> None:
    monkeypatch.setenv("KVE_CACHE", str(tmp_path))
    backbone = tiny("llama")
    base = DEFAULT.under(Plan((2,)))
    one, other = (tidied(tidy, base) for tidy in (lambda t: t.upper(), lambda t: t.lower()))
    result = [encoding.embeddings(backbone, TEXTS, m, traced=traced) for m in (one, other)]
    for vectors, method in zip(result, (one, other), strict=True):
        assert np.array_equal(vectors, encoder.encode(backbone, TEXTS, method).embeddings)
    assert not np.allclose(result[0], result[1])


def test_vectors_of_what_cannot_be_identified_are_computed_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KVE_CACHE", str(tmp_path))
    backbone: Backbone = tiny("llama")
    kept: list[Any] = []

    def packed(_key: bytes, vector: Any) -> bytes:
        kept.append(vector)
        return b""

    monkeypatch.setattr(vector_cache, "_packed", packed)
    calls = []
    inner = encoder.encode_methods

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(1)
        return inner(*args, **options)

    monkeypatch.setattr(encoder, "encode_methods", counted)
    method = tidied(lambda text: text + str(ARRAY[0]))
    first, again = (encoding.embeddings(backbone, TEXTS, method) for _ in range(2))
    assert np.array_equal(first, again)
    assert len(calls) == 2
    assert not kept
    assert not list(tmp_path.rglob("*.npz"))


def test_what_a_method_is_called_is_no_part_of_its_identity() -> None:
    assert replace(MEAN, name="other", summary="another").identity == MEAN.identity


def test_stored_results_of_the_librarys_methods_keep_their_keys() -> None:
    plan = Plan((2, 3), 2.0, "first")
    assert DEFAULT.under(plan).identity == {
        "template": DEFAULT.template,
        "pooling": "hybrid",
        "norm": "post",
        "tidy": "str",
        "layers": [2, 3],
        "bias": 2.0,
        "key": "first",
    }
    assert METHODS["token-prepending"].identity["tidy"] == "end_with_stop"
    assert VARIANTS["token-prepending-inside"].identity["tidy"] == "_end_sentence"
    keys = [result_store.digest(method.identity) for method in (METHODS | VARIANTS).values()]
    assert len({*keys}) == len(keys) - 3  # with nothing re-routed, three pairs of them are alike
    assert result_store.digest(DEFAULT.identity) == result_store.digest(
        METHODS["prompt-only"].identity
    )


KEYS = {
    "kv-embedding": "4df49ac197b07b0961a2d150",
    "prompt-only": "e2ffbbd809cab694abb8bf4e",
    "re-routing-only": "805c9691b5dffeae8582f130",
    "pooling-only": "33b19e6d3d93a8eec597f2bc",
    "mean": "a3d6337f4bf7bf808ba97386",
    "last-token": "b0a9f4593f1c7e6caae4617e",
    "prompt-eol": "4d2ff4e172c658eb9a56b6bd",
    "token-prepending": "b8abdfa33fee69606e09529f",
    "meta-eol": "5afdb395a50431b1b33901f3",
    "bidirectional": "ede0302ee8087370f932b528",
    "echo": "6473fc103ca473a8ce504c58",
    "prompt-eol-rerouted": "52300df9b109a8338e5753aa",
    "prompt-eol-question": "943a9ba9c157a9fccf97e76a",
    "token-prepending-inside": "663459e026433977d2750be8",
    "meta-eol-short": "8e71f4dc6ea77c086c17aae7",
    "echo-sentence": "bc5bdced45e0b09f57797e3c",
    "echo-again": "6f5e9707f313aeb2e2f64668",
}
"""What each method's results are stored under with layers 2 and 3, bias 2 and the first key."""


def test_a_methods_key_is_that_of_results_stored_long_ago() -> None:
    plan = Plan((2, 3), 2.0, "first")
    every = METHODS | VARIANTS
    keys = {name: result_store.digest(each.under(plan).identity) for name, each in every.items()}
    assert {name: key for name, key in keys.items() if name in KEYS} == KEYS


def test_the_heads_of_a_plan_and_their_biases_are_part_of_the_identity() -> None:
    plans = [
        *(Plan((1,)), Plan(heads=(Head(1, 0),)), Plan(heads=(Head(1, 1),))),
        *(Plan(heads=(Head(1, 0, 2.0),)), Plan((2,), heads=(Head(1, 0),)), PLAIN),
    ]
    identities = [result_store.digest(DEFAULT.under(plan).identity) for plan in plans]
    assert len(set(identities)) == len(plans)
    same = [Plan(heads=(Head(1, 0, 1.0),)), Plan(heads=(Head(1, 0), Head(2, 0, OFF)))]
    for plan in same:
        assert result_store.digest(DEFAULT.under(plan).identity) == identities[1]
    off = Plan((1,), OFF, heads=(Head(2, 0),))
    assert result_store.digest(DEFAULT.under(off).identity) == identities[-1]
    with pytest.raises(PlanError, match="re-routes nothing"):
        replace(MEAN, plan=Plan(heads=(Head(1, 0),)))


def test_a_plan_with_layers_needs_a_method_that_re_routes() -> None:
    plan = Plan((1,))
    assert DEFAULT.under(plan).plan == plan
    assert MEAN.under(plan) is MEAN
    assert MEAN.plan == PLAIN
    with pytest.raises(PlanError, match="mean re-routes nothing"):
        replace(MEAN, plan=plan)
    assert DEFAULT.under(plan).under(PLAIN) == DEFAULT


def test_a_placeholder_and_its_field_need_each_other() -> None:
    for change in (
        {"change": CHANGES["token-prepending"]},
        {"prompt": own_prompt("{placeholder}{text}")},
    ):
        with pytest.raises(PlanError, match=r"needs both or neither: .*\{placeholder\}"):
            replace(MEAN, **change)


def test_a_backbone_forgets_its_traces_when_its_last_lease_is_gone() -> None:
    backbone = tiny("llama")
    encoding.embeddings(backbone, ["a text of its own"], DEFAULT.under(Plan((1,))), traced=True)
    assert backbone.cleanups
    while backbone.cleanups:
        backbone.cleanups.pop()()
    assert not any(model == id(backbone.model) for model, _ in trace_cache._TRACES)
