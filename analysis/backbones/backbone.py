"""A loaded, frozen decoder with its tokenizer: device and dtype with reasons, what can re-route.

``load`` refuses a backbone that does not fit into memory before its weights are read, loads it, and
tests what re-routing can do on it (``probe``). One that cannot be re-routed is loaded, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch

from ..errors import BackboneError
from ..rerouting import patches
from ..rerouting.kernels import Form
from ..rerouting.plan import KeyPosition
from ..rerouting.torch_state import steady, unusual_arithmetic
from ..runtime.fair_lock import TURN, FairLock
from ..storage import provenance
from ..storage.provenance import Provenance
from . import (
    catalog,
    checkpoint_files,
    devices,
    download,
    load_errors,
    loaded_checks,
    other_formats,
    packed_linear,
    quantisation,
    sources,
)
from .catalog import SpecialTokens
from .decoder import build_skeleton, decoder_layers, text_decoder
from .devices import SPREAD, Choice, Memory
from .facts import Facts, facts_of
from .fingerprint import fingerprint as fingerprint_of
from .probe import check_causal, probe, with_experts
from .sources import Progress

_NO_ADAPTER = "no adapter"
"""A subfolder that is not there: with peft, transformers puts on what it finds beside a model."""
_LOADED_AGAIN = ("model", "tokenizer")
_NOT_PICKLED = (*_LOADED_AGAIN, "threads", "lock", "cleanups")


@dataclass(frozen=True, eq=False)
class Backbone:
    """A loaded, frozen decoder.

    A pickled backbone keeps its facts and not its weights: unpickled, it is the key of results, and
    loads its weights again when it first runs. Copies in memory are the backbone itself.

    Attributes:
        facts: its size, family and licence, known before its weights are loaded.
        model: the decoder of transformers, prepared by ``rerouting.patches``.
        tokenizer: a fast tokenizer of transformers.
        device: where it computes, and why there.
        dtype: the dtype of weights and states, and why.
        fingerprint: identifies weights, configuration and tokenizer.
        form: how re-routed attention is computed.
        form_reason: why so, where layers lie on another device than the CPU; else empty.
        reroutable: the layers (0-based) that can be re-routed.
        key_positions: the supported positions of the prefix's key.
        refusal: why it cannot be re-routed; None where it can.
        separate: why prompts of different lengths do not share a pass; None where they do.
        experts: of a mixture of experts, the number of each router's, in the layers' order.
        note: what to know about its files, such as an adapter that is not put on; else None.
        source: the name from which :func:`load` loads it again; None for one made in memory.
        special_tokens: whether control tokens that texts spell are read as text, or parsed.
        threads: number of threads that it computes with, those of the thread that loaded it.
        arithmetic: PyTorch's unusual settings when it was loaded; under others it does not compute.
        lock: held for a request, whose passes let others go first, so that visits take turns.
        cleanups: called once each when its last lease ends, to free what is stored for it.
    """

    facts: Facts
    model: torch.nn.Module
    tokenizer: Any
    device: Choice
    dtype: Choice
    fingerprint: str
    form: Form
    reroutable: tuple[int, ...]
    key_positions: tuple[KeyPosition, ...] = ()
    refusal: str | None = None
    separate: str | None = None
    experts: tuple[int, ...] = ()
    form_reason: str = ""
    note: str | None = None
    source: str | None = None
    special_tokens: SpecialTokens = "text"
    threads: int = field(default_factory=torch.get_num_threads)
    arithmetic: dict[str, str] = field(default_factory=unusual_arithmetic)
    lock: FairLock = field(default_factory=lambda: FairLock("the backbone", TURN))
    cleanups: list[Callable[[], object]] = field(default_factory=list)

    def __copy__(self) -> "Backbone":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Backbone":
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _NOT_PICKLED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        here = {"threads": torch.get_num_threads(), "arithmetic": unusual_arithmetic()}
        vars(self).update(state, **here, lock=FairLock("the backbone", TURN), cleanups=[])

    if not TYPE_CHECKING:  # mypy would take every name for an attribute

        def __getattr__(self, name: str) -> Any:
            """Load an unpickled backbone's model and tokenizer when they are first used."""
            if name not in _LOADED_AGAIN:
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            again = _load_again(self)
            vars(self).update({part: getattr(again, part) for part in _LOADED_AGAIN})
            return vars(self)[name]

    @property
    def identity(self) -> dict[str, str]:
        """What decides the backbone's numbers, as plain data."""
        return {
            "weights": self.fingerprint,
            "family": self.facts.family,
            "dtype": self.dtype.value,
            "device": self.device.value.split(":")[0],
            "special_tokens": self.special_tokens,
            **self.arithmetic,
        }

    def provenance(self) -> Provenance:
        """The provenance of results that this backbone computes now."""
        return provenance.now(
            backbone=self.facts.name,
            weights=self.fingerprint,
            dtype=self.dtype.value,
            device=self.device.value,
        )

    @property
    def layers(self) -> int:
        """Number of decoder layers L."""
        return self.facts.layers

    def overflowed(self) -> BackboneError:
        """The error to raise where states are not finite numbers."""
        return load_errors.overflowed(self.facts.name, self.dtype.value)

    @property
    def slow_form(self) -> bool:
        """Whether re-routed layers run in the slower concatenated form (no log-sum-exp here)."""
        on_cpu = self.device.value.startswith(("cpu", SPREAD))
        return self.form == "concatenated" or (self.form == "closed" and not on_cpu)


@steady()
def load(
    name: str | PathLike[str] = catalog.DEFAULT,
    *,
    dtype: str = "auto",
    device: str = "auto",
    max_memory: Memory | None = None,
    special_tokens: SpecialTokens = "text",
    progress: Progress = lambda _: None,
    check: Callable[[Facts], None] = lambda _: None,
) -> Backbone:
    """Load a backbone from a packaged name, hub id (``id@revision``), folder or GGUF file.

    Args:
        name: a packaged name, a hub id, or the path of a folder or a ``.gguf`` file.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device: ``"auto"``, one that torch knows, or ``"spread"`` over all GPUs, memory and disk.
        max_memory: bytes of each device that ``"spread"`` may use; None for what is free.
        special_tokens: ``"text"`` or ``"parse"``: what control tokens are that texts spell.
        progress: called with a sentence on each step that takes a while.
        check: called with its facts before anything is fetched, converted or loaded; may refuse it.

    Raises:
        BackboneError: it does not exist, cannot be read, or does not fit into memory.
    """
    from transformers import AutoModel, AutoTokenizer

    catalog.check_special_tokens(special_tokens)
    source = sources.resolve(name)
    facts = facts_of(source)
    check(facts)
    chosen_device = devices.choose_device(device)
    chosen_dtype = devices.choose_dtype(dtype, chosen_device.value)
    chosen_device = devices.with_room(
        *(chosen_device, facts.name, facts.memory(chosen_dtype.value), chosen_dtype.value),
        automatic=device == "auto",
    )
    layout = None
    if chosen_device.value == SPREAD:
        skeleton = build_skeleton(download.config_of(source))
        layers = decoder_layers(text_decoder(skeleton))
        layout = devices.lay_out(skeleton, layers, facts.name, chosen_dtype.value, max_memory)
        chosen_device = Choice(SPREAD, f"{chosen_device.reason}: {layout.summary}")
    folder = download.folder_of(source, progress)
    progress(f"Loading {facts.name} in {chosen_dtype.value} on {chosen_device.value}")
    config = download.config_in(source, folder)
    checkpoint_files.check_files(source, folder, packed=quantisation.is_quantised(config))
    if note := other_formats.note_on_adapter(facts.name, folder):
        progress(note)
    loader = partial(
        AutoModel.from_pretrained,
        folder,
        config=config,
        adapter_kwargs={"subfolder": _NO_ADAPTER},
        ignore_mismatched_sizes=True,  # refused below, with the sizes
        dtype=getattr(torch, chosen_dtype.value),
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    with load_errors.explained(source, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    with load_errors.explained(source):
        model, loading_info = layout.load(loader) if layout else loader()
    if not tokenizer.is_fast:
        raise BackboneError(
            f"{name}'s tokenizer has no character offsets, which prompts need; add tokenizer.json."
        )
    with load_errors.explained(source, "tokenizer"):  # its settings are not checked before
        tokenizer("A text.", return_offsets_mapping=True, return_special_tokens_mask=True)
    loaded_checks.check_loaded(source, model, loading_info, tokenizer)
    with load_errors.explained(source):
        placed = model if layout else model.to(chosen_device.value)
        fingerprint = fingerprint_of(source, folder, tokenizer)
        parts = (facts, placed, tokenizer, chosen_device, chosen_dtype, fingerprint)
        loaded = assemble(*parts, note=note, source=source.absolute_name)
    return replace(loaded, special_tokens=special_tokens)


@steady()
def assemble(
    facts: Facts,
    model: Any,
    tokenizer: Any,
    device: Choice,
    dtype: Choice,
    fingerprint: str,
    *,
    note: str | None = None,
    source: str | None = None,
) -> Backbone:
    """Freeze, pack, patch and probe a model that is already in memory.

    Args:
        facts: its size, family and licence.
        model: a model of transformers with its weights.
        tokenizer: its fast tokenizer.
        device: the device of the weights.
        dtype: the weights' dtype.
        fingerprint: identifies weights, configuration and tokenizer.
        note: what to know about its files.
        source: the name from which it can be loaded again.

    Raises:
        BackboneError: it is not a causal decoder, or its layers cannot be found.
    """
    model = text_decoder(model).eval().requires_grad_(False)
    packed_linear.pack(model)
    layers = decoder_layers(model)
    patches.register_attention_functions()
    patches.patch_layers(layers)
    check_causal(model)
    reach = with_experts(probe(model, len(layers)), model, layers)
    parts = (facts, model, tokenizer, device, dtype, fingerprint)
    return Backbone(*parts, **vars(reach), note=note, source=source)


def _load_again(unpickled: Backbone) -> Backbone:
    """The backbone that was pickled, with its weights.

    Raises:
        BackboneError: it was assembled in memory, cannot be loaded here, or has other weights now.
    """
    name = unpickled.facts.name
    if unpickled.source is None:
        raise BackboneError(
            f"This copy of {name} has no weights, because it was pickled and its model had been "
            "assembled in memory; save the model as a folder and load that."
        )
    again = load(
        unpickled.source,
        dtype=unpickled.dtype.value,
        device=unpickled.device.value,
        special_tokens=unpickled.special_tokens,
    )
    if again.identity != unpickled.identity:
        raise BackboneError(
            f"{unpickled.source} has other weights than when this copy was pickled; load it by its "
            "name, and encode again what is compared."
        )
    return again
