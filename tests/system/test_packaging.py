"""One source for what is needed and for the version: pyproject.toml, and ``__version__``."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import analysis
from tests.support.requirement_files import requirements

ROOT = Path(__file__).resolve().parents[2]


def test_requirements_txt_is_made_from_pyproject() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert text == requirements.requirements_text(), "run `make requirements`"


def test_every_requirement_has_a_version_that_it_admits() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    for text in [*requirements.listed(), *requirements.listed("dev")]:
        wanted = Requirement(text)
        pinned = pins.get(canonicalize_name(wanted.name))
        assert pinned is not None, f"{wanted.name} is not in constraints.txt"
        assert wanted.specifier.contains(pinned), f"{wanted} does not admit {pinned}"


def test_constraints_name_versions_and_no_place_to_get_them() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", line) for line in pins)
    names = [line.partition("==")[0] for line in pins]
    assert names == sorted(set(names))


@pytest.mark.parametrize("extra", ["models", "excel", "mteb", "ray", "langchain", "llamaindex"])
def test_dev_brings_what_each_extra_brings(extra: str) -> None:
    assert set(requirements.listed(extra)) <= set(requirements.listed("dev"))


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("analysis/corpora/binary_tables.py", "excel"),
        ("analysis/integrations/mteb.py", "mteb"),
        ("analysis/parallel/engines.py", "ray"),
        ("docs/scale.md", "ray"),
    ],
)
def test_the_advice_to_install_an_extra_names_its_range(path: str, extra: str) -> None:
    (wanted,) = requirements.listed(extra)
    assert f"pip install '{wanted}'" in (ROOT / path).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_in_the_changelog() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in table["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert released[0] == analysis.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(rf"^version: {re.escape(analysis.__version__)}$", citation, re.MULTILINE)


@pytest.mark.slow
def test_the_version_is_told_without_what_takes_seconds_to_import() -> None:
    code = (
        "import sys, contextlib; from analysis.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['--version'])\n"
        "assert not {'torch', 'transformers', 'streamlit'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip().endswith(f" {analysis.__version__}")
