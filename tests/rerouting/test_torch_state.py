"""PyTorch's state is the caller's, and decides no number that is stored."""

import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone, load
from analysis.dimension import states
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.embedding.trace import Trace
from analysis.errors import ForkError, PrecisionError
from analysis.experiments import causal, gates
from analysis.rerouting import torch_state
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import save_folder

TEXTS = ["A text.", "Another, longer text.", "A third one of some more words, in the same list."]
PLAN = Plan((2, 3))


@contextmanager
def between(begin: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    """What ``begin`` changed, until ``end``."""
    begin()
    try:
        yield
    finally:
        end()


def dtype(name: torch.dtype) -> AbstractContextManager[None]:
    return between(
        lambda: torch.set_default_dtype(name), lambda: torch.set_default_dtype(torch.float32)
    )


def threads(number: int) -> AbstractContextManager[None]:
    before = torch.get_num_threads()
    return between(lambda: torch.set_num_threads(number), lambda: torch.set_num_threads(before))


def flag(set_to: Callable[[bool], object], value: bool) -> AbstractContextManager[None]:
    return between(lambda: set_to(value), lambda: set_to(not value))


STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "default dtype float64": lambda: dtype(torch.float64),
    "default dtype bfloat16": lambda: dtype(torch.bfloat16),
    "default dtype float16": lambda: dtype(torch.float16),
    "default device meta": lambda: torch.device("meta"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "gradients": torch.enable_grad,
    "deterministic algorithms": lambda: flag(torch.use_deterministic_algorithms, True),
    "denormal numbers flushed": lambda: flag(torch.set_flush_denormal, True),
    "three threads": lambda: threads(3),
    "no flash attention": lambda: flag(torch.backends.cuda.enable_flash_sdp, False),
}


def numbers(backbone: Backbone) -> list[NDArray[np.floating]]:
    """What is stored of some texts, by every way that runs a pass."""
    plan = Plan(backbone.reroutable[-2:])
    plain, rerouted = METHODS["mean"], DEFAULT.under(plan)
    return [
        *(each.embeddings for each in encoder.encode_methods(backbone, TEXTS, [plain, rerouted])),
        encoder.encode(backbone, TEXTS, METHODS["token-prepending"]).embeddings,
        Trace(backbone, TEXTS, rerouted).embed(Plan(backbone.reroutable[-1:])),
        states.last_token_states(backbone, TEXTS),
        states.any_token_states(backbone, TEXTS, points=9),
        gates._measured(backbone, TEXTS, rerouted)[1]["by_head"],
        causal.attention(backbone, TEXTS[0], plan.layers[0], plan).weights,
        *(
            np.asarray(x)
            for x in vars(causal.movement(backbone, TEXTS[0], TEXTS[1], plan)).values()
            if isinstance(x, np.ndarray)
        ),
    ]


@pytest.mark.parametrize(
    "family",
    [
        "llama",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("gemma2", "deepseek_v3", "qwen3_next")
        ),
    ],
)
def test_no_state_of_the_caller_changes_a_bit(tiny: Callable[[str], Backbone], family: str) -> None:
    backbone = tiny(family)
    expected = numbers(backbone)
    for name, state in STATES.items():
        with state():
            inside = numbers(backbone)
        for one, other in zip(inside, expected, strict=True):
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)


def medium(backend: bool = False) -> AbstractContextManager[None]:
    """Products of less precision, by PyTorch's older setting or by that of a backend."""
    if backend:
        backends: Any = torch.backends  # with attributes that its types lack
        products = backends.mkldnn.matmul
        return between(
            lambda: setattr(products, "fp32_precision", "bf16"),
            lambda: setattr(products, "fp32_precision", "none"),
        )
    return between(
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: torch.set_float32_matmul_precision("highest"),
    )


ARITHMETIC: dict[str, tuple[Callable[[], AbstractContextManager[None]], dict[str, str]]] = {
    "precision": (medium, {"precision": "medium"}),
    "precision of a backend": (
        lambda: medium(backend=True),
        {"precision": "bf16 on the CPU and ieee on CUDA"},
    ),
    "oneDNN": (lambda: flag(torch._C._set_mkldnn_enabled, False), {"onednn": "off"}),
}


@pytest.mark.parametrize(("state", "named"), ARITHMETIC.values(), ids=ARITHMETIC)
def test_what_the_process_computes_otherwise_is_stored_apart_or_refused(
    state: Callable[[], AbstractContextManager[None]],
    named: dict[str, str],
    llama: Backbone,
    folder_of: Callable[[str], str],
) -> None:
    usual = load(folder_of("llama"), dtype="float32").identity
    with state():
        loaded = load(folder_of("llama"), dtype="float32")
        assert loaded.identity == usual | named
        encoder.encode(loaded, TEXTS, DEFAULT)
        for use in (lambda: encoder.encode(llama, TEXTS, DEFAULT), lambda: numbers(llama)):
            with pytest.raises(PrecisionError, match="set it back") as caught:
                use()
            assert_one_sentence(caught.value)
    with pytest.raises(PrecisionError, match="set it back"):
        encoder.encode(loaded, TEXTS, DEFAULT)
    encoder.encode(llama, TEXTS, DEFAULT)


@pytest.mark.parametrize(("state", "_named"), ARITHMETIC.values(), ids=ARITHMETIC)
def test_a_thread_that_changes_the_arithmetic_during_a_pass_changes_no_vector(
    state: Callable[[], AbstractContextManager[None]],
    _named: dict[str, str],
    llama: Backbone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = DEFAULT.under(PLAN)
    expected = encoder.encode(llama, TEXTS, plan).embeddings
    for changed_in in range(llama.layers):
        steps, change = itertools.count(), ExitStack()

        def before_layer(_: float) -> None:
            if next(steps) == changed_in:  # noqa: B023
                thread = threading.Thread(target=lambda: change.enter_context(state()))  # noqa: B023
                thread.start()
                thread.join()

        with monkeypatch.context() as patch, change:
            patch.setattr(llama.lock, "spend", before_layer)
            with pytest.raises(PrecisionError, match="nothing was kept"):
                encoder.encode(llama, TEXTS, plan)
        np.testing.assert_array_equal(encoder.encode(llama, TEXTS, plan).embeddings, expected)


def test_the_state_of_the_caller_is_left_as_it_was(llama: Backbone) -> None:
    with torch.autocast("cpu", torch.float16), torch.device("meta"), threads(3):
        encoder.encode(llama, TEXTS, DEFAULT)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == torch.float16
        assert torch.get_default_device() == torch.device("meta")
        assert torch.get_num_threads() == 3


@pytest.mark.slow
def test_a_backbone_loaded_in_any_state_is_the_same(folder_of: Callable[[str], str]) -> None:
    expected = numbers(load(folder_of("llama"), dtype="float32"))
    for name, state in STATES.items():
        if name == "three threads":
            continue  # those that a backbone is loaded with are those that it computes with
        with state():
            loaded = load(folder_of("llama"), dtype="float32")
        assert loaded.refusal is None, name
        for one, other in zip(numbers(loaded), expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.slow
def test_eight_threads_that_flip_states_find_two_hundred_equal(llama: Backbone) -> None:
    expected = encoder.encode(llama, TEXTS, DEFAULT.under(PLAN)).embeddings
    begin = threading.Barrier(8)

    def flip(number: int) -> list[bool]:
        chance = random.Random(number)
        begin.wait(30)
        equal = []
        for _ in range(25):
            with STATES[chance.choice([*STATES])]():
                found = encoder.encode(llama, TEXTS, DEFAULT.under(PLAN)).embeddings
            equal.append(found.dtype == np.float32 and np.array_equal(found, expected))
        return equal

    try:
        with ThreadPoolExecutor(8) as pool:
            results = [one for each in pool.map(flip, range(8)) for one in each]
    finally:  # two threads that leave in another order than they came restore each other's
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
        torch.backends.cuda.enable_flash_sdp(True)
    assert results == [True] * 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_is_refused(llama: Backbone, tmp_path: "os.PathLike[str]") -> None:
    encoder.encode(llama, TEXTS, DEFAULT)
    folder = save_folder(tmp_path / "llama")  # type: ignore[operator]
    tries: list[Callable[[], object]] = [
        lambda: encoder.encode(llama, TEXTS, DEFAULT),
        lambda: states.last_token_states(llama, TEXTS),
        lambda: causal.movement(llama, TEXTS[0], TEXTS[1], PLAN),
        lambda: load(folder),
    ]
    for attempt in tries:
        if (child := os.fork()) == 0:
            try:
                attempt()
            except ForkError as error:
                os._exit(7 if "spawn" in str(error) else 1)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_process_that_has_not_computed_may_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_state, "_PROCESS", [])
    torch_state.check_process()
    torch_state.check_process()
    monkeypatch.setattr(torch_state, "_PROCESS", [os.getpid() + 1])
    with pytest.raises(ForkError, match="spawn"), torch_state.steady():
        pass
