"""The values that a visit has chosen: its backbone, plan, methods and pairs.

The choices are made in the sidebar (:mod:`pages.shared.sidebar`), whose widgets are bound to the
address bar, so that a link restores them. Uploaded texts stay in the session and never enter it.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from analysis.backbones import leases, sources
from analysis.backbones.backbone import Backbone
from analysis.backbones.facts import Facts, describe
from analysis.corpora import registry
from analysis.corpora.types import Pairs, Texts
from analysis.embedding.methods import Method, variant
from analysis.errors import ExplorerError, HostingError
from analysis.experiments import dimension
from analysis.experiments.dimension import Dimensions
from analysis.experiments.plans import planned
from analysis.recipes import workspace
from analysis.rerouting import head_lists, layer_lists
from analysis.rerouting.plan import Plan
from analysis.runtime import hosting, request_log
from analysis.spaces import projection
from analysis.storage.provenance import Provenance
from pages.shared import corpus_picker, display, own_texts, progress, valid_values
from pages.shared.page_question import SIDEBAR

LEASE, _FAILED = "backbone_lease", "backbones that could not be loaded"
"""Keys of the loaded backbone, and of those that were refused, by the key of their lease."""


@dataclass(frozen=True)
class Failed:
    """A backbone and precision that could not be loaded, why, and what is known of it."""

    asked: tuple[str, str]
    error: ExplorerError
    facts: Facts | None


def visitor() -> tuple[str, str]:
    """Whose turns and tokens a run uses: the person, and the person's tab.

    A hosted server tells people apart by their address, since one may open many tabs; elsewhere,
    and where there is no address, every tab counts.
    """
    context = get_script_run_ctx()
    visit, address = context.session_id if context else "", None
    with suppress(HostingError):  # shown where something is to be loaded
        if limits := hosting.hosted():
            header = limits.address_header
            address = st.context.headers.get(header) if header else st.context.ip_address
    return address or visit, visit


def run_by_entry() -> None:
    """Run the entry file first where a page runs without it. Call it before any widget."""
    if PagesManager.uses_pages_directory:
        # Until the entry has run once, Streamlit takes a folder called pages for its older kind
        # of app and runs a page without the entry. Our server says beforehand that it is none
        # (pages.shared.server), Streamlit's own test harness does not.
        PagesManager.uses_pages_directory = False
        st.rerun()


class Methods(dict[str, Method]):
    """Methods by name or spelling, each built when it is taken, with the sidebar's options."""

    def __init__(self, processing: str) -> None:
        super().__init__()
        self.processing = processing

    def __missing__(self, name: str) -> Method:
        built = workspace.method(SIDEBAR.spec(), name)
        return self.setdefault(name, variant(built, processing=self.processing))


def methods(processing: str = "none") -> Methods:
    """Every method by name or spelling; taking one that has no output layer may be refused.

    ``processing`` is the post-processing of those that have none of their own.
    """
    return Methods(processing)


def backbone() -> Backbone:
    """The chosen backbone, loaded."""
    return lease_backbone(LEASE, valid_values.value("backbone"), valid_values.value("dtype"))


def figures_of(what: str, *made: Provenance) -> None:
    """Say what the figures that follow are of: the backbones, dtypes, the corpus and its size.

    Args:
        what: the corpus and how many of its items, such as ``lee50, n = 1,225 pairs``.
        made: the provenance of what they show; none for the chosen backbone's.
    """
    loaded = [(each.backbone, each.dtype) for each in made]
    if not loaded:
        loaded = [(backbone().facts.name, backbone().dtype.value)]
    names = dict.fromkeys(f"{name} in {dtype}" for name, dtype in loaded)
    display.say_source("; ".join((*names, what)))


def load(key: str, name: str, dtype: str) -> None:
    """Load a backbone for this visit under ``key``; one that was refused is not tried again.

    Raises:
        BackboneError: it cannot be loaded, or could not when it was tried; see :func:`try_again`.
    """
    failed: dict[str, Failed] = st.session_state.setdefault(_FAILED, {})
    if key in failed and failed[key].asked == (name, dtype):
        raise failed[key].error.with_traceback(None)
    known = None
    try:
        known = facts(name)  # before the last backbone is released
        lease_backbone(key, name, dtype)
    except ExplorerError as error:
        failed[key] = Failed((name, dtype), error, known)
        raise


def failed(key: str) -> Failed | None:
    """The backbone that was refused last under ``key``, if any."""
    result: Failed | None = st.session_state.get(_FAILED, {}).get(key)
    return result


def try_again(key: str) -> None:
    """Try what was refused under ``key`` once more in the next run. For callbacks."""
    st.session_state.get(_FAILED, {}).pop(key, None)


def reroutable_backbone() -> Backbone:
    """The chosen backbone, loaded; stops the page with the reason where it cannot be re-routed."""
    loaded = backbone()
    if loaded.refusal:
        st.warning(display.escaped(loaded.refusal))
        st.stop()
    return loaded


def lease_backbone(key: str, name: str, dtype: str) -> Backbone:
    """Load the backbone ``name`` and keep it for this visit under ``key``, in place of the last."""
    state = st.session_state
    lease: leases.Lease | None = state.get(key)
    if lease is None or (lease.name, lease.dtype) != (name.strip(), dtype):
        lease = state[key] = None  # released before the next is loaded
        progress.stop_if_cancelled()
        with progress.working("Loading the backbone; the first time, its weights are converted"):
            lease = state[key] = leases.lease(name, dtype)
    return lease.backbone


def plan(on: Backbone | None = None, layers: str | None = None) -> Plan:
    """The chosen plan, ``auto`` resolved on the calibration texts.

    ``on`` another backbone than the chosen one, or with other ``layers``, where they are given.
    """
    with progress.progress("Measuring the intrinsic dimension") as show:
        return planned(
            SIDEBAR.spec(), on or backbone(), layers, calibration=calibration(), progress=show
        )


def calibration() -> Texts:
    """The texts whose curve ``auto`` reads."""
    return texts(SIDEBAR.spec().calibration)


def calibration_dimensions(of: Texts | None = None) -> Dimensions:
    """The curve that ``auto`` reads: intrinsic dimension on the calibration texts, or ``of``."""
    with progress.progress("Measuring the intrinsic dimension") as show:
        return dimension.dimensions(backbone(), of or calibration(), progress=show)


def pairs() -> Pairs:
    """The chosen rated pairs."""
    return corpus_picker.chosen("pairs")


def use_layers(layers: tuple[int, ...]) -> None:
    """Re-route ``layers`` from now on, with all their heads. For widgets' callbacks."""
    st.session_state.heads = ""
    st.session_state.layers = layer_lists.format_layers(layers, backbone().layers)


def use_plan(plan: Plan) -> None:
    """Re-route the layers and heads of ``plan`` from now on. For widgets' callbacks."""
    if plan.heads:
        st.session_state.layers = "auto"
        st.session_state.heads = head_lists.format_heads(plan.layers, plan.heads)
    else:
        use_layers(plan.layers)


def toggle_clicked(figure: str, plan: Plan) -> None:
    """Add the layers clicked in ``figure`` to the plan shown in it, or take them out."""
    points = st.session_state[figure].selection.points
    toggle_layers({round(point["x"]) for point in points}, plan)


def toggle_layers(layers: set[int], plan: Plan) -> None:
    """Take those of ``layers`` where the plan re-routes anything out of it, and add the others."""
    for layer in layers:
        more = tuple(sorted({*plan.layers, layer}))
        plan = plan.without(layer) if layer in plan.active else replace(plan, layers=more)
    if layers:
        use_plan(plan)


@st.cache_resource(show_spinner=False)
def start_request_log() -> None:
    """Start the request log, once for the server: a line for every run of a page (``KVE_LOG``)."""
    request_log.start_anyway(request_log.STDERR)


@st.cache_resource(show_spinner=False)
def warm_up_umap() -> None:
    """Compile UMAP in the background, once for the server, so that no map has to wait for it."""
    threading.Thread(target=projection.warm_up, daemon=True).start()


def texts(name: str) -> Texts:
    """A named corpus of texts, or the visit's own texts by their name."""
    own = own_texts.current()
    return own if own is not None and own.name == name else _named_texts(name)


@st.cache_resource(show_spinner=False, max_entries=20)
def _named_texts(name: str) -> Texts:
    return registry.load_texts(name)


@st.cache_resource(show_spinner=False, max_entries=50)
def facts(name: str) -> Facts:
    """What is known of a backbone before its weights load."""
    return describe(name)


@st.cache_resource(show_spinner=False, ttl=60)
def offered_backbones() -> list[str]:
    """Names of backbones to choose from."""
    return sources.offered()
