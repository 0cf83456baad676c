"""One loaded backbone for all visits that use it, freed when the last one ends.

Each visit holds a lease. A backbone is loaded once however many visits use it, one backbone after
the other. All that are in use stay in memory; one that does not fit beside them is refused, with
the numbers. The one requested last stays loaded for the next visit.
"""

import gc
import weakref
from collections.abc import Callable
from weakref import WeakValueDictionary

from ..errors import OutOfMemory
from ..runtime import hosting
from ..runtime.fair_lock import FairLock
from . import backbone as backbones
from .backbone import Backbone
from .catalog import PACKAGED


class Lease:
    """The use of a loaded backbone: it stays in memory as long as anyone holds a lease of it.

    Attributes:
        name: name of the backbone, as requested.
        dtype: as requested, such as ``auto``.
        backbone: the loaded backbone.
    """

    def __init__(self, name: str, dtype: str, backbone: Backbone) -> None:
        self.name, self.dtype, self.backbone = name, dtype, backbone
        weakref.finalize(self, _release, backbone.cleanups).atexit = False


_LEASES: WeakValueDictionary[tuple[str, str], Lease] = WeakValueDictionary()
_LATEST: list[Lease] = []
_LOADING = FairLock("another backbone to load")


def lease(
    name: str, dtype: str = "auto", *, load: Callable[..., Backbone] = backbones.load
) -> Lease:
    """Lease a backbone; load it if it is not in memory.

    Args:
        name: a packaged name, a hub id, or the path of a folder or a ``.gguf`` file.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        load: the function that loads it.

    Returns:
        The lease, shared by all who use the backbone.

    Raises:
        BackboneError: what loading raises; OutOfMemory names the backbones that are loaded. A
            hosted server lends none that it does not offer, loaded or not.
    """
    name = name.strip()
    hosting.check_backbone(name, PACKAGED)
    if (shared := _LEASES.get((name, dtype))) is None:
        with _LOADING:
            if (shared := _LEASES.get((name, dtype))) is None:
                _LATEST.clear()
                gc.collect()  # a wrapped layer is a reference cycle
                shared = _LEASES[name, dtype] = Lease(name, dtype, _load(name, dtype, load))
    _LATEST[:] = [shared]
    return shared


def active() -> list[Lease]:
    """The leases of all backbones in memory, by name."""
    return sorted(_LEASES.values(), key=lambda lease: (lease.name, lease.dtype))


def _load(name: str, dtype: str, load: Callable[..., Backbone]) -> Backbone:
    try:
        return load(name, dtype=dtype)
    except OutOfMemory as error:
        names = ", ".join(dict.fromkeys(lease.name for lease in active()))
        if not names:
            raise
        raise OutOfMemory(
            f"{str(error).removesuffix('.')}, or use one that is already loaded: {names}."
        ) from None


def _release(cleanups: list[Callable[[], object]]) -> None:
    """Free what other modules keep for a backbone that is no longer used."""
    while cleanups:
        cleanups.pop()()
    gc.collect()
