"""Lists of heads as text: ``12.0,12.3``, ``12.0-3``, ``15`` (a whole layer), ``12.3@2.5``."""

import re
from collections.abc import Iterable
from itertools import groupby

from ..corpora.tables import shorten
from ..errors import PlanError
from .layer_lists import layers_in_words
from .plan import Head, Plan

Choice = tuple[tuple[int, ...], tuple[Head, ...]]
"""Whole layers, and single heads of other layers, as a plan has them."""

_ITEM = re.compile(
    r"""\s* ([0-9]{1,6}) \s* (?:
        - \s* (?P<to_layer> [0-9]{1,6})
      | [.] (?P<head> [0-9]{1,6}) (?: - (?P<to_head> [0-9]{1,6}))?
    )? \s* (?: @ \s* (?P<bias> [-+]? (?: [0-9]+ (?:[.][0-9]*)? (?:e[-+]?[0-9]+)?
      | [.][0-9]+ | inf)) )? \s*""",
    re.VERBOSE | re.IGNORECASE,
)


def parse_heads(text: str, n_layers: int, n_heads: int) -> Choice:
    """Parse a list of heads.

    Args:
        text: ``none``, or items between commas: a head ``12.3`` (layer 12, head 3), heads of a
            layer ``12.0-3``, a whole layer ``15`` or layers ``15-17``; both ends are included.
            ``@2.5`` after an item is its own bias.
        n_layers: number of decoder layers.
        n_heads: query heads of a layer.

    Returns:
        Whole layers and single heads, ascending; a layer all of whose heads are listed without a
        bias of their own is whole.

    Raises:
        PlanError: the text is no such list, or a layer or head is out of range or repeated.
    """
    if text.strip().lower() == "none":
        return (), ()
    valid = f"layers go from 0 to {n_layers - 1} and heads from 0 to {n_heads - 1}"
    biases: dict[tuple[int, int], float | None] = {}
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise PlanError(
                f"{shorten(item.strip())!r} is no head: write a list such as 12.0,12.3 or "
                f"12.0-3,15 (a bare number is a whole layer), or none; {valid}."
            )
        first = int(match[1])
        layers = range(first, int(match["to_layer"] or first) + 1)
        low = int(match["head"] or 0)
        high = int(match["to_head"] or low) if match["head"] else n_heads - 1
        if not layers or high < low:
            raise PlanError(f"The range {shorten(item.strip())} is reversed.")
        if layers[-1] >= n_layers or high >= n_heads:
            raise PlanError(f"There is no {shorten(item.strip())}: {valid}.")
        for key in ((layer, head) for layer in layers for head in range(low, high + 1)):
            if key in biases:
                raise PlanError(f"Head {key[0]}.{key[1]} is repeated; name each head once.")
            biases[key] = float(match["bias"]) if match["bias"] else None
    return collected((Head(*key, bias) for key, bias in biases.items()), n_heads)


def parse_choice(text: str) -> Choice:
    """Parse a list of layers and heads that names them all, whatever the backbone.

    Args:
        text: as :func:`parse_heads` reads it; only heads have a bias of their own.

    Returns:
        Whole layers and single heads, ascending.

    Raises:
        PlanError: the text is no such list, or a layer or head is repeated.
    """
    layers: list[int] = []
    heads: list[Head] = []
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None or (match["bias"] and not match["head"]):
            raise PlanError(
                f"The item {shorten(item.strip())!r} names no layer or head: write a list such "
                "as 10-13 or 12.0,12.3,15 (a bare number is a whole layer)."
            )
        first = int(match[1])
        last, head = int(match["to_layer"] or first), int(match["head"] or 0)
        to_head = int(match["to_head"] or head)
        if last < first or to_head < head:
            raise PlanError(f"The range {shorten(item.strip())} is reversed.")
        if max(last - first, to_head - head) >= 1000:
            raise PlanError(f"The range {shorten(item.strip())} has over 1,000 layers or heads.")
        if match["head"]:
            bias = float(match["bias"]) if match["bias"] else None
            heads += [Head(first, each, bias) for each in range(head, to_head + 1)]
        else:
            layers += range(first, last + 1)
    places = [_place(each) for each in heads]
    if len(set(layers)) < len(layers) or len(set(places)) < len(places):
        raise PlanError(f"The list {shorten(text.strip())} names something twice; name each once.")
    return tuple(sorted(layers)), tuple(sorted(heads, key=_place))


def check_one_choice(layers: object, heads: object) -> None:
    """Refuse layers beside heads.

    Args:
        layers: the choice of layers; ``"auto"`` is none.
        heads: the choice of heads; None is none.

    Raises:
        PlanError: both are chosen.
    """
    if heads is not None and layers != "auto":
        raise PlanError(
            "Choose layers or heads, not both: a list of heads takes the place of the layers, and "
            "a bare number in it is a whole layer."
        )


def collected(heads: Iterable[Head], n_heads: int) -> Choice:
    """Whole layers and single heads, ascending, of heads in any order.

    Args:
        heads: distinct heads.
        n_heads: query heads of a layer; a layer with all of them, none with its own bias, is whole.
    """
    layers: list[int] = []
    single: list[Head] = []
    for layer, of_layer in groupby(sorted(heads, key=_place), lambda each: each.layer):
        listed = list(of_layer)
        if len(listed) == n_heads and all(each.bias is None for each in listed):
            layers.append(layer)
        else:
            single += listed
    return tuple(layers), tuple(single)


def spread(layers: Iterable[int], heads: Iterable[Head], n_heads: int) -> tuple[Head, ...]:
    """Every head of a choice by itself, ascending.

    Args:
        layers: whole layers.
        heads: single heads.
        n_heads: query heads of a layer.
    """
    whole = [Head(layer, head) for layer in layers for head in range(n_heads)]
    return tuple(sorted([*whole, *heads], key=_place))


def format_heads(layers: Iterable[int], heads: Iterable[Head]) -> str:
    """Write a choice as :func:`parse_heads` reads it, ``none`` if it is empty.

    Args:
        layers: whole layers.
        heads: single heads of other layers.
    """
    items = {layer: [str(layer)] for layer in layers}
    for layer, of_layer in groupby(sorted(heads, key=_place), lambda each: each.layer):
        runs: list[list[Head]] = []
        for each in of_layer:
            last = runs[-1][-1] if runs else None
            if last and each.head == last.head + 1 and each.bias == last.bias:
                runs[-1].append(each)
            else:
                runs.append([each])
        items[layer] = [_written(run) for run in runs]
    return ",".join(item for layer in sorted(items) for item in items[layer]) or "none"


def plan_in_words(plan: Plan, n_layers: int) -> str:
    """A plan for a sentence: "layers 26-29", "head 12.3", "12 heads of layers 5-9".

    Args:
        plan: the plan.
        n_layers: number of the backbone's layers.
    """
    single = {head.layer for head in plan.heads}
    parts = [layers_in_words(plan.layers, n_layers)] if plan.layers or not single else []
    if len(plan.heads) == 1:
        parts += [f"head {plan.heads[0].layer}.{plan.heads[0].head}"]
    elif single:
        parts += [f"{len(plan.heads)} heads of {layers_in_words(single, n_layers)}"]
    return " and ".join(parts)


def _place(head: Head) -> tuple[int, int]:
    return head.layer, head.head


def _written(run: list[Head]) -> str:
    first, last = run[0], run[-1]
    heads = f"{first.layer}.{first.head}" + (f"-{last.head}" if last != first else "")
    return heads if first.bias is None else f"{heads}@{first.bias}"
