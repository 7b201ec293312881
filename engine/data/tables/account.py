"""What became of a table's rows and columns: one account for previews, commands and pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from engine.errors import shorten

Use = Literal["numbers", "dates", "texts", "left out"]
LISTED = 10  # columns or values that are named in one sentence


def count(number: int, noun: str, plural: str = "") -> str:
    """'1 row', '3 rows'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def some(parts: Iterable[str], limit: int = LISTED) -> str:
    """Return the first of some texts with commas, and how many more there are."""
    found = list(parts)
    more = f" and {len(found) - limit:,} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


@dataclass(frozen=True)
class ColumnAccount:
    """What one column was read as. missing: rows without a value, of which `spelled` gives the
    spellings that are no empty cells, with their rows; unreadable: rows with a value that is no
    finite number, or no date, in a column of such; note: what was done, '' where it is as it was.
    """

    name: str
    use: Use
    missing: int = 0
    spelled: tuple[tuple[str, int], ...] = ()
    unreadable: int = 0
    note: str = ""

    @property
    def faults(self) -> int:
        """Return the number of rows in which the column has no value that can be used."""
        return self.missing + self.unreadable


@dataclass(frozen=True)
class TableAccount:
    """Rows of the file, how many of them are complete, and every column. imputed: missing values
    are filled in; notes: what was decided about the file as a whole."""

    rows: int
    complete: int
    columns: tuple[ColumnAccount, ...]
    imputed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Return the number of rows that are left out for a value that is missing or cannot be
        read."""
        return self.rows - self.complete

    def faulty(self) -> list[ColumnAccount]:
        """Return the columns in use that lack values, those with most missing ones first."""
        found = [c for c in self.columns if c.faults and c.use != "left out"]
        return sorted(found, key=lambda column: -column.faults)

    @property
    def lacking(self) -> str:
        """Return the columns in use that lack values, with counts: "'age' 177, 'city' 3"."""
        return some(f"{shorten(c.name)} {c.faults:,}" for c in self.faulty())

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the account in sentences: the file, its rows, its columns."""
        lines = list(self.notes)
        if self.dropped:
            lines.append(
                f"{self.dropped:,} of {count(self.rows, 'row')} left out, for values that are "
                f"missing or cannot be read: {self.lacking}. To keep more, drop a column or impute."
            )
        if self.imputed and self.faulty():
            lines.append(
                "Imputed, numbers by the median and texts by the most frequent value of the "
                f"training rows: {self.lacking}."
            )
        for column in self.columns:
            if column.spelled:
                values = some(f"{shorten(text)} {number:,}" for text, number in column.spelled)
                lines.append(
                    f"Read as missing in column {shorten(column.name)}: {values}. If that is a "
                    "value, choose other spellings (missing)."
                )
            if column.note:
                lines.append(column.note)
        return tuple(lines)

    def table(self) -> pd.DataFrame:
        """Return a table of the columns and what each was read as, to be shown."""
        return pd.DataFrame(
            [(c.name, c.use, c.missing, c.unreadable) for c in self.columns],
            columns=["Column", "Read as", "Missing", "Unreadable"],
        )
