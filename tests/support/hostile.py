"""Names and texts of someone who wants a reader's browser to ask another host for something."""

import json
from pathlib import Path
from typing import Any

from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from analysis.storage import result_store

HOST = "evil.example"
MARKUPS = (
    f"![x](http://{HOST}/a.png)",
    f"[x](http://{HOST}/b)",
    f"http://{HOST}/c",
    f"www.{HOST}",
    f"me@{HOST}",
    f"<img src=http://{HOST}/d.png>",
    f'<a href="http://{HOST}/e">x</a>',
    f"<b>b</b><span style='background:url(http://{HOST}/f)'>y</span>",
    "a :material/home: b :smile: c :streamlit: d :red[e] f",
    "g -> h <- i -- j >= k <= l ~= m <-> n",
    "$x^2$ `c` *d* _e_ ~~f~~ | g | # h",
    "&lt;b&gt; &amp; \\ %{x} </script>",
)
"""Markdown, HTML, addresses, and what Streamlit and Plotly rewrite."""
ALL = " ".join(MARKUPS)
_NAMED = ("corpus", "backbone", "measure", "method", "part", "how", "template", "token", "against")


def results(shipped: Path) -> str:
    """A study's results with every name followed by all markups, sealed again."""
    document = json.loads(shipped.read_text(encoding="utf-8"))
    recipe = files.read(document["recipe"])
    marked = Recipe(recipe.spec, recipe.grid, recipe.view, title=ALL, about=f"{ALL}\n\n# {ALL}")
    document["recipe"] = files.write(marked)
    document["rows"] = [_marked(row) for row in document["rows"]]
    document["made"]["versions"][ALL] = ALL
    document["digest"] = result_store.digest(document["recipe"], document["rows"])
    return json.dumps(document)


def _marked(row: dict[str, Any]) -> dict[str, Any]:
    marked = {
        name: f"{value} {ALL}" if name in _NAMED and isinstance(value, str) else value
        for name, value in row.items()
    }
    if "grid" in row:
        marked["grid"] = _marked(row["grid"])
    return marked
