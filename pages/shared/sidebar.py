"""The sidebar, which all pages share: the backbone, the plan, the options and the rated pairs."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from analysis.backbones import catalog, devices
from analysis.backbones.facts import Facts, describe
from analysis.dimension import selection
from analysis.embedding import pooling, prompts
from analysis.embedding.methods import DEFAULT, NORMS
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import KEY_POSITIONS
from analysis.runtime import hosting
from pages.shared import corpus_picker, plan_history, session

ANY_BACKBONE = (
    "Choose a packaged model or one of the paper's, or type a Hugging Face id (owner/name or "
    "owner/name@revision), a folder, or a .gguf file."
)
"""Help on the backbone's field where any may be loaded."""


def choose_backbone() -> None:
    """Choose the backbone and its precision, load it, and show its facts."""
    st.selectbox(
        "Backbone",
        list(
            dict.fromkeys(
                [*session.offered_backbones(), st.session_state.get("backbone", "smollm2")]
            )
        ),
        key="backbone",
        accept_new_options=hosting.hosted() is None,
        bind="query-params",
        help=ANY_BACKBONE if hosting.hosted() is None else "This server offers these backbones.",
    )
    st.selectbox(
        "Precision",
        ["auto", *catalog.PRECISIONS],
        key="dtype",
        bind="query-params",
        help="The number format of the computation. auto picks one for this machine.",
    )
    facts = _describe(st.session_state.backbone)
    st.caption(
        f"{facts.parameters / 1e6:,.0f} million parameters, {facts.layers} layers, "
        f"{facts.heads} heads on {facts.kv_heads} key-value heads, a context of "
        f"{facts.context:,} tokens. Weights: {facts.memory('float32') / 1e9:.2f} GB in float32, "
        f"{facts.memory('bfloat16') / 1e9:.2f} GB in half precision."
        + (f" Licence: {facts.licence}." if facts.licence else "")
    )
    if facts.needs:
        st.caption(facts.needs)
    loaded = session.backbone()
    st.caption(f"Running in {loaded.dtype.value}: {loaded.dtype.reason}.")
    if loaded.device.value == devices.SPREAD:
        st.caption(f"Spread over several devices, {loaded.device.reason}.")
    if loaded.refusal:
        st.warning(loaded.refusal)
    elif loaded.slow_form:
        st.caption(
            "Re-routed layers use the slower form, which puts the pair in front of the others "
            "with a mask: no fast kernel here returns the log-sum-exp that the closed form needs."
        )


def choose_plan() -> None:
    """Choose the plan: layers as text, the bias, and the rule behind ``auto``."""
    st.text_input(
        "Re-routed layers",
        "auto",
        key="layers",
        bind="query-params",
        help="auto, none, all, or a list such as 26-29 or 3,5,9. Layers count from 0; auto lets "
        "the rule below choose.",
    )
    st.slider(
        "Bias",
        -4.0,
        6.0,
        1.0,
        0.5,
        key="bias",
        bind="query-params",
        help="Added to the attention logit of the re-routed pair; the paper uses 1.",
    )
    st.selectbox(
        "Rule for auto",
        list(selection.RULES),
        key="rule",
        bind="query-params",
        help="How auto chooses layers from the curve of the intrinsic dimension.",
    )
    layers = layer_lists.format_layers(session.plan().layers, session.backbone().layers)
    st.caption(f"Re-routed now: {layers}.")


def choose_method_options() -> None:
    """Choose what else KV-Embedding leaves open: key position, prompt, pooling and token states.

    These are the last widgets of the plan, so its state is recorded here for undo and redo.
    """
    with st.expander("KV-Embedding options"):
        st.selectbox(
            "Key position",
            session.backbone().key_positions or ("own",),
            key="key_position",
            bind="query-params",
            help="The position of the re-routed key. " + _meanings(KEY_POSITIONS),
        )
        st.selectbox(
            "Prompt",
            list(prompts.COMPRESSION),
            key="separator",
            bind="query-params",
            help="What separates the text from the instruction; the sources differ.",
        )
        st.selectbox(
            "Pooling",
            list(pooling.POOLINGS),
            list(pooling.POOLINGS).index(DEFAULT.pooling),
            key="pooling",
            bind="query-params",
            help="hybrid is the paper's: the average of the last token and the mean of all.",
        )
        st.selectbox(
            "Token states",
            list(NORMS),
            key="norm",
            bind="query-params",
            help=_meanings(NORMS),
        )
        st.caption(
            "These apply to kv-embedding and prompt-only. The other methods stay as their names "
            "say."
        )
    plan_history.record(st.session_state.backbone)


def _meanings(values: Mapping[Any, str]) -> str:
    """The meaning of each named value, for a widget's help."""
    return "; ".join(f"*{name}*: {meaning}" for name, meaning in values.items()) + "."


def choose_pairs() -> None:
    """Choose the rated pairs that scores are computed on."""
    corpus_picker.choose(
        "pairs",
        "Rated pairs",
        "Pairs of texts with a human similarity rating. Scores are rank correlations with it.",
    )


@st.cache_resource(show_spinner="Reading the backbone's configuration", max_entries=50)
def _describe(name: str) -> Facts:
    return describe(name)
