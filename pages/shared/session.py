"""What all pages share during a visit: the backbone, the plan and the rated pairs.

The shared choices are widgets of the entry file, bound to the address bar, so that a link
restores them; uploaded texts stay in the session and never enter the address.
"""

import threading
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from analysis.backbones import leases, sources
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry
from analysis.corpora.types import Pairs, Texts
from analysis.embedding.methods import METHODS, Method, variant
from analysis.experiments import dimension
from analysis.experiments.dimension import Dimensions
from analysis.experiments.spec import Spec
from analysis.recipes.recipe import Part, Recipe
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from analysis.runtime import request_log
from analysis.spaces import projection
from pages.shared import corpus_picker, display, recipe_state


def run_by_entry() -> None:
    """Send a visit round by the entry where a page runs without it; called before any widget."""
    if PagesManager.uses_pages_directory:
        # Until the entry has run once, Streamlit takes a folder called pages for its older kind
        # of app and runs a page without the entry; whoever follows a link first is sent round.
        PagesManager.uses_pages_directory = False
        st.rerun()


def page_header(title: str, look_at: str) -> None:
    """A page's question and the sentence that says what to look at."""
    run_by_entry()
    st.title(title)
    st.markdown(look_at)


def methods() -> dict[str, Method]:
    """Every method by name, kv-embedding and prompt-only as the options say."""
    asked = {name: st.session_state[name] for name in ("separator", "pooling", "norm")}
    return {name: variant(method, **asked) for name, method in METHODS.items()}


def backbone() -> Backbone:
    """The chosen backbone, loaded."""
    return lease_backbone("backbone_lease", st.session_state.backbone, st.session_state.dtype)


def lease_backbone(lease: str, name: str, dtype: str) -> Backbone:
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
        return (
            () if loaded.refusal else calibration_dimensions(loaded).selected(st.session_state.rule)
        )

    found = layer_lists.parse_layers(layers or st.session_state.layers, loaded.layers, auto)
    return Plan(found, st.session_state.bias, st.session_state.get("key_position", "own"))


def calibration_dimensions(on: Backbone | None = None) -> Dimensions:
    """The curve that ``auto`` reads: the default recipe on the calibration corpus."""
    with display.progress("Measuring the intrinsic dimension") as show:
        return dimension.dimensions(on or backbone(), texts(packaged.CALIBRATION), progress=show)


def pairs() -> Pairs:
    """The chosen rated pairs."""
    return corpus_picker.chosen("pairs")


def recipe(
    spec: type[Spec], *, page: str | None = None, grid: tuple[Part, ...] = (), **fields: Any
) -> Recipe:
    """A question with the sidebar's choices and the page's own ``fields``.

    ``page`` is the one that shows it, where that is not the question's own.
    """
    known = spec.options()
    shared = {name: st.session_state.get(key) for name, key in recipe_state.SHARED.items()}
    chosen = {name: value for name, value in shared.items() if name in known}
    own = {name.replace("_", "-"): value for name, value in fields.items()}
    view = recipe_state.view(page or recipe_state.PAGES[spec], spec)
    return Recipe.of(spec.command, chosen | own, grid, view=view)


def use_layers(layers: tuple[int, ...]) -> None:
    """Make ``layers`` the plan; for widgets' callbacks."""
    st.session_state.layers = layer_lists.format_layers(layers, backbone().layers)


def toggle_layers(figure: str, drawn: tuple[int, ...]) -> None:
    """Add the layers clicked in ``figure``, where the plan is ``drawn``, or take them out."""
    clicked = {round(point["x"]) for point in st.session_state[figure].selection.points}
    if clicked:
        use_layers(tuple(sorted({*drawn} ^ clicked)))


@st.cache_resource(show_spinner=False)
def start_request_log() -> None:
    """Write a line for every run of a page, once for the server, where ``KVE_LOG`` says."""
    request_log.start("stderr")


@st.cache_resource(show_spinner=False)
def warm_up_umap() -> None:
    """Compile UMAP in the background, once, so that the next map need not wait for it."""
    threading.Thread(target=projection.warm_up, daemon=True).start()


@st.cache_resource(show_spinner=False, max_entries=20)
def texts(name: str) -> Texts:
    """A named corpus of texts."""
    return registry.load_texts(name)


@st.cache_resource(show_spinner=False, ttl=60)
def offered_backbones() -> list[str]:
    """Names of backbones to choose from."""
    return sources.offered()
