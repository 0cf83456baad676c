"""The steps of the page on causal limits: one idea each, one sentence, one figure."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.backbones.backbone import Backbone
from analysis.embedding import cached_encoder
from analysis.embedding.methods import Method
from analysis.evaluation import comparison
from analysis.experiments import causal as causality
from analysis.experiments.causal import Attention, Movement
from analysis.experiments.score import known_score
from analysis.figures import causal
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import PLAIN, Plan
from pages.shared import display, downloads, session

METHODS = ("last-token", "mean", "prompt-only", "kv-embedding")
"""Whose embeddings of the two endings are compared."""


@dataclass(frozen=True)
class View:
    """What all steps look at: the two texts and how far their shared tokens moved."""

    backbone: Backbone
    plan: Plan
    methods: dict[str, Method]
    texts: tuple[str, str]
    template: str
    moved: Movement
    presenting: bool

    @property
    def where(self) -> str:
        """The re-routed layers in words."""
        return layer_lists.spoken_layers(self.plan.active, self.backbone.layers)

    def show(self, drawn: go.Figure, table: pd.DataFrame, name: str) -> None:
        """A figure with its table; for an audience alone and in large letters."""
        if self.presenting:
            display.chart(causal.enlarged(drawn), name)
        else:
            display.figure(drawn, table, name)

    def aside(self, said: str) -> None:
        """Small print, which an audience is spared."""
        if not self.presenting:
            st.caption(said)


def two_endings(view: View) -> None:
    """What moves when the ending changes."""
    plain, rerouted = view.moved.plain[-1], view.moved.rerouted[-1]
    st.markdown(
        "Each box is a token that both sentences share; its number says how far its final state "
        "moved when the ending changed, as a share of its length. **In the plain model it is "
        + ("exactly 0" if plain.max() == 0 else "0 but for rounding")
        + ": an early token cannot know what comes later.**"
    )
    _strips(view, False, True)
    if plain.max() == 0:
        view.aside(
            f"All {len(plain)} shared tokens of the plain model stayed where they were, to the "
            f"last bit; re-routed at {view.where}, {int((rerouted > 0).sum())} of them moved."
        )
    else:
        st.markdown(
            f"The plain model's tokens moved by {plain.max():.1g} of their length or less: that is "
            "rounding. Where experts share their work between tokens, as in a mixture of experts, "
            "or in half precision, equal states can differ in their last bits."
        )


def why(view: View) -> None:
    """The causal triangle of one layer and head."""
    st.markdown(
        "Each row is a token that looks, each column a token it looks at. **The grey half is not "
        "small, it is forbidden: no row above the dotted line can look to the right of it, where "
        "the ending is.** Every layer has this shape, so the news never gets back."
    )
    found = _triangle(view, PLAIN)
    seen, whole = int(found.visible.sum()), found.visible.size
    view.aside(
        f"Layer {found.layer} of the plain model: {seen:,} of {whole:,} boxes are open. Shares "
        "of one row add up to 100%" + _sink(found) + "; colours follow the share's square root. "
        "Dotted: where the ending begins."
    )


def way_out(view: View) -> None:
    """The triangle with the re-routed pair's column, and the tokens that now move."""
    st.markdown(
        "Re-routing puts the final token's key and value in front of the sequence. **Every token "
        "may look at this one column, and through it hears of the ending.**"
    )
    if not view.plan.active:
        st.info("No layer is re-routed, so there is no such column. Choose layers at the side.")
        return
    found = _triangle(view, view.plan)
    if found.prefix is None:
        st.info(f"Layer {found.layer} is not re-routed and has no such column; look at another.")
    else:
        view.aside(
            f"Layer {found.layer}, re-routed: on average {100 * found.prefix.mean():.1f}% of the "
            "attention of all heads and tokens goes to the framed column. The rest of a row is "
            "what it was without, made smaller; all of it adds up to 100%" + _sink(found) + "."
        )
    _strips(view, True)


def layer_by_layer(view: View) -> None:
    """Where the news spreads, and who listens."""
    if not view.plan.active:
        st.info("No layer is re-routed, so nothing spreads. Choose layers at the side.")
        return
    st.markdown(
        "The shared tokens of the re-routed model, from the input at the bottom to the final "
        "state. **Up to the first re-routed layer nothing can differ; from there on the news "
        "spreads.**"
    )
    view.show(
        causal.movement_by_layer(view.moved),
        causal.movement_by_layer_table(view.moved),
        "How far each token moved, by layer",
    )
    st.markdown(
        "The *gate* is the share of a token's attention that goes to the re-routed pair. "
        "**Bright tokens listen most.**"
    )
    text, head = _read(view, st.container(horizontal=True))
    listening = causality.gates(view.backbone, text, view.plan, template=view.template)
    view.show(
        causal.gate_map(listening, head),
        causal.gate_table(listening, head),
        "Gate by layer and token",
    )


def costs(view: View) -> None:
    """What re-routing costs, and what moving does not mean."""
    st.markdown(
        "It costs one more box a row at the re-routed layers: no training, no second reading. "
        "**But moved is not improved. A final token hears the whole text anyway, so the embedding "
        "of the plain model tells the endings apart too.**"
    )
    tokens = view.moved.lengths[0]
    a, b, c = st.columns(3)
    a.metric("Boxes of the triangle", f"{tokens * (tokens + 1) // 2:,}")
    b.metric("With the re-routed pair", f"{tokens * (tokens + 3) // 2:,}")
    c.metric("Without any mask", f"{tokens * tokens:,}")
    view.aside(
        f"Boxes of a head for the first text of {tokens} tokens, in a layer that looks back "
        "without a window: the pair adds one a token."
    )
    names = METHODS if view.plan.active else METHODS[:-1]
    asked = [view.methods[name].under(view.plan) for name in names]
    one_each = cached_encoder.embedded(view.backbone, view.texts, asked)
    cosines = {
        name: float(found.embeddings[0] @ found.embeddings[1])
        for name, found in zip(names, one_each, strict=True)
    }
    view.show(
        causal.ending_bars(cosines),
        causal.ending_table(cosines),
        "How alike the two texts are to each method",
    )
    st.markdown(
        "- All news passes through one pair a layer: what comes later stays forbidden, token by "
        "token.\n- Below the first re-routed layer nothing changes.\n- Whether the embedding is "
        "better, only ratings say, not one pair of sentences. " + _rated(view)
    )


STEPS: dict[str, Callable[[View], None]] = {
    "1 Two endings": two_endings,
    "2 Why": why,
    "3 The way out": way_out,
    "4 Layer by layer": layer_by_layer,
    "5 What it costs": costs,
}
"""In the order of the story, by their names in the address bar."""


def _rated(view: View) -> str:
    """What is known of the plan's score on the rated pairs of the side."""
    pairs, method = session.pairs(), view.methods["kv-embedding"]
    before, after = (
        known_score(view.backbone, pairs, method.under(plan)) for plan in (PLAIN, view.plan)
    )
    if not view.plan.active or before is None or after is None:
        return "The pages *Re-routing* and *Similarity* measure it."
    names = (f"re-routing {view.where}", "re-routing none")
    found = comparison.difference(after.first, before.first, names, pairs.of)
    return f"On {display.escaped(pairs.name)}: {found.sentence}"


def _strips(view: View, *models: bool) -> None:
    """The shared tokens of the plain (False) and the re-routed (True) model, and their table."""
    plain, rerouted = view.moved.plain[-1], view.moved.rerouted[-1]
    for model in models:
        if model and not view.plan.active:
            st.info("No layer is re-routed: there is only the plain model. Choose layers aside.")
            continue
        a, b = st.columns([1, 4], vertical_alignment="center")
        if model:
            a.metric("Re-routed, mean move", causal.moved_by(float(rerouted.mean())))
        else:
            a.metric("Plain model, largest move", causal.moved_by(float(plain.max())))
        b.html(causal.movement_strip(view.moved, rerouted=model))
    if not view.presenting:
        name = "How far each shared token moved"
        strips = {
            "Re-routed" if model else "Plain model": causal.movement_strip(
                view.moved, rerouted=model
            )
            for model in models
            if view.plan.active or not model
        }
        display.folded_table(
            name,
            lambda: causal.movement_table(view.moved),
            lambda: downloads.strips_page(name, strips.items()),
        )


def _read(view: View, place: DeltaGenerator) -> tuple[str, int | None]:
    """The widgets of which text and head to look at, and what they say."""
    ending = place.segmented_control(
        "Text",
        ("one ending", "another ending"),
        default="one ending",
        required=True,
        key="ending",
        bind="query-params",
    )
    head = place.selectbox(
        "Head",
        ["mean of all", *range(view.backbone.facts.heads)],
        key="head",
        bind="query-params",
        width=180,
    )
    return view.texts[ending != "one ending"], head if isinstance(head, int) else None


def _triangle(view: View, plan: Plan) -> Attention:
    """The widgets of layer, head and text, and the attention that they ask for."""
    reached = view.backbone.reroutable
    usual = (*view.plan.active, *reached[len(reached) // 2 :], 0)[0]
    place = st.container(horizontal=True)
    layer = place.selectbox(
        "Layer",
        ["auto", *reached],
        key="layer",
        bind="query-params",
        width=180,
        help=f"auto is {usual}: the first re-routed layer, or one from the middle.",
    )
    text, head = _read(view, place)
    found = causality.attention(
        view.backbone,
        text,
        layer if isinstance(layer, int) else usual,
        plan,
        template=view.template,
    )
    view.show(
        causal.attention_triangle(found, head, len(view.moved.tokens)),
        causal.attention_table(found, head),
        f"Whom each token listens to, {'re-routed' if plan.active else 'plain'}",
    )
    return found


def _sink(found: Attention) -> str:
    """A word on what a family's sink takes."""
    rest = 1 - found.weights.sum(2) - (0 if found.prefix is None else found.prefix)
    share = float(rest.mean())
    return f" less what this family's sink takes, {100 * share:.0f}% here" if share > 1e-3 else ""
