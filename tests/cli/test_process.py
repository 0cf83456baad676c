"""The program among other programs: pipes that close, full disks, closed streams, Ctrl-C.

Each command ends without a traceback, with an exit code of its own and at most one sentence.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.support import tiny_models
from tests.support.visits import OWN_PAIRS, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="pipes and signals as on Linux and macOS"),
]
NO_READER, INTERRUPTED = 141, 130


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny backbone, texts, pairs and recipes."""
    where = tmp_path_factory.mktemp("process")
    tiny_models.save_folder(where / "llama")
    (where / "pairs.tsv").write_text(OWN_PAIRS)
    (where / "texts.txt").write_text("\n".join(f"Text {i} of a few words." for i in range(60)))
    (where / "list.yaml").write_text("version: 1\ncommand: backbones\nbackbone: ./llama\n")
    score = "version: 1\ncommand: sts\nbackbone: ./llama\ncorpus: pairs.tsv\nlayers: all\n"
    (where / "score.yaml").write_text(score)
    return where


MODEL = "--backbone ./llama --layers all"
COMMANDS = {
    "help": "--help",
    "version": "--version",
    "help of a command": "score --help",
    "doctor": "doctor",
    "backbones": "backbones --backbone ./llama --json",
    "run": "run list.yaml",
    "run with output": "run score.yaml --output out",
    "encode": f"encode {MODEL} --input texts.txt --output out.npy",
    "encode standard input": f"encode {MODEL} --input - --output in.npy",
    "dimension": "dimension --backbone ./llama --corpus texts.txt --samples 40",
    "sts": f"sts {MODEL} --corpus pairs.tsv",
    "score": f"score {MODEL} --corpus pairs.tsv --method mean --method kv-embedding",
    "parts": f"parts {MODEL} --corpus pairs.tsv",
    "long-texts": f"long-texts {MODEL} --corpus long-news-512 --part 3 --method mean",
    "ablation": "ablation --backbone ./llama --corpus pairs.tsv",
    "rules": "rules --backbone ./llama --corpus pairs.tsv",
    "causal": f"causal {MODEL} --first a.b --second a.c",
    "space": f"space {MODEL} --corpus texts.txt --projection pca --output out.html",
    "no command": "scores",
    "a bad option": "sts --bias x",
}
QUICK = ("help", "version", "backbones", "run", "sts", "no command", "causal")
"""Commands that are tried in more ways."""


EVERY = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.nightly) for name in COMMANDS
]


LOADING = ("backbones", "run", "sts")
FEW = [pytest.param(name, marks=pytest.mark.nightly) if name in LOADING else name for name in QUICK]
"""The quick ones, those that load a backbone at night alone."""


def shell(folder: Path, line: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Run a line of a shell, in which ``$P`` is the program; the code is that of the program."""
    environment = os.environ | {
        **{"P": f"{sys.executable} -m analysis", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        **{"KVE_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": unbuffered},
    }
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder,
        env=environment,
        input="one text\nanother text\n",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def well(result: subprocess.CompletedProcess[str], *codes: int) -> str:
    """Standard error, which holds no traceback and not more than progress and a sentence."""
    assert "Traceback" not in result.stderr, result.stderr
    assert "Exception ignored" not in result.stderr, result.stderr
    assert result.returncode in codes, (result.returncode, result.stderr)
    return result.stderr


@pytest.mark.parametrize("name", EVERY)
def test_the_reader_of_the_output_goes(folder: Path, name: str) -> None:
    expected = (2,) if name in ("no command", "a bad option") else (NO_READER,)
    for unbuffered in ("", "1") if name in ("help", "version") else ("",):
        message = well(shell(folder, f"$P {COMMANDS[name]} | true", unbuffered), *expected)
        assert "pipe" not in message


@pytest.mark.parametrize("name", EVERY)
def test_the_output_is_on_a_full_disk(folder: Path, name: str) -> None:
    message = well(shell(folder, f"$P {COMMANDS[name]} > /dev/full"), 2)
    if name not in ("no command", "a bad option"):
        last = "Standard output cannot be written: No space left on device; choose another place."
        assert message.splitlines()[-1] == last


def test_a_full_disk_to_which_nothing_is_written_is_no_second_error(folder: Path) -> None:
    for unbuffered in ("", "1"):
        message = well(shell(folder, f"$P {COMMANDS['no command']} > /dev/full", unbuffered), 2)
        assert len(message.splitlines()) == 1
        assert "Argument COMMAND: invalid choice" in message


@pytest.mark.parametrize("name", QUICK)
def test_only_the_first_line_is_read(folder: Path, name: str) -> None:
    codes = (2,) if name == "no command" else (0, NO_READER)
    well(shell(folder, f"$P {COMMANDS[name]} | head -1"), *codes)


@pytest.mark.parametrize("name", FEW)
def test_standard_streams_are_closed(folder: Path, name: str) -> None:
    good = 2 if name == "no command" else 0
    alike = shell(folder, f"$P {COMMANDS[name]}")
    for redirection, code in (("<&-", good), ("2>&-", good), ("2>/dev/full", good)):
        result = shell(folder, f"$P {COMMANDS[name]} {redirection}")
        well(result, code)
        assert result.stdout == alike.stdout
    code = good if name in ("help", "version", "no command") else 2
    message = well(shell(folder, f"$P {COMMANDS[name]} >&-"), code)
    if code != good:
        assert message == "Standard output is closed; give it a file, a pipe or a terminal.\n"
    well(shell(folder, f"$P {COMMANDS[name]} <&- >&- 2>&-"), code)


def test_closed_standard_input_is_named(folder: Path) -> None:
    message = well(shell(folder, f"$P {COMMANDS['encode standard input']} <&-"), 2)
    assert message.splitlines()[-1].startswith("Standard input is closed;")


def test_characters_that_a_terminal_does_not_have_are_escaped(folder: Path) -> None:
    line = f"PYTHONIOENCODING=ascii $P causal {MODEL} --first 'Schloß é' --second 'Schloß ö'"
    well(shell(folder, line), 0)


def interrupted(folder: Path, command: str, after: float, times: int = 1) -> tuple[int, str]:
    """The exit code and standard error of a command that gets SIGINT some seconds after it began.

    The time counts from the program's first line; before, Python itself begins.
    """
    driver = (
        "import os, signal, sys, threading, time\n"
        "from analysis.cli.process import run\n"
        "def stop():\n"
        f"    for _ in range({times}):\n"
        f"        time.sleep({after})\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.argv = ['analysis', *sys.argv[1:]]\n"
        "threading.Thread(target=stop, daemon=True).start()\n"
        "sys.exit(run())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", driver, *command.split()],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "KVE_CACHE": str(folder / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return result.returncode, result.stderr


@pytest.mark.parametrize(
    "name",
    [
        "backbones",
        *(
            pytest.param(name, marks=pytest.mark.nightly)
            for name in ("help", "run with output", "encode", "ablation")
        ),
    ],
)
def test_ctrl_c_at_any_time(folder: Path, name: str) -> None:
    """Also while libraries are imported, which make other errors of it, or files are read."""
    start = time.perf_counter()
    assert interrupted(folder, COMMANDS[name], after=1000)[0] == 0
    whole = time.perf_counter() - start
    random = Random(name)
    for _ in range(8):
        code, message = interrupted(folder, COMMANDS[name], random.uniform(0.02, whole))
        assert code in (0, INTERRUPTED, -signal.SIGINT), (code, message)
        assert "Traceback" not in message, message
        assert "Exception ignored" not in message, message
        assert not re.search("KeyboardInterrupt|Error", message), message


def test_ctrl_c_twice_ends_at_once(folder: Path) -> None:
    code, message = interrupted(folder, COMMANDS["ablation"], 0.7, times=2)
    assert code in (INTERRUPTED, -signal.SIGINT)
    assert "Traceback" not in message


def test_a_program_in_the_background_is_not_interrupted(folder: Path) -> None:
    program = f"$P {COMMANDS['backbones']}"
    line = f"trap '' INT; {program} & child=$!; sleep 0.4; kill -INT $child; wait $child"
    assert shell(folder, line).returncode == 0
