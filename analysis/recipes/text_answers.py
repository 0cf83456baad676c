"""Answers about texts: their vectors, their movement under a plan, and maps of their spaces."""

from contextlib import closing
from functools import partial

from plotly.offline import get_plotlyjs

from ..backbones.facts import describe
from ..corpora import registry
from ..corpora.streams import Lines
from ..embedding import logit_lens, prompts
from ..embedding.external import MethodOrVectors
from ..embedding.methods import Method
from ..embedding.read_out import width
from ..experiments import causal as causal_experiment
from ..experiments import space as spaces
from ..experiments import words as words_experiment
from ..experiments.score_result import described
from ..experiments.specs import Causal, Encode, Space, Words
from ..experiments.vector_exports import exported
from ..figures.html_page import figure_page
from ..figures.spaces import two_maps
from ..parallel import engines, sharded_encoding
from ..rerouting.head_lists import format_heads
from ..runtime import events, outputs
from ..spaces import comparison, projection
from .rows import Row
from .workspace import Workspace, check_layers, engine, method, planned_on_worker, vectors


def encode(spec: Encode, workspace: Workspace) -> Row:
    """One row: the array of vectors that was written, and its settings."""
    unplanned = method(spec, spec.method)
    output = outputs.writable(spec.output, ".npy")
    with (
        closing(Lines(spec.input)) as lines,
        engines.opened(engine(spec), partial(workspace.load, spec), device=spec.device) as workers,
    ):
        if lines.source:
            events.say(lines.source)
        ((backbone, chosen),) = workers.map(partial(planned_on_worker, spec, unplanned), [None])
        result = sharded_encoding.encode(
            *(workers, backbone, lines, output, chosen),
            role=spec.role,
            resumed=lambda finished, total: events.say(
                f"Resuming: {finished} of {total} shards were finished before."
            ),
            progress=workspace.progress("encoding"),
        )
    if result.texts_cut:
        events.say(
            f"{result.texts_cut} texts were too long: {result.tokens_cut} tokens were cut in total."
        )
    return {
        "output": str(output),
        "texts": lines.count,
        "hidden": width(backbone, chosen),
        **described(chosen),
        "backbone": backbone.facts.name,
        "dtype": backbone.dtype.value,
        "texts_cut": result.texts_cut,
        "tokens_cut": result.tokens_cut,
        "seconds": round(result.seconds, 3),
    }


def causal(spec: Causal, workspace: Workspace) -> list[Row]:
    """One row for each shared token: how far its final state moves, as a share of its norm."""
    causal_experiment.check_texts(spec.first, spec.second)
    backbone = workspace.load(spec)
    chosen, plan = method(spec, "kv-embedding"), workspace.plan(spec, backbone)
    template = prompts.BARE if spec.bare else chosen.template
    moved = causal_experiment.movement(backbone, spec.first, spec.second, plan, template=template)
    return [
        {
            "token": token,
            "control token": control,
            "plain": float(plain),
            "re-routed": float(rerouted),
        }
        for token, control, plain, rerouted in zip(
            moved.tokens, moved.control, moved.plain[-1], moved.rerouted[-1], strict=True
        )
    ]


def words(spec: Words, workspace: Workspace) -> list[Row]:
    """One row for each layer and word, plain and re-routed: of each text, or of a corpus."""
    words_experiment.check_top(spec.top)
    for name in spec.method:
        logit_lens.check_readable(method(spec, name))
    texts = (
        words_experiment.drawn(registry.load_texts(spec.corpus), spec.samples)
        if spec.corpus
        else spec.text
    )
    words_experiment.check_texts(texts)
    backbone = workspace.load(spec)
    # what has no words is refused before layers are selected
    words_experiment.words(backbone, texts, method(spec, spec.method[0]))
    plan = workspace.plan(spec, backbone)
    return [
        row
        for name in spec.method
        for each in words_experiment.words(
            *(backbone, texts, method(spec, name), plan), progress=workspace.progress(name)
        )
        for row in each.to_rows(spec.top)
    ]


def space(spec: Space, workspace: Workspace) -> Row:
    """One row: the HTML file of two maps that was written, and their comparison in numbers."""
    output = outputs.writable(spec.output, ".html")
    folder = outputs.folder(spec.export) if spec.export else None
    corpus = registry.load_texts(spec.corpus)
    given = vectors(spec, corpus)
    texts, distinct = spaces.drawn(corpus, spec.samples)
    projection.check(spec.projection, spec.neighbours, spec.min_dist)
    left, right = [spec.left_layers], [spec.right_layers]
    if spec.right_backbone:
        check_layers(spec, describe(spec.right_backbone), right)
    backbone = workspace.load(spec, layers=left if spec.right_backbone else left + right)
    right_backbone = workspace.load(spec, spec.right_backbone) if spec.right_backbone else backbone
    projected, made_by = [], []
    sides: list[MethodOrVectors] = [*(method(spec, name) for name in spec.mapped), *given]
    for side, model, layers in zip(
        sides, (backbone, right_backbone), (spec.left_layers, spec.right_layers), strict=True
    ):
        if isinstance(side, Method):
            side = workspace.planned(spec, side, model, layers)
        made_by.append(side)
        projected.append(
            spaces.projected(
                *(model, texts.texts, side),
                how=spec.projection,
                neighbours=spec.neighbours,
                min_dist=spec.min_dist,
                seed=spec.seed,
                progress=workspace.progress(side.name),
            )
        )
    first, second = projected[0], spaces.aligned(projected[1], projected[0])
    compared = comparison.compare(
        first.embeddings,
        second.embeddings,
        (first.projection.points, second.projection.points),
        texts.labels,
    )
    titles = (sides[0].name, sides[1].name)
    figure = two_maps(first, second, texts.texts, texts.labels, titles)
    with outputs.writing(output):
        output.write_text(figure_page(figure, " and ".join(titles), spec.plotly), encoding="utf-8")
        if spec.plotly == "beside" and not (script := output.parent / "plotly.min.js").exists():
            script.write_text(get_plotlyjs(), encoding="utf-8")
    if folder:
        for name, each, side in zip(("left", "right"), projected, made_by, strict=True):
            file = folder / f"{name}.parquet"
            with outputs.writing(file):
                file.write_bytes(exported(each, texts, side, of=distinct).parquet())
    heads = [format_heads((), space.plan.heads) if space.plan.heads else "" for space in projected]
    return {
        "output": str(output),
        **({"export": str(folder)} if folder else {}),
        "corpus": texts.name,
        "texts": len(texts.texts),
        "of": distinct,
        "methods": list(titles),
        "projection": first.projection.reason,
        "neighbours_kept": float(compared.kept.mean()),
        "by_chance": compared.chance,
        "trustworthiness": [compared.left.trust, compared.right.trust],
        "layers": [list(space.plan.layers) for space in projected],
        **({"heads": heads} if any(heads) else {}),
        "backbones": [space.provenance.backbone for space in projected],
        "dtype": backbone.dtype.value,
    }
