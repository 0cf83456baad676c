"""What a pass reveals about a model's family."""

from dataclasses import dataclass, field

import torch


@dataclass(eq=False)
class FamilyTraits:
    """What a pass revealed about the model's family; the probe reads it.

    Attributes:
        attention_modules: by layer, the modules whose attention function was called.
        changes_logits: whether the family passed a soft cap or sinks.
        makes_masks: whether it passed a mask that is not this project's.
        form_distance: largest distance between both forms at a layer, where they were compared.
    """

    attention_modules: dict[int, torch.nn.Module] = field(default_factory=dict)
    changes_logits: bool = False
    makes_masks: bool = False
    form_distance: float = 0.0
