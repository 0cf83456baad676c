"""What libraries read from the environment is set before they are imported, and not overruled."""

import json
import os
import subprocess
import sys

import pytest

from analysis.runtime import environment
from tests.support.environment import ROOT

NAMES = ("GOMP_SPINCOUNT", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY")
IMPORTS = (
    "import analysis",
    "import analysis.rerouting.attention",
    "from analysis.backbones import devices",
    "import analysis.api",
)


@pytest.mark.slow
@pytest.mark.parametrize("statement", IMPORTS)
def test_it_is_set_before_torch_is_imported_wherever_one_begins(statement: str) -> None:
    code = (
        "import builtins, json, os, sys\n"
        f"names, read, load = {NAMES!r}, {{}}, builtins.__import__\n"
        "def spy(name, *rest, **more):\n"
        "    if name == 'torch' and not read:\n"
        "        read.update((one, os.environ.get(one)) for one in names)\n"
        "    return load(name, *rest, **more)\n"
        f"builtins.__import__ = spy\n{statement}\nimport torch\nprint(json.dumps(read))"
    )
    clean = {k: v for k, v in os.environ.items() if k not in (*NAMES, "OMP_WAIT_POLICY")}
    done = subprocess.run(
        *([sys.executable, "-c", code],), env=clean, cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == dict(zip(NAMES, ("2000", "1", "error"), strict=True))


def test_what_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "own")
    environment.prepare()
    assert {os.environ[name] for name in NAMES} == {"own"}
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    environment.prepare()
    assert "GOMP_SPINCOUNT" not in os.environ
