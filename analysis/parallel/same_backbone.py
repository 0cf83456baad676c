"""A check that all workers would compute the same numbers."""

from ..backbones.backbone import Backbone
from ..errors import EngineError


def check_same(backbone: Backbone, expected: Backbone) -> None:
    """Refuse a worker's ``backbone`` that would give other numbers than the ``expected`` one.

    Raises:
        EngineError: it has other weights, another dtype or runs on another kind of device.
    """
    if backbone.identity != expected.identity:
        raise EngineError(
            f"One worker runs {backbone.facts.name} in {backbone.dtype.value} on "
            f"{backbone.device.value}, another in {expected.dtype.value} on "
            f"{expected.device.value} or with other weights; give --dtype, --device and a revision."
        )
