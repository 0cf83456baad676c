"""What a log may hold of a question: never a text or a path."""

from pathlib import Path
from typing import Any

from ..experiments.specs import Spec, choices
from ..storage import result_store


def facts(spec: Spec) -> dict[str, Any]:
    """A digest of all that a spec holds, and in clear what holds neither a text nor a path.

    That is numbers, choices among names, layers, and the last part of the backbone's name.
    """
    known = spec.options()
    values = {name: value for name, value in spec.values().items() if value is not None}
    clear = {
        name: str(value) if isinstance(value, float) else value
        for name, value in values.items()
        if name == "layers" or choices(known[name]) or isinstance(value, int | float)
    }
    logged: dict[str, Any] = {
        "command": spec.command,
        "recipe": result_store.digest(spec.command, values),
        "options": clear,
    }
    return logged | ({"backbone": Path(values["backbone"]).name} if "backbone" in values else {})
