"""A page's question: its spec with the widgets that hold the options, and what derives from both.

The state of the widgets becomes the spec that the page computes from, and that it offers as a link,
command, script and recipe. The other way, a recipe becomes the state of the widgets; a page refuses
what it cannot show, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import streamlit as st

from analysis.dimension.estimators import FEWEST
from analysis.embedding.method_parts import NORMS
from analysis.errors import RecipeError
from analysis.experiments.shared_options import Planned
from analysis.experiments.spec import Spec
from analysis.recipes.recipe import Part, Recipe
from analysis.rerouting.plan import KEY_POSITIONS
from analysis.runtime.paths import program
from pages.shared import own_texts, text_menus, valid_values
from pages.shared.controls import (
    LONGEST,
    Control,
    Menu,
    Number,
    Text,
    Values,
)
from pages.shared.grid_controls import Axis, Second
from pages.shared.text_menus import TextsMenu

S = TypeVar("S", bound=Spec)


@dataclass(frozen=True)
class Page(Generic[S]):
    """A question with the widgets that hold its options.

    Attributes:
        name: the page's file name.
        question: the type of its spec.
        controls: the widgets of its own options; those of a grid in the order of its points.
        fixed: the options that it does not offer, with the values that it uses.
        view: keys of the widgets that only choose how it shows its numbers, or what its sections
            ask.
        own: keys of those with texts of one's own, which are in recipes and never in the address.
    """

    name: str
    question: type[S]
    controls: tuple[Control, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    view: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        controls = tuple(control.bound(self.question) for control in self.controls)
        object.__setattr__(self, "controls", controls)

    def show(self, option: str, at: Any = st, **more: Any) -> None:
        """Show the widget of an option in a place of the page; ``more`` goes to Streamlit."""
        self.control(option).show(at, **more)

    def control(self, option: str) -> Control:
        """The control of an option."""
        return next(control for control in self.controls if control.option == option)

    def spec(self, values: Values | None = None, answered: Mapping[str, Any] | None = None) -> S:
        """The page's question, from widgets' values: those of this visit, where none are given.

        ``answered`` are options in place of the widgets'.

        Raises:
            RecipeError: a value is not allowed.
        """
        if values is None:
            values = valid_values.values()
        options = dict(self.fixed)
        for control in (*SIDEBAR.controls, *self.controls):
            options |= control.read(values)
        options |= answered or {}
        accepted = self.question.options()
        return self.question.read({k: v for k, v in options.items() if k in accepted})

    def axes(self, values: Values) -> Part:
        """The values of each option that the page varies, in the order of their curves."""
        return {c.option: c.along(values) for c in self.controls if isinstance(c, Axis)}

    def grid(self, values: Values) -> tuple[Part, ...]:
        """The grid of several curves, the first one also on a second backbone; empty for one."""
        axes = self.axes(values)
        others = {values.get(c.key) for c in self.controls if isinstance(c, Second)}
        others -= {None, values.get("backbone")}
        if not others and all(len(along) == 1 for along in axes.values()):
            return ()
        first: Part = {name: along[:1] for name, along in axes.items()}
        return (axes, *({"backbone": [other], **first} for other in others))

    def recipe(self, **answered: Any) -> Recipe:
        """The page's view as a recipe; ``answered`` are options without what had no answer."""
        spec = self.spec(answered=answered)
        options, state = self.question.options(), valid_values.values()
        keys = [c.key for c in SIDEBAR.controls if c.option not in options]
        keys += [*self.view, *self.own]
        shown = {key: state[key] for key in keys if state.get(key) is not None}
        grid = self.grid(state)
        named = [getattr(spec, name, None) for name in ("corpus", "calibration")]
        named += [name for part in grid for name in part.get("corpus", ())]
        view = {"page": self.name, **shown}
        return Recipe(spec, grid, view, about=own_texts.about(*named))

    def state(self, recipe: Recipe) -> dict[str, Any]:
        """The values of the widgets, by key, that show a recipe of the page's question.

        Raises:
            RecipeError: the page does not show this grid or value.
            CorpusError: a corpus that is not offered here.
        """
        spec = recipe.spec
        if recipe.grid and not self.axes({}):
            raise RecipeError(
                "A page shows one point of a grid; choose one, or run all with "
                f"{program()} run, and open the results."
            )
        values = {
            key: value
            for key in (*self.view, *self.own)
            if _is_plain(value := recipe.view.get(key)) and len(str(value)) <= LONGEST
        }
        self._check_fixed(spec)
        points = [point.spec for point in recipe.points()]
        viewed = {c.option: recipe.view.get(c.key, "") for c in SIDEBAR.controls}
        filled = {option: value for option, value in viewed.items() if value != ""}
        options = {k: v for k, v in (filled | spec.values()).items() if k in Planned.options()}
        shared = Planned.read(options)
        for control in SIDEBAR.controls:
            values |= control.write([shared])
        for control in self.controls:
            values |= control.write(points)
        if self.grid(values) != recipe.grid:
            raise RecipeError(
                f"The page does not show such a grid; run it with {program()} run, and open the "
                "results."
            )
        return values

    def _check_fixed(self, spec: Spec) -> None:
        """Refuse options that no widget holds, unless they have the values that the page uses."""
        for name, value in ({**SIDEBAR.fixed, **self.fixed}).items():
            info = spec.options().get(name)
            if info is None or info.is_required() or getattr(spec, name.replace("-", "_")) == value:
                continue
            if value == info.default:
                raise RecipeError(
                    f"The page has no choice of {name}; take {name} out of the recipe, or run it "
                    f"with {program()} run."
                )
            fixed = " with ".join(value) if isinstance(value, tuple) else value
            raise RecipeError(f"The page {self.name} has {name} fixed to {fixed}.")


def _is_plain(value: Any) -> bool:
    """Whether a widget can hold what a recipe says of it: a value, or a list of names."""
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | int | float)


SIDEBAR = Page(
    "",
    Planned,
    (
        Menu("backbone", "Backbone", offered=tuple),
        Menu("dtype", "Precision"),
        Text("layers", "Re-routed layers"),
        Text("heads", "Re-routed heads"),
        Number(
            "bias",
            "Bias",
            low=-4.0,
            high=6.0,
            step=0.5,
            slider=True,
            help="Added to the attention logit of the re-routed pair; the paper uses 1.",
        ),
        Menu("rule", "Automatic layer rule"),
        TextsMenu(
            "calibration",
            "Calibration texts",
            key=own_texts.CHOICE,
            help="The texts on whose curve of the intrinsic dimension the rule selects layers.",
            offered=text_menus.offered,
            least=FEWEST,
            what="The choice of layers",
            place=own_texts.CHOICE,
        ),
        Menu("key-position", "Key position", meanings=KEY_POSITIONS),
        Menu("prompt", "Prompt"),
        Menu(
            "pooling",
            "Pooling",
            meanings={"hybrid": "the paper's, the average of the last token and the mean of all"},
        ),
        Menu("norm", "Final norm", meanings=NORMS),
        Number("output-layer", "Output layer", low=-999, high=999, step=1),
    ),
    {"device": "auto", "special-tokens": "text"},
)
"""The options that all pages share."""
