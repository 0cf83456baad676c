"""Takes the pictures of the app: ``python -m tests.support.screenshots [PAGE ...]``.

They are written to assets/screenshots, of all pages if none is named, and show what a first visit
shows: an empty cache, and the results that ship.
"""

import io
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.support.serving import PAGES, ROOT, browsing, served, settled

FOLDER = ROOT / "assets" / "screenshots"
TALLEST = 2600
LARGEST = 300_000
SHOTS = (("light", 1440, "light"), ("dark", 1440, "dark"), ("narrow", 420, "light"))
"""The end of a picture's name, the screen's width, and the colours."""


def main(pages: Iterable[str]) -> None:
    """Take each page wide in light and dark and narrow in light."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log.txt", KVE_CACHE=folder) as address,
        browsing() as browser,
    ):
        _taken(browser, address, 1440, "light")  # converts the backbone
        for name in pages:
            for ending, width, colours in SHOTS:
                path = FOLDER / f"{name}-{ending}.png"
                path.write_bytes(_shrunk(_taken(browser, f"{address}/{name}", width, colours)))
                print(path.relative_to(ROOT), path.stat().st_size, file=sys.stderr, flush=True)


def _taken(browser: Browser, address: str, width: int, colours: str) -> bytes:
    """One page as PNG, as high as what it holds."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if colours == "dark" else "light",
    )
    try:
        page = context.new_page()
        page.goto(address.replace("/causal_limits", "/"))
        settled(page)
        height = page.evaluate(
            "() => document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
        )
        page.set_viewport_size({"width": width, "height": min(int(height), TALLEST)})
        settled(page)
        page.wait_for_timeout(1500)  # figures follow the new size
        return page.screenshot()
    finally:
        context.close()


def _shrunk(png: bytes) -> bytes:
    """The picture in as many palette colours as keep it small."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32, 16):
        buffer = io.BytesIO()
        reduced = image.quantize(colours, dither=Image.Dither.NONE)
        reduced.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST:
            break
    return buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:] or [page for page in PAGES if page != "documentation"])
