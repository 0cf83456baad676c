"""Cells in which no spreadsheet finds a formula."""

import re
from typing import Any

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


def inert(cell: Any) -> Any:
    """A cell in which no formula begins; what is not a text stays as it is."""
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell
