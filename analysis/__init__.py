"""KV-Embedding Explorer's library: frozen decoders as text embedders, measured."""

import os

__version__ = "0.1.0"

# Read when torch is first imported. Threads that wait for each other by spinning for long slow
# passes down to a quarter as soon as anything else runs on the machine; never spinning costs a
# tenth on an idle one. A short spin loses little either way (docs/performance.md).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# Progress is reported through callbacks; the loaders' own bars would write over them.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def __getattr__(name: str) -> object:
    if name == "answer":
        from .recipes.answers import answer

        return answer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
