"""What needs no model starts without the libraries that take seconds to import."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLOW = (
    *("torch", "transformers", "accelerate", "datasets", "streamlit", "plotly", "pandas"),
    *("sklearn", "scipy.stats", "skdim", "umap", "numba"),
)
FLOORS = ("runtime", "storage", "corpora", "evaluation", "spaces", "cli")
"""Folders of which no module needs any of them."""
MODULES = (
    *(f"rerouting.{name}" for name in ("plan", "layer_lists")),
    *(f"backbones.{name}" for name in ("catalog", "devices", "download", "load_errors", "sources")),
    *(f"backbones.{name}" for name in ("gguf_conversion", "gguf_header", "loaded_checks")),
    *(f"backbones.{name}" for name in ("checkpoint_files", "other_formats", "quantisation")),
    *(f"embedding.{name}" for name in ("methods", "pooling", "postprocessing", "prompts")),
    *(f"dimension.{name}" for name in ("curve", "estimators", "selection")),
    *(f"experiments.{name}" for name in ("spec", "specs", "shared_options")),
    *(f"recipes.{name}" for name in ("files", "recipe", "scripts")),
)
"""Modules beside others in their folder that need a model."""


def run(code: str) -> None:
    """Run Python in a fresh process, where ``slow()`` names what is imported of SLOW."""
    start = f"import sys; slow = lambda: sorted({set(SLOW)} & set(sys.modules))\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_needs_no_model_is_imported_quickly() -> None:
    paths = [path for floor in FLOORS for path in (ROOT / "analysis" / floor).glob("[!_]*.py")]
    names = [*(f"{path.parent.name}.{path.stem}" for path in sorted(paths)), *MODULES]
    run(
        "import importlib\n"
        f"for name in {names}:\n"
        "    importlib.import_module(f'analysis.{name}')\n"
        "    assert not slow(), f'{name} imports {slow()}'\n"
    )


def test_a_unit_test_starts_quickly() -> None:
    """What all tests share imports none of it either."""
    options = ["-p", "no:cacheprovider", "tests/rerouting/test_plan.py"]
    run(f"import pytest; sys.exit(pytest.main({options}) or ' '.join(slow()) or 0)")
