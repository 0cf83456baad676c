"""Two servers of the app on one cache: same numbers, no error, nothing lost."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.serving import served
from tests.support.streamlit_client import tab
from tests.support.tiny_models import save_folder

PAGES = ("rerouting", "intrinsic_dimension", "rerouting", "causal_limits")


def read_all(address: str, links: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """What the pages show at some links, each in a tab of its own."""
    shown = {}
    for link in links:
        with tab(address) as visit:
            shown[link] = visit.read(*link)
    return shown


@pytest.mark.slow
def test_first_visits_at_once_by_links_see_their_pages(tmp_path: Path) -> None:
    """All but one saw an error, as Streamlit ran their pages without the entry file."""
    own = f"backbone={save_folder(tmp_path / 'llama')}&dtype=float32"
    links = [("causal_limits", own)] * 4
    cache = str(tmp_path / "cache")
    with served(tmp_path / "log", KVE_CACHE=cache) as address, ThreadPoolExecutor(4) as pool:
        shown = list(pool.map(lambda link: read_all(address, [link])[link], links))
    assert not [values for values in shown if "error" in values]
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.nightly
def test_two_servers_share_a_cache(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "llama")
    own = f"backbone={folder}&dtype=float32&dimension_samples=60"
    links = [(page, f"{own}&layers={i % 6}&bias={i / 4}") for i, page in enumerate(PAGES)]
    orders = [links, links[::-1], links[2:] + links[:2], links[::2] + links[1::2]]
    shared = str(tmp_path / "shared")

    def serve(stack: ExitStack, name: str, cache: str = shared) -> str:
        logs = tmp_path / f"{name}.log", str(tmp_path / f"{name}.jsonl")
        return stack.enter_context(served(logs[0], KVE_CACHE=cache, KVE_LOG=logs[1]))

    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        first, second = serve(stack, "first"), serve(stack, "second")
        shown = list(pool.map(read_all, [first, second, first, second], orders))
    with ExitStack() as stack:
        alone = read_all(serve(stack, "alone", str(tmp_path / "one")), links)
        again = read_all(serve(stack, "again"), links)
    assert len(alone) == len(links)
    assert all(values and "error" not in values for values in alone.values())
    for other in (*shown, again):
        assert other == alone
    entries = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert {entry["outcome"] for entry in entries} == {"done"}
    assert max(entry.get("encoded", 0) for entry in entries) <= 4, "more than what is typed"
    for log in tmp_path.glob("*.log"):
        assert "Traceback" not in log.read_text()
