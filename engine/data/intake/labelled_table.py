"""Make a data set for the attacks of a table with a label column: numbers stay numbers, a category
becomes 0/1 columns, incomplete rows are left out or imputed, train and test are split by class."""

from __future__ import annotations

from numbers import Real
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.data.encoding import constant_columns, encode, is_categorical
from engine.data.intake.features import Candidate
from engine.data.intake.preview import LISTED, Preview, Problem, count_classes
from engine.data.preparation import prepare
from engine.data.sources.features_file import REQUIRED
from engine.data.tables.account import count
from engine.data.tables.columns import CompleteTable, coded, complete_rows, impute
from engine.data.tables.options import TableOptions
from engine.data.tables.raw import RawTable, as_text
from engine.data.tables.read import read_table, stem_of
from engine.data.untrusted import limits
from engine.errors import InvalidDataset, InvalidInput, shorten

SEED = 0
TEST_SHARE = 0.33
LEAST_SHARE, MOST_SHARE = 0.05, 0.9
FEWEST = 3  # of a class: one for train, two for the halves of the test data
USUAL = ("label", "class", "target", "y")  # names of a label column
MOST_GUESSED = (
    50  # classes that a column may have to be taken for the label without being called so
)
FIRST_ROWS, SHOWN_COLUMNS = 5, 50


def usual_label(columns: list[str]) -> str | None:
    """Return the column that by its name is the label; None where it is not clear which."""
    found = [name for name in columns if name.casefold() in USUAL]
    return found[0] if len(found) == 1 else None


def guessed_label(source: Path | pd.DataFrame, options: TableOptions | None = None) -> str | None:
    """Guess which column holds the classes where no name says it: of the columns with few values,
    each of them in several rows, the last one of texts, or else the last one of whole numbers.

    Returns None where there is none. Raises InvalidDataset for what is no table.
    """
    frame = read_table(source, options or TableOptions()).frame
    words, numbers = [], []
    for place, name in enumerate(frame.columns):
        values = frame.iloc[:, place].dropna().map(as_text)
        counts = values[values != ""].value_counts()
        if not 2 <= len(counts) <= min(MOST_GUESSED, len(frame) // FEWEST) or counts.min() < FEWEST:
            continue
        whole = all(value.lstrip("+-").isdecimal() for value in counts.index)
        measured = pd.to_numeric(counts.index.to_series(), errors="coerce").notna().all()
        if whole:
            numbers.append(str(name))
        elif not measured:
            words.append(str(name))
    return next(reversed([*numbers, *words]), None)


def look(
    source: Path | pd.DataFrame,
    label: str | None = None,
    test_share: float = TEST_SHARE,
    options: TableOptions | None = None,
) -> Candidate:
    """Return the data set that a table would become; `label` may be left out where a column is
    called label, class, target or y. Raises InvalidInput, InvalidDataset."""
    check_share(test_share)
    options = options or TableOptions()
    name = "table" if isinstance(source, pd.DataFrame) else source.name
    table = read_table(source, options)
    try:
        return candidate(name, table, label, test_share, options)
    except InvalidDataset as error:
        raise InvalidDataset(f"'{name}' cannot be used: {error}") from error


def dataset_of(
    source: Path | pd.DataFrame, label: str | None, test_share: float, options: TableOptions
) -> Dataset:
    """Return the same as a `Dataset`, without writing a file."""
    found = look(source, label, test_share, options).arrays
    X_train, y_train, X_test, y_test = (found[part] for part in REQUIRED)
    class_names, features = (tuple(found[n].tolist()) for n in ("class_names", "feature_names"))
    name = stem_of(source)
    return prepare(name, X_train, y_train, X_test, y_test, class_names, feature_names=features)


def check_share(test_share: object) -> None:
    """Check the share of samples that become test samples. Raises InvalidInput."""
    share = cast(float, test_share)  # or an integer that no float can hold
    if not isinstance(test_share, Real) or not LEAST_SHARE <= share <= MOST_SHARE:
        raise InvalidInput("test share", test_share, f"in [{LEAST_SHARE}, {MOST_SHARE}]")


def candidate(
    name: str, raw: RawTable, label: str | None, test_share: float, options: TableOptions
) -> Candidate:
    """Read a table as a data set, its label column given or guessed. Raises InvalidInput."""
    chosen = usual_label(list(raw.frame.columns)) if label is None else label
    if chosen is None or not pd.api.types.is_scalar(chosen) or chosen not in raw.frame.columns:
        raise InvalidInput(
            f"The label column of '{name}'",
            label,
            f"one of its columns {shorten(list(raw.frame.columns), 300)}",
        )
    table = complete_rows(raw, [chosen], options)
    class_names, y, small = classes_of(table, chosen)
    keep = y >= 0
    X, y = table.features[keep], y[keep]
    train, test = split(y, test_share)
    if options.impute:
        X = impute(X, train)
    check_encoded(X)
    (X_train, X_test), names = encode(X.iloc[train], X.iloc[test])
    notes = [*table.account.lines, *constant_columns(X_train, names)]
    prepare(name, X_train, y[train], X_test, y[test], class_names, feature_names=names)
    preview = Preview(
        file=name,
        kind="table",
        classes=count_classes(class_names, y[train], y[test]),
        n_features=len(names),
        problems=(*small[:LISTED], *cell_problems(table)),
        n_problems=len(small) + int(table.faults.to_numpy().sum()),
        dropped=int((~keep).sum()),
        notes=tuple(notes),
        first_rows=beginning(table.raw),
        account=table.account,
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
    """Return the first rows, to be shown."""
    rows = {str(name): list(table[name].head(FIRST_ROWS)) for name in table.columns[:SHOWN_COLUMNS]}
    short = {
        name: [v if not isinstance(v, str) else v[: limits.TEXT_LENGTH] for v in values]
        for name, values in rows.items()
    }
    return pd.DataFrame(short)


def cell_problems(table: CompleteTable) -> list[Problem]:
    """Return the first cells that cost their row, row by row; the first row is 1."""
    problems = []
    names = list(table.faults.columns)
    for row, position in np.argwhere(table.faults.to_numpy())[:LISTED]:
        value = table.raw[names[position]].iloc[row]
        spelled = "" if pd.isna(value) else as_text(value)
        read = dict(table.spelled(names[position]))
        missing = not spelled or spelled in read
        problems.append(
            Problem(
                f"row {row + 1}",
                "is missing" if missing else "is no finite number",
                names[position],
                spelled,
            )
        )
    return problems


def classes_of(
    table: CompleteTable, label: str
) -> tuple[tuple[str, ...], NDArray[np.int64], list[Problem]]:
    """Return names of the classes in their order, numbers in that of numbers; the label of every
    row, −1 for one that is left out; and which classes are, for want of rows. Raises
    InvalidDataset."""
    name, complete = shorten(label), table.keep
    codes, texts = coded(table.roles[label])
    present = np.flatnonzero(np.bincount(codes[complete]))
    if len(present) > limits.CLASSES or len(present) > max(complete.sum() // 2, FEWEST):
        raise InvalidDataset(
            f"The label column {name} has {len(present):,} different values in "
            f"{complete.sum():,} complete rows; at most {limits.CLASSES:,} classes are taken, with "
            f"{FEWEST} rows each. Choose another label column, or group its values."
        )
    found = sorted((texts[code] for code in present), key=in_order)
    if (longest := max(map(len, found), default=0)) > limits.TEXT_LENGTH:
        raise InvalidDataset(
            f"The label column {name} has a value of {longest:,} characters; "
            f"{limits.TEXT_LENGTH} are taken. Shorten it."
        )
    number = {text: place for place, text in enumerate(found)}
    y = np.full(len(codes), -1, dtype=np.int64)
    y[complete] = [number[texts[code]] for code in codes[complete]]
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
        lacking = table.account.lacking
        raise InvalidDataset(
            f"The label column {name} has {count(len(kept), 'class', 'classes')} with {FEWEST} "
            f"complete rows or more ({shorten(most, 160)}; {complete.sum():,} of {len(y):,} rows "
            "are complete); 2 are needed. Add rows, fill holes or choose another label column."
            + (f" Without a value: {lacking}. Drop such columns, or impute." if lacking else "")
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
    """Return the indices of train and test, ascending; each holds its share of every class, at
    least two for test and one for train. y: labels of which each has at least FEWEST."""
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
