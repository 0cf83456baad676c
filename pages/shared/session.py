"""What all pages share during a visit: the backbone, the plan and the rated pairs.

The shared choices are widgets of the entry file, bound to the address bar, so that a link
restores them; uploaded texts stay in the session and never enter the address.
"""

import threading
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from analysis.backbones import backbone as backbones
from analysis.backbones import devices, leases, sources
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry
from analysis.corpora.types import Pairs, Texts
from analysis.dimension import selection
from analysis.embedding import pooling, prompts
from analysis.embedding.methods import DEFAULT, METHODS, NORMS, Method, variant
from analysis.experiments import dimension
from analysis.experiments.dimension import Dimensions
from analysis.recipes.options import options_of
from analysis.recipes.recipe import Part, Recipe
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import KEY_POSITIONS, Plan
from analysis.runtime import hosting, request_log
from analysis.spaces import projection
from pages.shared import corpus_picker, display, plan_history, recipe_state

NAMES = (
    "A packaged model, one of the paper's, or type a Hugging Face id (owner/name or "
    "owner/name@revision), a folder, or a .gguf file."
)
"""What a backbone can be called where everything is free."""


def by_the_entry() -> None:
    """Send a visit round by the entry where a page runs without it; called before any widget."""
    if PagesManager.uses_pages_directory:
        # Until the entry has run once, Streamlit takes a folder called pages for its older kind
        # of app and runs a page without the entry; whoever follows a link first is sent round.
        PagesManager.uses_pages_directory = False
        st.rerun()


def opening(title: str, look_at: str) -> None:
    """A page's question and the sentence that says what to look at."""
    by_the_entry()
    st.title(title)
    st.markdown(look_at)


def choose_backbone() -> None:
    """The backbone's widget, with its facts; loads what is chosen."""
    st.selectbox(
        "Backbone",
        list(dict.fromkeys([*offered(), st.session_state.get("backbone", "smollm2")])),
        key="backbone",
        accept_new_options=hosting.hosted() is None,
        bind="query-params",
        help=NAMES if hosting.hosted() is None else "The backbones that this server offers.",
    )
    st.selectbox(
        "Precision",
        ["auto", *devices.DTYPES],
        key="dtype",
        bind="query-params",
        help="The numbers' format while computing.",
    )
    facts = _describe(st.session_state.backbone)
    st.caption(
        f"{facts.parameters / 1e6:,.0f} million parameters, {facts.layers} layers, "
        f"{facts.heads} heads on {facts.kv_heads} key-value heads, context of "
        f"{facts.context:,} tokens. Weights: {facts.memory('float32') / 1e9:.2f} GB in float32, "
        f"{facts.memory('bfloat16') / 1e9:.2f} GB in half precision."
        + (f" Licence: {facts.licence}." if facts.licence else "")
    )
    if facts.needs:
        st.caption(facts.needs)
    loaded = backbone()
    st.caption(f"Running in {loaded.dtype.value}: {loaded.dtype.reason}.")
    if loaded.device.value == devices.SPREAD:
        st.caption(f"Spread over several devices, {loaded.device.reason}.")
    if loaded.refusal:
        st.warning(loaded.refusal)
    elif loaded.slow_form:
        st.caption(
            "Re-routed layers put the pair in front of the others, with a mask: no fast kernel "
            "here gives the log-sum-exp that the closed form needs."
        )


def choose_plan() -> None:
    """The widgets of the plan: layers as text, bias, and the rule behind ``auto``."""
    st.text_input(
        "Re-routed layers",
        "auto",
        key="layers",
        bind="query-params",
        help="auto, none, all, or a list such as 26-29 or 3,5,9. Layers count from 0.",
    )
    st.slider(
        "Bias",
        -4.0,
        6.0,
        1.0,
        0.5,
        key="bias",
        bind="query-params",
        help="Added to the re-routed pair's attention logit; the paper uses 1.",
    )
    st.selectbox(
        "Rule for auto",
        list(selection.RULES),
        key="rule",
        bind="query-params",
        help="How layers are chosen from the intrinsic-dimension curve.",
    )
    chosen = plan()
    shown = layer_lists.format_layers(chosen.layers, backbone().layers)
    st.caption(f"Re-routed now: {shown}.")


def choose_options() -> None:
    """The widgets of what else KV-Embedding leaves open: its key's place, prompt and pooling.

    They are the last that the plan depends on, so here it is noted for undo and redo.
    """
    with st.expander("How kv-embedding is done"):
        st.selectbox(
            "Key position",
            backbone().key_positions or ("own",),
            key="key_position",
            bind="query-params",
            help="Where the re-routed key stands. " + _meanings(KEY_POSITIONS),
        )
        st.selectbox(
            "Prompt",
            list(prompts.COMPRESSION),
            key="separator",
            bind="query-params",
            help="What stands between the text and the instruction; sources disagree on it.",
        )
        st.selectbox(
            "Pooling",
            list(pooling.POOLINGS),
            list(pooling.POOLINGS).index(DEFAULT.pooling),
            key="pooling",
            bind="query-params",
            help="hybrid is the paper's: the last token and the mean of all, averaged.",
        )
        st.selectbox(
            "Token states",
            list(NORMS),
            key="norm",
            bind="query-params",
            help=_meanings(NORMS),
        )
        st.caption("These hold for kv-embedding and prompt-only; the other methods stay as named.")
    plan_history.record(st.session_state.backbone)


def _meanings(values: Mapping[Any, str]) -> str:
    """What each of some named values stands for, for a widget's help."""
    return "; ".join(f"*{name}*: {meaning}" for name, meaning in values.items()) + "."


def methods() -> dict[str, Method]:
    """Every method by name, kv-embedding and prompt-only as the options say."""
    asked = {name: st.session_state[name] for name in ("separator", "pooling", "norm")}
    return {name: variant(method, **asked) for name, method in METHODS.items()}


def choose_pairs() -> None:
    """The widgets of the rated pairs that scores are computed on."""
    corpus_picker.choose(
        "pairs",
        "Rated pairs",
        "Pairs of texts with a human similarity; scores are rank correlations with it.",
    )


def backbone() -> Backbone:
    """The chosen backbone, loaded."""
    return leased("backbone_lease", st.session_state.backbone, st.session_state.dtype)


def leased(lease: str, name: str, dtype: str) -> Backbone:
    """The backbone ``name``, which this visit holds under ``lease`` in place of what it held."""
    state = st.session_state
    held: leases.Lease | None = state.get(lease)
    if held is None or (held.name, held.dtype) != (name.strip(), dtype):
        held = state[lease] = None  # let go before the next is loaded
        with st.spinner("Loading the backbone; the first time its weights are converted"):
            held = state[lease] = leases.lease(name, dtype)
    return held.backbone


def plan(on: Backbone | None = None, layers: str = "") -> Plan:
    """The chosen plan, ``auto`` resolved on the calibration corpus.

    ``on`` another backbone than the chosen one, or with other ``layers``, where they are given.
    """
    loaded = on or backbone()

    def auto() -> tuple[int, ...]:
        return () if loaded.refusal else calibrated(loaded).selected(st.session_state.rule)

    found = layer_lists.parse_layers(layers or st.session_state.layers, loaded.layers, auto)
    return Plan(found, st.session_state.bias, st.session_state.get("key_position", "own"))


def calibrated(on: Backbone | None = None) -> Dimensions:
    """The curve that ``auto`` reads: the default recipe on the calibration corpus."""
    with display.progress("Measuring the intrinsic dimension") as show:
        return dimension.dimensions(on or backbone(), texts(packaged.CALIBRATION), progress=show)


def pairs() -> Pairs:
    """The chosen rated pairs."""
    return corpus_picker.chosen("pairs")


def recipe(
    command: str, *, page: str | None = None, grid: tuple[Part, ...] = (), **options: Any
) -> Recipe:
    """``command`` with the shared choices and its own ``options``, "_" standing for "-".

    ``page`` is the one that shows it, where that is not the command's own.
    """
    known = options_of(command)
    shared = {name: st.session_state.get(key) for name, key in recipe_state.SHARED.items()}
    told = {name: v for name, v in shared.items() if name in known and v is not None}
    own = {name.replace("_", "-"): value for name, value in options.items()}
    view = recipe_state.view(page or recipe_state.PAGES[command], command)
    return Recipe(command, told | own, grid, view)


def use_layers(layers: tuple[int, ...]) -> None:
    """Make ``layers`` the plan; for widgets' callbacks."""
    st.session_state.layers = layer_lists.format_layers(layers, backbone().layers)


def flip_layers(figure: str, drawn: tuple[int, ...]) -> None:
    """Add the layers clicked in ``figure``, where the plan is ``drawn``, or take them out."""
    clicked = {round(point["x"]) for point in st.session_state[figure].selection.points}
    if clicked:
        use_layers(tuple(sorted({*drawn} ^ clicked)))


@st.cache_resource(show_spinner=False)
def keep_journal() -> None:
    """Write a line for every run of a page, once for the server, where ``KVE_LOG`` says."""
    request_log.start("stderr")


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Compile UMAP in the background, once, so that the next map need not wait for it."""
    threading.Thread(target=projection.warm_up, daemon=True).start()


@st.cache_resource(show_spinner=False, max_entries=20)
def texts(name: str) -> Texts:
    """A named corpus of texts."""
    return registry.load_texts(name)


@st.cache_resource(show_spinner="Reading the backbone's description", max_entries=50)
def _describe(name: str) -> backbones.Facts:
    return backbones.describe(name)


@st.cache_resource(show_spinner=False, ttl=60)
def offered() -> list[str]:
    """Names of backbones to choose from."""
    return sources.offered()
