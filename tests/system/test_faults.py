"""Faults: a killed process, a full disk, damage, memory that runs out, numbers that overflow.

After each a clear sentence or nothing, no wrong number, and the next start works without hands.
What is damaged in a conversion, a result or a vector is tried part by part in test_conversion,
test_store and test_vectors, and what the hub answers in test_fetching; here whole processes die.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import torch

from analysis.backbones.backbone import Backbone, load
from analysis.cli.main import main
from analysis.dimension import states as clouds
from analysis.embedding import cached_encoder, encoder
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.errors import BackboneError, OutOfMemory
from analysis.experiments import causal, gates
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest, PassResult
from analysis.rerouting.plan import Plan
from analysis.runtime import events
from analysis.storage import result_store
from tests.support import encoding
from tests.support.checks import assert_one_sentence
from tests.support.environment import GUARDED
from tests.support.fake_hub import FakeHub, hub  # noqa: F401
from tests.support.passes import before_passes
from tests.support.tiny_models import backbone_of, byte_tokenizer, plain, save_folder, write_gguf

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [f"Text number {'x' * (7 * i % 31)} {i}." for i in range(24)]
PAIRS = "sentence1\tsentence2\tscore\n" + "".join(
    f"{a}\t{b}\t{i % 5}\n" for i, (a, b) in enumerate(pairwise(TEXTS))
)


def process(cache: Path, *arguments: str, code: str = "") -> subprocess.Popen[str]:
    """The command line in a process of its own; ``code`` runs before it."""
    run = "import sys\nfrom analysis.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", f"{code}\n{run}", *arguments],
        cwd=ROOT,
        env=os.environ | GUARDED | {"KVE_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_when(running: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Kill -9 as soon as something is there."""
    end = time.monotonic() + 200
    while not there():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL


Here = Callable[..., Any]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """The command line in this process, which a start after a fault is as good as; its document."""

    def run(cache: Path, *arguments: str) -> Any:
        monkeypatch.setenv("KVE_CACHE", str(cache))
        capsys.readouterr()
        assert main(list(arguments)) == 0
        return json.loads(capsys.readouterr().out)

    return run


# Killed


@pytest.mark.slow
def test_killed_while_converting_the_next_start_converts(tmp_path: Path, here: Here) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    cache = tmp_path / "cache"
    asked = ["encode", "--backbone", str(tmp_path / "tiny.gguf"), "--dtype", "float32"]
    asked += ["--method", "mean", "--input", str(tmp_path / "texts.txt"), "--json", "--output"]
    slow = (
        "import time\nfrom analysis.backbones import gguf_conversion as conversion\n"
        "sha = conversion.sha256\n"
        "conversion.sha256 = lambda path: "
        "time.sleep(60 if '.part-' in str(path) else 0) or sha(path)"
    )
    weights = "backbones/*.part-*/model.safetensors"
    killed_when(
        process(cache, *asked, str(tmp_path / "a.npy"), code=slow),
        lambda: any(True for _ in cache.glob(weights)),
    )
    assert list(cache.glob(weights))
    assert here(cache, *asked, str(tmp_path / "a.npy"))["texts"] == 24
    assert not list(cache.glob("backbones/*.part-*"))
    here(tmp_path / "whole", *asked, str(tmp_path / "b.npy"))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.slow
def test_killed_in_a_sweep_and_while_writing_the_next_start_goes_on(
    tmp_path: Path, here: Here
) -> None:
    save_folder(tmp_path / "llama")
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    asked = ["ablation", "--search", "single layers", "--layers", "2", "--json"]
    asked += [
        "--backbone",
        str(tmp_path / "llama"),
        "--dtype",
        "float32",
        "--corpus",
        str(tmp_path / "pairs.tsv"),
    ]
    cache, full = tmp_path / "cache", tmp_path / "whole"
    # The fourth result is half written, and never moved into place, when the process dies.
    stuck = (
        "import time\nfrom pathlib import Path\nmove, seen = Path.replace, []\n"
        "def replace(self, to):\n"
        "    seen.append(to)\n"
        "    if len(seen) == 4: Path(to).with_suffix('.stuck').touch(); time.sleep(60)\n"
        "    return move(self, to)\n"
        "Path.replace = replace"
    )
    killed_when(process(cache, *asked, code=stuck), lambda: bool(list(cache.rglob("*.stuck"))))
    assert len(list(cache.rglob("*.part"))) == 1
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")}
    assert len(kept) == 3
    result = here(cache, *asked)
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items()), "nothing twice"
    assert result == here(full, *asked)


@pytest.mark.parametrize("seconds", [0, 2 * result_store._UNUSED["*/*.part"]])
def test_what_killed_writers_left_is_swept_away_once_it_is_old(
    empty_cache: Path, seconds: int
) -> None:
    result_store.put("one-1", {}, {})
    (shelf,) = (path.parent for path in empty_cache.rglob("one-1.npz"))
    left = shelf / "abc.part"
    left.write_bytes(b"half")
    then = time.time() - seconds
    os.utime(left, (then, then))
    result_store.put("one-2", {}, {})
    assert left.exists() == (seconds == 0)


# The disk


@pytest.mark.slow
def test_a_disk_that_is_full_loses_no_result_and_recovers(
    llama: Backbone, empty_cache: Path
) -> None:
    """A limit on the size of files stands in for it: no result and no vector can be written."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        (full,) = cached_encoder.encode_methods(llama, TEXTS, [DEFAULT.under(Plan((2,)))])
        encoding.embeddings(llama, TEXTS, DEFAULT.under(Plan((2,))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(empty_cache.rglob("*.npz"))
    result = encoding.embeddings(llama, TEXTS, DEFAULT.under(Plan((2,))))
    np.testing.assert_array_equal(result, full.embeddings)
    assert list(empty_cache.rglob("embeddings-*.npz"))


def test_results_beyond_the_limit_push_out_the_oldest(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {"cosines": np.random.default_rng(0).random(1000)}
    result_store.put("one-0", {}, arrays)
    (first,) = empty_cache.rglob("one-0.npz")
    monkeypatch.setattr(result_store, "MAX_BYTES", 3 * first.stat().st_size + 100)
    other = first.parent.with_name("of-other-versions")
    other.mkdir()
    first.rename(other / first.name)
    os.utime(other / first.name, (1, 1))
    for i in range(1, 6):
        result_store.put(f"one-{i}", {}, arrays)
        (path,) = empty_cache.rglob(f"one-{i}.npz")
        os.utime(path, (i + 1, i + 1))
    assert sorted(p.stem for p in empty_cache.rglob("*.npz")) == ["one-3", "one-4", "one-5"]


# Memory


def small(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> list[int]:
    """Passes of more than ``most`` tokens run out of memory; the tokens of those that ran."""
    ran: list[int] = []

    def check(requests: Sequence[PassRequest]) -> None:
        tokens = sum(request.ids.numel() for request in requests)
        if tokens > most:
            raise error
        ran.append(tokens)

    before_passes(monkeypatch, check)
    return ran


OUT = [
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    RuntimeError("could not create a primitive"),
    MemoryError(),
]


@pytest.mark.slow
@pytest.mark.parametrize("error", OUT, ids=["CPU", "CUDA", "oneDNN", "Python"])
def test_a_batch_that_does_not_fit_is_halved_and_said(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    texts = [f"River number {n} is long." for n in range(10, 34)]
    asked = [DEFAULT.under(Plan((2,))), METHODS["mean"], METHODS["token-prepending"]]
    before = encoder.encode_methods(llama, texts, asked)
    states = clouds.last_token_states(llama, texts)
    anywhere = clouds.any_token_states(llama, texts, points=200)
    messages: list[str] = []
    ran = small(monkeypatch, 200, error)
    with events.listening(messages.append):
        after = encoder.encode_methods(llama, texts, asked)
    assert len(messages) == 3  # once a prompt
    assert "did not fit into memory and is computed in halves" in messages[0]
    assert 100 < max(ran) <= 200
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other.embeddings, one.embeddings, atol=2e-6)
    np.testing.assert_allclose(clouds.last_token_states(llama, texts), states, atol=2e-5)
    again = clouds.any_token_states(llama, texts, points=200)
    np.testing.assert_allclose(again, anywhere, atol=2e-5)
    traced = encoding.embeddings(llama, texts, DEFAULT.under(Plan((2,))), traced=True)
    np.testing.assert_allclose(traced, before[0].embeddings, atol=2e-6)


def test_a_prompt_that_does_not_fit_alone_is_refused_with_the_numbers(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, 20, OUT[0])
    with pytest.raises(
        OutOfMemory, match=r"1 prompt of \d+ tokens did not fit .* GB free"
    ) as caught:
        encoder.encode(llama, TEXTS, DEFAULT)
    assert_one_sentence(caught.value)
    assert not llama.lock.locked()
    monkeypatch.undo()
    assert encoder.encode(llama, TEXTS, DEFAULT).embeddings.shape[0] == 24


def test_other_errors_are_not_taken_for_lack_of_memory(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, 20, RuntimeError("a defect"))
    with pytest.raises(RuntimeError, match="a defect"):
        encoder.encode(llama, TEXTS, DEFAULT)


@pytest.mark.nightly
def test_memory_that_really_runs_out_is_halved(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During a pass the kernel gives the process little more than it has."""
    resource = pytest.importorskip("resource")
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("the size of this process cannot be read here")
    texts = [f"{i} " + "the a on " * 150 for i in range(600)]
    expected = encoder.encode(llama, texts, METHODS["mean"]).embeddings
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    inner, failed = forward_pass.run_jointly, []

    def run(model: torch.nn.Module, requests: Sequence[PassRequest]) -> list[PassResult]:
        size = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 10_000_000, hard))
        try:
            return inner(model, requests)
        except Exception as error:
            failed.append(str(error))
            raise
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

    monkeypatch.setattr(forward_pass, "run_jointly", run)
    messages: list[str] = []
    with events.listening(messages.append):
        result = encoder.encode(llama, texts, METHODS["mean"], batch_tokens=10**9).embeddings
    assert failed
    assert "did not fit into memory" in messages[0]
    np.testing.assert_allclose(result, expected, atol=2e-6)


# Numbers that overflow


def test_no_number_comes_out_of_an_overflow() -> None:
    model = plain("llama").to(torch.float16)
    hot = backbone_of(model, byte_tokenizer(), "hot")
    with torch.no_grad():
        model.layers[3].mlp.down_proj.weight.mul_(60_000)
    for compute in (
        lambda: encoder.encode(hot, TEXTS, DEFAULT),
        lambda: clouds.last_token_states(hot, TEXTS),
        lambda: causal.movement(hot, "A text here.", "A text there.", Plan((2,))),
        lambda: causal.gates(hot, "A text here.", Plan((5,))),
        lambda: gates._measured(hot, TEXTS[:2], DEFAULT.under(Plan((5,)))),
    ):
        with pytest.raises(BackboneError, match="hot overflowed in float16; load it in") as caught:
            compute()
        assert_one_sentence(caught.value)


# The hub


@pytest.mark.slow
def test_the_hub_gone_mid_download_the_next_try_goes_on(
    hub: FakeHub,  # noqa: F811
    tmp_path: Path,
) -> None:
    hub.folder = save_folder(tmp_path / "theirs")
    answer = hub.answer

    def gone(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith(".safetensors"):
            raise httpx.ReadError("the connection was reset")
        return answer(request)

    import huggingface_hub

    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(gone)))
    with pytest.raises(BackboneError) as caught:
        load("someone/model", dtype="float32", device="cpu")
    assert_one_sentence(caught.value)
    huggingface_hub.set_client_factory(lambda: httpx.Client(transport=httpx.MockTransport(answer)))
    result = load("someone/model", dtype="float32", device="cpu")
    expected = load(str(hub.folder), dtype="float32", device="cpu")
    np.testing.assert_array_equal(
        encoder.encode(result, TEXTS, DEFAULT).embeddings,
        encoder.encode(expected, TEXTS, DEFAULT).embeddings,
    )
