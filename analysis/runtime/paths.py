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


def import_name() -> str:
    """The name that this package is imported by: ``analysis``, or ``kv_embedding`` installed."""
    return __name__.partition(".")[0]


def program() -> str:
    """How the command line is called here."""
    return "python -m analysis" if import_name() == "analysis" else "kv-embedding"
