"""A table of one's own with a label column, as a data set for the attacks: numbers as they are,
categories as 0/1 columns, rows with holes left out, a stratified split into train and test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.encoding import encode, is_categorical
from engine.data.intake.features import Candidate
from engine.data.intake.preview import LISTED, Preview, Problem, count, count_classes
from engine.data.preparation import prepare
from engine.data.untrusted import limits
from engine.data.untrusted.tables import as_text, read_table
from engine.errors import InvalidDataset, InvalidInput, shorten

SEED = 0
TEST_SHARE = 0.33
LEAST_SHARE, MOST_SHARE = 0.05, 0.9
FEWEST = 3  # of a class: one for train, two for the halves of the test data
NUMERIC_SHARE = 0.9  # of a column's values: then the others are faults in a column of numbers
USUAL = ("label", "class", "target", "y")  # names of a label column
FIRST_ROWS, SHOWN_COLUMNS = 5, 50


def usual_label(columns: list[str]) -> str | None:
    """The column that by its name is the label; None where it is not clear which."""
    found = [name for name in columns if name.casefold() in USUAL]
    return found[0] if len(found) == 1 else None


def look(path: Path, label: str | None = None, test_share: float = TEST_SHARE) -> Candidate:
    """The data set that the table would become; `label` may be left out where a column is called
    label, class, target or y. Raises InvalidInput, InvalidDataset."""
    check_share(test_share)
    table = read_table(path)
    try:
        return candidate(path, table, label, test_share)
    except InvalidDataset as error:
        raise InvalidDataset(f"'{path.name}' cannot be used: {error}") from error


def check_share(test_share: float) -> None:
    if not LEAST_SHARE <= test_share <= MOST_SHARE:
        raise InvalidInput("test share", test_share, f"in [{LEAST_SHARE}, {MOST_SHARE}]")


def candidate(path: Path, table: pd.DataFrame, label: str | None, test_share: float) -> Candidate:
    chosen = usual_label(list(table.columns)) if label is None else label
    if chosen is None or chosen not in table.columns:
        raise InvalidInput(
            f"The label column of '{path.name}'",
            label,
            f"one of its columns {shorten(list(table.columns), 300)}",
        )
    notes: list[str] = []
    table = without_empty_end(table)
    features = usable(table.drop(columns=chosen), notes)
    if not features:
        raise InvalidDataset("No column is left that can be a feature. " + " ".join(notes))
    faults = pd.DataFrame({chosen: table[chosen].isna()} | {n: b for n, (_, b) in features.items()})
    problems = cell_problems(table, faults)
    class_names, y, small = classes_of(table[chosen], ~faults.to_numpy().any(axis=1))
    keep = y >= 0
    X, y = pd.DataFrame({name: column for name, (column, _) in features.items()})[keep], y[keep]
    train, test = split(y, test_share)
    check_encoded(X)
    (X_train, X_test), names = encode(X.iloc[train], X.iloc[test])
    constant = np.ptp(X_train, axis=0) == 0
    if constant.any():
        same = [name for name, is_constant in zip(names, constant, strict=True) if is_constant]
        notes.append(f"Constant on train, and of no use: {some(same)}.")
    prepare(path.stem, X_train, y[train], X_test, y[test], class_names)
    preview = Preview(
        file=path.name,
        kind="table",
        classes=count_classes(class_names, y[train], y[test]),
        n_features=len(names),
        problems=(*small[:LISTED], *problems),
        n_problems=len(small) + int(faults.to_numpy().sum()),
        dropped=int((~keep).sum()),
        notes=tuple(notes),
        first_rows=beginning(table),
    )
    arrays = {
        "X_train": X_train,
        "y_train": y[train],
        "X_test": X_test,
        "y_test": y[test],
        "class_names": np.array(class_names),
        "feature_names": np.array(names),
    }
    return Candidate(preview, arrays)


def beginning(table: pd.DataFrame) -> pd.DataFrame:
    """The first rows, for the eye."""
    rows = {str(name): list(table[name].head(FIRST_ROWS)) for name in table.columns[:SHOWN_COLUMNS]}
    short = {
        name: [v if not isinstance(v, str) else v[: limits.TEXT_LENGTH] for v in values]
        for name, values in rows.items()
    }
    return pd.DataFrame(short)


def without_empty_end(table: pd.DataFrame) -> pd.DataFrame:
    """Without the empty lines that end many files: they are no rows."""
    filled = np.flatnonzero(table.notna().to_numpy().any(axis=1))
    return table.iloc[: filled[-1] + 1 if len(filled) else 0]


def usable(table: pd.DataFrame, notes: list[str]) -> dict[str, tuple[pd.Series, pd.Series]]:
    """The columns that can be features, as numbers or texts, with where they hold no value that can
    be used; `notes` hears which columns are left out, and why."""
    found = {}
    for name in map(str, table.columns):
        column = table[name]
        if not name or name.startswith(("Unnamed: ", "__index_level_")):
            notes.append(f"Left out, as it has no name: column {name or 'without a name'}.")
            continue
        if column.isna().all():
            notes.append(f"Left out, as it is empty: column {shorten(name)}.")
            continue
        codes, texts = coded(column)
        if (numbers := as_numbers(column, codes, texts)) is not None:
            found[name] = (numbers, ~np.isfinite(numbers))
        elif (count := len(set(texts))) > limits.CATEGORIES:
            notes.append(
                f"Left out: column {shorten(name)} has {count:,} different texts, and a category "
                f"may have {limits.CATEGORIES}; it seems to be a name, a date or free text."
            )
        elif (longest := max(map(len, texts))) > limits.TEXT_LENGTH:
            notes.append(
                f"Left out: column {shorten(name)} has a text of {longest:,} characters, and a "
                f"category may have {limits.TEXT_LENGTH}."
            )
        else:
            found[name] = (looked_up(texts, codes, column), column.isna())
    return found


def coded(column: pd.Series) -> tuple[NDArray[np.int64], list[str]]:
    """For every row the place of its value in the list of the values as texts, −1 where it is
    missing. A text that is repeated is never written out for each row."""
    codes, values = pd.factorize(column)
    return codes, [as_text(value) for value in values.astype(object)]


def looked_up(values: Sequence[object], codes: NDArray[np.int64], like: pd.Series) -> pd.Series:
    """The values by their codes, None for −1, in the rows of `like`."""
    table = np.array([*values, None], dtype=object)
    return pd.Series(table[codes], index=like.index, dtype=object)


def as_numbers(column: pd.Series, codes: NDArray[np.int64], texts: list[str]) -> pd.Series | None:
    """The column as numbers, NaN where it holds none; None where it is one of texts."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(np.float64)
    parsed = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").astype(np.float64)
    numbers = pd.Series(np.append(parsed, np.nan)[codes], index=column.index)
    if numbers.notna().sum() < NUMERIC_SHARE * column.notna().sum():
        return None
    return numbers


def cell_problems(table: pd.DataFrame, faults: pd.DataFrame) -> list[Problem]:
    """The first cells that cost their row, row by row; the first row is 1."""
    problems = []
    names = list(faults.columns)
    for row, position in np.argwhere(faults.to_numpy())[:LISTED]:
        value = table[names[position]].iloc[row]
        missing = pd.isna(value)
        problems.append(
            Problem(
                f"row {row + 1}",
                "is missing" if missing else "is no finite number",
                names[position],
                "" if missing else as_text(value),
            )
        )
    return problems


def classes_of(
    column: pd.Series, complete: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.int64], list[Problem]]:
    """Names of the classes in their order, numbers in that of numbers; the label of every row, −1
    for one that is left out; and which classes are, for want of rows. Raises InvalidDataset."""
    name = shorten(str(column.name))
    codes, texts = coded(column)
    present = np.unique(codes[complete])
    if len(present) > limits.CLASSES or len(present) > max(complete.sum() // 2, FEWEST):
        raise InvalidDataset(
            f"The label column {name} has {len(present):,} different values in "
            f"{complete.sum():,} complete rows; at most {limits.CLASSES:,} classes are taken, with "
            f"{FEWEST} rows each. Choose another label column, or group its values."
        )
    texts = [texts[code] for code in present]
    if (longest := max(map(len, texts), default=0)) > limits.TEXT_LENGTH:
        raise InvalidDataset(
            f"The label column {name} has a value of {longest:,} characters; "
            f"{limits.TEXT_LENGTH} are taken. Shorten it."
        )
    found = sorted(set(texts), key=in_order)
    y = np.full(len(column), -1, dtype=np.int64)
    y[complete] = np.array([found.index(text) for text in texts], dtype=np.int64)[
        np.searchsorted(present, codes[complete])
    ]
    counts = np.bincount(y[complete], minlength=len(found))
    few = [
        Problem(
            f"class {shorten(value)}",
            f"has {count(number, 'complete row')}, and {FEWEST} are needed: it is left out",
        )
        for value, number in zip(found, counts.tolist(), strict=True)
        if number < FEWEST
    ]
    kept = np.flatnonzero(counts >= FEWEST)
    if len(kept) < 2:
        most = {found[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")[:5]}
        raise InvalidDataset(
            f"The label column {name} has {count(len(kept), 'class', 'classes')} with {FEWEST} "
            f"complete rows or more ({shorten(most, 160)}; {complete.sum():,} of {len(y):,} rows "
            "are complete); 2 are needed. Add rows, fill holes or choose another label column."
        )
    number_of = np.full(len(found) + 1, -1)
    number_of[kept] = np.arange(len(kept))
    return tuple(found[i] for i in kept), number_of[y], few


def in_order(value: str) -> tuple[bool, float, str]:
    """2 before 10, and numbers before texts."""
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return False, number, value


def split(
    y: NDArray[np.int64], test_share: float, seed: int = SEED
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of train and test, ascending; of every class its share, at least two for test and one
    for train. y: labels of which each has at least FEWEST."""
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        number = min(max(2, round(test_share * len(members))), len(members) - 1)
        test.append(members[:number])
    chosen = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(y)), chosen), chosen


def check_encoded(X: pd.DataFrame) -> None:
    """Raise InvalidDataset where the 0/1 columns of the categories would be too many."""
    width = sum(X[name].nunique() if is_categorical(X[name]) else 1 for name in X.columns)
    if width > limits.COLUMNS or width * len(X) > limits.CELLS:
        raise InvalidDataset(
            f"Its {len(X.columns):,} columns become {width:,} with one for every category, times "
            f"{len(X):,} rows; {limits.COLUMNS:,} columns and {limits.CELLS:,} cells are taken. "
            "Leave out the columns with the most categories."
        )


def some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
