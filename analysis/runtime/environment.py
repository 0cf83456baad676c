"""Environment variables that libraries read once, when they are first imported.

:func:`prepare` is called by the package's ``__init__``, which Python runs before any module that
imports PyTorch or transformers, from wherever the library is used. What is set already stays.
"""

import os

DEFAULTS = {
    # Progress is reported through callbacks; the loaders' own bars would write over them.
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # Advice of loaders to programmers; what a person can solve is raised as one sentence.
    "TRANSFORMERS_VERBOSITY": "error",
}
SPIN = "2000"
"""How often a waiting OpenMP thread looks again before it sleeps. Threads that wait for each other
by spinning for long slow passes down to a quarter as soon as anything else runs on the machine;
never spinning costs a tenth on an idle one. A short spin loses little either way
(docs/performance.md)."""


def prepare() -> None:
    """Set what is not set; ``OMP_WAIT_POLICY``, where it is set, decides about spinning."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
