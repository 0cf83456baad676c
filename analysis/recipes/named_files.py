"""The files that questions name: none that is written may be one that is read."""

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
        CorpusError: an output is an input or lies in an input folder.
        RecipeError: two questions write the same file.
    """
    files = [Path(name) for spec in specs for option, name in _named(spec) if option.writes]
    if not files and not written:
        return
    read = {Path(name) for name in inputs}
    for spec in specs:
        for option, name in _named(spec):
            read.update(_paths(option, name))
    outputs.check_apart([*dict.fromkeys(files), *written], read)
    singles = [
        Path(name).absolute()
        for spec in specs
        for option, name in _named(spec)
        if option.writes == "file"
    ]
    for path in singles:
        if singles.count(path) > 1:
            raise RecipeError(
                f"{singles.count(path)} points of the grid write {path.name}, so that only the "
                "last would be kept; give each its own output in the grid."
            )


def _named(spec: Spec) -> Iterator[tuple[Option, str]]:
    """The options of a spec that name files, with their values."""
    values = spec.values()
    for name, field in spec.options().items():
        option = option_of(field)
        if option.reads or option.writes:
            several = values[name] if isinstance(values[name], list) else [values[name]]
            yield from ((option, value) for value in several if value is not None)


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
