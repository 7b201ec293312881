"""How a table is to be read: one set of choices for Python, the command line and the pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import InvalidInput
from engine.options import Options, option, truth

USUAL, EMPTY = "usual", "empty"  # words for sets of spellings
SPELLINGS = (
    "?", "-", "--", ".", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "Null", "null",
)  # fmt: skip
HELP = {
    "header": "whether the first line of a table holds the names of its columns",
    "drop": "columns of a table to leave out",
    "text": "columns of a table to keep as texts: one 0/1 column for every value",
    "missing": f"which spellings are missing values: {USUAL} ({' '.join(SPELLINGS)}), {EMPTY} "
    "(empty cells alone), or your own, for example: usual -99 unknown",
    "impute": "fill missing values in, numbers by the median and texts by the most frequent value "
    "of the training rows, in place of leaving their rows out",
}


def texts(name: str, value: object) -> tuple[str, ...]:
    """Check for a text or several, each kept once. Raises InvalidInput."""
    listed = (value,) if isinstance(value, str | int | float) else value
    try:
        entries = list(listed)  # type: ignore[call-overload]  # the failure is the check
    except TypeError:
        raise InvalidInput(name, value, "a text, or a list of texts") from None
    return tuple(dict.fromkeys(str(entry).strip() for entry in entries))


@dataclass(frozen=True, kw_only=True)
class TableOptions(Options):
    """How a table is read; what each field means says `HELP`. Raises InvalidInput."""

    header: bool = option(True, truth, added=True)
    drop: Sequence[str] = option((), texts, added=True)
    text: Sequence[str] = option((), texts, added=True)
    missing: Sequence[str] = option((USUAL,), texts, added=True)
    impute: bool = option(False, truth, added=True)

    @property
    def spellings(self) -> frozenset[str]:
        """Return the texts that stand for no value; an empty cell always does."""
        own = {spelling for spelling in self.missing if spelling not in (USUAL, EMPTY)}
        return frozenset(own | (set(SPELLINGS) if USUAL in self.missing else set()))
