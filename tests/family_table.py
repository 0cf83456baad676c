"""The table of docs/backbones.md, measured on tiny random models of every family.

``python -m tests.family_table`` writes the page anew; a test compares it with what is there.
"""

import math
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

import tiny_models

from analysis import forward
from analysis.backbone import Backbone
from analysis.rerouting import Plan

PAGE = Path(__file__).parents[1] / "docs" / "backbones.md"
OPENING = """# Which families can be re-routed

Measured on tiny random models of each family's own code in transformers, by the probe that every
backbone goes through when it loads, and by the same checks the tests make. *Form* is how the
prefix is computed on a CPU: closed, from the causal kernel's log-sum-exp, or concatenated,
through the family's own attention function. *Nothing re-routed* compares with the model that
transformers builds by itself. *Before the first selected* layer: whether earlier tokens'
states stay where they are when the last token changes. *Forms agree* compares the closed with the
concatenated form at all reachable layers, longer than the sliding window.

A family that cannot be re-routed is still explored: its curve, its plain space, the baselines.

| family | layers reached | form | nothing re-routed | before the first selected | forms agree |
|---|---|---|---|---|---|
"""


def row(family: str) -> str:
    """One line of the table."""
    plain, backbone = tiny_models.plain(family), tiny_models.tiny(family)
    if backbone.refusal:
        return f"| {family} | none | | {backbone.refusal} | | |"
    reached = len(backbone.reroutable)
    layers = "all" if reached == backbone.layers else f"{reached} of {backbone.layers}"
    return (
        f"| {family} | {layers} | {backbone.form} | {_nothing_rerouted(plain, backbone)} | "
        f"{_before(backbone)} | {_forms(backbone)} |"
    )


def _ids() -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    length = tiny_models.WINDOW + 5
    ids = torch.randint(3, tiny_models.VOCABULARY, (1, length), generator=drawn)
    return ids, torch.tensor([length])


def _nothing_rerouted(plain: torch.nn.Module, backbone: Backbone) -> str:
    ids, lengths = _ids()
    with torch.inference_mode():
        expected = plain(input_ids=ids, use_cache=False).last_hidden_state
    off = Plan(backbone.reroutable, -math.inf)
    found = [forward.run(backbone.model, ids, lengths, p).final for p in (Plan(), off)]
    return "equal to the bit" if all(torch.equal(f, expected) for f in found) else "differs"


def _before(backbone: Backbone) -> str:
    ids, lengths = _ids()
    other = ids.clone()
    other[0, -1] = 3 if ids[0, -1] != 3 else 4
    first = backbone.reroutable[len(backbone.reroutable) // 2]
    kept = range(first + 1)
    a, b = (
        forward.run(
            backbone.model, x, lengths, Plan((first,)), form=backbone.form, keep_inputs=kept
        )
        for x in (ids, other)
    )
    still = all(torch.equal(a.inputs[i][:, :-1], b.inputs[i][:, :-1]) for i in kept)
    moved = not torch.equal(a.raw[:, :-1], b.raw[:, :-1])
    return "moves by exactly 0" if still and moved else "moves"


def _forms(backbone: Backbone) -> str:
    if backbone.form != "closed":
        return "one form only"
    ids, lengths = _ids()
    plan = Plan(backbone.reroutable)
    closed, concatenated = (
        forward.run(backbone.model, ids, lengths, plan, form=form).final
        for form in ("closed", "concatenated")
    )
    scale = max(1.0, float(closed.abs().max()))
    difference = float((closed - concatenated).abs().max()) / scale
    return "to 2e-5" if difference < 2e-5 else f"differ by {difference:.0e}"


def page() -> str:
    """The whole page."""
    families = (
        *tiny_models.FAMILIES,
        *tiny_models.MORE,
        *tiny_models.PARTLY,
        *tiny_models.IGNORING,
    )
    return OPENING + "\n".join(row(family) for family in sorted(families)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
