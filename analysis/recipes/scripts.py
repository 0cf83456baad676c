"""A recipe as a Python script that asks the library the same question."""

from ..experiments.spec import Spec
from ..runtime.paths import import_name
from .recipe import Recipe

_WIDTH = 88
"""Maximum columns of a call on one line."""


def python(recipe: Recipe) -> str:
    """The recipe as a script that prints the same rows as its command."""
    name = import_name()
    if recipe.grid:
        return (
            f"from {name}.recipes import files, runner\n\n"
            f'recipe = files.read_file("{recipe.command}.yaml")\n'
            "for row in runner.rows(recipe):\n    print(row)\n"
        )
    return (
        f"from {name} import answer\n"
        f"from {name}.experiments.specs import {type(recipe.spec).__name__}\n\n"
        f"{_assignment(recipe.spec)}\n"
        "result = answer(question)\n"
        "print(result.to_dataframe().to_string(index=False))\n"
    )


def _assignment(spec: Spec) -> str:
    """The spec as Python code, without defaults."""
    names = [name.replace("-", "_") for name in spec.changed()]
    arguments = [f"{name}={_literal(getattr(spec, name))}" for name in names]
    opening = f"question = {type(spec).__name__}("
    line = f"{opening}{', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return line
    return opening + "".join(f"\n    {argument}," for argument in arguments) + "\n)"


def _literal(value: object) -> str:
    return 'float("-inf")' if value == float("-inf") else repr(value)
