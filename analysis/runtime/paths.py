"""Paths of the user's cache, and of the files that ship with the project."""

import importlib.resources
import os
import tempfile
from pathlib import Path

from ..errors import SettingsError


def cache_home() -> Path:
    """The project's cache folder: ``KVE_CACHE``, else the user's cache folder.

    Raises:
        SettingsError: the user has no home folder, as in some containers, and no variable names
            another.
    """
    if home := os.environ.get("KVE_CACHE"):
        return Path(home)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(base).expanduser() / "kv-embedding-explorer"
    except RuntimeError:
        raise SettingsError(
            "This user has no home folder to keep results in; set KVE_CACHE to a folder."
        ) from None


def check_temporary_folder() -> None:
    """Refuse to start where no temporary folder can be written: PyTorch needs one to be imported.

    Raises:
        SettingsError: saying which variable names another.
    """
    try:
        tempfile.gettempdir()
    except OSError:
        raise SettingsError(
            "No temporary folder can be written, or its disk is full; free some space, or set "
            "TMPDIR to a folder that can be written."
        ) from None


def import_name() -> str:
    """The name that this package is imported by: ``analysis``, or ``kv_embedding`` installed."""
    return __name__.partition(".")[0]


def program() -> str:
    """How the command line is called here."""
    return "python -m analysis" if import_name() == "analysis" else "kv-embedding"


PACKAGE = Path(str(importlib.resources.files(import_name())))
"""The folder of this package's code."""


def _shipped(installed: str, checkout: str) -> Path:
    """A path inside the package where it was installed, else in the checkout around it."""
    path = PACKAGE / installed
    return path if path.exists() else PACKAGE.parent / checkout


ASSETS = _shipped("assets", "assets")
"""Results and studies that ship with the project; read only."""
DOCS = _shipped("docs", "docs")
"""The documents that ship with the project; read only."""
APP = _shipped("_app/app.py", "app.py")
"""The script that Streamlit runs; its settings and pages are in the same folder."""
