"""A table of one's own for the fairness pipeline: a CSV file with a header."""

from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.encoding import Rows, prepare_splits
from engine.data.fairness import FairnessDataset, Strength
from engine.data.untrusted import limits
from engine.data.untrusted.tables import CSV, MISSING, as_text, read_csv
from engine.errors import InvalidDataset, InvalidInput, shorten

SUFFIX = CSV
MOST_VALUES = limits.CATEGORIES
FEWEST_ROWS = 50
STRENGTH = Strength(0.5, 0.1)
L2_PER_ROW = 0.01  # the middle of the three published ones, which are 0.0001 to 0.01
SEED = 0


def names(data_dir: Path) -> list[str]:
    """The tables in the data directory."""
    return sorted(p.stem for p in Path(data_dir).glob(f"*{SUFFIX}") if p.is_file())


def find(name: str, data_dir: Path) -> Path | None:
    """The file of a table by its path or its name; None where there is none."""
    if Path(name).suffix == SUFFIX:
        return Path(name)
    return Path(data_dir) / f"{name}{SUFFIX}" if name in names(data_dir) else None


def read(path: Path) -> pd.DataFrame:
    """The table, large enough for the pipeline. Raises InvalidDataset."""
    if not path.is_file():
        raise InvalidDataset(f"There is no table at '{path}'. Check the path.")
    table = read_csv(path)
    if table.shape[1] < 3 or len(table) < FEWEST_ROWS:
        raise InvalidDataset(
            f"'{path.name}' has {len(table)} rows and {table.shape[1]} columns; at least "
            f"{FEWEST_ROWS} rows and 3 columns (target, group and a feature) are needed."
        )
    return table


def values_of(table: pd.DataFrame, column: str) -> list[str]:
    """The distinct values of a column as text, the most frequent first; missing ones left out."""
    return [as_text(value) for value in table[column].value_counts().index]


def flag(
    table: pd.DataFrame, column: str, role: str, value: str | None, meaning: str, merge: bool
) -> tuple[np.ndarray, str]:
    """0/1 for each row, 1 where `column` has `value`, and the name of what is 0. The value may be
    given as text or as the number that it is."""
    if column not in table.columns:
        raise InvalidInput(role, column, f"one of the columns {shorten(list(table.columns), 200)}")
    found = values_of(table, column)
    if value not in found:
        raise InvalidInput(
            meaning, value, f"one of the values of '{column}': {shorten(found, 200)}"
        )
    if len(found) < 2:
        raise InvalidDataset(f"The column '{column}' has a single value, '{found[0]}'.")
    if len(found) > 2 and not merge:
        raise InvalidDataset(
            f"The column '{column}' has {len(found)} values ({shorten(found, 120)}), and two are "
            f"needed. To compare '{value}' with all the others together, say so: "
            "merge_others=True, --merge-others, or the tick on the page."
        )
    others = [v for v in found if v != value]
    zero = others[0] if len(others) == 1 else "other"
    return (table[column].map(as_text) == value).to_numpy(dtype=np.int64), zero


def load(
    path: Path,
    target: str | None,
    positive: str | None,
    sensitive: str | None,
    privileged: str | None,
    merge_others: bool,
) -> FairnessDataset:
    """The table at `path` as a data set. Raises InvalidInput, InvalidDataset."""
    table = read(path)
    given = {
        "target": target,
        "positive": positive,
        "sensitive": sensitive,
        "privileged": privileged,
    }
    if absent := [name for name, value in given.items() if value is None or value == ""]:
        raise InvalidInput(
            absent[0],
            given[absent[0]],
            f"given for a table of your own; its columns are {shorten(list(table.columns), 200)}",
        )
    target, positive, sensitive, privileged = (as_text(v) for v in given.values())
    if target == sensitive:
        raise InvalidInput("sensitive", sensitive, "another column than the target")
    complete = table.dropna().reset_index(drop=True)
    dropped = len(table) - len(complete)
    if len(complete) < FEWEST_ROWS:
        raise InvalidDataset(
            f"{dropped} of {len(table)} rows of '{path.name}' have missing values, which leaves "
            f"{len(complete)}; at least {FEWEST_ROWS} are needed. Fill or drop the columns with "
            f"many: {shorten(table.isna().sum().nlargest(3).to_dict(), 120)}."
        )
    label, negative = flag(complete, target, "target", positive, "positive", merge_others)
    group, other = flag(complete, sensitive, "sensitive", privileged, "privileged", merge_others)
    features = usable(complete.drop(columns=target), path.name)
    order = np.random.default_rng(SEED).permutation(len(complete))
    rows = Rows(features.iloc[order], label[order], group[order])
    parts = prepare_splits(rows)
    constant = [
        name
        for name, column in zip(parts["feature_names"], parts["X_train"].T, strict=True)
        if not column.any()
    ]
    notes = [
        f"Your table '{path.name}', rows shuffled (seed {SEED}) and split 60 / 20 / 20; "
        f"L2 = {L2_PER_ROW} × training rows."
    ]
    if dropped:
        notes.append(
            f"{dropped} rows with missing values ({', '.join(m or 'empty' for m in MISSING)}) are "
            "dropped."
        )
    if constant:
        notes.append(
            f"Constant on train, and of no use: {', '.join(map(str, constant[:10]))}"
            + (f" and {len(constant) - 10} more." if len(constant) > 10 else ".")
        )
    return FairnessDataset(
        name=path.stem,
        title=path.stem,
        **parts,
        label_names=(f"{target} = {negative}", f"{target} = {positive}"),
        group_names=(f"{sensitive} = {other}", f"{sensitive} = {privileged}"),
        l2=L2_PER_ROW * len(parts["y_train"]),
        dp=STRENGTH,
        eop=STRENGTH,
        notes=tuple(notes),
    )


def usable(features: pd.DataFrame, file: str) -> pd.DataFrame:
    """Numbers as numbers, anything else as text. Raises InvalidDataset for a column with too many
    values to be a category, or with infinite ones."""
    out = {}
    for name in features.columns:
        column = features[name]
        if pd.api.types.is_bool_dtype(column):
            column = column.astype(np.int64)
        if pd.api.types.is_numeric_dtype(column):
            if not np.isfinite(column).all():
                raise InvalidDataset(f"Column '{name}' of '{file}' holds infinite values.")
            out[name] = column
            continue
        count = column.nunique()
        if count > MOST_VALUES:
            raise InvalidDataset(
                f"Column '{name}' of '{file}' has {count} different texts; a category may have "
                f"{MOST_VALUES}. If it is a name, a date or free text, drop it."
            )
        out[name] = column.map(as_text)
    return pd.DataFrame(out)
