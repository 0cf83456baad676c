"""One loaded backbone for all visits that use it, freed when the last has left it.

Each visit holds a lease. A backbone is loaded once however many ask for it, one after the other;
as many different ones are held at a time as visits use, and one that does not fit beside them is
refused with the numbers. The one asked for last stays, so that the next visit finds it warm.
"""

import gc
import weakref
from collections.abc import Callable
from weakref import WeakValueDictionary

from ..errors import NoRoom
from ..runtime.fair_lock import Turns
from . import backbone as backbones
from .backbone import Backbone


class Lease:
    """The use of a loaded backbone: it stays in memory as long as anyone holds a lease of it."""

    def __init__(self, name: str, dtype: str, backbone: Backbone) -> None:
        self.name, self.dtype, self.backbone = name, dtype, backbone
        weakref.finalize(self, _release, backbone.cleanups).atexit = False


_LEASES: WeakValueDictionary[tuple[str, str], Lease] = WeakValueDictionary()
_LATEST: list[Lease] = []
_LOADING = Turns("another backbone to load")


def lease(
    name: str, dtype: str = "auto", *, load: Callable[..., Backbone] = backbones.load
) -> Lease:
    """A lease of the backbone ``name`` in ``dtype``, loaded if nobody has it.

    Raises:
        BackboneError: what loading raises; NoRoom names the backbones that others use.
    """
    name = name.strip()
    if (found := _LEASES.get((name, dtype))) is None:
        with _LOADING:
            if (found := _LEASES.get((name, dtype))) is None:
                _LATEST.clear()
                gc.collect()  # wrapped layers refer to themselves
                found = _LEASES[name, dtype] = Lease(name, dtype, _loaded(name, dtype, load))
    _LATEST[:] = [found]
    return found


def held() -> list[Lease]:
    """The leases of all backbones in memory."""
    return sorted(_LEASES.values(), key=lambda one: (one.name, one.dtype))


def _loaded(name: str, dtype: str, load: Callable[..., Backbone]) -> Backbone:
    try:
        return load(name, dtype=dtype)
    except NoRoom as error:
        others = ", ".join(dict.fromkeys(one.name for one in held()))
        if not others:
            raise
        raise NoRoom(
            f"{str(error).removesuffix('.')}, or use what others use here now: {others}."
        ) from None


def _release(cleanups: list[Callable[[], object]]) -> None:
    """Free what was kept of a backbone that nobody uses any more."""
    while cleanups:
        cleanups.pop()()
    gc.collect()
