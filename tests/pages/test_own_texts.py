"""Own texts by upload or as a pasted list: on the map, on the curve, and as calibration texts."""

import io

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analysis.corpora import columns
from analysis.corpora.types import Texts
from analysis.errors import RecipeError
from analysis.recipes import files
from analysis.runtime import hosting, paths
from pages.shared import own_texts, questions
from tests.support import visits
from tests.support.visits import (
    OWN_TEXTS,
    WORDS,
    charts,
    downloads,
    opened,
    shown,
    turn_to,
    unescaped,
    unfolded,
    well,
)

TEXTS = list(OWN_TEXTS)
MAP, CURVE, CALIBRATION = "space_corpus", "dimension_corpus", own_texts.CHOICE
PAGES = {MAP: "embedding_space", CURVE: "intrinsic_dimension", CALIBRATION: "causal_limits"}
each_place = pytest.mark.parametrize("menu", PAGES)


def visit_at(menu: str, tiny: dict[str, str]) -> AppTest:
    """A visit whose menu stands on own texts, before any are given."""
    value = [own_texts.OWN] if menu == CURVE else own_texts.OWN
    more = {"layers": "auto"} if menu == CALIBRATION else {}
    return well(opened(PAGES[menu], **tiny | more, **{menu: value}))


def place(menu: str) -> str:
    return menu if menu == CALIBRATION else "page"


def paste(app: AppTest, menu: str, *texts: str) -> AppTest:
    return visits.paste(app, *texts, place=place(menu))


def give(app: AppTest, menu: str, name: str, data: bytes) -> AppTest:
    app.file_uploader(key=f"own_file_{place(menu)}").upload(name, data)
    return app.run()


def measured(menu: str, count: int, name: str) -> str:
    """What the page says of the texts that it measures."""
    return {
        MAP: f"10 of {count} texts of {name}.",
        CURVE: f"left out of {name}. {count} distinct texts were drawn.",
        CALIBRATION: f"selected on {count} texts of {name}.",
    }[menu]


def problem(app: AppTest) -> str:
    """The one error, on a page that goes on below it."""
    assert not app.exception, app.exception[0].message
    (error,) = app.error
    assert any("Share or reproduce" in part.label for part in app.expander), "the page stopped"
    return unescaped(str(error.value))


@each_place
def test_a_pasted_list_and_an_upload_are_measured(menu: str, tiny_llama: dict[str, str]) -> None:
    app = visit_at(menu, tiny_llama)
    assert "Until texts are given" in shown(app)
    well(paste(app, menu, *TEXTS))
    assert f"own-texts.txt: {len(TEXTS)} texts." in shown(app)
    assert measured(menu, len(TEXTS), "own-texts.txt") in shown(app)
    well(give(app, menu, "mine.txt", "\n".join(TEXTS[:40]).encode()))
    assert measured(menu, 40, "mine.txt") in shown(app)
    well(paste(app, menu, *TEXTS[:50]))
    assert measured(menu, 50, "own-texts.txt") in shown(app)
    well(paste(app, menu, ""))
    assert "Until texts are given" in shown(app)


@each_place
@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS[:2], ["the same"] * 30])
def test_too_few_texts_are_one_sentence_that_names_the_number(
    menu: str, texts: list[str], tiny_llama: dict[str, str]
) -> None:
    app = paste(visit_at(menu, tiny_llama), menu, *texts)
    least = 3 if menu == MAP else 20
    message = problem(app)
    assert f"needs at least {least} distinct texts, and own-texts.txt has" in message
    assert message.count(". ") == 1, "the sentence, and what counts until then"
    assert "Until then: " in message
    well(paste(app, menu, *TEXTS))
    assert measured(menu, len(TEXTS), "own-texts.txt") in shown(app)


def test_a_handful_is_mapped_but_has_no_curve(tiny_llama: dict[str, str]) -> None:
    app = well(paste(visit_at(MAP, tiny_llama), MAP, *TEXTS[:5]))
    assert "5 of 5 texts of own-texts.txt. PCA: fewer than 15 distinct texts" in shown(app)
    app.query_params[CURVE] = [own_texts.OWN]
    app = turn_to(app, PAGES[CURVE])
    app.multiselect(key=CURVE).set_value([own_texts.OWN]).run()
    assert "An intrinsic dimension needs at least 20 distinct texts" in problem(app)
    assert "left out of news-sentences" in shown(app)


TABLE = pd.DataFrame(
    {"text": TEXTS, "topic": [WORDS[n % 3] for n in range(len(TEXTS))], "number": range(len(TEXTS))}
)


def written(suffix: str) -> bytes:
    """The table as a file."""
    file = io.BytesIO()
    match suffix:
        case ".csv":
            TABLE.to_csv(file, index=False)
        case ".semicolons.csv":
            TABLE.to_csv(file, sep=";", index=False)
        case ".tsv":
            TABLE.to_csv(file, sep="\t", index=False)
        case ".json":
            TABLE.to_json(file, orient="records")
        case ".jsonl":
            TABLE.to_json(file, orient="records", lines=True)
        case ".xlsx":
            TABLE.to_excel(file, index=False)
        case ".parquet":
            TABLE.to_parquet(file)
        case ".arrow":
            TABLE.to_feather(file, compression="uncompressed")
    return file.getvalue()


def test_every_format_is_read_with_its_labels(tiny_llama: dict[str, str]) -> None:
    app = visit_at(CALIBRATION, tiny_llama)
    suffixes = (".csv", ".semicolons.csv", ".tsv", ".json", ".jsonl", ".parquet", ".arrow", ".xlsx")
    for suffix in suffixes:
        name = f"mine{suffix}"
        well(give(app, CALIBRATION, name, written(suffix)))
        assert f"{name}: {len(TEXTS)} texts, 3 labels. Column 'text' of {name}" in shown(app)
        assert measured(CALIBRATION, len(TEXTS), name) in shown(app)


def test_labels_colour_the_map_and_columns_can_be_changed(tiny_llama: dict[str, str]) -> None:
    app = well(give(visit_at(MAP, tiny_llama), MAP, "mine.csv", written(".csv")))
    legend = {trace.get("name") for trace in charts(app)[0]["data"]}
    assert set(WORDS[:3]) <= legend
    columns_chosen = {box.label: box for box in app.selectbox if box.label.startswith("Column of")}
    columns_chosen["Column of labels"].set_value("none").run()
    assert "has no labels" in shown(well(app))
    (saved,) = (label for label in downloads(app) if "Save the texts" in label)
    assert unescaped(saved) == "Save the texts as mine-texts.jsonl"
    own = app.session_state[own_texts._KEY]
    again = columns.read_texts("mine-texts.jsonl", own.file)
    assert (again.texts, again.labels) == (tuple(TEXTS), None)
    labels = next(box for box in app.selectbox if box.label == "Column of labels")
    labels.set_value("number").run()
    own = well(app).session_state[own_texts._KEY]
    again = columns.read_texts("mine-texts.jsonl", own.file)
    assert (again.texts, again.labels) == (tuple(TEXTS), tuple(map(str, range(len(TEXTS)))))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("bad.tsv", b"text\n\0", "NUL character"),
        ("empty.txt", b"\n \n", "is empty"),
        ("gaps.csv", b"id,text\n1,a\n2,\n3,c\n", "gaps.csv, line 3: no text in column 'text'"),
        ("latin.txt", "caf\u00e9".encode("latin-1"), "save the file as UTF-8"),
        ("one.csv", b"Anna laughs\nBen cries\n", "may be its name or a text"),
        ("lines.json", b'["a", "b"]', "not a JSON object"),
        ("picture.txt", b"\x89PNG\r\n", "a picture"),
        ("numbers.csv", b"a,b\n1,2\n3,4\n", ""),
    ],
)
def test_a_refused_file_leaves_the_last_texts_in_use(
    name: str, data: bytes, reason: str, tiny_llama: dict[str, str]
) -> None:
    app = well(paste(visit_at(CALIBRATION, tiny_llama), CALIBRATION, *TEXTS))
    give(app, CALIBRATION, name, data)
    if reason:
        message = problem(app)
        assert reason in message
        assert message.endswith("own-texts.txt stays in use.")
    else:
        assert "Choose the column of the texts." in shown(well(app))
    assert measured(CALIBRATION, len(TEXTS), "own-texts.txt") in shown(app)
    give(app, CALIBRATION, "good.txt", "\n".join(TEXTS[:30]).encode())
    assert measured(CALIBRATION, 30, "good.txt") in shown(well(app))


UNUSUAL = [
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 a family",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "[a](http://b.c) <b>**$x$**",
    "  spaces  ",
    "=1+1",
]


def test_unusual_and_repeated_texts_are_read_as_they_are(tiny_llama: dict[str, str]) -> None:
    app = visit_at(MAP, tiny_llama)
    well(paste(app, MAP, *UNUSUAL, "", "  ", *UNUSUAL, "one more"))
    assert "own-texts.txt: 11 texts, 6 of them distinct." in shown(app)
    assert "6 of 6 texts of own-texts.txt." in shown(app)
    assert app.session_state[own_texts._KEY].texts.texts[:5] == tuple(UNUSUAL)


def test_texts_stay_while_other_pages_are_visited_and_are_one_set(
    tiny_llama: dict[str, str],
) -> None:
    app = well(paste(visit_at(MAP, tiny_llama), MAP, *TEXTS))
    app = well(turn_to(turn_to(app, "studies"), PAGES[CURVE]))
    well(app.multiselect(key=CURVE).set_value([own_texts.OWN, "news-sentences"]).run())
    assert measured(CURVE, len(TEXTS), "own-texts.txt") in shown(app)
    app.selectbox(key=CALIBRATION).set_value(own_texts.OWN).run()
    assert "fields for your own texts are in the sidebar" in shown(well(app))
    app = well(turn_to(app, PAGES[MAP]))
    assert f"10 of {len(TEXTS)} texts of own-texts.txt." in shown(app)
    well(give(app, CALIBRATION, "mine.txt", "\n".join(TEXTS[:30]).encode()))
    assert "10 of 30 texts of mine.txt." in shown(app)


SECRET = "xylographic quokka"


@each_place
def test_own_texts_are_in_no_address_recipe_log_or_cache(
    menu: str, tiny_llama: dict[str, str]
) -> None:
    texts = [f"{SECRET} {text}" for text in TEXTS]
    app = well(unfolded(well(paste(visit_at(menu, tiny_llama), menu, *texts))))
    assert not any(SECRET in str(value) for value in dict(app.query_params).values())
    assert not any("own-texts" in str(value) for value in dict(app.query_params).values())
    assert not any(SECRET in code.value for code in app.code)
    spec = questions.SPACE.question.read(
        {"output": "maps.html", "corpus": "own-texts.txt", "calibration": "own-texts.txt"}
    )
    assert "own-texts" not in str(spec.log_facts())
    cached = [path for path in paths.cache_home().rglob("*") if path.is_file()]
    assert cached
    assert not any(SECRET.encode() in path.read_bytes() for path in cached)


@each_place
def test_the_view_says_what_to_do_in_place_of_a_link(menu: str, tiny_llama: dict[str, str]) -> None:
    app = well(unfolded(well(paste(visit_at(menu, tiny_llama), menu))))
    assert "stands for texts" not in shown(app)
    well(paste(app, menu, *TEXTS))
    assert "save them as own-texts.txt by the button below their fields" in shown(app)
    assert "Save the texts as own-texts.txt" in map(unescaped, downloads(app))
    option = "--calibration" if menu == CALIBRATION else "--corpus"
    assert f"{option}=own-texts.txt" in str(app.code[0].value)
    well(give(app, menu, "mine.txt", "\n".join(TEXTS).encode()))
    assert "mine.txt is a file of your own: run this in the folder that holds it" in shown(app)


def test_a_recipe_of_own_texts_opens_where_the_visit_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "version: 1\ncommand: {}\ncorpus: own-texts.txt\ncalibration: own-texts.txt\n{}"
    recipe = files.read(text.format("space", "samples: 60\noutput: maps.html\n"))
    with pytest.raises(RecipeError, match="not among the calibration texts offered here"):
        questions.state(recipe)
    own = Texts(own_texts.PASTED, OWN_TEXTS, "")
    monkeypatch.setattr(own_texts, "current", lambda: own)
    page, values = questions.state(recipe)
    assert (page, values[MAP], values[CALIBRATION]) == (PAGES[MAP], own_texts.OWN, own_texts.OWN)
    assert questions.SPACE.spec(values) == recipe.spec


def test_many_texts_are_drawn_from(tiny_llama: dict[str, str]) -> None:
    many = [f"The text {number} of a long list" for number in range(20_000)]
    app = well(paste(visit_at(MAP, tiny_llama), MAP, *many))
    assert "own-texts.txt: 20,000 texts." in shown(app)
    assert "10 of 20,000 texts of own-texts.txt." in shown(app)


def test_a_hosted_server_limits_own_texts(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = visit_at(CALIBRATION, tiny_llama)
    monkeypatch.setattr(hosting, "hosted", lambda: hosting.Hosting(rows=50))
    assert "50" in problem(paste(app, CALIBRATION, *TEXTS))
