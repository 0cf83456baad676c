"""Answers about the set-up: the backbones on offer and the health of the installation."""

from ..backbones import devices, sources
from ..backbones.facts import describe
from ..errors import ExplorerError
from ..experiments.specs import Backbones, Doctor
from ..runtime import events
from .rows import Row
from .workspace import Workspace


def backbones(spec: Backbones, _: Workspace) -> list[Row]:
    """One row for each backbone on offer, or for the one named; unreadable ones are reported."""
    names = [spec.backbone] if spec.backbone else sources.offered()
    device = devices.choose_device(spec.device)
    dtype = devices.choose_dtype(spec.dtype, device.value)
    chosen = {
        "device": device.value,
        "device_reason": device.reason,
        "dtype": dtype.value,
        "dtype_reason": dtype.reason,
    }
    rows = []
    for name in names:
        try:
            rows.append(describe(name).as_dict() | chosen)
        except ExplorerError as error:
            if spec.backbone:
                raise
            events.say(f"{name} is left out: {error}")
    return rows


def doctor(_spec: Doctor, _: Workspace) -> list[Row]:
    """One row for each check of the installation."""
    from ..doctor import checks

    return [check._asdict() for check in checks()]
