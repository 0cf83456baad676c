"""What the app says of itself on each page, and which choices stand at the side of which."""

import pytest

from pages.shared import about
from tests.support.visits import opened, shown, turn_to, unescaped, well


@pytest.mark.parametrize("page", ["studies", "causal_limits", "embedding_space"])
def test_a_page_says_what_the_app_is(tiny_llama: dict[str, str], page: str) -> None:
    app = well(opened(page, **tiny_llama))
    assert "text embedders without training" in app.caption[0].value
    assert about.PAPER in app.caption[0].value
    assert "](documentation)" in app.caption[0].value


@pytest.mark.parametrize("page", ["studies", "diagnostics", "documentation"])
def test_pages_without_choices_show_none_and_open_whatever_was_chosen(
    tiny_llama: dict[str, str], page: str
) -> None:
    app = well(opened(page, **(tiny_llama | {"layers": "99"})))
    assert not [field for field in app.text_input if field.key == "layers"]
    assert not [field for field in app.selectbox if field.key in ("backbone", "pairs")]


def test_rated_pairs_are_offered_where_they_are_scored(tiny_llama: dict[str, str]) -> None:
    def offered(page: str) -> bool:
        app = well(opened(page, **tiny_llama))
        return any(field.key == "pairs" for field in app.sidebar.selectbox)

    assert not offered("embedding_space")
    assert offered("causal_limits")


def test_similarity_asks_at_the_side_for_the_corpus_that_it_scores_on(
    tiny_llama: dict[str, str],
) -> None:
    app = well(opened("similarity", **tiny_llama, score_on="labelled texts", score_method=["mean"]))
    assert [field.key for field in app.sidebar.selectbox if field.key in ("pairs", "labelled")] == [
        "labelled"
    ]


def test_an_upload_is_kept_while_other_pages_do_not_ask_for_it(tiny_llama: dict[str, str]) -> None:
    app = opened(own_pairs=True, **tiny_llama)
    turn_to(app, "studies")
    app = well(turn_to(app, "causal_limits"))
    assert "own.tsv" in unescaped(shown(app))
    assert app.session_state["pairs_uploaded"] is not None
