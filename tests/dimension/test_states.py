"""States that would not fit into memory."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.cli.main import main
from analysis.dimension import states
from analysis.dimension.estimators import BLOCK_MEGABYTES
from analysis.errors import OutOfMemory
from tests.support.checks import assert_one_sentence

TEXTS = [f"The boat {number} is by the bank." for number in range(60)]


def leave(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Leave ``size`` bytes for states, and let no pass run."""
    free = size + 3 * 2**20 * BLOCK_MEGABYTES
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free))
    encode = SimpleNamespace(run_jointly=lambda *_: pytest.fail("texts were encoded"))
    monkeypatch.setattr(states, "passes", encode)


@pytest.mark.parametrize("cloud", ["last", "all"])
def test_states_that_do_not_fit_are_refused_before_anything_is_encoded(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, cloud: str
) -> None:
    one = states.last_token_states(llama, TEXTS[:1])
    each = one.nbytes + one.shape[2] * states.MEASURED_BYTES
    leave(monkeypatch, 59 * each)
    encode = states.last_token_states
    if cloud == "all":
        encode = partial(states.any_token_states, points=60)
    with pytest.raises(OutOfMemory, match="take at most 59 samples") as caught:
        encode(llama, TEXTS)
    assert_one_sentence(caught.value)


def test_the_number_that_is_offered_fits(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    each = states.last_token_states(llama, TEXTS[:1]).nbytes + llama.facts.hidden * 40
    with monkeypatch.context() as patched:
        leave(patched, 33 * each)
        with pytest.raises(OutOfMemory) as caught:
            states.last_token_states(llama, TEXTS)
        (offered,) = re.findall(r"at most (\d+) samples", str(caught.value))
        patched.undo()
        leave(patched, 33 * each)
        with pytest.raises(pytest.fail.Exception, match="were encoded"):
            states.last_token_states(llama, TEXTS[: int(offered)])


def test_texts_of_the_same_prompt_share_a_state(llama: Backbone) -> None:
    result = states.last_token_states(llama, [*TEXTS[:3], TEXTS[1]])
    np.testing.assert_array_equal(result[:, 3], result[:, 1])
    np.testing.assert_array_equal(result[:, :3], states.last_token_states(llama, TEXTS[:3]))


def test_the_command_says_so_in_one_sentence(
    folder_of: object,
    empty_cache: object,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave(monkeypatch, 0)
    monkeypatch.setattr("analysis.backbones.devices.with_room", lambda device, *_, **__: device)
    folder = folder_of("llama")  # type: ignore[operator]
    wanted = ("--backbone", folder, "--dtype", "float32", "--device", "cpu", "--samples", "300")
    assert main(["dimension", *wanted]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "0.0 GB are free for it; free some memory." in output.err


@pytest.mark.slow
def test_fifty_thousand_samples_are_refused_with_numbers(
    folder_of: Callable[[str], str],
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """As ``dimension --samples 50000`` of a shell: texts are read and counted, and no pass runs."""
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"The boat {number} is by the bank.\n" for number in range(50_000)))
    leave(monkeypatch, 100_000_000)
    monkeypatch.setattr("analysis.backbones.devices.with_room", lambda device, *_, **__: device)
    model = ("--backbone", folder_of("llama"), "--dtype", "float32", "--device", "cpu")
    assert main(["dimension", *model, "--corpus", str(texts), "--samples", "50000"]) == 2
    output = capsys.readouterr()
    each = 48 * (4 * 6 + states.MEASURED_BYTES)  # D (4 L + 40)
    assert output.out == ""
    assert output.err == (
        "Loading tiny-llama in float32 on cpu\n"
        "The states of 50,000 texts at the 6 layers of tiny-llama take "
        f"{50_000 * each / 1e9:.1f} GB with what measuring them needs, and 0.1 GB are free for it; "
        f"take at most {100_000_000 // each:,} samples.\n"
    )
