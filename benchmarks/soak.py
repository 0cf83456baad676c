"""Many visits for a long time: ``python -m benchmarks.soak --minutes 60`` on a running machine.

Each session follows links to the page *Re-routing*, with plans of its own, on one backbone; every
fifth closes its tab during the work. Afterwards a single visitor on a new server with an empty
cache follows some of the same links: every score must be the same. The server's memory is recorded
throughout; what counts is its growth after the first third, when everything is warm.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from tests.support.serving import served
from tests.support.streamlit_client import tab

METRIC = "Re-routed"
PATIENCE = 1800
"""Seconds that a visit waits for its score: on two cores twenty cold ones take minutes."""


@dataclass
class Soaked:
    """The result of a soak test. Memory in MB; ``journal`` counts the server's lines by outcome."""

    sessions: int
    minutes: float
    visits: int = 0
    closed: int = 0
    unlike: list[str] = field(default_factory=list)
    compared: int = 0
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    journal: dict[str, int] = field(default_factory=dict)
    longest: float = 0.0

    @property
    def growth(self) -> float:
        """MB gained between the middle third and the last, by their medians."""
        third = len(self.memory) // 3
        middle, last = sorted(self.memory[third : 2 * third]), sorted(self.memory[2 * third :])
        return last[len(last) // 2] - middle[len(middle) // 2] if middle and last else 0.0


def soak(
    sessions: int,
    minutes: float,
    backbone: str = "smollm2",
    *,
    layers: int = 30,
    compared: int = 20,
    say: Callable[[str], None] = print,
) -> Soaked:
    """Run ``sessions`` at once for ``minutes``, then compare so many links with a lone visit."""
    found = Soaked(sessions, minutes)
    scores: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        log = home / "journal"
        others = set(psutil.Process().children())
        with served(home / "log", KVE_CACHE=f"{folder}/many", KVE_LOG=str(log)) as address:
            (server,) = set(psutil.Process().children()) - others
            _visit(address, _link(backbone, 0, 0.0))  # convert and warm up, alone
            end = time.monotonic() + 60 * minutes
            lock = threading.Lock()

            def session(number: int) -> None:
                chance = random.Random(number)
                while time.monotonic() < end:
                    link = _link(backbone, chance.randrange(layers), chance.randrange(13) / 2 - 1)
                    began = time.monotonic()
                    try:
                        if chance.randrange(5) == 0:
                            with tab(address) as visit:
                                visit.ask("rerouting", link)
                                with suppress(TimeoutError):
                                    while True:
                                        visit.heard(chance.random())
                                        if chance.randrange(60) == 0:
                                            break
                            with lock:
                                found.closed += 1
                            continue
                        score = _visit(address, link)
                    except Exception as error:  # whatever it is, it is what is looked for
                        with lock:
                            found.errors.append(f"{link}: {type(error).__name__} {error}")
                        continue
                    with lock:
                        found.visits += 1
                        found.longest = max(found.longest, time.monotonic() - began)
                        scores.setdefault(link, set()).add(score)

            threads = [threading.Thread(target=session, args=(i,)) for i in range(sessions)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                found.memory.append(server.memory_info().rss / 1e6)
                time.sleep(min(10.0, 0.6 * minutes))
        for line in log.read_text().splitlines():
            outcome = json.loads(line)["outcome"]
            found.journal[outcome] = found.journal.get(outcome, 0) + 1
        say(f"{found.visits} visits; now {compared} links alone")
        with served(home / "log", KVE_CACHE=f"{folder}/one", KVE_LOG="off") as address:
            for link in random.Random(0).sample(sorted(scores), min(compared, len(scores))):
                found.compared += 1
                if scores[link] != {alone := _visit(address, link)}:
                    found.unlike.append(f"{link}: {sorted(scores[link])}, alone {alone}")
    return found


def _link(backbone: str, layer: int, bias: float) -> str:
    return f"backbone={backbone}&dtype=float32&layers={layer}&bias={bias}"


def _visit(address: str, link: str) -> str:
    """The score that the page shows at a link."""
    with tab(address) as visit:
        found = visit.read("rerouting", link, PATIENCE)
    if METRIC not in found:
        raise RuntimeError(found.get("error", "no score"))
    return found[METRIC]


def main(arguments: list[str] | None = None) -> int:
    """Soak as the options say; code 1 if a score differs or a page fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--backbone", default="smollm2")
    parser.add_argument("--layers", type=int, default=30, help="of the backbone")
    options = parser.parse_args(arguments)
    found = soak(options.sessions, options.minutes, options.backbone, layers=options.layers)
    memory = [round(found.memory[0]), round(max(found.memory)), round(found.memory[-1])]
    told = asdict(found) | {"memory": memory, "growth": round(found.growth, 1)}
    print(json.dumps(told, indent=1))
    return 1 if found.errors or found.unlike else 0


if __name__ == "__main__":
    sys.exit(main())
