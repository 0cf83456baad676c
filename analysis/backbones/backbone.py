"""A frozen decoder and its tokenizer: facts, device and dtype with reasons, memory, probe.

``describe`` knows a backbone's size before any weight loads; ``load`` refuses one that does not
fit, loads it, and *probes* what re-routing can do on it: some families ignore transformers'
attention interface with only a log line, and such a backbone is explored without re-routing,
with the reason at hand.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..errors import BackboneError
from ..rerouting import attention_functions, forward_pass, key_position
from ..rerouting.attention import apart
from ..rerouting.attention_functions import EAGER, SDPA, Form, Routing, routed
from ..rerouting.plan import KeyPosition, Plan
from ..runtime.fair_lock import Turns
from . import catalog, devices, download, gguf_conversion, load_errors, packed_linear, sources
from .devices import DTYPES, SPREAD, Choice, Memory
from .sources import Progress, Source

FORMS: tuple[tuple[str, Form], ...] = ((SDPA, "closed"), (EAGER, "concatenated"))


@dataclass(frozen=True)
class Facts:
    """What is known of a backbone before its weights load; sizes in tokens, channels and bytes."""

    name: str
    kind: str
    family: str
    parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    context: int
    vocabulary: int
    licence: str | None
    needs: str | None = None

    def memory(self, dtype: str) -> int:
        """Bytes of the weights in ``dtype``."""
        return self.parameters * DTYPES[dtype].itemsize

    def as_dict(self) -> dict[str, Any]:
        """The facts and the weights' bytes in each dtype."""
        return asdict(self) | {"memory": {name: self.memory(name) for name in DTYPES}}


@dataclass(frozen=True, eq=False)
class Backbone:
    """A loaded, frozen decoder.

    ``reroutable`` are the layers (0-based) that re-routing reaches, empty with ``refusal`` set
    where the family cannot be re-routed. ``fingerprint`` identifies the weights. ``lock`` is
    held for one batch at a time, in the order of arrival, so that sessions take turns.
    ``key_positions`` are those that the prefix's key can be moved to. Pickled, a backbone keeps
    what names it and not its weights: on the other side it serves as the key of results and runs
    nothing.
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
    lock: Turns = field(default_factory=lambda: Turns("the backbone"))

    def __getstate__(self) -> dict[str, Any]:
        named = {key: value for key, value in vars(self).items() if key != "lock"}
        return named | {"model": torch.nn.Identity(), "tokenizer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=Turns("the backbone"))

    @property
    def layers(self) -> int:
        """Number of decoder layers L."""
        return self.facts.layers

    def overflowed(self) -> BackboneError:
        """What to raise where states are not finite numbers."""
        return BackboneError(
            f"{self.facts.name} overflowed in {self.dtype.value}; load it in float32."
            if self.dtype.value != "float32"
            else f"{self.facts.name} gives states that are not finite numbers, in float32 too; its "
            "weights are damaged or do not fit this text: fetch them again, or choose another."
        )

    @property
    def slow_form(self) -> bool:
        """Whether re-routed layers run in the concatenated form, for want of a log-sum-exp."""
        return self.form == "concatenated" or not self.device.value.startswith(("cpu", SPREAD))


def describe(name: str) -> Facts:
    """Facts of the backbone called ``name``, without loading its weights.

    Raises:
        BackboneError: there is no such backbone, or it is no decoder that transformers knows.
    """
    return _facts(sources.resolve(name))


def load(
    name: str = catalog.DEFAULT,
    *,
    dtype: str = "auto",
    device: str = "auto",
    max_memory: Memory | None = None,
    progress: Progress = lambda _: None,
) -> Backbone:
    """Load a backbone from a packaged name, hub id (``id@revision``), folder or GGUF file.

    ``device`` is ``"auto"``, one that torch knows, or ``"spread"`` for a model larger than any:
    over all GPUs, memory and disk, each of which ``max_memory`` may limit.

    Raises:
        BackboneError: it does not exist, cannot be read, or does not fit into memory.
    """
    from transformers import AutoModel, AutoTokenizer

    source = sources.resolve(name)
    facts = _facts(source)
    where = devices.choose_device(device)
    what = devices.choose_dtype(dtype, where.value)
    need = facts.memory(what.value)
    where = devices.with_room(where, facts.name, need, what.value, automatic=device == "auto")
    layout = None
    if where.value == SPREAD:
        skeleton = _skeleton(source)
        layers = decoder_layers(text_decoder(skeleton))
        layout = devices.lay_out(skeleton, layers, facts.name, what.value, max_memory)
        where = Choice(SPREAD, f"{where.reason}: {layout.summary}")
    folder = download.folder_of(source, progress)
    progress(f"Loading {facts.name} in {what.value} on {where.value}")
    load_errors.check_files(source, folder)
    loader = partial(
        AutoModel.from_pretrained,
        folder,
        dtype=DTYPES[what.value],
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    with load_errors.explained(source):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model, found = layout.load(loader) if layout else loader()
    load_errors.check_complete(source, found)
    if not tokenizer.is_fast:
        raise BackboneError(
            f"The tokenizer of {name} reports no character offsets, which prompts need; "
            "add its tokenizer.json."
        )
    with load_errors.explained(source):
        placed = model if layout else model.to(where.value)
        return assemble(facts, placed, tokenizer, where, what, _fingerprint(folder))


def assemble(
    facts: Facts,
    model: Any,
    tokenizer: Any,
    device: Choice,
    dtype: Choice,
    fingerprint: str,
) -> Backbone:
    """Freeze, pack, instrument and probe a model that is already in memory.

    Raises:
        BackboneError: it is not a causal decoder, or its layers cannot be found.
    """
    model = text_decoder(model).eval().requires_grad_(False)
    packed_linear.pack(model)
    layers = decoder_layers(model)
    forward_pass.instrument(layers)
    _check_causal(model)
    probe = _probe(model, len(layers))
    return Backbone(facts, model, tokenizer, device, dtype, fingerprint, *probe)


def text_decoder(model: Any) -> Any:
    """The part that reads text, of a model that also sees or hears; else the model itself."""
    composite = model.config.get_text_config(decoder=True) is not model.config
    return model.get_decoder() if composite else model


def decoder_layers(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The model's decoder layers in order.

    Raises:
        BackboneError: there is no list of ``num_hidden_layers`` modules.
    """
    number = model.config.get_text_config(decoder=True).num_hidden_layers  # type: ignore[union-attr, operator]
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == number:
            return list(module)
    raise BackboneError(
        f"The decoder layers of this {type(model).__name__} cannot be found; choose another family."
    )


def _facts(source: Source) -> Facts:
    try:
        skeleton = _skeleton(source)
        if skeleton.config.is_encoder_decoder:
            raise ValueError("it is an encoder and a decoder")
        skeleton = text_decoder(skeleton)
        text = skeleton.config.get_text_config(decoder=True)
        heads = text.num_attention_heads
        return Facts(
            name=source.name if source.kind in ("packaged", "hub") else Path(source.location).name,
            kind=source.kind,
            family=text.model_type,
            parameters=sum(p.numel() for p in skeleton.parameters()),
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            heads=heads,
            kv_heads=getattr(text, "num_key_value_heads", None) or heads,
            head_size=getattr(text, "head_dim", None) or text.hidden_size // heads,
            context=getattr(text, "max_position_embeddings", 0) or 0,
            vocabulary=text.vocab_size,
            licence=source.licence,
            needs=source.needs,
        )
    except BackboneError:
        raise
    except Exception as error:  # families without attention or words lack one fact or another
        reason = str(error).split("\n")[0][:160]
        raise BackboneError(
            f"{source.name} is no decoder that transformers can build ({reason}); choose another."
        ) from error


def _skeleton(source: Source) -> Any:
    """The model without its weights, on the meta device."""
    from transformers import AutoModel

    config = download.config_of(source)
    with torch.device("meta"):
        return AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False
        )


def _fingerprint(folder: Path) -> str:
    """An identity of the weights: the source's checksum, the hub's commit, or the files'."""
    provenance = folder / gguf_conversion.PROVENANCE
    if provenance.is_file():
        return str(json.loads(provenance.read_text())["sha256"])[:16]
    if folder.parent.name == "snapshots":
        return folder.name[:16]
    digests = "".join(gguf_conversion.sha256(path) for path in sorted(folder.glob("*.safetensors")))
    return hashlib.sha256(digests.encode()).hexdigest()[:16]


def _check_causal(model: Any) -> None:
    """Refuse encoders: padding on the right is harmless only if no token sees a later one."""
    ids, lengths = _sample(model)
    one, other = (
        forward_pass.run(model, sequence, lengths).final[:, :6].float()
        for sequence in (ids, torch.cat([ids[:, :6], ids[:, 6:].flip(1)], 1))
    )
    if apart(one, other) > _ROUNDING[model.dtype]:
        raise BackboneError(
            f"{model.config.model_type} is not a causal decoder: its early tokens see the later "
            "ones; choose a decoder-only language model."
        )


_ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 1e-2}
"""How far apart equal states may lie, as a share of their length, after a few operations."""


def _sample(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Twelve tokens to try a model on, (1, 12), and their number, (1,)."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    return torch.arange(3, 3 + 12).remainder(vocabulary).view(1, -1), torch.tensor([12])


Probed = tuple[Form, tuple[int, ...], tuple[KeyPosition, ...], str | None]


def _probe(model: Any, layers: int) -> Probed:
    """Find out by running: which form serves, which layers re-routing reaches, or why none.

    The checks: the attention implementation stays set, layers come by, the empty plan and a bias
    that shuts the prefix out equal the plain model, a plan changes the result, both forms agree.
    """
    family = model.config.model_type
    ids, lengths = _sample(model)
    plain = forward_pass.run(model, ids, lengths).final
    everything = tuple(range(layers))
    grown = 2e-4 if model.dtype == torch.float32 else 0.1  # rounding, after all layers
    form: Form = "closed"
    seen = Routing(Plan(), lengths - 1)
    for name, form in FORMS:
        try:
            model.set_attn_implementation(name)
            if model.config.get_text_config(decoder=True)._attn_implementation != name:
                break
            seen = Routing(Plan(), lengths - 1)
            with torch.inference_mode(), routed(seen):
                model(input_ids=ids.to(model.device), use_cache=False)
        except (ValueError, AttributeError, TypeError):
            continue
        if not seen.bent or form == "concatenated":
            break
    reached = tuple(sorted(layer for layer in seen.visited if 0 <= layer < layers))

    def refuse(reason: str) -> Probed:
        model.set_attn_implementation(
            "sdpa" if getattr(model, "_supports_sdpa", False) else "eager"
        )
        return "concatenated", (), (), f"{family} cannot be re-routed: {reason}."

    if not reached:
        return refuse("it does not use transformers' attention interface")
    if seen.own_mask:
        return refuse("it weighs attention by a mask of its own making")
    if apart(plain, forward_pass.run(model, ids, lengths, Plan()).final) > grown:
        return refuse("with no layer selected its output would differ from the plain model's")
    shut = Plan(everything, -1e4)  # not -inf, which would not get as far as the attention
    if apart(plain, forward_pass.run(model, ids, lengths, shut, form=form).final) > grown:
        return refuse("with the prefix shut out its output would differ from the plain model's")
    tried = Routing(Plan(reached), lengths - 1, form, check_forms=form == "closed")
    with torch.inference_mode(), routed(tried):
        moved = model(input_ids=ids.to(model.device), use_cache=False).last_hidden_state
    if apart(plain, moved) < 1e-6 or not torch.isfinite(moved).all():
        return refuse("a plan has no effect on its output")
    if tried.forms_apart > _ROUNDING[model.dtype]:
        return refuse("its closed and concatenated forms disagree")
    return form, reached, _key_positions(model, [seen.visited[i] for i in reached]), None


def _key_positions(model: Any, modules: Sequence[torch.nn.Module]) -> tuple[KeyPosition, ...]:
    """Where the prefix's key can stand; ``first`` needs positions that only turn keys.

    Each attention ``module`` is run again for the final token alone: the logit of a query at 1
    with a key at 0 must be that of 0 with -1. Then the modules are instrumented.
    """
    ids, lengths = _sample(model)
    calls: dict[torch.nn.Module, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda module, args, kwargs: calls.__setitem__(module, (args, kwargs)),
            with_kwargs=True,
        )
        for module in modules
    ]
    forward_pass.run(model, ids, lengths)
    for hook in hooks:
        hook.remove()
    if not all(key_position.has_rotation(module.forward, *calls[module]) for module in modules):
        return ("own",)
    with torch.inference_mode():
        for module in modules:
            at = {
                place: key_position.replay(module.forward, *calls[module], lengths - 1, place)
                for place in (1, 0, -1)
            }
            groups = at[0][0].shape[1] // at[0][1].shape[1]
            here, there = (
                (at[i][0] * at[i - 1][1].repeat_interleave(groups, 1)).float().sum(-1)
                for i in (1, 0)
            )
            scale = (at[0][0].float().norm(dim=-1) * at[0][1].float().norm(dim=-1).max()).max()
            tolerance = 1e-4 if model.dtype == torch.float32 else 5e-2
            if bool((here - there).abs().max() > tolerance * scale):
                return ("own",)
    for module in modules:
        attention_functions.instrument(module)
    return ("own", "first")
