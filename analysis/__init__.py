"""KV-Embedding Explorer's library: frozen decoders as text embedders, measured."""

import os

__version__ = "0.1.0"

# Read when torch is first imported. Threads that wait for each other by spinning slow small
# passes down five- to tenfold as soon as anything else runs on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Progress is reported through callbacks; the loaders' own bars would write over them.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
