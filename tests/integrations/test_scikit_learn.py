"""The transformer in scikit-learn's own checks, pipelines, searches and tables."""

import gc
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datasets import Dataset
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from analysis import api
from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import METHODS
from analysis.errors import CorpusError, ExplorerError, OutOfMemory, PlanError
from analysis.experiments import dimension
from analysis.integrations import scikit_learn
from analysis.integrations.scikit_learn import Vectorizer
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

TEXTS = [f"The boat {number} is by the bank." for number in range(24)]
LABELS = np.arange(len(TEXTS)) % 2


@pytest.fixture(autouse=True)
def none_recent() -> None:
    scikit_learn._RECENT.clear()


@pytest.fixture
def vectorizer(folder_of: Callable[[str], str], empty_cache: Path) -> Vectorizer:
    del empty_cache
    return Vectorizer(folder_of("llama"), layers="2-3", dtype="float32", device="cpu")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the backbones that were loaded, in order."""
    gc.collect()  # what earlier tests loaded counts no more
    names: list[str] = []
    load = api.load_backbone

    def counted(name: str, **options: Any) -> Backbone:
        names.append(Path(name).name)
        return load(name, **options)

    monkeypatch.setattr(api, "load_backbone", counted)
    return names


class Rows(Vectorizer):
    """Rows of numbers, written as texts: scikit-learn's checks make nothing else."""

    def fit(self, X: Any, y: Any = None) -> "Rows":
        super().fit(_written(validate_data(self, X)), y)
        return self

    def transform(self, X: Any) -> Any:
        check_is_fitted(self)
        return super().transform(_written(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array = False, False
        tags.input_tags.two_d_array = True
        return tags


def _written(X: Any) -> list[str]:
    return [" ".join(f"{value:.3g}" for value in row) for row in np.asarray(X)]


def test_scikit_learns_own_checks_pass(vectorizer: Vectorizer) -> None:
    check_estimator(vectorizer)
    results = check_estimator(Rows(**vectorizer.get_params()), on_skip=None)
    skipped = [result["check_name"] for result in results if result["status"] != "passed"]
    assert skipped == ["check_array_api_input"]  # arrays of other libraries hold no texts
    assert len(results) > 40


def test_a_vectorizer_works_in_a_pipeline_and_its_pickle_holds_no_weights(
    vectorizer: Vectorizer,
) -> None:
    model = make_pipeline(clone(vectorizer), LogisticRegression()).fit(TEXTS, LABELS)
    rows = model[0].transform(TEXTS)
    assert (rows.shape, rows.dtype) == ((len(TEXTS), tiny_models.HIDDEN), np.float32)
    again = pickle.loads(data := pickle.dumps(model))
    assert len(data) < 5_000
    np.testing.assert_array_equal(again.predict(TEXTS), model.predict(TEXTS))
    assert model[0].plan_.layers == (2, 3)
    assert clone(vectorizer).set_params(bias=-1).get_params()["bias"] == -1


def test_the_bias_and_the_role_count(vectorizer: Vectorizer) -> None:
    plain = vectorizer.fit_transform(TEXTS)
    for change in ({"bias": 4.0}, {"role": "Query"}, {"method": "mean"}):
        other = clone(vectorizer).set_params(**change).fit_transform(TEXTS)
        assert np.abs(other - plain).max() > 1e-3, change


def test_a_search_over_settings_loads_once(vectorizer: Vectorizer, loads: list[str]) -> None:
    model = make_pipeline(vectorizer, LogisticRegression())
    grid = {"vectorizer__method": ["mean", "kv-embedding"], "vectorizer__bias": [0.0, 2.0]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert loads == ["tiny-llama"]


# Tables


TABLES: dict[str, Callable[[], Any]] = {
    "a list": lambda: TEXTS,
    "a generator": lambda: (text for text in TEXTS),
    "Series": lambda: pd.Series(TEXTS),
    "a frame": lambda: pd.DataFrame({"text": TEXTS}),
    "a frame whose column has no name": lambda: pd.DataFrame(TEXTS),
    "polars Series": lambda: pl.Series(TEXTS),
    "a frame of polars": lambda: pl.DataFrame({"text": TEXTS}),
    "an Arrow table": lambda: pa.table({"text": TEXTS}),
    "a data set": lambda: Dataset.from_dict({"text": TEXTS}),
    "numpy": lambda: np.array(TEXTS),
    "one column of numpy": lambda: np.array(TEXTS, object)[:, None],
    "a structured array": lambda: np.array([(text,) for text in TEXTS], [("text", "U40")]),
}


@pytest.mark.parametrize("name", TABLES)
def test_one_column_is_texts(vectorizer: Vectorizer, name: str) -> None:
    expected = vectorizer.fit(TEXTS).transform(TEXTS)
    np.testing.assert_array_equal(clone(vectorizer).fit_transform(TABLES[name]()), expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"text": TEXTS, "more": TEXTS}), "it has 'text', 'more'"),
        (np.array([TEXTS, TEXTS]), "2 dimensions"),
        (pd.DataFrame({"text": [TEXTS[0], None]}), "Text 2 is missing"),
        (pd.DataFrame({"length": [1, 2]}), "Text 1 is not a string"),
        (pl.LazyFrame({"text": TEXTS}), "table"),
        (TEXTS[0], "single string"),
    ],
)
def test_other_tables_are_refused(vectorizer: Vectorizer, given: Any, message: str) -> None:
    for use in (vectorizer.fit, vectorizer.fit(TEXTS).transform):
        with pytest.raises(CorpusError, match=message) as caught:
            use(given)
        assert_one_sentence(caught.value)


def test_frames_come_out_with_names_and_index(vectorizer: Vectorizer) -> None:
    frame = pd.DataFrame({"text": TEXTS, "length": range(24)}, index=range(100, 124))
    rows = vectorizer.fit_transform(TEXTS)
    names = [f"vectorizer{number}" for number in range(tiny_models.HIDDEN)]
    assert vectorizer.get_feature_names_out().tolist() == names
    framed = clone(vectorizer).set_output(transform="pandas").fit_transform(frame["text"])
    assert framed.columns.tolist() == names
    assert framed.index.tolist() == frame.index.tolist()
    np.testing.assert_array_equal(framed, rows)
    polars = clone(vectorizer).set_output(transform="polars").fit_transform(TEXTS)
    assert isinstance(polars, pl.DataFrame)
    for columns in ("text", ["text"]):
        table = ColumnTransformer([("own", clone(vectorizer), columns)], remainder="passthrough")
        both = table.set_output(transform="pandas").fit_transform(frame)
        assert both.columns.tolist() == [*(f"own__{name}" for name in names), "remainder__length"]
        assert both.index.tolist() == frame.index.tolist()
        np.testing.assert_array_equal(both.iloc[:, :-1], rows)


# Settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "no method 'magic'"),
        ({"role": "query"}, "no role 'query'"),
        ({"layers": "99"}, "99"),
        ({"bias": float("nan")}, "bias"),
        ({"bias": "high"}, "bias"),
        ({"layers": [2.5]}, "whole numbers"),
        ({"backbone": "no-such-folder"}, "no-such-folder"),
        ({"dtype": "float8"}, "float8"),
        ({"dtype": ["float32"]}, "no dtype"),
        ({"device": {}}, "cannot be used"),
        ({"backbone": ["smollm2"]}, "by a name or a path"),
        ({"method": None}, "no method None"),
        ({"method": METHODS["mean"]}, "no method"),
    ],
)
def test_wrong_settings_are_refused_when_it_is_fitted(
    vectorizer: Vectorizer, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExplorerError, match=message) as caught:
        vectorizer.set_params(**change).fit(TEXTS)
    assert_one_sentence(caught.value)


def test_a_word_that_is_no_role_enters_no_prompt(llama: Backbone) -> None:
    role: Any = "query"
    with pytest.raises(PlanError, match="Context, Query") as caught:
        api.encode(llama, TEXTS, "prompt-only", role=role)
    assert_one_sentence(caught.value)


def test_no_curve_is_computed_that_is_not_used(
    vectorizer: Vectorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dimension, "dimensions", lambda *_, **__: pytest.fail("a curve"))
    mean = vectorizer.set_params(method="mean", layers="auto").fit(TEXTS)
    assert mean.plan_.active == ()
    assert mean.transform(TEXTS).shape == (len(TEXTS), tiny_models.HIDDEN)


def test_several_backbones_are_not_loaded_in_turn(
    vectorizer: Vectorizer, folder_of: Callable[[str], str], loads: list[str]
) -> None:
    def on(family: str) -> Vectorizer:
        other: Vectorizer = clone(vectorizer).set_params(backbone=folder_of(family))
        return other

    two = make_pipeline(make_union(on("llama"), on("qwen2")), LogisticRegression())
    assert np.isfinite(cross_val_score(two, TEXTS, LABELS, cv=3, error_score="raise")).all()
    assert loads == ["tiny-llama", "tiny-qwen2"]
    three = make_union(on("llama"), on("qwen2"), on("qwen3")).fit(TEXTS)
    for _ in range(2):
        assert three.transform(TEXTS).shape == (len(TEXTS), 3 * tiny_models.HIDDEN)
    assert loads == ["tiny-llama", "tiny-qwen2", "tiny-qwen3"]


def test_backbones_that_stayed_loaded_make_room(
    vectorizer: Vectorizer, folder_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectorizer.fit(TEXTS)
    other = clone(vectorizer).set_params(backbone=folder_of("qwen2"))
    del vectorizer
    load = api.load_backbone

    def full(name: str, **options: Any) -> Backbone:
        if scikit_learn._RECENT:
            raise OutOfMemory("There is no room for two.")
        return load(name, **options)

    monkeypatch.setattr(api, "load_backbone", full)
    assert other.fit_transform(TEXTS).shape == (len(TEXTS), tiny_models.HIDDEN)
