"""KV-Embedding Explorer's library: frozen decoders as text embedders, measured."""

import os

__version__ = "0.1.0"

# Progress is reported through callbacks; the loaders' own bars would write over them.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
