"""One loaded backbone for all visits that use it, freed when the last has left it.

Each visit holds a lease. A backbone is loaded once however many ask for it, one after the other;
as many different ones are in memory at a time as visits use, and one that does not fit beside them
is refused with the numbers. The one asked for last stays, so that the next visit finds it warm.
"""

import gc
import weakref
from collections.abc import Callable
from weakref import WeakValueDictionary

from ..errors import NoRoom
from ..runtime.fair_lock import FairLock
from . import backbone as backbones
from .backbone import Backbone


class Lease:
    """The use of a loaded backbone: it stays in memory as long as anyone holds a lease of it.

    Attributes:
        name: the backbone's, as it was asked for.
        dtype: as it was asked for, such as ``auto``.
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
    """Lease a backbone, which is loaded if nobody has it.

    Args:
        name: a packaged name, a hub id, or the path of a folder or a ``.gguf`` file.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        load: what loads it.

    Returns:
        The lease that all who use it share.

    Raises:
        BackboneError: what loading raises; NoRoom names the backbones that others use.
    """
    name = name.strip()
    if (shared := _LEASES.get((name, dtype))) is None:
        with _LOADING:
            if (shared := _LEASES.get((name, dtype))) is None:
                _LATEST.clear()
                gc.collect()  # a wrapped layer refers to itself
                shared = _LEASES[name, dtype] = Lease(name, dtype, _load(name, dtype, load))
    _LATEST[:] = [shared]
    return shared


def active() -> list[Lease]:
    """The leases of all backbones in memory, by name."""
    return sorted(_LEASES.values(), key=lambda lease: (lease.name, lease.dtype))


def _load(name: str, dtype: str, load: Callable[..., Backbone]) -> Backbone:
    try:
        return load(name, dtype=dtype)
    except NoRoom as error:
        others = ", ".join(dict.fromkeys(lease.name for lease in active()))
        if not others:
            raise
        raise NoRoom(
            f"{str(error).removesuffix('.')}, or use what others use here now: {others}."
        ) from None


def _release(cleanups: list[Callable[[], object]]) -> None:
    """Free what is kept elsewhere of a backbone that nobody uses any more."""
    while cleanups:
        cleanups.pop()()
    gc.collect()
