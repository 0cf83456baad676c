"""Ray's workers on several nodes, each a raylet of its own: lost nodes, and nodes without code."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from analysis.backbones import backbone
from analysis.backbones.backbone import Backbone
from analysis.corpora.streams import Lines
from analysis.embedding.methods import DEFAULT
from analysis.errors import EngineError
from analysis.parallel import engines, ray_cluster, ray_workers, sharded_encoding
from analysis.parallel.engines import Engine
from analysis.rerouting.plan import Plan
from analysis.runtime import events
from analysis.storage import result_store
from tests.support.checks import assert_one_sentence
from tests.support.environment import ROOT

MAKE = partial(backbone.load, dtype="float32", device="cpu")
TEXTS = [f"The boat {number} is by the bank." for number in range(1300)]
HIDING = f"""
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{hidden!r}}:
            raise ModuleNotFoundError(f"No module named {{{{name!r}}}}", name=name)

def hook(path):
    if path.rstrip("/") == {str(ROOT)!r}:
        return Nothing()
    raise ImportError

sys.path_hooks.insert(0, hook)
sys.meta_path.insert(0, Nothing())
"""
"""Run by every Python of a node: as if the project's folder and some packages were not there."""


class Nodes:
    """A head without cores, and nodes with one core each that come and go."""

    def __init__(self, cluster: Any) -> None:
        self._cluster, self.address = cluster, cluster.address
        self.engine = Engine("ray", cluster.address)

    def add(self, **environment: str) -> Any:
        return self._cluster.add_node(num_cpus=1, env_vars=environment)

    def kill(self, node: Any) -> None:
        """Kill all processes of a node, as where a machine loses its power."""
        self._cluster.remove_node(node, allow_graceful=False)

    def clear(self) -> None:
        for node in list(self._cluster.worker_nodes):
            self.kill(node)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KVE_CACHE", str(tmp_path_factory.mktemp("workers")))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they wait for all other tests
        patch.setenv("PYTHONPATH", str(ROOT))
        head: Any = Cluster(  # without types
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        yield Nodes(head)
        head.shutdown()


@pytest.fixture
def nodes(cluster: Nodes) -> Iterator[Nodes]:
    yield cluster
    cluster.clear()


@pytest.fixture
def said() -> Iterator[list[str]]:
    sentences: list[str] = []
    with events.listening(sentences.append):
        yield sentences


def where(_: object, item: int) -> tuple[str, int]:
    import ray

    time.sleep(0.1)
    return ray.get_runtime_context().get_node_id(), item


def itself(loaded: Backbone, _: None) -> Backbone:
    return loaded


def test_a_node_that_is_lost_in_the_middle_changes_no_byte(
    nodes: Nodes, folder_of: Callable[[str], str], tmp_path: Path, said: list[str]
) -> None:
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(TEXTS), encoding="utf-8")
    lines, method = Lines(str(source)), DEFAULT.under(Plan((2, 3)))
    first = nodes.add()
    nodes.add()

    def kill(done: int, _all: int) -> None:
        if done >= 3 * sharded_encoding.MIN_TEXTS and first in nodes._cluster.worker_nodes:
            nodes.kill(first)

    with engines.opened(nodes.engine, partial(MAKE, folder_of("llama"))) as workers:
        assert workers.count == 2
        deadline = time.monotonic() + 60
        while len({node for node, _ in workers.map(where, range(4))}) < 2:
            assert time.monotonic() < deadline
        (known,) = workers.map(itself, [None])
        result = sharded_encoding.encode(
            workers, known, lines, tmp_path / "ray.npy", method, progress=kill
        )
    assert result.shards == len(TEXTS) // sharded_encoding.MIN_TEXTS + 1
    assert [sentence for sentence in said if "was lost; its work is done again" in sentence]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with engines.opened(Engine(), partial(MAKE, folder_of("llama"))) as here:
        sharded_encoding.encode(here, known, lines, tmp_path / "here.npy", method)
    torch.set_num_threads(threads)
    lines.close()
    assert (tmp_path / "ray.npy").read_bytes() == (tmp_path / "here.npy").read_bytes()


def work_with_a_loss(nodes: Nodes, *, replaced: bool) -> list[int]:
    """The results of twelve items, during which the only node is killed."""
    only, results = nodes.add(), []
    with engines.opened(nodes.engine, no_state) as workers:
        for _, item in workers.map(where, range(12)):
            results.append(item)
            if item == 3:
                nodes.kill(only)
                if replaced:
                    nodes.add()
    return results


@pytest.mark.slow
def test_work_waits_for_a_node_to_come_back(nodes: Nodes, said: list[str]) -> None:
    assert work_with_a_loss(nodes, replaced=True) == list(range(12))
    assert [sentence for sentence in said if "was lost" in sentence]


@pytest.mark.nightly
def test_work_does_not_wait_for_ever(
    nodes: Nodes, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "PATIENCE", 3.0)
    with pytest.raises(EngineError, match="no node came back in 3 seconds") as caught:
        work_with_a_loss(nodes, replaced=False)
    assert_one_sentence(caught.value)
    assert "No worker is left; waiting 3 seconds for a node." in said


@pytest.mark.slow
def test_the_code_travels_with_its_results_and_what_a_node_lacks_is_named(
    nodes: Nodes, tmp_path: Path
) -> None:
    for name, hidden in (("no code", []), ("no pydantic", ["pydantic"])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(HIDING.format(hidden=hidden), encoding="utf-8")
    bare = nodes.add(PYTHONPATH=str(tmp_path / "no code"))
    assert list(engines.run(abs, [-1, -2, -3], nodes.engine)) == [1, 2, 3]
    shipped = next((ROOT / "assets" / "results").glob("dimensions-*.npz")).stem
    (result,) = engines.run(result_store.get, [shipped], nodes.engine)
    assert result is not None
    assert result[0]["shipped"]
    with pytest.raises(EngineError, match=r"The node [\d.]+ lacks the package tests;") as caught:
        list(engines.run(partial(where, None), [1], nodes.engine))  # a function that is not ours
    assert_one_sentence(caught.value)
    nodes.kill(bare)
    nodes.add(PYTHONPATH=str(tmp_path / "no pydantic"))
    with pytest.raises(EngineError, match=r"The node [\d.]+ lacks the package pydantic;") as caught:
        list(engines.run(abs, [-1], nodes.engine))
    assert_one_sentence(caught.value)


@pytest.mark.nightly
def test_a_port_of_rays_that_is_not_its_heads_is_refused_by_ray(nodes: Nodes) -> None:
    """It speaks gRPC too, and how often Ray tries it is read when Ray is imported."""
    node = nodes.add()
    began = time.monotonic()
    program = _program(f"{node.node_ip_address}:{node.node_manager_port}")
    said, _ = program.communicate(timeout=100)
    assert time.monotonic() - began < 30, "with the imports, on a busy machine"
    assert "No Ray cluster answers" in said
    assert program.returncode == 2


@pytest.mark.slow
def test_a_head_that_is_lost_ends_the_work_in_a_sentence(cluster: Nodes) -> None:
    """Ray itself ends the program after a minute, with code 1."""
    del cluster  # for its environment
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False}
    another: Any = Cluster(initialize_head=True, head_node_args=head)
    another.add_node(num_cpus=1)
    program = _program(another.address)
    assert program.stdout is not None
    assert program.stdout.readline() == "done\n"
    another.remove_node(another.head_node, allow_graceful=False)
    said = program.stdout.read().splitlines()  # among what Ray prints of a lost raylet
    (sentence,) = (line for line in said if line.startswith("The head of Ray's cluster was lost"))
    assert_one_sentence(EngineError(sentence))
    assert program.wait() == 2
    for node in list(another.worker_nodes):
        another.remove_node(node, allow_graceful=False)


def _program(address: str) -> "subprocess.Popen[str]":
    """A program that works for a minute in the cluster at ``address``, and ends as commands do."""
    script = f"""
import sys, time
from analysis.errors import EngineError
from analysis.parallel import engines, ray_cluster
ray_cluster.LOST, ray_cluster.ANSWER = 2.0, 1.0
try:
    for _ in engines.run(time.sleep, [0.1] * 600, engines.Engine("ray", {address!r})):
        print("done", flush=True)
except EngineError as error:
    print(error)
    sys.exit(2)
"""
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def no_state() -> None:
    return None


def test_a_node_of_other_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Error(Exception):
        pass

    node = ray_workers.Node("a", "10.0.0.3", {"torch": "2.12.0"})
    actor = SimpleNamespace(node=SimpleNamespace(remote=object), do=None)
    context = SimpleNamespace(gcs_address="127.0.0.1:1")
    ray = SimpleNamespace(
        get_runtime_context=lambda: context,
        remote=lambda _: SimpleNamespace(
            options=lambda **_: SimpleNamespace(remote=lambda *_: actor)
        ),
        wait=lambda references, **_: (references[:1], []),
        get=lambda _: node,
        kill=lambda _: None,
        exceptions=SimpleNamespace(RayError=Error, RayTaskError=Error),
    )
    monkeypatch.setattr(ray_workers, "_versions", lambda: {"torch": "2.13.0"})
    with (
        pytest.raises(EngineError, match=r"10\.0\.0\.3 has torch 2\.12\.0") as caught,
        ray_workers.started(ray, no_state, ray_cluster.Allocation(1, 1, 0)) as workers,
    ):
        list(workers.map(where, [1]))
    assert_one_sentence(caught.value)
