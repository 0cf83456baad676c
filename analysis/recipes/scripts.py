"""A recipe as a Python script that calls the library and prints what the command would."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..corpora.registry import USUAL
from ..errors import RecipeError
from .recipe import Recipe


def python(recipe: Recipe) -> str:
    """The recipe as a script that calls the library and prints what the command would.

    Raises:
        RecipeError: the command has no such spelling.
    """
    if recipe.grid:
        return (
            "from analysis import recipe, replay\n\n"
            f'grid = recipe.read_file("{recipe.command}.yaml")\n'
            "for row in replay.rows(grid):\n    print(row)\n"
        )
    if recipe.command not in SCRIPTS:
        raise RecipeError(
            f"There is no script for {recipe.command}; there is for {', '.join(SCRIPTS)}."
        )
    return "\n".join(SCRIPTS[recipe.command](recipe.options)) + "\n"


def _loaded(o: Mapping[str, Any]) -> str:
    given = "".join(f", {name}={o[name]!r}" for name in ("dtype", "device") if o[name] != "auto")
    return f"loaded = backbone.load({o['backbone']!r}{given})"


def _plan(o: Mapping[str, Any]) -> Iterator[str]:
    if o["layers"] == "auto":
        yield "calibration = corpora.load_texts(corpora.CALIBRATION)"
        yield f"layers = study.dimensions(loaded, calibration).selected({o['rule']!r})"
    else:
        yield f"layers = selection.parse_layers({o['layers']!r}, loaded.layers)"
    yield f"plan = Plan(layers, {o['bias']!r}, {o['key-position']!r})"


def _methods(o: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    yield f"names = {list(o['method'] or names)!r}"
    yield (f"how = dict(separator={o['prompt']!r}, pooling={o['pooling']!r}, norm={o['norm']!r})")
    yield "chosen = [variant(METHODS[name], **how) for name in names]"


def _imported(modules: str) -> Iterator[str]:
    yield f"from analysis import {modules}"
    yield "from analysis.embedding.methods import METHODS, variant"
    yield "from analysis.rerouting.plan import Plan"
    yield ""


def _begun(modules: str, o: Mapping[str, Any]) -> Iterator[str]:
    """What most scripts begin with: imports, the backbone, the plan and the methods."""
    yield from _imported(modules)
    yield _loaded(o)
    yield from _plan(o)
    yield from _methods(o, ("kv-embedding",))


def _dimension(o: Mapping[str, Any]) -> Iterator[str]:
    yield "from analysis import backbone, corpora, study"
    yield ""
    yield _loaded(o)
    yield f"texts = corpora.load_texts({o['corpus']!r})"
    yield "found = study.dimensions("
    yield f"    loaded, texts, samples={o['samples']}, seed={o['seed']}, "
    yield f"    estimator={o['estimator']!r}, cloud={o['cloud']!r}, prompted={not o['bare']},"
    yield ")"
    yield "print(found.curve.dims)"
    yield f"print(found.selected({o['rule']!r}), found.frequency({o['rule']!r}))"


def _part(what: str, o: Mapping[str, Any]) -> Iterator[str]:
    """The line that draws a part of ``what``, where one is asked for."""
    if o["part"]:
        yield f"{what} = corpora.part({what}, {o['part']})"


def _score(o: Mapping[str, Any]) -> Iterator[str]:
    yield from _begun("backbone, corpora, scoring, selection, study", o)
    yield f"corpus = corpora.load({o['on']!r}, {o['corpus'] or USUAL[o['on']]!r})"
    yield from _part("corpus", o)
    yield "found = scoring.measured("
    yield "    loaded, corpus, [(method, plan) for method in chosen],"
    yield f"    processing={o['post-processing']!r}, max_tokens={o['max-tokens']!r},"
    yield ")"
    yield "for one in found:"
    yield "    for m in one.measures:"
    yield "        print(one.method, m.name, m.value, m.ci_low, m.ci_high)"


def _long_texts(o: Mapping[str, Any]) -> Iterator[str]:
    yield from _begun("backbone, corpora, scoring, selection, shipped, study", o)
    yield f"corpus = corpora.load_retrieval({o['corpus']!r})"
    yield from _part("corpus", o)
    yield "variants = shipped.places(corpus)"
    yield "cases = [(place, None) for place in variants]"
    yield f"cases += [('middle', length) for length in {list(o['tokens'] or ())!r}]"
    yield "asked = [(method, plan) for method in chosen]"
    yield "for place, length in cases:"
    yield "    for one in scoring.measured(loaded, variants[place], asked, max_tokens=length):"
    yield "        for m in one.measures:"
    yield "            print(place, length, one.method, m.name, m.value, m.ci_low, m.ci_high)"


def _causal(o: Mapping[str, Any]) -> Iterator[str]:
    template = "prompting.BARE" if o["bare"] else "chosen[0].template"
    yield from _begun(
        "backbone, causality, corpora, prompting, selection, study", {**o, "method": None}
    )
    yield f"first, second = {o['first']!r}, {o['second']!r}"
    yield f"moved = causality.movement(loaded, first, second, plan, template={template})"
    yield "for row in zip(moved.tokens, moved.plain[-1].tolist(), moved.rerouted[-1].tolist()):"
    yield "    print(*row)"


def _ablation(o: Mapping[str, Any]) -> Iterator[str]:
    yield from _begun(
        "ablation, backbone, corpora, searches, selection, study", {**o, "method": None}
    )
    yield f"pairs = corpora.load_pairs({o['corpus']!r})"
    yield from _part("pairs", o)
    yield f"most = {o['most'] or 'selection.window_width(loaded.layers)'}"
    yield f"search = searches.SEARCHES[{o['search']!r}]"
    yield "search = search(plan, loaded.layers, loaded.reroutable, most)"
    yield "for walk in ablation.run(loaded, pairs, search, chosen[0]):"
    yield "    print(len(walk.missing), 'to go')"
    yield "for one, point in walk.points.items():"
    yield "    print(one.layers, one.bias, point.score.sts.spearman, point.change.sentence)"


def _space(o: Mapping[str, Any]) -> Iterator[str]:
    settings = f"how={o['projection']!r}"
    if o["projection"] == "umap":
        settings = f"neighbours={o['neighbours']}, min_dist={o['min-dist']}, seed={o['seed']}"
    yield from _imported("backbone, corpora, selection, space, study")
    sides = []
    for side in ("left", "right"):
        name = o["right-backbone"] if side == "right" else o["backbone"]
        if name:
            yield _loaded({**o, "backbone": name})
        yield from _plan({**o, "layers": o[f"{side}-layers"] or o["layers"]})
        yield f"{side}, {side}_plan = loaded, plan"
        sides.append(f"({side}, {side}_plan)")
    yield from _methods(o, ("mean", "kv-embedding"))
    yield f"texts = corpora.load_texts({o['corpus']!r})"
    if o["samples"]:
        yield f"texts = corpora.sample(texts, {o['samples']}, 0)"
    yield "first, second = ("
    yield f"    study.projected(on, texts.texts, method, plan, {settings})"
    yield f"    for (on, plan), method in zip([{', '.join(sides)}], chosen)"
    yield ")"
    yield "kept = space.neighbourhood_overlap(first.embeddings, second.embeddings)"
    yield "print(kept.mean())"


SCRIPTS = {
    "dimension": _dimension,
    "score": _score,
    "long-texts": _long_texts,
    "causal": _causal,
    "ablation": _ablation,
    "space": _space,
}
"""Commands that have a script, with what writes it."""
