"""The files that questions name: none that is written may be one that is read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..backbones import sources
from ..corpora import registry
from ..embedding import external_names
from ..errors import BackboneError, RecipeError
from ..experiments.spec import Option, Spec, option_of
from ..runtime import outputs


def check(specs: Sequence[Spec], inputs: Sequence[str] = (), written: Sequence[Path] = ()) -> None:
    """Refuse questions that would write over what they read, or over each other's files.

    Args:
        specs: the questions, answered one after another.
        inputs: further files that are read.
        written: further files that are written.

    Raises:
        CorpusError: an output, or the file that standard output goes to, is an input or lies in an
            input folder.
        RecipeError: the same file is written twice.
    """
    named = [each for spec in specs for each in _named(spec)]
    singles = [file for option, name in named for file in _files(option, Path(name))]
    folders = [Path(name) for option, name in named if option.writes == "folder"]
    read = {Path(name) for name in inputs}
    for option, name in named:
        read.update(_paths(option, name))
    outputs.check_standard_output(read)
    outputs.check_apart(dict.fromkeys([*singles, *folders, *written]), read)
    times = Counter(outputs.resolved(path) for path in (*singles, *written))
    for path in singles:
        if (count := times[outputs.resolved(path)]) > 1:
            raise RecipeError(
                f"{path} is written {count} times, so that only the last would be kept; give each "
                "point of a grid, and each output, a file of its own."
            )


def _named(spec: Spec) -> Iterator[tuple[Option, str]]:
    """The options of a spec that name files, with their values."""
    values = spec.values()
    for name, field in spec.options().items():
        option = option_of(field)
        if option.reads or option.writes:
            several = values[name] if isinstance(values[name], list) else [values[name]]
            yield from ((option, value) for value in several if value is not None)


def _files(option: Option, path: Path) -> tuple[Path, ...]:
    """The files that the value of an option is known to write."""
    return (path,) if option.writes == "file" else tuple(path / name for name in option.files)


def _paths(option: Option, name: str) -> tuple[Path, ...]:
    """The files or folders that the value of an option is read from; none for packages."""
    match option.reads:
        case "file":
            return (Path(name),)
        case "vectors":
            return (Path(external_names.parted(name)[1]),)
        case "corpus":
            return registry.paths_of(name)
        case "backbone":
            try:
                source = sources.resolve(name)
            except BackboneError:  # loading it says so
                return ()
            return (Path(source.location),) if source.kind in ("folder", "gguf") else ()
    return ()
