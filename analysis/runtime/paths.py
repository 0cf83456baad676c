"""Paths of the user's cache, and of the files that ship with the project."""

import importlib.resources
import os
from pathlib import Path


def cache_home() -> Path:
    """The project's cache folder: ``KVE_CACHE``, else the user's cache folder."""
    if home := os.environ.get("KVE_CACHE"):
        return Path(home)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kv-embedding-explorer"


def import_name() -> str:
    """The name that this package is imported by: ``analysis``, or ``kv_embedding`` installed."""
    return __name__.partition(".")[0]


def program() -> str:
    """How the command line is called here."""
    return "python -m analysis" if import_name() == "analysis" else "kv-embedding"


def _package() -> Path:
    return Path(str(importlib.resources.files(import_name())))


def _shipped(installed: str, checkout: str) -> Path:
    """A path inside the package where it was installed, else in the checkout around it."""
    path = _package() / installed
    return path if path.exists() else _package().parent / checkout


ASSETS = _shipped("assets", "assets")
"""Results and studies that ship with the project; read only."""
APP = _shipped("_app/app.py", "app.py")
"""The script that Streamlit runs; its settings and pages are in the same folder."""
