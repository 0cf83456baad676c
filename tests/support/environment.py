"""The environment of every test: caches of its own, no network."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("KVE_TEST_CACHE") or ROOT / ".cache" / "tests")
"""Keeps the converted SmolLM2 between runs, apart from the user's own cache."""

GUARDED = {
    "KVE_CACHE": str(CACHE),
    "HF_HOME": str(CACHE / "huggingface"),
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "KVE_LOG": "off",
}
os.environ.update(GUARDED)  # some are read when huggingface_hub is imported, so before any test
DROPPED = (
    *("HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"),
    *("HF_DATASETS_CACHE", "KVE_CORPORA"),
)
for _name in DROPPED:
    os.environ.pop(_name, None)
