"""Values by name: methods, rules, estimators and the like."""

from collections.abc import Mapping
from typing import TypeVar

from ..errors import PlanError, listed, quoted

Name = TypeVar("Name", bound=str)
Value = TypeVar("Value")


def by_name(options: Mapping[Name, Value], name: str, kind: str) -> Value:
    """The option called ``name``.

    Args:
        options: values by name.
        name: the name to look up.
        kind: what the options are, for the error.

    Raises:
        PlanError: there is no such option; the sentence lists some of them, similar ones first.
    """
    for option, value in options.items():
        if option == name:
            return value
    raise PlanError(f"There is no {kind} {quoted(name)}; choose one of {listed(options, name)}.")
