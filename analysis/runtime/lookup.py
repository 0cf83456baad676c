"""Settings that people give: values by name (methods, rules, estimators), and whole numbers."""

import operator
from collections.abc import Mapping
from typing import Any, TypeVar

from ..errors import PlanError, listed, quoted

Name = TypeVar("Name", bound=str)
Value = TypeVar("Value")


def by_name(options: Mapping[Name, Value], name: Any, kind: str) -> Value:
    """The option called ``name``.

    Args:
        options: values by name.
        name: the name to look up; what is no string names nothing.
        kind: what the options are, for the error.

    Raises:
        PlanError: there is no such option; the sentence lists some of them, similar ones first.
    """
    if isinstance(name, str):
        for option, value in options.items():
            if option == name:
                return value
    raise PlanError(f"There is no {kind} {quoted(name)}; choose one of {listed(options, name)}.")


def whole_number(value: Any, what: str, least: int | None = None) -> int:
    """A number that counts something, as a plain ``int``; those of numpy are taken, too.

    Args:
        value: the number.
        what: what it is, for the error.
        least: the smallest that is allowed; None for any.

    Raises:
        PlanError: it is not a whole number, or too small.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        rule = "" if least is None else f" of at least {least}"
        raise PlanError(f"The {what} must be a whole number{rule}, not {quoted(value)}.")
    return number
