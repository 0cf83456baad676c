"""A recipe as a Python script that asks the library the same question."""

from ..experiments.spec import Spec
from ..runtime.paths import import_name
from .recipe import Recipe


def python(recipe: Recipe) -> str:
    """The recipe as a script that prints what its command would."""
    name = import_name()
    if recipe.grid:
        return (
            f"from {name}.recipes import files, runner\n\n"
            f'recipe = files.read_file("{recipe.command}.yaml")\n'
            "for row in runner.rows(recipe):\n    print(row)\n"
        )
    spec = type(recipe.spec).__name__
    return (
        f"from {name} import answer\n"
        f"from {name}.experiments.specs import {spec}\n\n"
        f"{_call(recipe.spec)}\n"
        "result = answer(question)\n"
        "print(result.to_dataframe().to_string(index=False))\n"
    )


def _call(spec: Spec) -> str:
    """The spec as Python writes it, without what is so by default."""
    changed = [name.replace("-", "_") for name in spec.changed()]
    given = ", ".join(f"{name}={_literal(getattr(spec, name))}" for name in changed)
    call = f"question = {type(spec).__name__}({given})"
    if len(call) <= 88:
        return call
    lines = "".join(f"    {name}={_literal(getattr(spec, name))},\n" for name in changed)
    return f"question = {type(spec).__name__}(\n{lines})"


def _literal(value: object) -> str:
    return 'float("-inf")' if value == float("-inf") else repr(value)
