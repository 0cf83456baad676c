"""ZIP archives that people send, as spreadsheets also are: none may unpack to more than it states.

``ZipFile.read`` unpacks a file as far as it goes and only then cuts what is beyond the size that
the archive states. What is compressed by bzip2 or LZMA is unpacked so even where a part is read.
"""

import copy
import zipfile
from collections.abc import Iterable

from ..errors import CorpusError

_PIECE = 1 << 20
"""Bytes unpacked at a time."""


def check_stated_sizes(
    name: str, archive: zipfile.ZipFile, files: Iterable[zipfile.ZipInfo]
) -> None:
    """Refuse an archive in which a file is larger than stated; not more than stated is unpacked.

    Args:
        name: Name of the archive.
        archive: The archive, open to be read.
        files: Those of its files that will be read.

    Raises:
        CorpusError: A file is larger than stated, or compressed otherwise than by deflate.
        Exception: A file is damaged or encrypted; ``zipfile`` raises some ten kinds.
    """
    for file in files:
        if file.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CorpusError(
                f"{name} is not compressed by deflate, as ZIP archives usually are; make it anew."
            )
        beyond = copy.copy(file)
        left = beyond.file_size = file.file_size + 1
        with archive.open(beyond) as unpacked:
            while piece := unpacked.read(min(left, _PIECE)):
                left -= len(piece)
        if not left:
            raise CorpusError(f"{name} unpacks to more than it states; make it anew.")
