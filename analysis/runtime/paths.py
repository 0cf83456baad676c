"""Where things lie: the user's cache, and the files that ship with the project."""

import os
from pathlib import Path


def cache_home() -> Path:
    """The project's cache folder: ``KVE_CACHE``, else the user's cache folder."""
    if home := os.environ.get("KVE_CACHE"):
        return Path(home)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kv-embedding-explorer"


def _root() -> Path:
    """The package's folder where it is installed with its assets, else the checkout."""
    package = Path(__file__).resolve().parents[1]
    return package if (package / "assets").is_dir() else package.parent


ASSETS = _root() / "assets"
"""Results, studies and pictures that ship with the project; read only."""
