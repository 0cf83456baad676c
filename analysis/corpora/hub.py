"""Evaluation sets on the Hugging Face hub, each at one pinned revision, and how they are fetched.

Paths and revisions are those that mteb 2 evaluates on, so that scores can be compared with its.
What was fetched once stays in the cache of the library datasets and is read from there without
asking the hub. The library is imported only when something is fetched.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import CorpusError
from .beir import judged, titled
from .columns import rated
from .types import Pairs, Retrieval, Texts


@dataclass(frozen=True)
class HubSet:
    """A set on the hub: what it is called here, and where it is from."""

    name: str
    kind: Literal["pairs", "labelled", "retrieval"]
    size: int
    """How many pairs, texts or queries."""
    description: str
    path: str
    revision: str
    split: str = "test"


_STSB = ("mteb/stsbenchmark-sts", "b0fddb56ed78048fa8b90373c8a3cfc37b684831")
HUB_SETS = (
    HubSet("stsb-dev", "pairs", 1500, "STS Benchmark, validation.", *_STSB, "validation"),
    HubSet("stsb-test", "pairs", 1379, "STS Benchmark, test.", *_STSB),
    HubSet(
        *("sts12", "pairs", 3108, "SemEval 2012 task 6, all test parts together."),
        *("mteb/sts12-sts", "a0d554a64d88156834ff5ae9920b964011b16384"),
    ),
    HubSet(
        *("sts13", "pairs", 1500, "SemEval 2013 shared task, test without SMT."),
        *("mteb/sts13-sts", "7e90230a92c190f1bf69ae9002b8cea547a64cca"),
    ),
    HubSet(
        *("sts14", "pairs", 3750, "SemEval 2014 task 10, all test parts together."),
        *("mteb/sts14-sts", "6031580fec1f6af667f0bd2da0a551cf4f0b2375"),
    ),
    HubSet(
        *("sts15", "pairs", 3000, "SemEval 2015 task 2, all test parts together."),
        *("mteb/sts15-sts", "ae752c7c21bf194d8b67fd573edf7ae58183cbe3"),
    ),
    HubSet(
        *("sts16", "pairs", 1186, "SemEval 2016 task 1, all test parts together."),
        *("mteb/sts16-sts", "4d8694f8f0e0100860b497b999b3dbed754a0513"),
    ),
    HubSet(
        *("sickr-9927", "pairs", 9927),
        "SICK relatedness, all 9,927 pairs as mteb has them; most papers use the 4,927 of the "
        "test part (CC BY-NC-SA 3.0).",
        *("mteb/sickr-sts", "20a6d6f312dd54037fe07a32d58e5e168867909d"),
    ),
    HubSet(
        *("banking77-test", "labelled", 3080, "Bank customers' questions in 77 intents, test."),
        *("mteb/banking77", "0fd18e25b25c072e09e0d92ab615fda904d66300"),
    ),
    HubSet(
        *("emotion-test", "labelled", 2000, "English tweets in six emotions, test."),
        *("mteb/emotion", "4f58c6b202a23cf9a4da393831edf4f9183cad37"),
    ),
    HubSet(
        *("tweet-sentiment-test", "labelled", 3534),
        "English tweets, negative, neutral or positive, test.",
        *("mteb/tweet_sentiment_extraction", "d604517c81ca91fe16a244d1248fc021f9ecee7a"),
    ),
    HubSet(
        *("scifact", "retrieval", 300),
        "Scientific claims and 5,183 abstracts, BEIR test.",
        *("mteb/scifact", "d56462d0e63a25450459c4f213e49ffdb866f7f9"),
    ),
    HubSet(
        *("nfcorpus", "retrieval", 323),
        "Questions on health and 3,633 articles, BEIR test.",
        *("mteb/nfcorpus", "ec0fa4fe99da2ff19ca1214b7966684033a58814"),
    ),
)
"""All of them; the name tells the part, and is also that of a local copy."""


def at_hand(wanted: HubSet) -> bool:
    """Whether the set lies whole in the cache of datasets, at its pinned revision."""
    return all(_cached(wanted, config, split) for config, split in _parts(wanted).items())


def fetch_pairs(wanted: HubSet) -> Pairs:
    """Read rated pairs from the cache or the hub.

    Raises:
        CorpusError: the set is neither cached nor to be had, or not as expected.
    """
    left, right, scores = _columns(wanted, None, "sentence1", "sentence2", "score")
    return rated(
        wanted.name,
        [str(text) for text in left],
        [str(text) for text in right],
        [float(score) for score in scores],
        _source(wanted),
    )


def fetch_labelled(wanted: HubSet) -> Texts:
    """Read labelled texts from the cache or the hub; rows without a text are left out.

    Raises:
        CorpusError: the set is neither cached nor to be had, or not as expected.
    """
    columns = _columns(wanted, None, "text", ("label_text", "label"))
    rows = [(str(text), str(label)) for text, label in zip(*columns, strict=True) if text]
    texts, labels = ([row[side] for row in rows] for side in (0, 1))
    return Texts(wanted.name, tuple(texts), _source(wanted), tuple(labels))


def fetch_retrieval(wanted: HubSet) -> Retrieval:
    """Read queries with documents from the cache or the hub.

    Raises:
        CorpusError: the set is neither cached nor to be had, or not as expected.
    """
    ids, titles, texts = _columns(wanted, "corpus", ("_id", "id"), "title", "text")
    documents = {str(key): titled(*both) for key, *both in zip(ids, titles, texts, strict=True)}
    keys, asked = _columns(wanted, "queries", ("_id", "id"), "text")
    queries = {str(key): str(text) for key, text in zip(keys, asked, strict=True)}
    columns = _columns(wanted, "default", "query-id", "corpus-id", "score")
    judgements = [(str(q), str(d), int(grade)) for q, d, grade in zip(*columns, strict=True)]
    return judged(
        wanted.name,
        documents,
        {query: queries[query] for query, _, _ in judgements if query in queries},
        judgements,
        _source(wanted),
    )


def _source(wanted: HubSet) -> str:
    return f"{wanted.description} From {wanted.path} on the hub at {wanted.revision[:8]}."


def _parts(wanted: HubSet) -> dict[str | None, str]:
    """The split of each table by its configuration; ``None`` is the only one, whatever its name."""
    if wanted.kind == "retrieval":
        return {"corpus": "corpus", "queries": "queries", "default": wanted.split}
    return {None: wanted.split}


def _cache() -> Path:
    """Where datasets keeps what it fetched, by the variables that it goes by."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    return Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets")).expanduser()


def _cached(wanted: HubSet, config: str | None, split: str) -> Path | None:
    """The table of a split as an Arrow file in the cache, if it is there in one piece."""
    folder = _cache() / wanted.path.replace("/", "___")
    found = folder.glob(
        f"{config or '*'}/*/{wanted.revision}/{wanted.path.partition('/')[2]}-{split}.arrow"
    )
    return next(iter(sorted(found)), None)


def _columns(
    wanted: HubSet, config: str | None, *spellings: str | tuple[str, ...]
) -> Iterator[list[Any]]:
    """Columns of one table; CorpusError if it cannot be had or lacks one."""
    table = _table(wanted, config)
    for spelling in spellings:
        names = (spelling,) if isinstance(spelling, str) else spelling
        name = next((name for name in names if name in table.column_names), None)
        if name is None:
            raise CorpusError(
                f"{wanted.path} on the hub has no column {' or '.join(names)}, "
                f"so {wanted.name} cannot be read; use a local copy in KVE_CORPORA."
            )
        yield list(table[name])


def _table(wanted: HubSet, config: str | None) -> Any:
    try:
        import datasets
    except ImportError:
        raise CorpusError(
            f"{wanted.name} is on the Hugging Face hub and needs the package datasets: run pip "
            f"install datasets, or set KVE_CORPORA to a folder with a copy."
        ) from None
    split = _parts(wanted)[config]
    # The library reports failures by many exceptions, network and parsers' own among them.
    try:
        if (file := _cached(wanted, config, split)) is not None:
            return datasets.Dataset.from_file(str(file))
        tables = datasets.load_dataset(
            wanted.path, config, revision=wanted.revision, cache_dir=str(_cache())
        )
        return tables[split] if split in tables else tables[_only(tables)]
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        reason = said.rstrip(".") if len(said) <= 140 else f"{said[:137]}..."
        raise CorpusError(
            f"{wanted.name} could not be fetched from {wanted.path} on the Hugging Face hub "
            f"({reason}); connect once, or set KVE_CORPORA to a folder with a copy."
        ) from error


def _only(tables: Mapping[str, Any]) -> str:
    """The one split of a table that is named in its own way."""
    if len(tables) != 1:
        raise ValueError(f"no such split among {', '.join(tables)}")
    return next(iter(tables))
