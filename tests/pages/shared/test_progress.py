"""The place of the progress: the time left, what is cancelled, and what is computed again."""

import pytest

from pages.shared import progress
from tests.support.visits import charts, opened, press, shown, turn_to, well


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (1, 100, 1.0, ""),
        (0, 100, 60.0, ""),
        (100, 100, 60.0, ""),
        (25, 100, 10.0, ", about 30 s left"),
        (1, 11, 60.0, ", about 10 min left"),
        (1, 11, 3600.0, ", about 10.0 h left"),
        (99, 100, 10.0, ", about 1 s left"),
    ],
)
def test_the_time_left_in_words(done: int, total: int, seconds: float, said: str) -> None:
    assert progress.time_left(done, total, seconds) == said


def test_a_cancelled_view_computes_nothing_until_it_changes(tiny_llama: dict[str, str]) -> None:
    app = opened("causal_limits", **tiny_llama)
    app.session_state[progress._CANCELLED] = True  # as the button does while something computes
    turn_to(app, "embedding_space")
    assert app.title
    assert "Cancelled." in shown(well(app))
    assert not charts(app)
    app.run()
    assert "Cancelled." in shown(well(app))
    press(app, "Go on")
    assert len(charts(well(app))) == 2
    assert not [button for button in app.button if button.label == "Cancel"], "nothing computes now"


def test_what_is_known_is_shown_after_cancelling(tiny_llama: dict[str, str]) -> None:
    app = well(opened("embedding_space", **tiny_llama))
    app.session_state[progress._CANCELLED] = True
    app.run()
    assert len(charts(well(app))) == 2
    assert "Cancelled." not in shown(app)


def test_a_cancelled_view_stops_where_nothing_counts_what_is_done(
    tiny_llama: dict[str, str],
) -> None:
    link = {"similarity_tab": "Own texts", "score_method": "mean"}
    app = well(opened("similarity", own_pairs=True, **tiny_llama, **link))
    app.text_input(key="own_first").set_value("Two men play.")
    app.session_state[progress._CANCELLED] = True
    app.run()
    assert "Cancelled." in shown(well(app))
    press(app, "Go on")
    assert "Cancelled." not in shown(well(app))
