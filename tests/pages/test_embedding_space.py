"""The embedding-space page: what opens, linked selection, colours, two plans, two backbones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from analysis.corpora import registry, sampling
from analysis.figures import spaces
from analysis.spaces import neighbours, projection
from pages.shared import linked_maps
from tests.support import tiny_models
from tests.support.visits import (
    charts,
    metric,
    numbers,
    opened,
    sentence,
    shown,
    unescaped,
    unfolded,
    well,
)

PAGE = "embedding_space"
smollm2 = pytest.mark.weights


def rows_of(figure: dict[str, Any]) -> list[int]:
    """Row ids of a map's dots."""
    return [int(row) for trace in figure["data"] for row in numbers(trace["customdata"])]


def lit(figure: dict[str, Any]) -> set[int] | None:
    """Row ids of the dots that are not faded; None where nothing is selected."""
    if all(trace.get("selectedpoints") is None for trace in figure["data"]):
        return None
    return {
        int(numbers(trace["customdata"])[place])
        for trace in figure["data"]
        for place in trace["selectedpoints"]
    }


def found(app: AppTest, column: str) -> list[Any]:
    """The tables that have a column."""
    return [table.value for table in app.dataframe if column in table.value]


def test_an_events_points_are_rows_by_their_customdata() -> None:
    points = [{"customdata": row} for row in (7, [3], [7.0], 0)]
    event = {"selection": {"points": points, "point_indices": [1, 2], "box": [], "lasso": []}}
    assert linked_maps.selected_rows(event) == (0, 3, 7)
    assert linked_maps.selected_rows({"selection": {"points": []}}) == ()
    assert linked_maps.selected_rows(None) == ()


def test_a_search_ignores_case() -> None:
    assert linked_maps.search(["The Boat", "a BOATMAN", "bot", "ΣΑΣ"], "boat") == (0, 1)
    assert linked_maps.search(["The Boat", "ΣΑΣ"], "σας") == (1,)
    assert linked_maps.search(["a.b", "axb"], "a.b") == (0,)


@pytest.mark.slow
@smollm2
def test_what_opens_ships_and_is_drawn_twice() -> None:
    app = well(opened(PAGE))
    maps = charts(app)
    assert [sorted(rows_of(figure)) for figure in maps] == [list(range(200))] * 2
    titles = [figure["layout"]["title"]["text"] for figure in maps]
    assert titles[0] == "mean"
    assert titles[1].startswith("kv-embedding, layer 29")
    axes = [figure["layout"][axis]["range"] for figure in maps for axis in ("xaxis", "yaxis")]
    assert axes[:2] == axes[2:]
    assert [lit(figure) for figure in maps] == [None, None]
    assert metric(app, "Texts selected") == "0 of 200"
    assert 10 < float(metric(app, "Neighbours kept").rstrip("%")) < 90
    assert "UMAP: 200 texts" in shown(app)
    assert "200 of 1,569 texts of chatterbot" in shown(app)
    assert "shipped with the project" in shown(app)
    assert "between the right and the left" in shown(app) or "than the left" in shown(app)
    (numbers_,) = found(app, "meaning")
    assert set(numbers_["measure"]) >= {"trustworthiness of the map", "label accuracy (%)"}


@pytest.mark.slow
def test_few_texts_are_drawn_by_pca(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    assert [len(rows_of(figure)) for figure in charts(app)] == [10, 10]
    assert "PCA: fewer than 15" in shown(app)


@pytest.mark.slow
def test_a_selection_is_lit_on_both_maps_and_listed(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    app.session_state["space_rows"] = (2, 5)
    app.run()
    assert [lit(figure) for figure in charts(well(app))] == [{2, 5}] * 2
    assert metric(app, "Texts selected") == "2 of 10"
    (selected,) = found(app, "left x")
    assert selected.index.tolist() == [2, 5]
    near = found(app, "in both")
    assert len(near) == 2
    text = selected["text"].iloc[0]
    assert text in [one.value for one in app.text]
    assert all(text not in table["text"].tolist() for table in near)
    app.session_state["space_look"] = 5
    app.run()
    assert selected["text"].iloc[1] in [one.value for one in well(app).text]
    next(b for b in app.button if b.label.startswith("Clear")).click().run()
    assert [lit(figure) for figure in charts(well(app))] == [None, None]
    assert metric(app, "Texts selected") == "0 of 10"


@pytest.mark.slow
def test_selected_texts_are_tagged_coloured_and_taken_along(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    assert not [each for each in app.text_input if each.key == "space_tag"]
    app.session_state["space_rows"] = (2, 5)
    app.run()
    app.text_input(key="space_tag").set_value("mine").run()
    next(b for b in app.button if b.label == "Tag them").click().run()
    assert "2 of 10 texts have a tag" in shown(well(app))
    app.selectbox(key="space_colour").set_value("tag").run()
    for figure in charts(well(app)):
        by_name = {trace["name"]: numbers(trace["customdata"]) for trace in figure["data"]}
        assert {name: len(rows) for name, rows in by_name.items()} == {"mine": 2, "untagged": 8}
    app.text_input(key="space_tag").set_value("").run()
    next(b for b in app.button if b.label == "Tag them").click().run()
    assert "0 of 10" in shown(well(app)) or "texts have a tag" not in shown(app)
    app.selectbox(key="space_corpus").set_value("lee50").run()
    assert "texts have a tag" not in shown(well(app))


@pytest.mark.slow
def test_a_selection_stays_with_its_texts_and_goes_with_them(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    app.session_state["space_rows"] = (1, 4)
    app.selectbox(key="space_left").set_value("last-token").run()
    assert [lit(figure) for figure in charts(well(app))] == [{1, 4}] * 2
    app.selectbox(key="space_corpus").set_value("lee50").run()
    assert [lit(figure) for figure in charts(well(app))] == [None, None]


@pytest.mark.slow
def test_what_is_searched_for_is_lit(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    texts = found(unfolded(app), "left x")[0].sort_index()["text"]
    app.text_input(key="space_search").set_value("E").run()
    hits = {row for row, text in enumerate(texts) if "e" in text.lower()}
    assert len(hits) > 0
    assert [lit(figure) for figure in charts(well(app))] == [hits] * 2
    assert metric(app, "Texts found") == f"{len(hits)} of 10"
    app.text_input(key="space_search").set_value("no such words anywhere").run()
    assert metric(well(app), "Texts found") == "0 of 10"
    app.text_input(key="space_search").set_value("").run()
    assert [lit(figure) for figure in charts(well(app))] == [None, None]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["label", "cluster"])
def test_groups_have_traces_and_a_legend(tiny_llama: dict[str, str], by: str) -> None:
    app = well(opened(PAGE, **tiny_llama, space_colour=by))
    labels = sampling.sample(registry.load_texts("chatterbot"), 10, 0).labels
    assert labels is not None
    for figure in charts(app):
        assert all(trace["showlegend"] for trace in figure["data"])
        if by == "label":
            assert [trace["name"] for trace in figure["data"]] == sorted(set(labels))
        else:
            assert len(figure["data"]) == len(set(labels))
            assert all(trace["name"].split()[0].isdecimal() for trace in figure["data"])
            assert any(len(trace["name"].split()) > 1 for trace in figure["data"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "corpus", "title"),
    [
        ("neighbours kept", "chatterbot", "neighbours kept (%)"),
        ("length", "lee50", "characters"),
        ("mean rating", "lee50", "mean rating"),
        ("mean rating", "chatterbot", "neighbours kept (%)"),
        ("label", "lee50", "neighbours kept (%)"),
    ],
)
def test_numbers_have_a_scale(tiny_llama: dict[str, str], by: str, corpus: str, title: str) -> None:
    app = well(opened(PAGE, **tiny_llama, space_colour=by, space_corpus=corpus))
    for figure in charts(app):
        assert figure["layout"]["coloraxis"]["colorbar"]["title"]["text"] == title
    lacking = by != title and title.startswith("neighbours") and by != "neighbours kept"
    assert ("the colours show the neighbours kept" in shown(app)) == lacking


@pytest.mark.slow
def test_two_plans_of_one_method(tiny_llama: dict[str, str]) -> None:
    query = tiny_llama | {
        "space_left": "kv-embedding",
        "space_left_layers": "none",
        "space_right_layers": "0-3",
    }
    app = well(opened(PAGE, **query))
    titles = [figure["layout"]["title"]["text"] for figure in charts(app)]
    assert titles == ["kv-embedding, no layer", "kv-embedding, layers 0-3"]
    same = well(opened(PAGE, **query | {"space_left_layers": "0-3"}))
    assert metric(same, "Neighbours kept") == "100%"
    left, right = charts(same)
    for one, other in zip(left["data"], right["data"], strict=True):
        np.testing.assert_allclose(numbers(one["x"]), numbers(other["x"]), atol=1e-9)
    app.text_input(key="space_left_layers").set_value("99").run()
    assert "There is no layer 99" in sentence(app)


@pytest.mark.slow
def test_two_backbones_of_different_width_and_depth(
    tiny_llama: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "other.gguf"
    tiny_models.write_gguf(path)
    query = {"space_left": "kv-embedding", "space_right_backbone": str(path)}
    app = well(opened(PAGE, **tiny_llama, **query))
    said = " ".join(unescaped(info.value) for info in app.info)
    assert "On other.gguf: There is no layer 3: this backbone has layers 0 to 1." in said
    assert "Now: the automatic choice." in said
    app = opened(PAGE, **tiny_llama, **query, space_right_layers="0-1")
    (table,) = found(well(app), "meaning")
    both = table.set_index("measure").loc["coordinates", ["left", "right"]]
    assert both.tolist() == [tiny_models.HIDDEN, tiny_models.GGUF_SIZES["hidden_size"]]
    titles = [figure["layout"]["title"]["text"] for figure in charts(app)]
    assert titles[0].startswith("kv-embedding, layers 2-3, ")
    assert titles[1].startswith("kv-embedding, all layers, ")
    assert metric(app, "Neighbours kept").endswith("%")


@pytest.mark.slow
def test_a_link_restores_how_the_maps_are_drawn(tiny_llama: dict[str, str]) -> None:
    query = {
        "space_left": "echo",
        "space_right": "last-token",
        "space_corpus": "lee50",
        "space_projection": "pca",
        "space_neighbours": "7",
        "space_min_dist": "0.4",
        "space_seed": "3",
        "space_colour": "length",
    }
    app = well(opened(PAGE, **tiny_llama, **query))
    assert app.selectbox(key="space_projection").value == "pca"
    assert app.slider(key="space_neighbours").value == 7
    assert app.slider(key="space_min_dist").value == 0.4
    assert app.number_input(key="space_seed").value == 3
    assert app.number_input(key="space_samples").value == 10
    assert "PCA: 10 texts" in shown(app)
    assert "lee50" in shown(app)
    words = {value for values in app.query_params.values() for value in values}
    app.text_input(key="space_search").set_value("secret words").run()
    after = {value for values in app.query_params.values() for value in values}
    assert words <= after
    assert not any("secret" in value for value in after)


@pytest.mark.slow
def test_ten_thousand_texts_can_be_asked_for_and_selecting_computes_nothing(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = well(opened(PAGE, **tiny_llama))
    assert app.number_input(key="space_samples").max == 10_000

    def refuse(*_args: object, **_settings: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(neighbours, "nearest", refuse)
    monkeypatch.setattr(projection, "project", refuse)
    monkeypatch.setattr("analysis.experiments.space.projected", refuse)
    app.session_state["space_rows"] = (0,)
    app.run()
    assert [lit(figure) for figure in charts(well(app))] == [{0}] * 2
    app.selectbox(key="space_colour").set_value("length").run()
    well(app)


@pytest.mark.slow
def test_dragging_is_as_chosen(tiny_llama: dict[str, str]) -> None:
    app = well(opened(PAGE, **tiny_llama))
    for name, mode in spaces.DRAGGING.items():
        app.segmented_control(key="dragging").set_value(name).run()
        assert [figure["layout"]["dragmode"] for figure in charts(well(app))] == [mode] * 2
