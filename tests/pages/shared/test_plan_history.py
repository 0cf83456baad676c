"""Undo and redo: a history is where one is, and what lies before and behind."""

from hypothesis import given
from hypothesis import strategies as st

from pages.shared.plan_history import History, Values

START: Values = {"layers": "auto", "bias": 1.0}


def plan(layers: str) -> Values:
    return {"layers": layers, "bias": 1.0}


def test_a_step_back_and_forward_again() -> None:
    there = History("tiny", START).changed(plan("3")).changed(plan("3,4"))
    assert there.undone().now == plan("3")
    assert there.undone().undone().now == START
    assert there.undone().undone().redone().redone() == there


def test_no_change_is_no_step_and_the_ends_are_ends() -> None:
    begun = History("tiny", START)
    assert begun.changed(dict(START)) is begun
    assert begun.undone() is begun.redone() is begun


def test_a_change_after_undoing_forgets_what_was_undone() -> None:
    changed = History("tiny", START).changed(plan("3")).undone().changed(plan("5"))
    assert not changed.future
    assert changed.redone() is changed
    assert changed.undone().now == START


@given(st.lists(st.sampled_from(["undo", "redo", "1", "2", "none"])))
def test_it_is_the_list_with_a_pointer_that_one_expects(acts: list[str]) -> None:
    found = History("tiny", START)
    steps, at = [START], 0
    for act in acts:
        if act == "undo":
            found, at = found.undone(), max(at - 1, 0)
        elif act == "redo":
            found, at = found.redone(), min(at + 1, len(steps) - 1)
        else:
            found = found.changed(plan(act))
            if plan(act) != steps[at]:
                steps, at = [*steps[: at + 1], plan(act)], at + 1
        assert [*found.past, found.now, *found.future] == steps
        assert len(found.past) == at
        assert found.backbone == "tiny"
