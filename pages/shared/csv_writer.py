"""Tables as CSV that reads back as it was and runs nothing in a spreadsheet."""

import csv

import pandas as pd

from analysis.runtime.spreadsheets import inert


def write_csv(table: pd.DataFrame) -> bytes:
    """The table as CSV in UTF-8.

    Every text is quoted, names of columns too; an apostrophe stands where a formula could begin.
    """
    safe = table.map(inert).rename(columns=inert)
    text: str = safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    return text.encode()
