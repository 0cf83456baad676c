"""Environment variables that libraries read once, when they are first imported.

:func:`prepare` is called by the package's ``__init__``, which Python runs before any module that
imports PyTorch or transformers. Variables that are already set keep their value.
"""

import os

DEFAULTS = {
    # Progress is reported through callbacks; the loaders' own bars would write over them.
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # Loaders log advice for programmers; what a user can solve is raised as an error instead.
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_VERBOSITY": "error",
}
SPIN = "2000"
"""How often a waiting OpenMP thread checks for work before it sleeps. Long spinning slows passes to
a quarter of their speed as soon as anything else runs on the machine; no spinning costs a tenth on
an idle one. A short spin loses little either way (docs/performance.md)."""


def prepare() -> None:
    """Set the variables that are not set; a user's ``OMP_WAIT_POLICY`` decides about spinning."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
