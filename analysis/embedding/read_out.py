"""What a method reads of a pass: token states at a layer, or sums of attention, as one vector."""

from collections.abc import Mapping

import torch

from ..backbones.backbone import Backbone
from ..rerouting.pass_request import PassResult
from .batching import Batch
from .methods import Method
from .pooling import POOLINGS, pool, weights
from .postprocessing import POSTPROCESSINGS


def output_inputs(backbone: Backbone, method: Method) -> tuple[int, ...]:
    """The layer whose input is what ``method`` pools, unless that is the last layer's output."""
    layer = method.reading.layer % backbone.layers
    return () if layer == backbone.layers - 1 else (layer + 1,)


def summed_layers(backbone: Backbone, method: Method) -> range:
    """The layers whose attention ``method`` sums up; empty where it reads states."""
    first, last = (layer % backbone.layers for layer in method.reading.layers)
    return range(first, last + 1) if method.reading.summed else range(0)


def reads_every_layer(method: Method) -> bool:
    """Whether ``method`` needs something of all layers, and so a pass from the first to the end."""
    return POOLINGS[method.pooling].by_attention or method.reading.routers


def latest_start(backbone: Backbone, method: Method) -> int:
    """The last layer at which a pass may begin and still hold all that ``method`` reads."""
    if reads_every_layer(method):
        return 0
    needed = (*output_inputs(backbone, method), *summed_layers(backbone, method)[:1])
    return min(needed, default=backbone.layers)


def pooled_rows(
    backbone: Backbone, batch: Batch, method: Method, result: PassResult
) -> torch.Tensor:
    """The pooled vectors of a batch, float32 (B, D), not normalised.

    Args:
        backbone: the decoder.
        batch: the prompts.
        method: says which states are read and how they are pooled.
        result: the pass over the batch by ``method``.
    """
    rows = weights(batch.prompts, method.pooling, result.attention)
    if result.summed is not None:
        return pool(result.summed, rows)
    states = result.pre_norm if method.reading.norm == "pre" else result.final
    for layer in output_inputs(backbone, method):
        states = result.inputs[layer]
    if method.reading.routers:
        beside = [weights_of.to(states.device) for weights_of in result.routers]
        states = torch.cat([states.float(), *beside], -1)
    return pool(states, rows)


def raw_width(backbone: Backbone, method: Method) -> int:
    """Channels of a vector of ``method`` before its post-processing."""
    facts, reading = backbone.facts, method.reading
    if reading.summed == "values":
        return facts.kv_heads * facts.head_size
    return facts.hidden + (sum(backbone.experts) if reading.routers else 0)


def width(backbone: Backbone, method: Method) -> int:
    """Channels of a vector of ``method``."""
    return raw_width(backbone, method) // POSTPROCESSINGS[method.processing].ratio


class PooledOnTheWay:
    """Pools what methods read of each layer as the layer's output passes by.

    Those of the last layer, sums of attention, and methods that need something of every layer are
    pooled from the result.

    Attributes:
        kept: layers whose entering states have to be kept for that.

    Args:
        backbone: the decoder.
        batch: the prompts.
        readers: methods by their number.
    """

    def __init__(self, backbone: Backbone, batch: Batch, readers: Mapping[int, Method]) -> None:
        self._backbone, self._batch, self._readers = backbone, batch, readers
        self._of_layer: dict[int, list[int]] = {}
        self.kept: list[int] = []
        of_states = {n: method for n, method in readers.items() if not method.reading.summed}
        for number, method in of_states.items():
            for layer in output_inputs(backbone, method):
                if reads_every_layer(method):
                    self.kept.append(layer)
                else:
                    self._of_layer.setdefault(layer - 1, []).append(number)
        self._weights = {
            pooling: weights(batch.prompts, pooling)
            for pooling in {method.pooling for method in readers.values()}
        }
        self._rows: dict[int, torch.Tensor] = {}

    def __call__(self, layer: int, states: torch.Tensor) -> None:
        """Take a layer's output (B, T, D)."""
        width = self._batch.ids.shape[1]
        for number in self._of_layer.get(layer, ()):
            row_weights = self._weights[self._readers[number].pooling]
            self._rows[number] = pool(states[:, :width], row_weights)

    def finished(self, result: PassResult) -> dict[int, torch.Tensor]:
        """The pooled vectors of each method by its number."""
        for number, method in self._readers.items():
            if number not in self._rows:
                self._rows[number] = pooled_rows(self._backbone, self._batch, method, result)
        return self._rows
