"""The request log: where it is written, what a line holds, and which settings are refused."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.backbones.backbone import Backbone
from analysis.cli.main import main
from analysis.embedding import cached_encoder
from analysis.embedding.methods import DEFAULT
from analysis.errors import OutOfMemory, SettingsError
from analysis.runtime import request_log
from tests.support.checks import assert_one_sentence
from tests.support.environment import ROOT

TEXTS = tuple(f"Text number {'x' * (7 * i % 31)} {i}." for i in range(24))
NO_FILES = ("json", "true", "1", "on", "yes", "stdout", "log", ".json", "requests.txt", "OFF")


@pytest.fixture(autouse=True)
def log_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Tests run in a folder of their own, and the log is off again behind them."""
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.setenv("KVE_LOG", "off")
    request_log.start()


@pytest.mark.parametrize("setting", NO_FILES)
def test_a_setting_that_is_no_file_is_refused_and_writes_none(
    setting: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KVE_LOG", setting)
    with pytest.raises(SettingsError) as caught:
        request_log.start()
    assert_one_sentence(caught.value)
    assert main(["doctor", "--json"]) == 2
    assert capsys.readouterr() == ("", f"{caught.value}\n")
    request_log.start_anyway("stderr")
    with request_log.request("page"):
        pass
    refused, line = capsys.readouterr().err.splitlines()
    assert refused == str(caught.value)
    assert json.loads(line)["request"] == "page"
    assert list(Path.cwd().iterdir()) == []


def test_a_file_of_something_else_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("corpus.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.setenv("KVE_LOG", "corpus.jsonl")
    with pytest.raises(SettingsError, match="holds something other than request lines") as caught:
        request_log.start()
    assert_one_sentence(caught.value)
    assert Path("corpus.jsonl").read_text() == '{"text": "a"}\n'
    Path("requests.jsonl").touch()
    monkeypatch.setenv("KVE_LOG", "requests.jsonl")
    for _ in range(2):  # empty, then with lines of an earlier run
        request_log.start()
        with request_log.request("page"):
            pass
    lines = Path("requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["request"] for line in lines] == ["page", "page"]


@pytest.mark.parametrize(
    "setting", ["requests.log", "requests.JSONL", "requests.json", "./requests", "logs/json"]
)
def test_a_file_is_known_by_its_folder_or_its_ending(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("logs").mkdir()
    monkeypatch.setenv("KVE_LOG", setting)
    request_log.start()
    for page in ("similarity", "rerouting"):
        with request_log.request("page", page=page):
            pass
    lines = [json.loads(line) for line in Path(setting).read_text().splitlines()]
    assert [line["page"] for line in lines] == ["similarity", "rerouting"]


@pytest.mark.slow
def test_tests_keep_no_log_unless_they_say_so() -> None:
    """Nor do the processes that they start: nothing is written into the checkout."""
    assert os.environ["KVE_LOG"] == "off"
    before = {path.name for path in ROOT.iterdir()}
    command = [sys.executable, "-m", "analysis", "doctor", "--json"]
    subprocess.run(command, check=False, cwd=ROOT, capture_output=True)
    assert {path.name for path in ROOT.iterdir()} == before


def test_a_log_that_cannot_be_written_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KVE_LOG", str(tmp_path / "no" / "folder" / "log"))
    request_log.start()
    with request_log.request("command"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert "cannot be written: No such file" in lines[0]
    assert json.loads(lines[1])["outcome"] == "done"


def test_a_request_leaves_one_line_and_no_text(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("KVE_LOG", str(log))
    request_log.start()
    try:
        for _ in range(2):
            with request_log.request("page", page="similarity"):
                cached_encoder.encode_methods(llama, TEXTS, [DEFAULT])
        with pytest.raises(OutOfMemory), request_log.request("page"):
            raise OutOfMemory("no")
        with pytest.raises(KeyboardInterrupt), request_log.request("page"):
            raise KeyboardInterrupt
        with pytest.raises(ZeroDivisionError), request_log.request("page"):
            raise ZeroDivisionError
    finally:
        monkeypatch.setenv("KVE_LOG", "off")
        request_log.start()
    first, second, refused, stopped, failed = map(json.loads, log.read_text().splitlines())
    assert first["encoded"] == 24
    assert first["tokens"] > 24
    assert first["known"] == 0
    assert (second["known"], "encoded" in second) == (24, False)
    assert {"time", "seconds", "memory_mb"} <= first.keys()
    assert (refused["outcome"], refused["error"]) == ("refused", "OutOfMemory")
    assert stopped["outcome"] == "stopped"
    assert (failed["outcome"], failed["error"]) == ("failed", "ZeroDivisionError")
    assert "Text number" not in log.read_text()
