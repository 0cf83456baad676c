"""The vectors of a space as files for other programs: ``.npy``, Parquet, TensorBoard's projector.

Each says what the vectors are. The Parquet is read back by ``load_vectors``, ``--vectors`` and the
pages' upload to the same bits.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpora.types import Texts
from ..embedding.external import External, MethodOrVectors
from ..runtime.spreadsheets import inert
from .score_result import described
from .space import Space


@dataclass(frozen=True, eq=False)
class VectorExport:
    """Vectors with their texts, and what they are.

    Attributes:
        vectors: float32 (N, D), unit length.
        columns: texts by name of column, N each; ``text`` is the first.
        facts: what made the vectors, as plain data.
    """

    vectors: NDArray[np.float32]
    columns: Mapping[str, Sequence[str]]
    facts: Mapping[str, Any]

    def part(self, rows: Sequence[int]) -> "VectorExport":
        """Some of the texts with their vectors, by row."""
        return replace(
            self,
            vectors=self.vectors[list(rows)],
            columns={name: [cells[row] for row in rows] for name, cells in self.columns.items()},
            facts={**self.facts, "texts": len(rows)},
        )

    def npy(self) -> bytes:
        """The array alone, as ``numpy.save`` writes it."""
        file = io.BytesIO()
        np.save(file, self.vectors)
        return file.getvalue()

    def parquet(self) -> bytes:
        """A table of the texts and a column ``embedding``; the facts are in its metadata."""
        import pyarrow as pa
        from pyarrow import parquet

        width = self.vectors.shape[1]
        rows = pa.FixedSizeListArray.from_arrays(pa.array(self.vectors.ravel()), width)
        table = pa.table(
            {
                **{name: pa.array(cells, pa.string()) for name, cells in self._texts()},
                "embedding": rows,
            }
        )
        written = {name: _written(value) for name, value in self.facts.items()}
        file = io.BytesIO()
        parquet.write_table(table.replace_schema_metadata(written), file)
        return file.getvalue()

    def projector(self) -> bytes:
        """A ZIP of ``vectors.tsv``, ``metadata.tsv`` and ``README.txt``.

        As https://projector.tensorflow.org reads them: a line a text, and names of columns only
        where there are several. Tabs and line breaks in texts become spaces, and an apostrophe
        stands where a spreadsheet would read a formula.
        """
        names = [name for name, _ in self._texts()]
        lines = ["\t".join(names)] if len(names) > 1 else []
        for row in zip(*(cells for _, cells in self._texts()), strict=True):
            lines.append("\t".join(inert(" ".join(cell.split())) for cell in row))
        numbers = io.StringIO()
        np.savetxt(numbers, self.vectors, fmt="%.9g", delimiter="\t")
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("vectors.tsv", numbers.getvalue())
            archive.writestr("metadata.tsv", "\n".join(lines) + "\n")
            archive.writestr("README.txt", self.readme())
        return file.getvalue()

    def readme(self) -> str:
        """What the vectors are, a fact a line."""
        facts = "".join(f"{name}: {_written(value)}\n" for name, value in self.facts.items())
        return (
            "Text embeddings, one row a text, float32 of unit length.\n\n"
            f"{facts}\n"
            "vectors.tsv and metadata.tsv open at https://projector.tensorflow.org (Load).\n"
        )

    def _texts(self) -> list[tuple[str, Sequence[str]]]:
        return list(self.columns.items())


def exported(
    space: Space,
    texts: Texts,
    method: MethodOrVectors,
    *,
    of: int,
    tags: Sequence[str] | None = None,
) -> VectorExport:
    """The vectors of a space, with the texts' labels and tags.

    Args:
        space: the space of the texts.
        texts: its N texts.
        method: what made it.
        of: how many distinct texts the corpus has.
        tags: N tags of one's own, "" for none.
    """
    made = space.provenance
    settings = described(method)
    if isinstance(method, External):
        settings = {"method": method.name}
    columns = {
        "text": texts.texts,
        **({"label": texts.labels} if texts.labels else {}),
        **({"tag": tags} if tags and any(tags) else {}),
    }
    facts = {
        "backbone": made.backbone,
        "weights": made.weights,
        "dtype": made.dtype,
        **{name: value for name, value in settings.items() if value is not None},
        "role": "Context",
        "corpus": texts.name,
        "texts": len(texts.texts),
        "of": of,
        "dimension": space.embeddings.shape[1],
        "versions": dict(made.versions),
    }
    return VectorExport(space.embeddings, columns, facts)


def _written(value: Any) -> str:
    """A fact as text: lists and mappings as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
