"""The steps of the page on causal limits: one idea, one sentence and one figure each."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.embedding import cached_encoder
from analysis.evaluation import comparison
from analysis.experiments import causal as causality
from analysis.experiments.causal import Attention
from analysis.experiments.score_store import known_score
from analysis.figures import attention as attention_figures
from analysis.figures import causal
from analysis.rerouting.plan import PLAIN, Plan
from pages.shared import display, head_step, session, word_sections
from pages.shared.causal_view import BELOW_NUMBERS, View
from pages.shared.ending_choice import choose_text

METHODS = ("last-token", "mean", "prompt-only", "kv-embedding")
"""Methods whose embeddings of the two texts are compared."""


def two_endings(view: View) -> None:
    """Show which states move when the ending changes."""
    plain, rerouted = view.movement.plain[-1], view.movement.rerouted[-1]
    view.say(
        "Each box is a token that both sentences share. Its number says how far the token's final "
        "state moved when the ending changed, relative to the state's norm. **In the plain model "
        "it is "
        + ("exactly 0" if plain.max() == 0 else "0 apart from rounding")
        + ": an early token cannot know what comes later.**"
    )
    view.strips(False, True)
    if plain.max() == 0:
        view.small_print(
            f"In the plain model, the states of all {len(plain)} shared tokens stayed the same to "
            f"the last bit. With {view.rerouted_layers} re-routed, {int((rerouted > 0).sum())} of "
            "them moved."
        )
    else:
        st.markdown(
            f"The states of the plain model moved by at most {plain.max():.1g} of their norm. That "
            "is rounding: in half precision, or in a mixture of experts, whose work depends on "
            "the other tokens, equal states can differ in their last bits."
        )


def why(view: View) -> None:
    """Show the causal triangle of one layer and head."""
    view.say(
        "Each row is a token that attends, each column a token it attends to. **The grey half is "
        "not just small, it is forbidden: no row above the dotted line can attend to the right of "
        "it, where the ending is.** Every layer has this shape, so what the ending says never "
        "reaches the tokens before it."
    )
    attention = _triangle(view, PLAIN)
    allowed, total = int(attention.visible.sum()), attention.visible.size
    view.small_print(
        f"Layer {attention.layer:d} of the plain model: {allowed:,} of {total:,} boxes are "
        f"allowed. The shares of a row add up to 100%{_sink(attention)}. Colours follow the square "
        "root of the share. The dotted lines mark where the ending begins."
    )


def way_out(view: View) -> None:
    """Show the triangle with the re-routed pair's column, and the tokens that now move."""
    view.say(
        "Re-routing puts the key and value of the final token in front of the sequence. **Every "
        "token may attend to this one column, and through it learns about the ending.**"
    )
    if not view.plan.active:
        st.info("No layer is re-routed, so there is no such column. Choose layers in the sidebar.")
        return
    attention = _triangle(view, view.plan)
    if attention.prefix is None:
        st.info(
            f"Layer {attention.layer:d} is not re-routed and has no such column. Choose another."
        )
    else:
        view.small_print(
            f"Layer {attention.layer:d}, re-routed: on average over heads and tokens, "
            f"{100 * attention.prefix.mean():.1f}% of the attention goes to the framed column. The "
            "rest of a row keeps its proportions and shrinks to make room; a row adds up to 100%"
            + _sink(attention)
            + "."
        )
    if not view.presenting:
        view.strips(True)


def layer_by_layer(view: View) -> None:
    """Show where the states move, layer by layer, and how large the gates are."""
    if not view.plan.active:
        st.info("No layer is re-routed, so no state moves. Choose layers in the sidebar.")
        return
    one, other = st.columns(2) if view.presenting else (st.container(), st.container())
    with one:
        view.say(
            "The shared tokens of the re-routed model, from the input at the bottom to the final "
            "state at the top. **Below the first re-routed layer nothing can move; above it, the "
            "change spreads.**"
        )
        view.show(
            causal.movement_by_layer(view.movement),
            causal.movement_by_layer_table(view.movement),
            "How far each token moved, by layer",
        )
    with other:
        view.say(
            "The *gate* is the share of a token's attention that goes to the re-routed pair. "
            "**The brighter, the more a token attends to it.**"
        )
        text, head = _choose_text_and_head(view)
        gates = causality.gates(view.backbone, text, view.plan, template=view.template)
        view.show(
            attention_figures.gate_map(gates, head),
            attention_figures.gate_table(gates, head),
            "Gate by layer and token",
        )


def costs(view: View) -> None:
    """Show what re-routing costs, and compare the embeddings of the two texts."""
    view.say(
        "Re-routing costs one more box in each row of the re-routed layers: no training, no "
        "second pass. **But moved is not the same as improved. The final token sees all of the "
        "text anyway, so an embedding of the plain model tells the endings apart too.**"
    )
    tokens = view.movement.lengths[0]
    a, b, c = st.columns(3)
    a.metric("Boxes of the triangle", f"{tokens * (tokens + 1) // 2:,}")
    b.metric("With the re-routed pair", f"{tokens * (tokens + 3) // 2:,}")
    c.metric("Without any mask", f"{tokens * tokens:,}")
    view.small_print(
        f"Boxes of one head for the first text, {tokens:,} tokens, in a layer without an attention "
        "window. The pair adds one for each token."
    )
    names = METHODS if view.plan.active else METHODS[:-1]
    methods = [view.methods[name].under(view.plan) for name in names]
    encodings = cached_encoder.encode_methods(view.backbone, view.texts, methods)
    cosines = {
        name: float(encoding.embeddings[0] @ encoding.embeddings[1])
        for name, encoding in zip(names, encodings, strict=True)
    }
    view.show(
        causal.ending_bars(cosines),
        causal.ending_table(cosines),
        "Similarity of the two texts by method",
        BELOW_NUMBERS,
    )
    if view.presenting:
        return
    st.markdown(
        "- All information from later tokens passes through one pair per "
        "layer; the tokens themselves stay forbidden.\n- Below the first "
        "re-routed layer nothing changes.\n- One pair of sentences cannot "
        "tell whether the embedding is better; human ratings can. " + _score_change(view)
    )


STEPS: dict[str, Callable[[View], None]] = {
    "1 Two endings": two_endings,
    "2 Why": why,
    "3 The way out": way_out,
    "4 Layer by layer": layer_by_layer,
    "5 What it costs": costs,
    "6 The word": word_sections.step,
    "7 The heads": head_step.step,
}


def _score_change(view: View) -> display.Markdown:
    """What is known of the plan's score on the rated pairs of the sidebar."""
    pairs, method = session.pairs(), view.methods["kv-embedding"]
    before, after = (
        known_score(view.backbone, pairs, method.under(plan)) for plan in (PLAIN, view.plan)
    )
    if not view.plan.active or before is None or after is None:
        return "The pages *Re-routing* and *Similarity* measure this."
    names = (f"re-routing {view.rerouted_layers}", comparison.NOTHING)
    difference = comparison.difference(after.first, before.first, names, pairs.total)
    return f"On {display.escaped(pairs.name)}: {display.escaped(difference.sentence)}"


def _choose_text_and_head(
    view: View, place: DeltaGenerator | None = None
) -> tuple[str, int | None]:
    """Choose which text and which head to show; None for the mean of all heads."""
    place = place or view.choices.container(horizontal=True)
    text = choose_text(view.texts, place)
    head = place.selectbox(
        "Head",
        ["mean of all", *range(view.backbone.facts.heads)],
        key="head",
        bind="query-params",
        width=180,
    )
    return text, head if isinstance(head, int) else None


def _triangle(view: View, plan: Plan) -> Attention:
    """Choose layer, head and text, show their attention, and return it."""
    reroutable = view.backbone.reroutable
    default = (*view.plan.active, *reroutable[len(reroutable) // 2 :], 0)[0]
    place = view.choices.container(horizontal=True)
    layer = place.selectbox(
        "Layer",
        ["auto", *reroutable],
        key="layer",
        bind="query-params",
        width=180,
        help=f"auto is layer {default:d}: the first re-routed one, or one in the middle.",
    )
    text, head = _choose_text_and_head(view, place)
    attention = causality.attention(
        view.backbone,
        text,
        layer if isinstance(layer, int) else default,
        plan,
        template=view.template,
    )
    view.show(
        attention_figures.attention_triangle(attention, head, len(view.movement.tokens)),
        attention_figures.attention_table(attention, head),
        f"Attention of each token, {'re-routed' if plan.active else 'plain model'}",
    )
    return attention


def _sink(attention: Attention) -> str:
    """The share that the attention sink of some families takes, in words."""
    rest = 1 - attention.weights.sum(2) - (0 if attention.prefix is None else attention.prefix)
    share = float(rest.mean())
    return (
        f" less the share of this family's attention sink, {100 * share:.0f}% here"
        if share > 1e-3
        else ""
    )
