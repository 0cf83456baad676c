"""Files of texts encoded shard by shard: what survives a stop, and what is begun anew."""

import io
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.streams import Lines
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT
from analysis.errors import CorpusError
from analysis.parallel import engines, sharded_encoding
from analysis.parallel.engines import LOCAL
from analysis.parallel.sharded_encoding import MIN_TEXTS, Encoded
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence

PLAN = Plan((2, 3))
TEXTS = [f"a{number} boat" for number in range(3 * MIN_TEXTS + 5)]

Encode = Callable[..., Encoded]


@pytest.fixture
def encode(llama: Backbone, tmp_path: Path) -> Encode:
    """Encode texts into ``out.npy``."""

    def run(texts: list[str] = TEXTS, plan: Plan = PLAN, **how: Any) -> Encoded:
        source = tmp_path / "texts.txt"
        source.write_text("\n".join(texts), encoding="utf-8")
        with (
            closing(Lines(str(source))) as lines,
            engines.opened(LOCAL, lambda: llama) as workers,
        ):
            return sharded_encoding.encode(
                *(workers, llama, lines, tmp_path / "out.npy", DEFAULT.under(plan)), **how
            )

    return run


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are encoded from here on."""
    done: list[str] = []
    run = encoder.encode

    def noted(backbone: Backbone, texts: list[str], *more: Any, **how: Any) -> encoder.Encoding:
        done.extend(texts)
        return run(backbone, texts, *more, **how)

    monkeypatch.setattr(encoder, "encode", noted)
    return done


def stop_after(shard: int) -> Callable[[int, int], None]:
    def progress(done: int, _all: int) -> None:
        if done >= shard * MIN_TEXTS:
            raise KeyboardInterrupt

    return progress


@pytest.mark.slow
def test_the_array_is_that_of_all_texts_at_once(
    encode: Encode, llama: Backbone, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    result = encode(progress=lambda *place: seen.append(place))
    assert (result.shards, result.kept, result.texts_cut) == (4, 0, 0)
    assert seen == [(min(n * MIN_TEXTS, len(TEXTS)), len(TEXTS)) for n in (1, 2, 3, 4)]
    rows = np.load(tmp_path / "out.npy", mmap_mode="r", allow_pickle=False)
    assert rows.dtype == np.float32
    full = encoder.encode(llama, TEXTS, DEFAULT.under(PLAN)).embeddings
    np.testing.assert_allclose(rows, full, atol=1e-6)
    assert [path.name for path in sorted(tmp_path.glob("out*"))] == ["out.npy"]


@pytest.mark.slow
def test_a_stopped_run_goes_on_after_its_last_whole_shard(
    encode: Encode, encoded: list[str], tmp_path: Path
) -> None:
    encode()
    undisturbed = (tmp_path / "out.npy").read_bytes()
    (tmp_path / "out.npy").unlink()
    with pytest.raises(KeyboardInterrupt):
        encode(progress=stop_after(2))
    assert not (tmp_path / "out.npy").exists()
    encoded.clear()
    told: list[tuple[int, int]] = []
    result = encode(resumed=lambda *place: told.append(place))
    assert (result.kept, told) == (2, [(2, 4)])
    assert encoded == TEXTS[2 * MIN_TEXTS :]
    assert (tmp_path / "out.npy").read_bytes() == undisturbed


def test_cut_tokens_of_both_runs_are_counted(encode: Encode, llama: Backbone) -> None:
    long = "boat " * llama.facts.context
    texts = [long + TEXTS[0], *TEXTS[1:-1], long + TEXTS[-1]]
    with pytest.raises(KeyboardInterrupt):
        encode(texts, progress=stop_after(1))
    result = encode(texts)
    assert (result.kept, result.texts_cut) == (1, 2)
    assert result.tokens_cut > 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "kept"),
    [
        (lambda part, _: part.write_bytes(part.read_bytes()[:-1]), 1),
        (lambda part, _: part.write_bytes(part.read_bytes() + b"half a row"), 2),
        (lambda part, _: part.unlink(), 0),
        (lambda _, journal: journal.write_text(journal.read_text()[:-2]), 1),
        (lambda _, journal: journal.write_bytes(b"\xff{"), 0),
        (lambda _, journal: journal.unlink(), 0),
    ],
    ids=["array short", "array long", "array gone", "line cut", "not a journal", "journal gone"],
)
def test_what_is_damaged_is_done_again(
    encode: Encode, tmp_path: Path, harm: Callable[[Path, Path], object], kept: int
) -> None:
    encode()
    undisturbed = (tmp_path / "out.npy").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        encode(progress=stop_after(2))
    harm(tmp_path / "out.npy.part", tmp_path / "out.npy.journal")
    assert encode().kept == kept
    assert (tmp_path / "out.npy").read_bytes() == undisturbed


def test_an_input_that_changes_is_not_published(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "out.npy").write_bytes(b"an earlier array")

    def edit(done: int, _all: int) -> None:
        if done == len(TEXTS):
            with (tmp_path / "texts.txt").open("r+b") as file:
                file.write(b"b")

    with pytest.raises(CorpusError, match="changed while it was read") as caught:
        encode(progress=edit)
    assert_one_sentence(caught.value)
    assert (tmp_path / "out.npy").read_bytes() == b"an earlier array"


@pytest.mark.slow
def test_another_question_begins_anew(encode: Encode) -> None:
    with pytest.raises(KeyboardInterrupt):
        encode(progress=stop_after(2))
    assert encode(plan=Plan((1,))).kept == 0
    with pytest.raises(KeyboardInterrupt):
        encode(progress=stop_after(2))
    assert encode(["another text", *TEXTS[1:]]).kept == 0


def test_a_run_that_ends_before_its_first_shard_leaves_nothing(
    encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise CorpusError("no")

    monkeypatch.setattr(encoder, "encode", refuse)
    with pytest.raises(CorpusError):
        encode()
    assert not list(tmp_path.glob("out*"))


def test_two_at_one_file_are_one_too_many(encode: Encode, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "out.npy.lock"),
        pytest.raises(CorpusError, match="another process") as caught,
    ):
        encode()
    assert_one_sentence(caught.value)


def test_what_is_no_file_is_not_replaced(encode: Encode, tmp_path: Path) -> None:
    (tmp_path / "out.npy").symlink_to("/dev/null")
    with pytest.raises(CorpusError, match="not a file") as caught:
        encode()
    assert_one_sentence(caught.value)
    assert Path("/dev/null").is_char_device()


# Lines


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"))), st.data())
def test_lines_are_what_stands_between_line_ends(texts: list[str], data: st.DataObject) -> None:
    ends = data.draw(st.lists(st.sampled_from(["\n", "\r\n"]), min_size=len(texts)))
    mark = data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    bare = data.draw(st.booleans())  # no end after the last line
    full = "".join(text + end for text, end in zip(texts, ends, strict=False))
    if texts and bare and texts[-1]:
        full = full.removesuffix(ends[len(texts) - 1])
    blank = next((n for n, text in enumerate(texts, 1) if not text.strip()), None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mark + full.encode())))
        if blank or not texts:
            with pytest.raises(CorpusError, match=f"line {blank}: no text" if blank else "no text"):
                Lines("-")
            return
        with closing(Lines("-")) as lines:
            expected = [texts[0].removeprefix("\ufeff"), *texts[1:]] if not mark else texts
            assert lines.count == len(texts)
            assert list(lines) == list(lines) == expected
            size = data.draw(st.integers(1, 5))
            first = data.draw(st.integers(0, 3))
            parts = list(lines.shards(size, first))
            assert [text for part in parts for text in part] == expected[first * size :]
            assert all(len(part) == size for part in parts[:-1])


def test_a_byte_that_is_no_text_is_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"one line\nStra\xdfe\n")
    with pytest.raises(CorpusError, match="line 2: byte 0xdf at offset 13 is not UTF-8") as caught:
        Lines(str(path))
    assert_one_sentence(caught.value)
