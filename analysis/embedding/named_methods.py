"""Methods by name, or by the spelling of their parts, see :mod:`.method_spelling`."""

import re
from dataclasses import replace
from typing import Any, cast

from ..errors import PlanError, quoted
from ..rerouting.head_lists import parse_choice
from ..rerouting.plan import KeyPosition, Plan
from ..runtime.lookup import by_name
from .method_parts import CHANGES, READINGS, Norm, Reading
from .method_spelling import is_spelling, kind_of, spelling, split
from .methods import METHODS, VARIANTS, Method
from .named_prompts import PROMPTS, own_prompt
from .pooling import Pooling
from .postprocessing import PostprocessingName

LONGEST = 8_000
"""Most characters of a spelling."""
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,39})\s*=")
_RANGE = re.compile(r"(-?\d{1,6})-(-?\d{1,6})")


def method(name: str) -> Method:
    """The method of a name or a spelling.

    Raises:
        PlanError: there is no such method or part, or the parts do not go together.
    """
    known = METHODS | VARIANTS
    if isinstance(name, str) and name not in known and is_spelling(name):
        return _read(name)
    return by_name(known, name, "method")


def _read(text: str) -> Method:
    if len(text) > LONGEST:
        raise PlanError(f"A method is spelled in at most {LONGEST:,} characters; shorten it.")
    named = _NAME.match(text)
    name = named[1] if named else ""
    if name in METHODS | VARIANTS:
        raise PlanError(f"{name} is a method already; give yours another name.")
    words, templates = split(text[named.end() :] if named else text)
    if templates and not name:
        raise PlanError(
            "A prompt of your own needs a name, which stands for it in tables: "
            'mine="{text} in one word:"+last.'
        )
    chosen = _composed(words, templates)
    if not name:
        same = [each for each in (METHODS | VARIANTS).values() if _alike(each, chosen)]
        return same[0] if same else replace(chosen, name=spelling(chosen))
    return replace(chosen, name=name)


def _composed(words: list[tuple[str, str]], templates: list[str]) -> Method:
    known = METHODS | VARIANTS
    start: Method | None = None
    if words and words[0][0] in known:
        start, words = known[words[0][0]], words[0 if words[0][1] else 1 :]
    found: dict[str, tuple[str, str]] = {}
    for word, at in words:
        kind = kind_of(word)
        kind = word if kind == "setting" else kind
        if kind in found or (kind == "prompt" and templates):
            raise PlanError(
                f"A method has one {kind}; {quoted(word)} is a second one, leave one out."
            )
        found[kind] = word, at
    return _assembled(start, found, templates)


def _assembled(
    start: Method | None, found: dict[str, tuple[str, str]], templates: list[str]
) -> Method:
    for kind in ("prompt", "pooling", "norm", "post-processing"):
        if kind in found and found[kind][1]:
            word, at = found[kind]
            raise PlanError(f"{word} takes no layers; leave out @{at}.")
    if start is None:
        for kind, example in (("prompt", "eol"), ("pooling", "last")):
            if kind not in found and not (kind == "prompt" and templates):
                raise PlanError(
                    f"The method has no {kind}; name one, such as {example}, or begin with a "
                    "method, such as prompt-eol+mean."
                )
    values: dict[str, Any] = {}
    if templates:
        values["prompt"] = own_prompt(*templates)
    elif "prompt" in found:
        values["prompt"] = PROMPTS[found["prompt"][0]]
    if "pooling" in found:
        values["pooling"] = cast(Pooling, found["pooling"][0])
    if "post-processing" in found:
        values["processing"] = cast(PostprocessingName, found["post-processing"][0])
    if "change" in found:
        values["change"], values["plan"] = _change(*found["change"])
    if "reading" in found:
        values["reading"] = _reading(*found["reading"])
    if "norm" in found:
        reading = values.get("reading", start.reading if start else READINGS["states"])
        if reading.summed:
            raise PlanError(f"{reading.name} are read before any norm; leave out the norm.")
        values["reading"] = replace(reading, norm=cast(Norm, found["norm"][0]))
    if {"bias", "key"} & set(found):
        values["plan"] = _with_settings(values.get("plan", Plan()), found)
    name = "The method"
    if start is None:
        return Method(name, _summary(values), values.pop("prompt"), values.pop("pooling"), **values)
    return replace(start, name=name, summary=_summary(values, start), **values)


def _summary(values: dict[str, Any], start: Method | None = None) -> str:
    told = [values[part].meaning for part in ("prompt", "change", "reading") if part in values]
    told += [values[part] for part in ("pooling", "processing") if part in values]
    words = "; ".join(told)
    return f"{start.name} with {words}." if start else f"{words[:1].upper()}{words[1:]}."


def _change(word: str, at: str) -> tuple[Any, Plan]:
    change = CHANGES[word]
    if not at:
        return change, Plan()
    if change.reroutes:
        layers, heads = parse_choice(at)
        return change, Plan(layers, heads=heads)
    if change.prepending:
        first, last = _pair(word, at)
        prepending = replace(change.prepending, start=first, exit=last + 1)
        return replace(change, prepending=prepending), Plan()
    raise PlanError(f"{word} takes no layers; leave out @{at}.")


def _with_settings(plan: Plan, found: dict[str, tuple[str, str]]) -> Plan:
    if not (plan.layers or plan.heads):
        raise PlanError(
            "A method with a bias or a key position of its own has layers of its own too: "
            "re-routing@10-13+bias@2; else leave them to the question."
        )
    if "bias" in found:
        try:
            plan = replace(plan, bias=float(found["bias"][1]))
        except ValueError:
            raise PlanError(f"The bias is a number, not {quoted(found['bias'][1])}.") from None
    if "key" in found:
        plan = replace(plan, key_position=cast(KeyPosition, found["key"][1]))
    return plan


def _reading(word: str, at: str) -> Reading:
    reading = READINGS[word]
    if not at:
        return reading
    if reading.summed:
        return replace(reading, layers=_pair(word, at))
    try:
        return reading.at(int(at))
    except ValueError:
        raise PlanError(f"{word}@ takes one layer, such as {word}@-2, not {quoted(at)}.") from None


def _pair(word: str, at: str) -> tuple[int, int]:
    if (match := _RANGE.fullmatch(at)) is None:
        raise PlanError(f"{word}@ takes layers such as {word}@1-6, not {quoted(at)}.")
    return int(match[1]), int(match[2])


def _alike(known: Method, chosen: Method) -> bool:
    return replace(known, name="", summary="") == replace(chosen, name="", summary="")
