"""Engines: order, what is taken ahead, errors, killed workers; sweeps; one answer everywhere."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from analysis.backbones import backbone
from analysis.backbones.backbone import Backbone
from analysis.corpora.streams import Lines
from analysis.corpora.types import Pairs
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError, CorpusError, EngineError
from analysis.evaluation import similarity
from analysis.experiments import ablation, score_store, searches
from analysis.parallel import engines, ray_workers, sharded_encoding, sweeps
from analysis.parallel.engines import Engine, Workers
from analysis.recipes import runner
from analysis.recipes.recipe import Recipe
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.checks import assert_one_sentence
from tests.support.environment import ROOT

RAY = Engine("ray", workers=2)
MAKE = partial(backbone.load, dtype="float32", device="cpu")
PLAN = Plan((2, 3))
TEXTS = [f"The boat {number} is by the bank." for number in range(700)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray on two cores of this machine, whose workers have a cache of their own."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KVE_CACHE", str(tmp_path_factory.mktemp("workers")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they wait for all other tests
        patch.setenv("PYTHONPATH", str(ROOT))  # for functions of this file, and no other path:
        # a module named like a library that Ray needs would keep its processes from starting
        start = partial(
            ray.init,
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
            _node_ip_address="127.0.0.1",
        )
        _patiently(start)
        yield
        ray.shutdown()


def _patiently(start: Callable[[], object], attempts: int = 4) -> None:
    """Start Ray, which waits 30 seconds for its own processes, however busy the machine is."""
    others = set(psutil.Process().children(recursive=True))
    for attempt in range(attempts):
        try:
            start()
        except Exception as error:
            if "timed out during startup" not in str(error) or attempt == attempts - 1:
                raise
            for process in set(psutil.Process().children(recursive=True)) - others:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            return


@pytest.fixture(scope="module")
def workers(cluster: None, folder_of: Callable[[str], str]) -> Iterator[Workers[Backbone]]:  # noqa: ARG001
    """Two of them, with a tiny backbone each."""
    with engines.opened(RAY, partial(MAKE, folder_of("llama"))) as result:
        yield result


def noting(taken: list[int], numbers: Iterable[int]) -> Iterator[int]:
    """The numbers, each noted when it is taken."""
    for number in numbers:
        taken.append(number)
        yield number


# In this process


def test_here_items_are_taken_as_results_are_asked_for() -> None:
    taken: list[int] = []
    items = noting(taken, range(9))
    result = engines.run(lambda item: item * 2, items)
    assert [next(result), next(result)] == [0, 2]
    assert taken == [0, 1]
    assert list(result) == [4, 6, 8, 10, 12, 14, 16]


@pytest.mark.parametrize("told", [{"address": "auto"}, {"workers": 2}])
def test_workers_without_ray_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="engine ray") as caught:
        Engine("local", **told)
    assert_one_sentence(caught.value)


def test_without_ray_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match="pip install 'ray") as caught:
        list(engines.run(str, [1], Engine("ray")))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("device", ["cuda:1", "spread"])
def test_devices_that_no_worker_has_for_itself_are_refused(device: str) -> None:
    with pytest.raises(EngineError, match="one device") as caught:
        list(engines.run(str, [1], Engine("ray"), device=device))
    assert_one_sentence(caught.value)


# By Ray; first those who make workers of their own, for which the others leave no core


@pytest.mark.nightly
def test_a_grid_is_shared_out(
    cluster: None,  # noqa: ARG001
    folder_of: Callable[[str], str],
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    pairs = tmp_path / "pairs.tsv"
    rated = zip(TEXTS[:12], TEXTS[12:24], range(12), strict=True)
    pairs.write_text(
        "\n".join(["sentence1\tsentence2\tscore", *map("{0[0]}\t{0[1]}\t{0[2]}".format, rated)])
    )
    shared = {"backbone": folder_of("llama"), "dtype": "float32", "corpus": str(pairs)}
    made = Recipe.of("sts", shared, grid=({"layers": ["none", "2", "2-3"], "bias": [0.0, 6.0]},))
    here, there = (list(runner.rows(made, engine)) for engine in (Engine(), RAY))
    assert [row["grid"] for row in there] == [row["grid"] for row in here]
    assert len({row["spearman"] for row in here}) > 1
    for one, other in zip(here, there, strict=True):
        assert one["spearman"] == pytest.approx(
            other["spearman"], abs=1
        )  # ranks may swap by rounding
        assert one["pearson"] == pytest.approx(other["pearson"], abs=1e-3)


def die(item: int) -> int:
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.nightly
def test_an_item_that_kills_every_worker_ends_in_a_sentence(
    cluster: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_workers, "RETRIES", 0)
    with pytest.raises(EngineError, match="--workers") as caught:
        list(engines.run(die, range(4), Engine("ray", workers=1)))
    assert_one_sentence(caught.value)


@pytest.mark.slow
def test_what_cannot_be_made_is_said_as_it_is_here(
    cluster: None,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    make = partial(MAKE, str(tmp_path / "nothing"))
    with (
        pytest.raises(BackboneError, match="There is no backbone"),
        engines.opened(Engine("ray"), make) as workers,
    ):
        list(workers.map(slowly, [1]))


def slowly(_: object, item: int) -> int:
    time.sleep(random.random() / 50)
    return item * 2


@pytest.mark.slow
def test_results_come_in_order_and_few_items_are_taken_ahead(workers: Workers[Backbone]) -> None:
    taken: list[int] = []
    items = noting(taken, range(60))
    for done, result in enumerate(workers.map(slowly, items)):
        assert result == done * 2
        assert len(taken) - done <= ray_workers.AHEAD * 2
    assert len(taken) == 60


def refuse(_: object, item: int) -> int:
    if item == 3:
        raise CorpusError("Text 3 cannot be encoded; leave it out.")
    return item


@pytest.mark.slow
def test_what_a_worker_refuses_is_said_as_it_says_it(workers: Workers[Backbone]) -> None:
    with pytest.raises(CorpusError, match=r"^Text 3 cannot be encoded; leave it out\.$"):
        list(workers.map(refuse, range(9)))


def noted(folder: Path, _: object, item: int) -> int:
    """Leave a file that says who did the item, then be at it for a while."""
    (folder / f"{item}-{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.05)
    return item


@pytest.mark.nightly
def test_a_killed_worker_costs_no_more_than_what_it_was_at(
    workers: Workers[Backbone], tmp_path: Path
) -> None:
    found, killed = [], None
    for result in workers.map(partial(noted, tmp_path), range(40)):
        found.append(result)
        if result == 10:
            begun = max(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[2]))
            killed = int(begun.name.split("-")[1])
            os.kill(killed, signal.SIGKILL)
    assert found == list(range(40))
    done = [path.name.split("-") for path in tmp_path.iterdir()]
    assert killed is not None
    assert len(done) <= 41  # the one that was cut short is done again, unless it had just ended
    assert {item for item, _, _ in done} == set(map(str, range(40)))
    # Its place was taken: the pool has two again, though the other did most of this.
    assert killed not in workers.map(who, range(4))


def who(_: object, item: int) -> int:
    del item
    time.sleep(0.2)
    return os.getpid()


def itself(loaded: Backbone, _: None) -> Backbone:
    return loaded


@pytest.mark.slow
def test_a_file_is_encoded_to_the_same_bytes_though_a_worker_is_killed(
    workers: Workers[Backbone], folder_of: Callable[[str], str], tmp_path: Path
) -> None:
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(TEXTS), encoding="utf-8")
    (known,) = workers.map(itself, [None])
    assert "model" not in vars(known)  # weights do not travel
    killed: list[int] = []

    def kill(_done: int, _all: int) -> None:
        if not killed:
            every = psutil.Process().children(recursive=True)
            actors = [one for one in every if "ray::_Actor" in " ".join(one.cmdline())]
            actors[0].kill()
            killed.append(actors[0].pid)

    lines = Lines(str(source))
    asked = (lines, tmp_path / "ray.npy", DEFAULT.under(PLAN))
    result = sharded_encoding.encode(workers, known, *asked, progress=kill)
    assert killed
    assert (result.shards, result.kept) == (len(TEXTS) // sharded_encoding.MIN_TEXTS + 1, 0)
    with engines.opened(Engine(), partial(MAKE, folder_of("llama"))) as here:
        sharded_encoding.encode(here, known, lines, tmp_path / "here.npy", DEFAULT.under(PLAN))
    lines.close()
    by_ray, alone = (np.load(tmp_path / f"{name}.npy") for name in ("ray", "here"))
    np.testing.assert_allclose(by_ray, alone, atol=1e-6)
    assert by_ray.shape == (len(TEXTS), known.facts.hidden)


@pytest.mark.slow
def test_a_shared_sweep_scores_as_one_alone(
    workers: Workers[Backbone], folder_of: Callable[[str], str], empty_cache: Path
) -> None:
    del empty_cache
    texts, rated = tuple(TEXTS[:24]), np.random.default_rng(0).random(12)
    pairs = Pairs("made", texts, np.arange(12), np.arange(12, 24), rated, "")
    (known,) = workers.map(itself, [None])
    plans = searches.sliding(known.layers, 2)
    sweep = partial(sweeps.sweep, workers)
    *_, walk = ablation.run(known, pairs, searches.at_once(plans), sweep=sweep)
    assert set(walk.points) == {PLAIN, *plans}
    loaded = MAKE(folder_of("llama"))
    for plan, point in walk.points.items():
        result = encoder.encode(loaded, texts, DEFAULT.under(plan)).embeddings
        alone = similarity.cosines(result, pairs)
        assert point.score.cosines is not None
        np.testing.assert_allclose(point.score.cosines, alone, atol=2e-6)
        assert (
            score_store.known_score(loaded, pairs, DEFAULT.under(plan)) is not None
        )  # kept here, too


@pytest.mark.slow
def test_a_worker_of_another_dtype_is_refused(folder_of: Callable[[str], str]) -> None:
    other = backbone.load(folder_of("llama"), dtype="bfloat16", device="cpu")
    pairs = Pairs("made", tuple(TEXTS[:6]), np.arange(3), np.arange(3, 6), np.arange(3.0), "")
    with (
        pytest.raises(EngineError, match="--dtype") as caught,
        engines.opened(Engine(), partial(MAKE, folder_of("llama"))) as here,
    ):
        list(sweeps.sweep(here, other, pairs, [PLAN]))
    assert_one_sentence(caught.value)
