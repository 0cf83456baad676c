"""Methods as YAML files: their parts by kind, each spelled as in :mod:`.method_spelling`.

A file holds ``start`` (a method whose parts stay), and any of ``prompt`` (a name, or a template or
several with ``{text}``), ``change``, ``bias``, ``key``, ``reading``, ``pooling``, ``norm`` and
``post-processing``; ``name`` names the method.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..embedding import method_spelling, named_methods
from ..embedding.methods import METHODS, VARIANTS, Method
from ..embedding.named_prompts import PROMPTS
from ..errors import PlanError, RecipeError, listed, quoted
from ..runtime import yaml_reader

ENDINGS = (".yaml", ".yml")
LARGEST = 100_000
"""Maximum bytes of a method file."""
_SETTINGS = ("bias", "key")
_KEYS = ("name", "start", "prompt", "change", *_SETTINGS, "reading", "pooling", "norm")
KEYS = (*_KEYS, "post-processing")
"""The keys of a file, in the order in which they are written."""


def read_file(path: str) -> str:
    """The spelling of the method in a file.

    Raises:
        RecipeError: the file cannot be read, or holds no method.
        PlanError: there is no such part, or the parts do not go together.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"The method {quoted(path)} cannot be read ({reason}).") from None
    return read(data, f"The method {quoted(path)}")


def read(text: str | bytes, name: str = "The method") -> str:
    """The spelling of the method that a YAML document holds.

    Args:
        text: the document.
        name: name of the document in an error.

    Raises:
        RecipeError: it is no YAML document, or holds no method.
        PlanError: there is no such part, or the parts do not go together.
    """
    if len(text) > LARGEST:
        raise RecipeError(f"{name} has more than {LARGEST:,} characters; it is no method.")
    try:
        parts = yaml_reader.read(text, as_written=KEYS)
    except yaml_reader.YAMLProblem as error:
        raise RecipeError(f"{name} {error}.") from None
    if not isinstance(parts, dict) or not parts:
        raise RecipeError(f"{name} holds no map of parts; it may have {', '.join(KEYS)}.")
    if unknown := [key for key in parts if key not in KEYS]:
        raise RecipeError(
            f"{name} has no part {quoted(unknown[0])}; it may have {listed(KEYS, unknown[0])}."
        )
    return method_spelling.spelled(named_methods.method(_spelling(parts, name)))


def write(chosen: Method) -> str:
    """A method as a YAML document.

    Raises:
        PlanError: a part of it cannot be spelled.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    known = chosen.name in METHODS | VARIANTS or method_spelling.is_spelling(chosen.name)
    document: dict[str, Any] = {} if known else {"name": chosen.name}
    words, templates = method_spelling.split(method_spelling.spelling(chosen))
    if templates:
        document["prompt"] = templates if len(templates) > 1 else templates[0]
    for word, at in words:
        kind = method_spelling.kind_of(word)
        if kind == "setting":
            document[word] = at
        else:
            document[kind] = f"{word}@{at}" if at else word
    yaml = YAML()
    yaml.width = 2**31 - 1
    stream = StringIO()
    yaml.dump({key: document[key] for key in KEYS if key in document}, stream)
    return stream.getvalue()


def _spelling(parts: Mapping[str, Any], name: str) -> str:
    for key, value in parts.items():
        several = value if key == "prompt" and isinstance(value, list) else [value]
        if not several or not all(isinstance(each, str) and each.strip() for each in several):
            raise RecipeError(f"{name} needs a word or a text for {key}, not {quoted(value)}.")
    words = [parts["start"]] if "start" in parts else []
    if (prompt := parts.get("prompt")) is not None:
        templates = prompt if isinstance(prompt, list) else [prompt]
        words += [each if each in PROMPTS else json.dumps(each) for each in templates]
    for key in KEYS[3:]:
        if key in parts:
            words.append(f"{key}@{parts[key]}" if key in _SETTINGS else parts[key])
    if len(words) == 1 and not method_spelling.is_spelling(words[0]):
        raise PlanError(f"{name} has no part; it may have {', '.join(KEYS)}.")
    own = f"{parts['name']}=" if "name" in parts else ""
    return own + "+".join(words)
