"""Tables as CSV that reads back as it was and runs nothing in a spreadsheet."""

import csv
import re
from typing import Any

import pandas as pd

_SIGNS = (
    "=+\\-@\u207a-\u207c\u208a-\u208c\u2212\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
)
"""Signs that begin a formula, in ASCII, full width and other forms."""
_UNSEEN = (
    " \x00-\x08\x0e-\x1f\x7f-\x84\x86-\xa0\xad\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u206f"
    "\u3000\ufeff"
)
"""White space and invisible signs, which spreadsheets may pass over, apart from breaks."""
_BREAKS = "\t-\r\x85\u2028\u2029"
"""Tabs and ends of lines."""
_FORMULA = re.compile(
    rf"\A(?=[\t\r\n]|[{_UNSEEN}{_BREAKS}]*[{_SIGNS}])"
    rf"|(?<=[;|{_BREAKS}])(?=[{_UNSEEN}\"]*[{_SIGNS}])"
)
"""Where a formula could begin.

At the start of a cell; and within one, since a spreadsheet that takes semicolons, tabs or bars for
the separator reads the quotes otherwise and splits the cell there.
"""


def write_csv(table: pd.DataFrame) -> bytes:
    """The table as CSV in UTF-8.

    Every text is quoted, names of columns too; an apostrophe stands where a formula could begin.
    """
    safe = table.map(inert).rename(columns=inert)
    text: str = safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    return text.encode()


def inert(cell: Any) -> Any:
    """A cell in which no formula begins; what is not a text stays as it is."""
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell
