"""Specs answered: a question goes in, rows come out.

The command line, recipes and scripts all come here, and the pages show the same results of the
same functions. Notes for the person who asks go through :mod:`analysis.runtime.events`.
"""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..backbones import devices, sources
from ..backbones.facts import describe
from ..corpora import registry, sampling
from ..corpora.streams import Lines
from ..embedding import prompts
from ..errors import ExplorerError, ResultsError
from ..experiments import causal, dimension
from ..experiments import space as spaces
from ..experiments.score import described
from ..experiments.spec import Spec
from ..experiments.specs import (
    Ablation,
    Backbones,
    Causal,
    Dimension,
    Doctor,
    Encode,
    LongTexts,
    Mteb,
    Parts,
    Rules,
    Score,
    Space,
    Sts,
)
from ..figures.spaces import two_maps
from ..parallel import engines, sharded_encoding
from ..runtime import events, outputs
from ..spaces import comparison
from . import charts, findings, score_answers
from .charts import Chart
from .rows import Row, finite
from .workspace import Workspace, method

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a question.

    Attributes:
        spec: the question.
        rows: plain values by column.
        single: whether the answer is one mapping and no table.
    """

    spec: Spec
    rows: tuple[Row, ...]
    single: bool = False

    @property
    def sentences(self) -> list[str]:
        """What the rows show, see :mod:`analysis.recipes.findings`; empty where they only list."""
        return findings.sentences(self.spec.command, self.rows)

    def to_dict(self) -> Row | list[Row]:
        """The rows as plain data, as ``--json`` prints them.

        Returns:
            One mapping where the answer is ``single``, else a list of them.
        """
        return self.rows[0] if self.single else list(self.rows)

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows as a table; what is nested has a column of its own, as ``memory.float32``."""
        import pandas as pd

        return pd.json_normalize(list(self.rows))

    def charts(self) -> list[Chart]:
        """The rows as figures, each with its name and table."""
        return charts.draw(self.spec.command, self.rows)

    def plot(self) -> "go.Figure":
        """The figure of the first chart; :meth:`charts` has all.

        Raises:
            ResultsError: the command has no figure.
        """
        figure = self.charts()[0].figure
        if figure is None:
            raise ResultsError(f"The command {self.spec.command} has no figure; use its rows.")
        return figure


def answer(spec: Spec, workspace: Workspace | None = None) -> Answer:
    """Answer a question.

    Args:
        spec: the question.
        workspace: holds the loaded backbone for the next answer, and reports progress; a new one
            by default.

    Raises:
        ExplorerError: a problem that the person who asked can solve, in one sentence.
    """
    rows = _ANSWERS[type(spec)](spec, workspace or Workspace())
    return Answer(spec, tuple(rows)) if isinstance(rows, list) else Answer(spec, (rows,), True)


def _backbones(spec: Backbones, _: Workspace) -> list[Row]:
    names = [spec.backbone] if spec.backbone else sources.offered()
    device = devices.choose_device(spec.device)
    dtype = devices.choose_dtype(spec.dtype, device.value)
    chosen = {
        "device": device.value,
        "device_reason": device.reason,
        "dtype": dtype.value,
        "dtype_reason": dtype.reason,
    }
    rows = []
    for name in names:
        try:
            rows.append(describe(name).as_dict() | chosen)
        except ExplorerError as error:
            if spec.backbone:
                raise
            events.say(f"{name} is left out: {error}")
    return rows


def _doctor(_spec: Doctor, _: Workspace) -> list[Row]:
    from .. import doctor

    return [check._asdict() for check in doctor.checks()]


def _encode(spec: Encode, workspace: Workspace) -> Row:
    unplanned = method(spec, spec.method)
    output = outputs.writable(spec.output)
    with (
        closing(Lines(spec.input)) as lines,
        engines.opened(
            score_answers.engine(spec), partial(workspace.load, spec), device=spec.device
        ) as workers,
    ):
        ((backbone, chosen),) = workers.map(partial(score_answers.planned, spec, unplanned), [None])
        result = sharded_encoding.encode(
            *(workers, backbone, lines, output, chosen),
            role=spec.role,
            resumed=lambda kept, of: events.say(
                f"Resuming: {kept} of {of} shards were finished before."
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
        "hidden": backbone.facts.hidden,
        **described(chosen),
        "backbone": backbone.facts.name,
        "dtype": backbone.dtype.value,
        "texts_cut": result.texts_cut,
        "tokens_cut": result.tokens_cut,
        "seconds": round(result.seconds, 3),
    }


def _dimension(spec: Dimension, workspace: Workspace) -> Row:
    texts = registry.load_texts(spec.corpus)
    backbone = workspace.load(spec)
    result = dimension.dimensions(
        backbone,
        texts,
        samples=spec.samples,
        seed=spec.seed,
        estimator=spec.estimator,
        cloud=spec.cloud,
        prompted=not spec.bare,
        progress=workspace.progress("encoding"),
    )
    return {
        "backbone": backbone.facts.name,
        "dtype": backbone.dtype.value,
        "corpus": texts.name,
        "estimator": spec.estimator,
        "cloud": spec.cloud,
        "prompted": result.prompted,
        "seed": spec.seed,
        "samples": result.curve.samples,
        "duplicates_dropped": result.duplicates_dropped,
        "rule": spec.rule,
        "selected": list(result.selected(spec.rule)),
        "frequency": [round(float(share), 4) for share in result.frequency(spec.rule)],
        "curve": [finite(value) for value in result.curve.dims],
        "band": [
            [finite(low), finite(high)]
            for low, high in zip(result.curve.low, result.curve.high, strict=True)
        ],
    }


def _causal(spec: Causal, workspace: Workspace) -> list[Row]:
    """One row a shared token: how far its final state moves, as a share of its length."""
    backbone = workspace.load(spec)
    chosen, plan = method(spec, "kv-embedding"), workspace.plan(spec, backbone)
    template = prompts.BARE if spec.bare else chosen.template
    moved = causal.movement(backbone, spec.first, spec.second, plan, template=template)
    return [
        {"token": token, "plain": float(plain), "re-routed": float(rerouted)}
        for token, plain, rerouted in zip(
            moved.tokens, moved.plain[-1], moved.rerouted[-1], strict=True
        )
    ]


def _mteb(spec: Mteb, workspace: Workspace) -> list[Row]:
    import datasets

    from ..integrations import mteb
    from ..integrations.sentence_transformers import Embedder

    shown = sys.stderr.isatty()
    if not shown:
        datasets.disable_progress_bars()
    tasks = mteb.find_tasks(list(spec.tasks))
    folder = outputs.folder(spec.output)
    backbone = workspace.load(spec)
    chosen = workspace.planned(spec, method(spec, spec.method), backbone)
    embedder = Embedder(backbone, chosen, max_tokens=spec.max_tokens)
    encoder = mteb.MtebEncoder(embedder)
    rows: list[Row] = []
    for result in mteb.run(encoder, tasks, folder, show_progress=shown):
        if result.reused and result.task not in {row["task"] for row in rows}:
            events.say(f"{result.task} was computed before and is read from {result.file}.")
        rows.append(
            {
                "task": result.task,
                "split": result.split,
                "subset": result.subset,
                "metric": result.metric,
                "main_score": finite(result.score),
                "reused": result.reused,
                "file": str(result.file),
            }
        )
    if embedder.texts_cut:
        events.say(f"{embedder.texts_cut} texts were too long and were cut at their end.")
    if encoder.blank:
        events.say(f"{encoder.blank} texts are empty and were encoded as {mteb.BLANK!r}.")
    return rows


def _space(spec: Space, workspace: Workspace) -> Row:
    output = outputs.writable(spec.output)
    corpus = registry.load_texts(spec.corpus)
    texts = sampling.sample(corpus, spec.samples, 0) if spec.samples else corpus
    backbone = workspace.load(spec)
    other = workspace.load(spec, spec.right_backbone) if spec.right_backbone else backbone
    projected = []
    for name, on, layers in zip(
        spec.method, (backbone, other), (spec.left_layers, spec.right_layers), strict=True
    ):
        chosen = workspace.planned(spec, method(spec, name), on, layers)
        projected.append(
            spaces.projected(
                *(on, texts.texts, chosen),
                how=spec.projection,
                neighbours=spec.neighbours,
                min_dist=spec.min_dist,
                seed=spec.seed,
                progress=workspace.progress(name),
            )
        )
    first, second = projected[0], spaces.aligned(projected[1], projected[0])
    compared = comparison.compare(
        first.embeddings,
        second.embeddings,
        (first.projection.points, second.projection.points),
        texts.labels,
    )
    titles = (spec.method[0], spec.method[1])
    figure = two_maps(first, second, texts.texts, texts.labels, titles)
    with outputs.writing(output):
        figure.write_html(output, include_plotlyjs=True, div_id="maps")  # else a random one
    return {
        "output": str(output),
        "corpus": texts.name,
        "texts": len(texts.texts),
        "of": len(corpus.texts),
        "methods": list(spec.method),
        "projection": first.projection.reason,
        "neighbours_kept": float(compared.kept.mean()),
        "by_chance": compared.chance,
        "trustworthiness": [compared.left.trust, compared.right.trust],
        "layers": [list(space.plan.layers) for space in projected],
        "backbones": [backbone.facts.name, other.facts.name],
        "dtype": backbone.dtype.value,
    }


_ANSWERS: dict[type[Spec], Callable[[Any, Workspace], Row | list[Row]]] = {
    Backbones: _backbones,
    Doctor: _doctor,
    Encode: _encode,
    Dimension: _dimension,
    Sts: score_answers.sts,
    Score: score_answers.score,
    LongTexts: score_answers.long_texts,
    Causal: _causal,
    Ablation: score_answers.ablation,
    Rules: score_answers.rules,
    Parts: score_answers.parts,
    Space: _space,
    Mteb: _mteb,
}
"""The function that answers each question."""
