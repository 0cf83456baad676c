"""Lists of layers as text: ``auto``, ``none``, ``all``, ``26-29``, ``3,5,9``."""

import re
from collections.abc import Callable, Iterable

from ..corpora.tables import shorten
from ..errors import PlanError

Layers = tuple[int, ...]


def parse_layers(
    text: str, n_layers: int, auto: Callable[[], Layers] | Layers | None = None
) -> Layers:
    """Parse a layer list.

    Args:
        text: ``auto``, ``none``, ``all``, or layers and ranges between commas, both ends
            included: ``26-29``, ``3,5,9``, ``1-3,7``. Spaces and capitals do not matter.
        n_layers: number of decoder layers; valid layers are 0 to ``n_layers - 1``.
        auto: what ``auto`` stands for, or a function that finds it, called only if it is needed.

    Returns:
        Sorted distinct layers.

    Raises:
        PlanError: the text is not a layer list, a layer is out of range or repeated, a range is
            reversed, or ``auto`` is given where there is no automatic choice.
    """
    word = text.strip().lower()
    if word == "none":
        return ()
    if word == "all":
        return tuple(range(n_layers))
    if word == "auto":
        if auto is None:
            raise PlanError(
                f"There is no automatic choice of layers here; write layers from 0 to "
                f"{n_layers - 1}, none or all."
            )
        return auto() if callable(auto) else auto

    valid = f"this backbone has layers 0 to {n_layers - 1}"
    layers: set[int] = set()
    for item in word.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?", item)
        if match is None:
            raise PlanError(
                f"{shorten(item.strip())!r} is not a layer or a range: {valid}; "
                "write auto, none, all, or a list such as 3,5,9 or 1-3,7."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise PlanError(f"The range {first}-{last} is reversed; write {last}-{first}: {valid}.")
        if last >= n_layers:
            raise PlanError(f"There is no layer {last}: {valid}.")
        for layer in range(first, last + 1):
            if layer in layers:
                raise PlanError(f"Layer {layer} is repeated; name each layer once: {valid}.")
            layers.add(layer)
    return tuple(sorted(layers))


def layers_in_words(layers: Iterable[int], n_layers: int) -> str:
    """Layers for a sentence: "no layer", "layer 29", "layers 26-29", "all layers".

    Args:
        layers: layers from 0.
        n_layers: number of the backbone's layers.
    """
    chosen = tuple(layers)
    text = format_layers(chosen, n_layers)
    if text in ("none", "all"):
        return "no layer" if text == "none" else "all layers"
    return f"layer{'s' if len(chosen) > 1 else ''} {text}"


def format_layers(layers: Iterable[int], n_layers: int) -> str:
    """Write layers as :func:`parse_layers` reads them: ``none``, ``all``, ``3,5,9``, ``1-3,7``.

    Args:
        layers: layers from 0, in any order.
        n_layers: number of the backbone's layers; 0 never writes ``all``.
    """
    ordered = sorted(set(layers))
    if not ordered:
        return "none"
    if len(ordered) == n_layers and ordered[-1] == n_layers - 1:
        return "all"
    runs: list[list[int]] = []
    for layer in ordered:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
