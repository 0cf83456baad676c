"""On which layers the story of causal limits is told: those where something is to be seen."""

from dataclasses import replace
from typing import Any

from streamlit.delta_generator import DeltaGenerator

from analysis.backbones.backbone import Backbone
from analysis.dimension import selection
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from pages.shared import display, valid_values


def plan(
    backbone: Backbone, chosen: Plan, switch: DeltaGenerator, note: DeltaGenerator
) -> tuple[Plan, dict[str, Any]]:
    """The plan of the story, and the options that it answers in another way than the sidebar.

    A rule may select late layers, after which few are left to move. Where it was not asked for by
    name, the story is told on as many layers from a third of the depth on.

    Args:
        backbone: the loaded backbone.
        chosen: the sidebar's plan.
        switch: the place of the switch that takes the rule's layers after all.
        note: the place of the sentence about it.
    """
    third = backbone.layers // 3
    automatic = valid_values.value("layers").strip().lower() == "auto" and not chosen.heads
    if not (automatic and chosen.active and chosen.active[0] >= 2 * third):
        return chosen, {}
    told = tuple(range(third, third + selection.window_width(backbone.layers)))
    of_rule, of_story = (
        layer_lists.layers_in_words(layers, backbone.layers) for layers in (chosen.active, told)
    )
    if switch.toggle(
        f"Re-route what the rule selects: {of_rule}", key="causal_rule", bind="query-params"
    ):
        return chosen, {}
    note.caption(
        display.escaped(
            f"The story re-routes {of_story}. The rule selects {of_rule} for this backbone, after "
            "which few layers are left to move. Which of them scores better is another question, "
            "that of the page Layer ablation."
        )
    )
    return replace(chosen, layers=told), {
        "layers": layer_lists.format_layers(told, backbone.layers)
    }
