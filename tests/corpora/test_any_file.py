"""Whatever bytes come under whatever name: a corpus, or one sentence about the file."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fuzz_parsers import NAMES, read_all, seeds

SEEDS = seeds()
PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\t", b",", b";", b'"', b"\0", b"sep=;\n", b"1,0", b"nan", b"{", b"["),
        *(b"\xff\xfe", b"\xef\xbb\xbf", b"text", b"label", b"score\n", b"sentence1", b"sentence2"),
        *(b'{"text": "a"}', b"main-news\t", b"PK\x03\x04", b"PAR1", b"ARROW1", b"\x1f\x8b", b"a b"),
    ]
)


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file that is read, with a few bytes replaced, removed or put in."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    content = bytearray(SEEDS[name])
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        removed = draw(st.integers(0, 4) | st.just(len(content)))
        content[place : place + removed] = draw(st.binary(max_size=4) | PIECES)
    return name, bytes(content)


CONTENTS = (
    st.binary(max_size=200)
    | st.lists(PIECES, max_size=40).map(b"".join)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
FILES = changed() | st.tuples(st.sampled_from(NAMES), CONTENTS)


def test_the_seeds_are_read() -> None:
    assert all(read_all(name, data) for name, data in SEEDS.items())


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_or_refused(file: tuple[str, bytes]) -> None:
    read_all(*file)


@pytest.mark.nightly
@given(FILES)
@settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_very_many_files_are_read_or_refused(file: tuple[str, bytes]) -> None:
    read_all(*file)


@pytest.mark.nightly
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel here")
def test_atheris_finds_no_other_error(tmp_path: Path) -> None:
    command: list[Any] = [sys.executable, "-m", "tests.support.fuzz_parsers"]
    options = ["-max_total_time=60", f"-artifact_prefix={tmp_path}/", "-rss_limit_mb=4096"]
    root = Path(__file__).resolve().parents[2]
    subprocess.run([*command, *options], cwd=root, check=True, timeout=200)
