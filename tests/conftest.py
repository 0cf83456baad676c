"""What several test files share: data, backbones, and a guard around the user's own folders."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.environment import DROPPED, GUARDED

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from analysis.backbones.backbone import Backbone

settings.register_profile(  # a busy machine is not a failure
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")


_BEGAN = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--budget MINUTES``: what has not begun by then is left out, and counted as skipped."""
    parser.addoption("--budget", type=float, metavar="MINUTES", help="begin no test after that")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what would begin too late."""
    budget = item.config.getoption("--budget")
    if budget is not None and time.monotonic() - _BEGAN > 60 * budget:
        pytest.skip(f"beyond the budget of {budget:g} minutes")


@pytest.fixture(autouse=True)
def guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's caches or reaches the network, whatever ran before it."""
    for name, value in GUARDED.items():
        monkeypatch.setenv(name, value)
    for name in DROPPED:
        monkeypatch.delenv(name, raising=False)
    # The dtype that is chosen automatically does not depend on the machine, in this process.
    monkeypatch.setattr("analysis.backbones.devices._cpu_gains_by_bfloat16", lambda: False)


@pytest.fixture
def empty_cache(guard: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:  # noqa: ARG001
    """A cache folder of the test's own, with nothing in it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KVE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def evaldata() -> Path:
    """Folder of evaluation data that is not part of the project.

    ``KVE_EVALDATA`` or ``../shared/evaldata`` beside the checkout; tests that need it are skipped
    where it is missing, except on CI.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "evaldata"
    folder = Path(os.environ.get("KVE_EVALDATA") or beside)
    if not (folder / "sts").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no evaluation data in {folder}; set KVE_EVALDATA")
        pytest.skip(f"no evaluation data in {folder}")
    return folder


@pytest.fixture(scope="session")
def smollm2() -> "Backbone":
    """The packaged SmolLM2 in float32, converted on the first run ever."""
    from tests.support import properties

    return properties.case("smollm2").backbone


@pytest.fixture(scope="session")
def tiny() -> "Callable[[str], Backbone]":
    """``tiny(family)``: a seeded random backbone of a few layers; see tiny_models.CONFIGS."""
    from tests.support import tiny_models

    return tiny_models.tiny


@pytest.fixture
def llama(empty_cache: Path) -> "Iterator[Backbone]":  # noqa: ARG001
    """A tiny backbone of which nothing is stored."""
    from analysis.embedding import trace_cache
    from tests.support import tiny_models

    trace_cache.forget()
    yield tiny_models.tiny("llama")
    trace_cache.forget()


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After ``idle()`` whatever computes a result fails."""
    from tests.support import scoring

    return partial(scoring.forbid_computing, monkeypatch)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """``folder_of(family)``: a tiny backbone on disk, to be typed in as a folder.

    Llama's has an unembedding.
    """
    from tests.support import tiny_models

    def saved(family: str) -> str:
        folder = tmp_path_factory.getbasetemp() / f"tiny-{family}"
        if not folder.exists():
            save = tiny_models.save_headed if family == "llama" else tiny_models.save_folder
            save(folder, family)
        return str(folder)

    return saved


@pytest.fixture
def nothing_stored(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """An empty cache; what auto stands for is found on 60 texts."""
    import streamlit

    from analysis.experiments import dimension

    streamlit.cache_resource.clear()  # what pages hold in memory counts as stored
    monkeypatch.setattr(dimension, "dimensions", partial(dimension.dimensions, samples=60))


@pytest.fixture
def tiny_llama(folder_of: Callable[[str], str], nothing_stored: None) -> dict[str, str]:  # noqa: ARG001
    """A link's settings for a tiny backbone of which nothing is stored yet."""
    return {"backbone": folder_of("llama"), "layers": "2-3"}


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One headless Chromium; without it these tests are skipped, except on CI."""
    from tests.support import serving

    if serving.CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium; install Debian's package")
        pytest.skip("no chromium")
    with serving.browsing() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The running app, with the cache that all tests share."""
    from tests.support import serving

    with serving.served(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture
def outside() -> Iterator[list[str]]:
    """Addresses on other hosts that a browser asked for: none, or the test fails."""
    addresses: list[str] = []
    yield addresses
    assert not addresses


@pytest.fixture
def context(browser: "Browser", outside: list[str]) -> "Iterator[BrowserContext]":
    """A visitor who was never here before."""
    from tests.support import serving

    visitor = browser.new_context(viewport={"width": 1440, "height": 1000})
    visitor.set_default_timeout(120_000)
    serving.note_requests_to_others(visitor, outside)
    yield visitor
    visitor.close()


@pytest.fixture
def unguarded(browser: "Browser", outside: list[str]) -> "Iterator[Page]":
    """A tab without the Content-Security-Policy: what it shows has to be harmless by itself."""
    from tests.support import serving

    visitor = browser.new_context(bypass_csp=True, viewport={"width": 1440, "height": 1000})
    visitor.set_default_timeout(120_000)
    serving.note_requests_to_others(visitor, outside)
    yield visitor.new_page()
    visitor.close()


@pytest.fixture
def complaints() -> list[str]:
    """Errors that the page logged."""
    return []


@pytest.fixture
def visit(context: "BrowserContext", complaints: list[str]) -> "Page":
    """A tab whose errors are noted."""
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.text} ({message.location.get('url', '')})")
            if message.type == "error"
            else None
        ),
    )
    return page


@pytest.fixture(scope="module")
def telephone(browser: "Browser") -> "Iterator[Page]":
    """A narrow screen."""
    context = browser.new_context(viewport={"width": 420, "height": 900})
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()
