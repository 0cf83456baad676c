"""Evaluation sets on the Hugging Face hub, each at one pinned revision, and how to fetch them.

Paths and revisions are those that mteb 2 evaluates on (https://github.com/embeddings-benchmark/mteb),
so that scores can be compared with its own. A set that was fetched once stays in the cache of the
library datasets and is read from there without a request to the hub. The library is imported only
when a set is read.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import CorpusError, one_line
from ..runtime import network
from .beir import with_judgements
from .columns import rated_pairs
from .types import Pairs, Retrieval, Texts


@dataclass(frozen=True)
class HubSet:
    """A set on the hub: its name here, and where it is from."""

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
"""All known sets. A local copy of the same name takes precedence over the set on the hub."""

_DEFAULT = "default"
"""The configuration of a set that has only one, as datasets and the hub name it."""


def cached(hub_set: HubSet) -> bool:
    """Whether every table of a set is in the cache of datasets, at the pinned revision.

    Does not import datasets: it writes a table's folder under its final name when all of it is
    there, so that the folder's presence is the answer.
    """
    return all(_cached(hub_set, config) for config in _splits(hub_set))


def fetch_pairs(hub_set: HubSet) -> Pairs:
    """Read rated pairs from the cache or the hub.

    Raises:
        CorpusError: The set is not cached and cannot be fetched, or has other columns.
    """
    left, right, scores = _columns(hub_set, _DEFAULT, "sentence1", "sentence2", "score")
    return rated_pairs(
        hub_set.name,
        [str(text) for text in left],
        [str(text) for text in right],
        [float(score) for score in scores],
        _source(hub_set),
    )


def fetch_labelled(hub_set: HubSet) -> Texts:
    """Read labelled texts from the cache or the hub; rows without a text are left out.

    Raises:
        CorpusError: The set is not cached and cannot be fetched, or has other columns.
    """
    columns = _columns(hub_set, _DEFAULT, "text", ("label_text", "label"))
    rows = [(str(text), str(label)) for text, label in zip(*columns, strict=True) if text]
    texts, labels = ([row[side] for row in rows] for side in (0, 1))
    return Texts(hub_set.name, tuple(texts), _source(hub_set), tuple(labels))


def fetch_texts(hub_set: HubSet) -> Texts:
    """Read the texts of a labelled set, or the distinct texts of rated pairs.

    Raises:
        CorpusError: The set is not cached and cannot be fetched, or has other columns.
    """
    if hub_set.kind == "labelled":
        return fetch_labelled(hub_set)
    pairs = fetch_pairs(hub_set)
    source = f"The distinct texts of the pairs: {pairs.source}"
    return Texts(hub_set.name, pairs.texts, source)


def fetch_retrieval(hub_set: HubSet) -> Retrieval:
    """Read queries with documents from the cache or the hub.

    Raises:
        CorpusError: The set is not cached and cannot be fetched, or has other columns.
    """
    ids, titles, texts = _columns(hub_set, "corpus", ("_id", "id"), "title", "text")
    documents = {
        str(key): (title, text) for key, title, text in zip(ids, titles, texts, strict=True)
    }
    ids, texts = _columns(hub_set, "queries", ("_id", "id"), "text")
    queries = {str(key): str(text) for key, text in zip(ids, texts, strict=True)}
    columns = _columns(hub_set, _DEFAULT, "query-id", "corpus-id", "score")
    judgements = [(str(q), str(d), int(grade)) for q, d, grade in zip(*columns, strict=True)]
    return with_judgements(
        hub_set.name,
        documents,
        {query: queries[query] for query, _, _ in judgements if query in queries},
        judgements,
        _source(hub_set),
    )


def _source(hub_set: HubSet) -> str:
    return f"{hub_set.description} From {hub_set.path} on the hub at {hub_set.revision[:8]}."


def _splits(hub_set: HubSet) -> dict[str, str]:
    """The split to read of each table, by the table's configuration."""
    if hub_set.kind == "retrieval":
        return {"corpus": "corpus", "queries": "queries", _DEFAULT: hub_set.split}
    return {_DEFAULT: hub_set.split}


def _cache() -> Path:
    """The cache folder of datasets, by the environment variables that it documents.

    See https://huggingface.co/docs/datasets/cache; read here since importing datasets takes
    seconds, and at every call since tests set them.
    """
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"
    )
    return Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets")).expanduser()


def _cached(hub_set: HubSet, config: str) -> bool:
    """Whether one table is in the cache, where its builder in datasets writes it."""
    path = hub_set.path.replace("/", "___")
    return Path(_cache(), path, config, _VERSION, hub_set.revision).is_dir()


_VERSION = "0.0.0"
"""The version that datasets gives to everything without a script of its own."""


def _columns(
    hub_set: HubSet, config: str, *spellings: str | tuple[str, ...]
) -> Iterator[list[Any]]:
    """Columns of one table; CorpusError if it cannot be read or lacks one."""
    table = _table(hub_set, config)
    for spelling in spellings:
        names = (spelling,) if isinstance(spelling, str) else spelling
        name = next((name for name in names if name in table.column_names), None)
        if name is None:
            raise CorpusError(
                f"{hub_set.path} on the hub has no column {' or '.join(names)}, "
                f"so {hub_set.name} cannot be read; use a local copy in KVE_CORPORA."
            )
        yield list(table[name])


def _table(hub_set: HubSet, config: str) -> Any:
    """One table of a set as a ``datasets.Dataset``; CorpusError if it cannot be read."""
    if not _cached(hub_set, config) and (reason := network.hub_unreachable()):
        raise _unfetched(hub_set, reason)
    try:
        import datasets  # noqa: F401
    except ImportError:
        raise CorpusError(
            f"{hub_set.name} is on the Hugging Face hub and needs the package datasets: run pip "
            f"install datasets, or {_copy_of(hub_set)}."
        ) from None
    # The library reports failures by many exceptions, network and parsers' own among them.
    try:
        builder = _builder(hub_set, config)
        builder.download_and_prepare()
        tables = builder.as_dataset()
        split = _splits(hub_set)[config]
        if split not in tables and len(tables) != 1:
            raise ValueError(f"no such split among {', '.join(tables)}")
        return tables[split if split in tables else next(iter(tables))]
    except Exception as error:
        if token := network.refused_token(error):
            raise CorpusError(
                f"The hub refused {token}, so {hub_set.name} was not fetched: it is mistyped or "
                "has expired. Set a new one, or none, since a public set needs none."
            ) from error
        raise _unfetched(hub_set, network.without_token(one_line(error))) from error


def _unfetched(hub_set: HubSet, reason: str) -> CorpusError:
    return CorpusError(
        f"{hub_set.name} could not be fetched from {hub_set.path} on the Hugging Face hub "
        f"({reason}); connect to the network once, or {_copy_of(hub_set)}."
    )


def _copy_of(hub_set: HubSet) -> str:
    """Where to put a local copy of a set, in words."""
    places = {"pairs": "sts/{}.tsv", "labelled": "labelled/{}.tsv", "retrieval": "retrieval/{}/"}
    place = places[hub_set.kind].format(hub_set.name)
    return f"set KVE_CORPORA to a folder with a copy, {place}"


def _builder(hub_set: HubSet, config: str) -> Any:
    """The ``datasets.DatasetBuilder`` of one table: of the cached one, or else of the hub's.

    Of a cached table it is the one that the library's offline mode uses, given the revision:
    left to itself, that mode takes whichever revision was cached last.
    """
    import datasets
    from datasets.packaged_modules.cache.cache import Cache

    cache = str(_cache())
    if _cached(hub_set, config):
        return Cache(
            cache,
            hub_set.path.partition("/")[2],
            config,
            _VERSION,
            hub_set.revision,
            repo_id=hub_set.path,
        )
    builder = datasets.load_dataset_builder(
        hub_set.path,
        None if config == _DEFAULT and hub_set.kind != "retrieval" else config,
        revision=hub_set.revision,
        cache_dir=cache,
    )
    if builder.hash != hub_set.revision:
        raise ValueError(f"there is no network, and only revision {builder.hash} is cached")
    return builder
