"""The spelling of a method by its parts: ``eol+re-routing@10-13+attention-outputs+last``.

A spelling is a method's name or parts, joined by ``+``:

- the name of a method, first, whose parts stay where no other is named;
- a prompt of :data:`.named_prompts.PROMPTS`, or templates of one's own in double quotes, as JSON
  writes them, whose vectors are averaged;
- a change of the pass of :data:`.method_parts.CHANGES`: ``re-routing@10-13,15.2`` has layers and
  heads of its own, beside ``bias@2`` and ``key@first``; ``token-prepending@1-6`` its layers;
- a reading of :data:`.method_parts.READINGS`: ``states@-2`` has its output layer,
  ``attention-outputs@10-19`` the layers that are summed;
- a pooling of :data:`.pooling.POOLINGS`, or ``post`` or ``pre`` for the norm;
- a step of :data:`.postprocessing.POSTPROCESSINGS`.

``mine=eol+mean`` names the method; templates of one's own need a name. Whatever is spelled and has
the parts of a method of the library is that method.
"""

import json
import re
from dataclasses import replace
from typing import Any

from ..errors import PlanError, listed, quoted
from ..rerouting.head_lists import format_heads
from ..rerouting.layer_lists import format_layers
from .method_parts import CHANGES, NORMS, READINGS, Reading
from .methods import METHODS, VARIANTS, Method
from .named_prompts import PROMPTS, Prompt, own_prompt
from .pooling import POOLINGS
from .postprocessing import POSTPROCESSINGS

MOST_TEMPLATES = 16
"""Most templates of a prompt of one's own."""
_SIGNS = re.compile(r'[+=@"]')
_STRING = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?:\+|\Z)')
_WORD = re.compile(r"\s*([a-z][a-z-]*)\s*(?:@\s*([^+\"=]+?)\s*)?(?:\+|\Z)")
KINDS: dict[str, Any] = {
    "prompt": PROMPTS,
    "change": CHANGES,
    "reading": READINGS,
    "pooling": POOLINGS,
    "norm": NORMS,
    "post-processing": {name: step for name, step in POSTPROCESSINGS.items() if name != "none"},
    "setting": {"bias": "the bias", "key": "the key position"},
}
"""The named parts of a method by their kind."""


def is_spelling(name: str) -> bool:
    """Whether a text is meant as a spelling by parts and not as a name."""
    return bool(_SIGNS.search(name)) or any(name in parts for parts in KINDS.values())


def spelling(chosen: Method) -> str:
    """A method as :mod:`.named_methods` reads it, without its name; equal parts give equal ones.

    Raises:
        PlanError: a part of it is no named one, such as a tidying of one's own.
    """
    prompt = _prompt_words(chosen.prompt)
    full = prompt in METHODS | VARIANTS  # which would bring its own change and reading
    parts = [prompt, *_change_words(chosen, full), *_reading_words(chosen.reading, full)]
    parts += [chosen.pooling]
    parts += [] if chosen.processing == "none" else [chosen.processing]
    return "+".join(parts)


def spelled(chosen: Method) -> str:
    """What names a method in a request: its name, or its spelling if it is none of the library's.

    The name of one's own stands before the spelling.
    """
    if (METHODS | VARIANTS).get(chosen.name) == chosen:
        return chosen.name
    parts = spelling(chosen)
    return parts if chosen.name == parts else f"{chosen.name}={parts}"


def quoted_template(template: str) -> str:
    """A template of one's own as a part of a spelling."""
    return json.dumps(template, ensure_ascii=False)


def unnamed_parts(chosen: Method) -> str:
    """The spelling of a method whose name does not say its parts; "" where they cannot be spelled.

    Args:
        chosen: the method; one of the library has its parts by its name.
    """
    if chosen.name in METHODS | VARIANTS or is_spelling(chosen.name):
        return ""
    try:
        return spelling(chosen)
    except PlanError:
        return ""


def _prompt_words(prompt: Prompt) -> str:
    if PROMPTS.get(prompt.name) == prompt:
        return prompt.name
    if prompt == own_prompt(*prompt.templates):
        return "+".join(map(quoted_template, prompt.templates))
    raise _unspelled("prompt")


def _change_words(chosen: Method, full: bool) -> list[str]:
    change, plan = chosen.change, chosen.plan
    named = CHANGES.get(change.name)
    if change.prepending and named and named.prepending:
        if change == named:
            return [change.name]
        start, end = change.prepending.start, change.prepending.exit
        ranged = replace(named.prepending, start=start, exit=end)
        if end is None or replace(named, prepending=ranged) != change:
            raise _unspelled("change")
        return [f"{change.name}@{start}-{end - 1}"]
    if change != named:
        raise _unspelled("change")
    if not chosen.has_plan:
        return [] if change.name == "nothing" and not full else [change.name]
    whole = [format_layers(plan.layers, 0)] if plan.layers else []
    single = [format_heads((), plan.heads)] if plan.heads else []
    words = [f"{change.name}@{','.join([*whole, *single])}"]
    words += [] if plan.bias == 1 else [f"bias@{plan.bias:g}"]
    return words + ([] if plan.key_position == "own" else [f"key@{plan.key_position}"])


def _reading_words(reading: Reading, full: bool) -> list[str]:
    named: Reading | None = READINGS.get(reading.name)
    if named is None:
        raise _unspelled("reading")
    norm = [] if reading.norm == named.norm else [reading.norm]
    plain = replace(reading, norm=named.norm)
    if plain == named:
        return ([] if named.name == "states" and not full else [named.name]) + norm
    if named.summed and replace(plain, layers=named.layers) == named:
        return [f"{named.name}@{plain.layers[0]}-{plain.layers[1]}", *norm]
    if not named.summed and replace(plain, layer=named.layer) == named:
        return [f"{named.name}@{plain.layer}", *norm]
    raise _unspelled("reading")


def _unspelled(kind: str) -> PlanError:
    return PlanError(
        f"The method's {kind} is none that can be spelled; pass the method as a value in Python."
    )


def split(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The parts of a spelling without a name.

    Returns:
        The named parts, each with what stands after its ``@``, and the templates of one's own.

    Raises:
        PlanError: it is none.
    """
    words: list[tuple[str, str]] = []
    templates: list[str] = []
    at, end = 0, len(text)
    while at < end or not (words or templates) or text.rstrip().endswith("+"):
        if match := _STRING.match(text, at):
            try:
                templates.append(json.loads(match[1]))
            except ValueError:
                raise PlanError(
                    f"The template {quoted(match[1])} is not written as JSON writes texts; put a "
                    r'backslash before " and \ inside it.'
                ) from None
        elif match := _WORD.match(text, at):
            words.append((match[1], match[2] or ""))
        else:
            raise PlanError(
                f"A method is spelled by names joined by +, such as eol+re-routing@10-13+last; "
                f"{quoted(text[at:])} is no name, or a quotation mark is missing."
            )
        at = match.end()
    if len(templates) > MOST_TEMPLATES:
        raise PlanError(f"A prompt has at most {MOST_TEMPLATES} templates; leave some out.")
    return words, templates


def kind_of(word: str) -> str:
    """The kind of a named part, a key of :data:`KINDS`.

    Raises:
        PlanError: there is no such part.
    """
    for kind, parts in KINDS.items():
        if word in parts:
            return kind
    everything = [part for parts in KINDS.values() for part in parts]
    raise PlanError(
        f"There is no part {quoted(word)} of a method; parts are {listed(everything, word)}."
    )
