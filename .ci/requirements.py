"""What pip installs from, made from pyproject.toml.

``requirements.txt`` holds the dependencies, those of the group ``pinned`` in their exact version;
``constraints.txt`` the exact versions of all that they, the group ``files`` and the extra ``dev``
bring, as installed in the environment that runs this::

    python .ci/requirements.py            # requirements.txt
    python .ci/requirements.py constraints  # constraints.txt
    python .ci/requirements.py list dev     # an extra or a group, on standard output
"""

import argparse
import importlib.metadata
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def listed(extra: str | None = None) -> list[str]:
    """The requirements of the project, or of one of its extras or dependency groups.

    Args:
        extra: the name of the extra or group; None means what every installation needs.

    Returns:
        Requirement specifiers; an extra that names others of the project is written out.
    """
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = table["project"]
    if extra is None:
        return list(project["dependencies"])
    groups = project["optional-dependencies"] | table["dependency-groups"]
    requirements: list[str] = []
    for requirement in groups[extra]:
        if requirement.startswith(f"{project['name']}["):
            for other in requirement.partition("[")[2].rstrip("]").split(","):
                requirements += listed(other)
        else:
            requirements.append(requirement)
    return requirements


def installed(
    requirements: Iterable[str], *, alone: bool = False
) -> dict[str, importlib.metadata.Distribution]:
    """All that requirements bring in this environment, by normalized name.

    Args:
        requirements: specifiers, such as ``"mteb>=2.26,<3"``.
        alone: leave out what they need themselves.

    Raises:
        PackageNotFoundError: a requirement itself is not installed.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    distributions: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(Requirement(text), True) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, direct = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if direct:
                raise
            continue  # left out on this platform, as the accelerators' libraries
        distributions[name] = distribution
        for text in () if alone else distribution.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
            ):
                waiting.append((needed, False))
    return distributions


def requirements_text() -> str:
    """The text of requirements.txt."""
    from packaging.requirements import Requirement

    pins = {Requirement(text).name: text for text in listed("pinned")}
    return "\n".join(
        [
            "# What the app and the library need. Made from pyproject.toml by",
            "# `make requirements`; change it there.",
            *(pins.get(Requirement(text).name, text) for text in listed()),
            "",
        ]
    )


def _constraints() -> Iterator[str]:
    yield "# The versions that CI and `make` install: all that pyproject.toml's requirements and"
    yield "# its extra `dev` bring. Made from an environment that passed, by `make constraints`."
    found = installed([*listed(), *listed("dev")]) | installed(listed("files"), alone=True)
    for name in sorted(found):
        yield f"{name}=={found[name].version.partition('+')[0]}"  # whichever build of torch
    yield ""


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description="Make requirement files from pyproject.toml.")
    parser.add_argument(
        "what", nargs="?", default="requirements", choices=["requirements", "constraints", "list"]
    )
    parser.add_argument("extra", nargs="?", help="of list: an extra or a dependency group")
    options = parser.parse_args()
    if options.what == "list":
        sys.stdout.write("\n".join([*listed(options.extra), ""]))
    elif options.what == "requirements":
        (ROOT / "requirements.txt").write_text(requirements_text(), encoding="utf-8")
    else:
        text = "\n".join(_constraints())
        (ROOT / "constraints.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
