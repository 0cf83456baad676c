"""A text of one's own on the maps: found by meaning, marked by a star, and kept private."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from analysis.corpora import registry, sampling
from analysis.errors import CorpusError
from tests.support.visits import charts, metric, numbers, opened, shown, turn_to, unescaped, well

PAGE = "embedding_space"
MINE = "Which secret language is this <b>program</b> written in?"


def stars(figures: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """The place of the star on each map that has one."""
    traces = [trace for figure in figures for trace in figure["data"]]
    return [
        (numbers(trace["x"])[0], numbers(trace["y"])[0])
        for trace in traces
        if trace["name"] == "your text"
    ]


@pytest.mark.slow
def test_a_text_of_ones_own_is_found_on_both_sides_and_stays_in_the_visit(
    tiny_llama: Mapping[str, str],
) -> None:
    app = well(opened(PAGE, **tiny_llama))
    assert not stars(charts(app))
    app.text_input(key="space_query").set_value(MINE).run()
    places = stars(charts(well(app)))
    assert len(places) == 2
    for figure, (x, y) in zip(charts(app), places, strict=True):
        (low, high), (bottom, top) = (
            figure["layout"][axis]["range"] for axis in ("xaxis", "yaxis")
        )
        assert low < x < high
        assert bottom < y < top
        star = figure["data"][-1]
        assert star["showlegend"]
        assert star["text"] == [MINE.replace("<", "&lt;").replace(">", "&gt;")]
    near = [table.value for table in app.dataframe if "in both" in table.value][:2]
    for table in near:
        cosines = table["cosine"].to_numpy()
        assert len(cosines) == 10
        assert (np.diff(cosines) <= 0).all()
        assert (np.abs(cosines) <= 1).all()
        assert table["in both"].tolist() == ["yes"] * 10
    assert MINE in [one.value for one in app.text]
    assert "as a text (Context)" in shown(app)
    assert not any("secret" in value for values in app.query_params.values() for value in values)
    app.session_state["open Share or reproduce this view"] = True
    app.run()
    assert not any("secret" in each.value for each in well(app).code)
    app.session_state["space_rows"] = (1, 2)
    assert stars(charts(well(app.run()))) == places
    back = turn_to(turn_to(app, "studies"), PAGE)
    assert stars(charts(well(back))) == places
    app.text_input(key="space_query").set_value("").run()
    assert not stars(charts(well(app)))


@pytest.mark.slow
def test_a_text_of_the_corpus_has_the_cosine_one_and_the_place_of_its_dot(
    tiny_llama: Mapping[str, str],
) -> None:
    texts = sampling.sample(registry.load_texts("chatterbot"), 10, 0).texts
    app = well(opened(PAGE, **tiny_llama))
    app.text_input(key="space_query").set_value(texts[3]).run()
    figures = charts(well(app))
    for figure, place in zip(figures, stars(figures), strict=True):
        for trace in figure["data"][:-1]:
            rows = numbers(trace["customdata"]).tolist()
            if 3 in rows:
                at = rows.index(3)
                dot = numbers(trace["x"])[at], numbers(trace["y"])[at]
                assert place == pytest.approx(dot, abs=1e-9)
    for table in [t.value for t in app.dataframe if "in both" in t.value][:2]:
        assert table["text"].iloc[0] == texts[3]
        assert table["cosine"].iloc[0] == pytest.approx(1, abs=1e-6)
    assert metric(app, "Texts selected") == "0 of 10"


@pytest.mark.slow
def test_what_is_refused_is_said_beside_the_field_and_the_last_text_stays(
    tiny_llama: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = well(opened(PAGE, **tiny_llama))
    app.text_input(key="space_query").set_value("a boat").run()
    places = stars(charts(well(app)))

    def refuse(*_args: object, **_settings: object) -> None:
        raise CorpusError("Text 1 is too long; shorten it.")

    monkeypatch.setattr("analysis.experiments.space.located", refuse)
    app.text_input(key="space_query").set_value("a bank").run()
    assert not app.exception
    (error,) = app.error
    assert "too long; shorten it. Until then: a boat" in unescaped(error.value)
    assert stars(charts(app)) == places
