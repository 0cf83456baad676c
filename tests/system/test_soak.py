"""Visits to a real server, many at once, and tabs that are closed while the server works."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak import soak
from tests.support.serving import served
from tests.support.streamlit_client import tab
from tests.support.tiny_models import save_folder


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.slow
def test_a_closed_tab_stops_its_work_at_the_next_layer(tmp_path: Path) -> None:
    folder, log = save_folder(tmp_path / "llama"), tmp_path / "journal"
    link = f"backbone={folder}&dtype=float32&layers=2&dimension_samples=2000"
    with served(tmp_path / "log", KVE_CACHE=str(tmp_path), KVE_LOG=str(log)) as address:
        with tab(address) as visit:
            visit.ask("intrinsic_dimension", link)
            while True:
                delta = visit.heard().delta
                if delta.new_element.progress.text.startswith("Encoding"):
                    break
        closed = time.time()
        while not [one for one in lines(log) if one["outcome"] == "stopped"]:
            assert time.time() < closed + 60
            time.sleep(0.05)
        (stopped,) = [one for one in lines(log) if one["outcome"] == "stopped"]
    assert stopped["page"] == "intrinsic_dimension"
    assert stopped.get("encoded", 0) < 1000  # none where it stopped within the first batch


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sessions", "minutes"), [(10, 0.2), pytest.param(20, 1.0, marks=pytest.mark.nightly)]
)
def test_many_sessions_for_a_while(sessions: int, minutes: float, tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "llama")
    result = soak(sessions, minutes, str(folder), layers=6, compared=int(12 * minutes))
    assert not result.errors
    assert not result.unlike
    # Each came at least once, however slow the machine; three begin with a tab that is closed.
    assert result.visits + result.closed >= sessions
    assert result.visits >= result.compared > 0
    assert result.closed
    assert result.journal.keys() <= {"done", "stopped"}
    if minutes == 1:  # a shorter one is over before every session has seen its first page
        assert result.growth < 200
