"""Whatever people send besides tables, by kind: a value, or one sentence."""

import contextlib
import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from analysis.backbones import gguf_header
from analysis.cli.parser import parse
from analysis.errors import ExplorerError
from analysis.experiments.spec import choices
from analysis.experiments.specs import SPECS
from analysis.recipes import charts, comparison, files, results
from analysis.rerouting import layer_lists
from analysis.runtime import yaml_reader
from tests.support.mutated_results import mutated, seeds

RESULTS = list(seeds().values())
WORDS = sorted(
    {*SPECS, "run", "app", "--help", "--version", "--json", "--", "-", "", "1", "-1", "nan", "1e9"}
    | {f"--{name}" for spec in SPECS.values() for name in spec.options()}
    | {word for spec in SPECS.values() for f in spec.options().values() for word in choices(f)}
)
GGUF = (
    b"GGUF"
    + struct.pack("<IQQ", 3, 1, 2)
    + struct.pack("<Q", 12)
    + b"general.type"
    + struct.pack("<IQ", 8, 5)
    + b"model"
    + struct.pack("<Q", 1)
    + b"a"
    + struct.pack("<IIQ", 9, 5, 2)
    + struct.pack("<ii", 1, 2)
    + struct.pack("<Q", 1)
    + b"w"
    + struct.pack("<IQQIQ", 2, 2, 4, 0, 0)
    + bytes(64)
)
"""A header with a word, an array and a tensor, and the tensor's bytes."""
RECIPE = (
    b"version: 1\ncommand: score\non: pairs\nbias: 1.0\ngrid:\n- {layers: [1-2, all]}\nview: {}\n"
)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Let an error for people pass if it is one short sentence."""
    try:
        yield
    except ExplorerError as error:
        sentence = str(error)
        assert 10 < len(sentence) <= 700, sentence
        assert "\n" not in sentence, sentence
        assert sentence.endswith("."), sentence


def recipe(data: bytes) -> None:
    """Read a recipe, write it, and read that."""
    with contextlib.suppress(yaml_reader.YAMLProblem):
        yaml_reader.read(data)
    with refused():
        once = files.read(data)
        assert files.read(files.write(once)) == once
        assert once.command_line()
        assert len(once.points()) == once.size


def changed_results(data: bytes) -> None:
    """Read results that were changed and sealed again; use all that is made of them."""
    random = Random(data)
    document = random.choice(RESULTS)
    with refused():
        read = results.read(mutated(document, random))
        assert read.sentences is not None
        for chart in read.charts():
            chart.table.to_csv()
        charts.settings(read.rows)
        comparison.compare(read, read)
    with refused():
        results.read(data)


def header(data: bytes) -> None:
    """Check the header of a GGUF file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.gguf"
        path.write_bytes(data)
        with refused():
            gguf_header.check_header(path)


def layers(data: bytes) -> None:
    """Read a list of layers, write it, and read that."""
    text = data[1:].decode("utf-8", "replace")
    count = 1 + data[0] % 80 if data else 1
    with refused():
        read = layer_lists.parse_layers(text, count, (0,))
        assert layer_lists.parse_layers(layer_lists.format_layers(read, count), count) == read


def command_line(data: bytes) -> None:
    """Read a command line of words that there are, and of others."""
    words = []
    for part in data.split(b"\0"):
        known = part[:1] and part[0] < 200
        words.append(WORDS[part[0] % len(WORDS)] if known else part[1:].decode("utf-8", "replace"))
    output = io.StringIO()
    with refused(), contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        parse(words)


TARGETS: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "recipes": (recipe, RECIPE),
    "results": (changed_results, b"{}"),
    "GGUF headers": (header, GGUF),
    "layer lists": (layers, b"\x1e1-3,7, 9"),
    "command lines": (command_line, b"\x01\0\x02\0\xffx"),
}
"""What is tried of each kind, with something to begin from."""
