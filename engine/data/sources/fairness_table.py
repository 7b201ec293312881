"""A table of one's own for the fairness pipeline, read as every other table is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.encoding import (
    TEST_SHARE,
    VAL_SHARE,
    LabelledRows,
    constant_columns,
    prepare_splits,
    split_last,
)
from engine.data.fairness import SPLITS, FairnessDataset, Strength
from engine.data.tables.account import count
from engine.data.tables.columns import CompleteTable, coded, complete_rows, impute, without_missing
from engine.data.tables.options import TableOptions
from engine.data.tables.packed import ZIP
from engine.data.tables.raw import RawTable, as_text
from engine.data.tables.read import is_table, read_table, stem_of, suffix_of
from engine.data.untrusted import limits
from engine.errors import InvalidDataset, InvalidInput, shorten

MOST_VALUES = limits.CATEGORIES
FEW_VALUES = 20  # of a column that is taken for an outcome or a group without being told
FEWEST_ROWS = 50
STRENGTH = Strength(0.5, 0.1)
L2_PER_ROW = 0.01  # the middle of the three published ones, which are 0.0001 to 0.01
SEED = 0
INTERCEPT = "(intercept)"
FAVOURABLE = (
    "yes", "true", "1", "good", "approved", "accepted", "granted", "paid", "pass", "passed",
    "positive", "repaid", "hired", "admitted", "y",
)  # fmt: skip


@dataclass(frozen=True)
class Roles:
    """Which columns and values of a table mean what. merge_others: where a column has more than two
    values, all others count as one."""

    target: str
    positive: str
    sensitive: str
    privileged: str
    merge_others: bool = False


def names(data_dir: Path) -> list[str]:
    """Return the tables in the data directory, after zip archives there are unpacked into it."""
    return sorted(by_name(data_dir))


def by_name(data_dir: Path) -> dict[str, Path]:
    """Return the files of the tables in the data directory; of two with one name the first."""
    found: dict[str, Path] = {}
    for path in sorted(Path(data_dir).glob("*")):
        ending = suffix_of(path.name)
        if ending and not ending.endswith(ZIP) and not path.name.startswith(".") and path.is_file():
            found.setdefault(path.name[: -len(ending)], path)
    return found


def find(name: str, data_dir: Path) -> Path | None:
    """Return the file of a table by its path or its name; None where there is none."""
    if is_table(Path(name)):
        return Path(name)
    return by_name(data_dir).get(name)


def read(source: Path | pd.DataFrame, options: TableOptions | None = None) -> RawTable:
    """Return the table, large enough for the pipeline. Raises InvalidInput, InvalidDataset."""
    if isinstance(source, Path) and not source.is_file():
        raise InvalidDataset(f"There is no table at '{source}'. Check the path.")
    table = read_table(source, options)
    n_rows, n_columns = table.frame.shape
    if n_columns < 3 or n_rows < FEWEST_ROWS:
        raise InvalidDataset(
            f"{called(source)} has {n_rows} rows and {n_columns} columns; at least "
            f"{FEWEST_ROWS} rows and 3 columns (target, group and a feature) are needed."
        )
    return table


def called(source: Path | pd.DataFrame) -> str:
    return "The table" if isinstance(source, pd.DataFrame) else f"'{source.name}'"


def values_of(column: pd.Series, options: TableOptions | None = None) -> list[str]:
    """Return the distinct values of a column as text, the most frequent first; missing ones left
    out."""
    column, _ = without_missing(column, (options or TableOptions()).spellings)
    codes, texts = coded(column)
    rows = np.bincount(codes[codes >= 0], minlength=len(texts))
    return [texts[place] for place in np.argsort(-rows, kind="stable")]


def fit_for_roles(values: Mapping[str, Sequence[str]]) -> list[str]:
    """List the columns that may be target or group, by their distinct values: those with a few."""
    return [column for column, found in values.items() if 2 <= len(found) <= MOST_VALUES]


def like_groups(values: Mapping[str, Sequence[str]]) -> list[str]:
    """List the columns that look like an outcome or a group: a handful of values."""
    return [column for column in fit_for_roles(values) if len(values[column]) <= FEW_VALUES]


def favourable(values: Sequence[str]) -> str | None:
    """Return the value that by its word is the favourable one; None where no word, or more than
    one, says so."""
    found = [value for value in values if value.casefold() in FAVOURABLE]
    return found[0] if len(found) == 1 else None


def flag(
    table: CompleteTable, column: str, value: str, meaning: str, merge: bool
) -> tuple[NDArray[np.int64], str]:
    """0/1 for each complete row, 1 where `column` has `value`, and the name of what is 0. Raises
    InvalidInput, InvalidDataset."""
    texts = table.roles[column][table.keep]
    found = list(texts.value_counts().index)
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
    return np.asarray(texts == value, np.int64), others[0] if len(others) == 1 else "other"


def roles_in(frame: pd.DataFrame, merge_others: bool, **given: object) -> Roles:
    """Return the roles as they were given, texts or numbers, if they fit the table. Raises
    InvalidInput."""
    columns = shorten(list(frame.columns), 200)
    for name, value in given.items():
        if not pd.api.types.is_scalar(value) or value is None or value is pd.NA or value == "":
            expected = f"given for a table of your own; its columns are {columns}"
            raise InvalidInput(name, value, expected)
    roles = Roles(**{n: as_text(v) for n, v in given.items()}, merge_others=merge_others)
    if roles.target == roles.sensitive:
        raise InvalidInput("sensitive", roles.sensitive, "another column than the target")
    for name in ("target", "sensitive"):
        if getattr(roles, name) not in frame.columns:
            raise InvalidInput(name, getattr(roles, name), f"one of the columns {columns}")
    return roles


def load(
    source: Path | pd.DataFrame,
    target: str | None,
    positive: str | None,
    sensitive: str | None,
    privileged: str | None,
    merge_others: bool,
    options: TableOptions | None = None,
) -> FairnessDataset:
    """Return the table at a path, or in memory, as a data set; its features begin with those of the
    table and end with an intercept. Raises InvalidInput, InvalidDataset."""
    options = options or TableOptions()
    raw = read(source, options)
    roles = roles_in(
        raw.frame,
        merge_others,
        target=target,
        positive=positive,
        sensitive=sensitive,
        privileged=privileged,
    )
    table = complete_rows(raw, [roles.target, roles.sensitive], options, also=[roles.sensitive])
    account = table.account
    if account.complete < FEWEST_ROWS:
        raise InvalidDataset(
            f"{account.dropped} of {account.rows} rows of {called(source)} have missing values, "
            f"which leaves {account.complete}; at least {FEWEST_ROWS} are needed. Drop the columns "
            f"that lack most, or impute; infinite values count as missing: {account.lacking}."
        )
    label, negative = flag(table, roles.target, roles.positive, "positive", merge_others)
    group, other = flag(table, roles.sensitive, roles.privileged, "privileged", merge_others)
    order = np.random.default_rng(SEED).permutation(len(label))
    rows = LabelledRows(table.features[table.keep].iloc[order], label[order], group[order])
    if options.impute:
        train, _ = split_last(split_last(rows, TEST_SHARE)[0], VAL_SHARE)
        rows = replace(rows, table=impute(rows.table, np.arange(len(train.label))))
    parts = prepare_splits(rows)
    constant = constant_columns(parts["X_train"], parts["feature_names"])
    for split in SPLITS:
        X = parts[f"X_{split}"]
        parts[f"X_{split}"] = np.concatenate([X, np.ones((len(X), 1))], axis=1)
    parts["feature_names"] += (INTERCEPT,)
    file = "table" if isinstance(source, pd.DataFrame) else source.name
    return FairnessDataset(
        name=stem_of(source),
        title=stem_of(source),
        **parts,
        label_names=(f"{roles.target} = {negative}", f"{roles.target} = {roles.positive}"),
        group_names=(f"{roles.sensitive} = {other}", f"{roles.sensitive} = {roles.privileged}"),
        l2=L2_PER_ROW * len(parts["y_train"]),
        dp=STRENGTH,
        eop=STRENGTH,
        notes=(
            f"Your table '{file}', {account.complete:,} of {count(account.rows, 'row')}, shuffled "
            f"(seed {SEED}) and split 60 / 20 / 20; L2 = {L2_PER_ROW} × training rows; with an "
            "intercept.",
            *account.lines,
            *constant,
        ),
    )
