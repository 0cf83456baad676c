"""The device and dtype of a backbone, each with its reason.

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

from ..errors import BackboneError, OutOfMemory, quoted
from ..runtime.paths import cache_home
from ..storage import cache_faults
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

    Args:
        requested: ``"auto"``, a device of torch, or ``"spread"``.

    Raises:
        BackboneError: the requested device does not exist here.
    """
    import torch

    requested = str(requested)  # or torch's own
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
            f"The device {quoted(requested)} cannot be used on this machine; use auto or cpu."
        ) from None
    return Choice(requested, "as requested")


def choose_dtype(requested: str = "auto", device: str = "cpu") -> Choice:
    """The weights' dtype, with the reason.

    Args:
        requested: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device: the device that the dtype is for.

    Raises:
        BackboneError: the dtype is unknown.
    """
    requested = str(requested)
    if requested in PRECISIONS:
        return Choice(requested, "as requested")
    if requested != "auto":
        raise BackboneError(
            f"There is no dtype {quoted(requested)}; use auto, {', '.join(PRECISIONS)}."
        )
    if device == SPREAD:
        device = choose_device().value
    if device.startswith("cuda"):
        import torch

        if torch.cuda.is_bf16_supported():
            return Choice("bfloat16", "this GPU has bfloat16 units")
        return Choice("float16", "this GPU has no bfloat16 units")
    if device == "mps":
        return Choice("float16", "Apple's GPU computes float16 natively")
    if device == "cpu" and not _cpu_gains_by_bfloat16():
        return Choice("float32", "this CPU multiplies bfloat16 no faster")
    if device == "cpu":
        return Choice(
            "bfloat16",
            "this CPU multiplies bfloat16 faster; scores stay within noise of float32",
        )
    return Choice("float32", "exact on any device")


def _cpu_gains_by_bfloat16() -> bool:
    import torch

    return gains_by_bfloat16(torch.cpu.get_capabilities())


def gains_by_bfloat16(able: Mapping[str, Any]) -> bool:
    """Whether a CPU multiplies bfloat16 faster than float32: by AMX, or AMD's by AVX-512 BF16.

    Intel's without AMX have AVX-512 BF16, too, but run it at half their rate in float32.

    Args:
        able: what torch.cpu.get_capabilities() says of it.
    """
    intel = "intel" in str(able.get("cpu_name", "")).lower()
    return bool(able.get("amx_bf16") or (able.get("avx512_bf16") and not intel))


def with_room(device: Choice, name: str, size: int, dtype: str, *, automatic: bool) -> Choice:
    """The device if it has ``size`` bytes free; a GPU chosen automatically may become a spread.

    Args:
        device: the chosen device.
        name: name of the backbone, for errors.
        size: bytes of its weights.
        dtype: dtype of the weights, for errors.
        automatic: whether the device was chosen automatically.

    Raises:
        BackboneError: the weights do not fit.
    """
    from accelerate.utils import get_max_memory

    if device.value == SPREAD:
        return device
    on_gpu = device.value.startswith("cuda")
    free = _free(device.value)
    if size <= free:
        return device
    if automatic and on_gpu and size <= sum(get_max_memory().values()):
        return Choice(SPREAD, "one GPU does not hold the weights")
    raise OutOfMemory(
        f"{name} needs {size / 1e9:.1f} GB for its weights in {dtype} and {device.value} has "
        f"{free / 1e9:.1f} GB free; choose a smaller backbone, another dtype or another device "
        f"({SPREAD} uses all devices and, slowly, the disk)."
    )


def check_room(device: str, what: str, size: int, dtype: str) -> None:
    """Refuse to load something beside a backbone that its device has no room for.

    Args:
        device: name of the device.
        what: what it is, for errors.
        size: its bytes.
        dtype: its dtype, for errors.

    Raises:
        OutOfMemory: it does not fit.
    """
    if size > (free := _free(device)):
        raise OutOfMemory(
            f"{what} needs {_gigabytes(size)} in {dtype} and {device} has {_gigabytes(free)} free; "
            "choose a smaller backbone or another dtype."
        )


def _free(device: str) -> int:
    """Bytes that a device has free."""
    import torch

    on_gpu = device.startswith("cuda")
    return torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available


@dataclass(frozen=True)
class Layout:
    """Which device each module of a spread model lies on, and how many layers each has."""

    modules: dict[str, int | str]
    summary: str

    def load(self, loader: Callable[..., tuple[Any, Any]]) -> tuple[Any, Any]:
        """Load a model in this layout by ``loader``, its ``from_pretrained``.

        Only tensors that transformers rearranges are written to the offload folder, which is
        deleted with the model; the others are read from their own files.

        Raises:
            BackboneError: the offload folder cannot be written.
        """
        home = cache_home() / "offload"
        try:
            home.mkdir(parents=True, exist_ok=True)
            folder = TemporaryDirectory(dir=home)
        except OSError as error:
            reason = cache_faults.explained(error, home, "written")
            raise BackboneError(
                f"A spread backbone needs a folder for what it rearranges, and {reason}"
            ) from None
        model, loading_info = loader(device_map=self.modules, offload_folder=folder.name)
        weakref.finalize(model, folder.cleanup)
        return model, loading_info


def lay_out(
    skeleton: Any, layers: "Sequence[torch.nn.Module]", name: str, dtype: str, limits: Memory | None
) -> Layout:
    """Spread a model, given on the meta device, over what is free or over ``limits``.

    Args:
        skeleton: the model on the meta device.
        layers: its decoder layers, which are never split.
        name: name of the backbone, for errors.
        dtype: dtype of the weights.
        limits: bytes to use of each device; None for what is free.

    Raises:
        BackboneError: not even the embeddings and one layer at a time fit, or the disk's limit is
            too low for the rest.
    """
    import torch
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory, get_max_memory

    skeleton.to(getattr(torch, dtype))
    unsplit = {type(layer).__name__ for layer in layers}
    if limits is None:  # a tenth is left to compute in
        limits = {device: size * 9 // 10 for device, size in get_max_memory().items()}
    fast = {device: size for device, size in limits.items() if device != "disk"}
    memory = get_balanced_memory(skeleton, fast, list(unsplit))
    modules: dict[str, int | str] = dict(infer_auto_device_map(skeleton, memory, list(unsplit)))

    def device_of(module_name: str) -> int | str:
        return next(modules[p] for p in _prefixes(module_name) if p in modules)

    sizes = Counter[int | str]()
    for parameter_name, parameter in skeleton.named_parameters():
        sizes[device_of(parameter_name)] += parameter.numel() * parameter.dtype.itemsize
    first = next(parameter_name for parameter_name, _ in skeleton.named_parameters())
    main = next((device for device in modules.values() if device not in ("cpu", "disk")), "cpu")
    if device_of(first) != main or sizes["disk"] > limits.get("disk", sizes["disk"]):
        available = ", ".join(
            f"{_device_name(device)} {_gigabytes(size)}" for device, size in limits.items()
        )
        raise BackboneError(
            f"{name} needs {_gigabytes(sum(sizes.values()))} for its weights in {dtype} and "
            f"cannot be spread over what is free ({available}), of which its embeddings and one "
            "layer at a time must fit into one memory; choose a smaller backbone or another dtype."
        )
    name_of = {id(module): module_name for module_name, module in skeleton.named_modules()}
    count = Counter(device_of(name_of[id(layer)]) for layer in layers)
    counts = [
        f"{number} {'layer' if number == 1 else 'layers'} {_place(device)}"
        for device, number in count.items()
    ]
    return Layout(modules, ", ".join(counts))


def _prefixes(module_name: str) -> list[str]:
    """A module's name and those of the modules around it, the innermost first."""
    words = module_name.split(".")
    return [".".join(words[:end]) for end in range(len(words), -1, -1)]


def _device_name(device: int | str) -> str:
    return f"cuda:{device}" if isinstance(device, int) else device


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.{1 if size >= 1e8 else 4}f} GB"


def _place(device: int | str) -> str:
    return {"cpu": "in memory", "disk": "on disk"}.get(str(device), f"on {_device_name(device)}")
