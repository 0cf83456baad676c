"""Where a backbone computes and in what numbers, each with its reason.

A model that one device cannot hold is *spread*: accelerate keeps its first layers on the GPUs, or
without one in memory, the next in memory and the rest on disk, and fetches each layer when its
turn comes. torch is imported where a device is asked, since whoever only names one needs none.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil

from ..errors import BackboneError, NoRoom
from ..runtime.paths import cache_home
from .catalog import PRECISIONS

if TYPE_CHECKING:
    import torch

SPREAD = "spread"
Memory = Mapping[int | str, int]
"""Bytes of each device: GPUs by number, ``"cpu"`` and ``"disk"``."""


@dataclass(frozen=True)
class Choice:
    """A setting that was chosen automatically or by request, and why."""

    value: str
    reason: str


def choose_device(requested: str = "auto") -> Choice:
    """The device to run on, with the reason; ``spread`` is all there are.

    Raises:
        BackboneError: the requested device does not exist here.
    """
    import torch

    if requested == "auto":
        if torch.cuda.is_available():
            return Choice("cuda", f"a CUDA device is present ({torch.cuda.get_device_name()})")
        if torch.backends.mps.is_available():
            return Choice("mps", "Apple's GPU is present")
        return Choice("cpu", "no GPU is present")
    if requested == SPREAD:
        return Choice(SPREAD, "as requested")
    try:
        torch.empty(1, device=requested)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise BackboneError(
            f"The device {requested!r} cannot be used on this machine; use auto or cpu."
        ) from None
    return Choice(requested, "as requested")


def choose_dtype(requested: str = "auto", device: str = "cpu") -> Choice:
    """The weights' dtype, with the reason.

    Raises:
        BackboneError: the dtype is unknown.
    """
    if requested in PRECISIONS:
        return Choice(requested, "as requested")
    if requested != "auto":
        raise BackboneError(f"There is no dtype {requested!r}; use auto, {', '.join(PRECISIONS)}.")
    if device == SPREAD:
        device = choose_device().value
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_bf16_supported():
            return Choice("bfloat16", "this GPU has bfloat16 units")
        return Choice("float16", "this GPU has no bfloat16 units")
    if device == "mps":
        return Choice("float16", "Apple's GPU computes float16 natively")
    if device == "cpu" and not _cpu_has_bfloat16():
        return Choice("float32", "this CPU has no bfloat16 units")
    if device == "cpu":
        return Choice(
            "bfloat16", "this CPU has bfloat16 units; scores stay within noise of float32"
        )
    return Choice("float32", "exact on any device")


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (AVX-512 BF16 or AMX)."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def with_room(where: Choice, name: str, need: int, dtype: str, *, automatic: bool) -> Choice:
    """The device if it has ``need`` bytes free; a GPU chosen automatically may become a spread.

    Raises:
        BackboneError: the weights do not fit.
    """
    import torch
    from accelerate.utils import get_max_memory

    if where.value == SPREAD:
        return where
    on_gpu = where.value.startswith("cuda")
    free = torch.cuda.mem_get_info(where.value)[0] if on_gpu else psutil.virtual_memory().available
    if need <= free:
        return where
    if automatic and on_gpu and need <= sum(get_max_memory().values()):
        return Choice(SPREAD, "one GPU does not hold the weights")
    raise NoRoom(
        f"{name} needs {need / 1e9:.1f} GB for its weights in {dtype} and {where.value} has "
        f"{free / 1e9:.1f} GB free; choose a smaller backbone, another dtype or another device "
        f"({SPREAD} uses all devices and, slowly, the disk)."
    )


@dataclass(frozen=True)
class Layout:
    """Which device each module of a spread model lies on, and how many layers each has."""

    modules: dict[str, int | str]
    summary: str

    def load(self, loader: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
        """Call ``loader``, which is ``from_pretrained`` of a model, so that it loads it like this.

        Only tensors that transformers rearranges are written to the offload folder, which goes
        with the model; the others are read where they lie.
        """
        home = cache_home() / "offload"
        home.mkdir(parents=True, exist_ok=True)
        folder = TemporaryDirectory(dir=home)
        model, found = loader(device_map=self.modules, offload_folder=folder.name)
        weakref.finalize(model, folder.cleanup)
        return model, found


def lay_out(
    skeleton: Any, layers: "Sequence[torch.nn.Module]", name: str, dtype: str, limits: Memory | None
) -> Layout:
    """Spread a model, given on the meta device, over what is free or over ``limits``.

    Raises:
        BackboneError: not even the embeddings and one layer at a time fit, or the disk's limit is
            too low for the rest.
    """
    import torch
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory, get_max_memory

    skeleton.to(getattr(torch, dtype))
    whole = {type(layer).__name__ for layer in layers}
    if limits is None:  # a tenth is left to compute in
        limits = {device: size * 9 // 10 for device, size in get_max_memory().items()}
    fast = {device: size for device, size in limits.items() if device != "disk"}
    memory = get_balanced_memory(skeleton, fast, list(whole))
    modules: dict[str, int | str] = dict(infer_auto_device_map(skeleton, memory, list(whole)))

    def device_of(part: str) -> int | str:
        return next(modules[p] for p in _prefixes(part) if p in modules)

    sizes = Counter[int | str]()
    for part, parameter in skeleton.named_parameters():
        sizes[device_of(part)] += parameter.numel() * parameter.dtype.itemsize
    first = next(part for part, _ in skeleton.named_parameters())
    main = next((device for device in modules.values() if device not in ("cpu", "disk")), "cpu")
    if device_of(first) != main or sizes["disk"] > limits.get("disk", sizes["disk"]):
        has = ", ".join(f"{_called(device)} {_gigabytes(size)}" for device, size in limits.items())
        raise BackboneError(
            f"{name} needs {_gigabytes(sum(sizes.values()))} for its weights in {dtype} and "
            f"cannot be spread over what is free ({has}), of which its embeddings and one layer "
            "at a time must fit into one memory; choose a smaller backbone or another dtype."
        )
    named = {id(module): part for part, module in skeleton.named_modules()}
    count = Counter(device_of(named[id(layer)]) for layer in layers)
    told = [
        f"{number} {'layer' if number == 1 else 'layers'} {_where(device)}"
        for device, number in count.items()
    ]
    return Layout(modules, ", ".join(told))


def _prefixes(part: str) -> list[str]:
    """A module's name and those of the modules around it, the innermost first."""
    words = part.split(".")
    return [".".join(words[:end]) for end in range(len(words), -1, -1)]


def _called(device: int | str) -> str:
    return f"cuda:{device}" if isinstance(device, int) else device


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.{1 if size >= 1e8 else 4}f} GB"


def _where(device: int | str) -> str:
    return {"cpu": "in memory", "disk": "on disk"}.get(str(device), f"on {_called(device)}")
