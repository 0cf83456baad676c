"""The studies that ship: their results are of their recipes, and a small part of each comes again.

The whole of one is run again by ``python -m analysis run assets/studies/NAME.yaml --compare
assets/studies/NAME.json``.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.corpora import packaged, registry
from analysis.corpora.passages import long_documents
from analysis.errors import CorpusError, ResultsError
from analysis.recipes import comparison, files, html_report, results
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results
from tests.support.visits import ROOT

FOLDER = ROOT / "assets" / "studies"
STUDIES = ("heads", "heads-one-word", "long-texts", "parts", "prompts", "rules", "stability")


def committed(name: str) -> Results:
    return results.read_file(FOLDER / f"{name}.json")


def test_every_study_has_its_results() -> None:
    for kind in ("yaml", "json"):
        assert sorted(path.stem for path in FOLDER.glob(f"*.{kind}")) == sorted(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_results_are_of_their_recipe_and_whole(name: str) -> None:
    made, result = files.read_file(str(FOLDER / f"{name}.yaml")), committed(name)
    assert result.recipe == made
    assert result.recipe.digest == made.digest
    places = [{axis: point.spec.values()[axis] for axis in made.axes} for point in made.points()]
    assert list({str(row["grid"]): row["grid"] for row in result.rows}.values()) == places
    assert (FOLDER / f"{name}.yaml").read_text(encoding="utf-8") == files.write(made)
    assert set(result.provenance) == {"versions", "python", "machine", "day"}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_states_its_finding_with_intervals_and_draws_it(name: str) -> None:
    result = committed(name)
    sentences = result.sentences
    assert sentences
    assert any("[" in sentence for sentence in sentences)
    assert all(chart.figure is not None for chart in result.charts())
    assert result.recipe.title.rstrip("?") in html_report.html(result)


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_of_a_corpus_is_in_the_results(name: str) -> None:
    def words(value: Any) -> int:
        parts = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list):
            return max(map(words, parts), default=0)
        return len(str(value).split())

    texts = ("template", "against", "prompt", "parts")
    for row in committed(name).rows:
        assert words({key: value for key, value in row.items() if key not in texts}) <= 7


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON document, names included."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


def test_what_ships_holds_no_evaluation_data(evaldata: Path) -> None:
    """Runs and studies are called after the corpora they are on, but hold their scores alone."""
    data = [path for path in evaldata.rglob("*") if path.suffix in (".tsv", ".jsonl", ".txt")]
    assert len(data) > 8
    texts = {
        " ".join(text.split())
        for path in data
        for line in path.read_text(encoding="utf-8").splitlines()
        for text in (strings(json.loads(line)) if path.suffix == ".jsonl" else line.split("\t"))
        if len(text.split()) >= 5
    }
    assert len(texts) > 10_000
    shipped = [*(ROOT / "assets" / "report").glob("*.json"), *FOLDER.glob("*.json")]
    assert len(shipped) > 25
    for path in shipped:
        stored = {" ".join(text.split()) for text in strings(json.loads(path.read_text("utf-8")))}
        assert not stored & texts, path.name


@pytest.mark.nightly
@pytest.mark.weights
def test_a_small_part_comes_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the parts bring to SmolLM2 on the short texts, from what ships and nothing else."""
    monkeypatch.setattr("analysis.storage.result_store.cache_home", lambda: tmp_path)
    full = committed("parts")
    (point,) = (
        point
        for point in full.recipe.points()
        if (point.spec.values()["backbone"], point.spec.values()["on"]) == ("smollm2", "labelled")
    )
    there = [
        {key: value for key, value in row.items() if key != "grid"}
        for row in full.rows
        if (row["grid"]["backbone"], row["grid"]["on"]) == ("smollm2", "labelled")
    ]
    new = results.run(point)
    result = comparison.compare(new, Results(point, tuple(there), {}))
    assert result.same, result.sentence
    assert result.numbers > 90


# Long news texts


def test_long_news_texts_are_the_beginnings_of_longer_ones() -> None:
    sets = [registry.load_retrieval(name) for name in packaged.LONG]
    for one, words in zip(sets, packaged.LONG.values(), strict=True):
        assert [len(document.split()) for document in one.documents] == [words] * 16
        for query, relevant in zip(one.queries, one.relevance, strict=True):
            assert not any(query in one.documents[place] for place in relevant) or len(query) < 40
    for short, long in itertools.pairwise(sets):
        assert set(short.queries) <= set(long.queries)
        for before, after in zip(short.documents, long.documents, strict=True):
            assert after.startswith(before)


def test_an_article_asks_for_the_document_that_holds_its_rest() -> None:
    articles = [f"Opening {n}. Rest {n} of it." for n in range(6)] + ["No second sentence here"]
    result = long_documents("x", articles, 2, 8, 8)
    assert [len(document.split()) for document in result.documents] == [8, 8]
    assert len(result.queries) == 4
    for query, relevant in zip(result.queries, result.relevance, strict=True):
        number = query.removeprefix("Opening ").removesuffix(".")
        (place,) = relevant
        assert f"Rest {number} of it." in result.documents[place]
    with pytest.raises(CorpusError, match="needs more articles than there are"):
        long_documents("x", articles, 4, 8, 8)


def test_a_recipe_that_is_changed_is_another(tmp_path: Path) -> None:
    made = files.read_file(str(FOLDER / "parts.yaml"))
    path = tmp_path / "parts.yaml"
    path.write_text(files.write(made).replace("bias: 1.0", "bias: 2.0"), encoding="utf-8")
    changed: Recipe = files.read_file(str(path))
    with pytest.raises(ResultsError, match="another recipe"):
        comparison.compare(replace(committed("parts"), recipe=changed), committed("parts"))
