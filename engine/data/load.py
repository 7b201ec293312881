"""Open a data set by its name or path: one door for features, one for fairness tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from engine.data.dataset import Dataset
from engine.data.fairness import FairnessDataset
from engine.data.intake import labelled_table
from engine.data.intake.labelled_table import TEST_SHARE
from engine.data.raw_files import Say, silent
from engine.data.sources import (
    bundled,
    fairness_sets,
    fairness_table,
    features_file,
    features_folder,
)
from engine.data.tables.options import USUAL, TableOptions
from engine.data.tables.read import is_table
from engine.errors import InvalidInput
from engine.settings import read_settings


def load_dataset(
    name_or_path: str | Path | pd.DataFrame,
    data_dir: str | Path | None = None,
    *,
    label: str | None = None,
    test_share: float = TEST_SHARE,
    header: bool = True,
    drop: Sequence[str] = (),
    text: Sequence[str] = (),
    missing: Sequence[str] = (USUAL,),
    impute: bool = False,
) -> Dataset:
    """Open a data set by name ('digits', or a features file or folder in `data_dir`), by the path
    of an `.npz` or a folder (`engine.data.sources.features_folder`), or from a table: a file of a
    format that `engine.data.tables.read` knows, or a DataFrame.

    `label` is the column with the classes of a table, which may be left out where one is called
    label, class, target or y; of every class `test_share` of the rows is for test. The other
    options are those of `engine.data.tables.options`; what they do to rows and columns is said by
    `engine.data.intake.labelled_table.look`, which opens a table the same way.

    Raises InvalidInput for an unknown name and InvalidDataset for data that cannot be used.
    """
    name = "" if isinstance(name_or_path, pd.DataFrame) else str(name_or_path)
    path = Path(name)
    if isinstance(name_or_path, pd.DataFrame) or is_table(path):
        source = name_or_path if isinstance(name_or_path, pd.DataFrame) else path
        options = TableOptions(header=header, drop=drop, text=text, missing=missing, impute=impute)
        return labelled_table.dataset_of(source, label, test_share, options)
    if name in bundled.LOADERS:
        return bundled.LOADERS[name]()
    if path.suffix.lower() == ".npz":
        return features_file.load_features(path)
    if features_folder.is_folder(path):
        return features_folder.load_folder(path)
    available = dict.fromkeys(bundled.LOADERS)
    if data_dir is not None:
        found = {p.stem: p for p in sorted(Path(data_dir).glob("*.npz"))}
        if name in found:
            return features_file.load_features(found[name])
        folders = {p.name: p for p in features_folder.folders(Path(data_dir))}
        if name in folders:
            return features_folder.load_folder(folders[name])
        available |= dict.fromkeys([*found, *folders])
    raise InvalidInput(
        "dataset",
        name,
        "the path of an .npz features file, of a folder with X_train.npy or of a table, or one of "
        + ", ".join(f"'{a}'" for a in available),
    )


def dataset_names(data_dir: str | Path | None = None) -> list[str]:
    """Return the names that `load_dataset` knows: bundled sets, then features files and folders in
    `data_dir`."""
    if data_dir is None:
        return [*bundled.LOADERS]
    files = sorted(p.stem for p in Path(data_dir).glob("*.npz"))
    folders = [p.name for p in features_folder.folders(Path(data_dir)) if p.name not in files]
    return [*bundled.LOADERS, *files, *folders]


def load_fairness_dataset(
    name_or_path: str | Path | pd.DataFrame,
    data_dir: str | Path | None = None,
    *,
    target: str | None = None,
    positive: str | None = None,
    sensitive: str | None = None,
    privileged: str | None = None,
    merge_others: bool = False,
    header: bool = True,
    drop: Sequence[str] = (),
    text: Sequence[str] = (),
    missing: Sequence[str] = (USUAL,),
    impute: bool = False,
    say: Say = silent,
) -> FairnessDataset:
    """Open 'german', 'compas' or 'adult', or a table of your own: the path of a file of a format
    that `engine.data.tables.read` knows, its name in `data_dir`, or a DataFrame.

    The three are fetched once into `data_dir` (by default the lab's, IAL_DATA_DIR); `say` hears of
    it. For your own table, `target` is the column to predict and `positive` its favourable value,
    `sensitive` the column of the group and `privileged` the value of group 1; where that column has
    more than two values, `merge_others` compares the privileged rows with all the others. The other
    options are those of `engine.data.tables.options`. Rows are shuffled (seed 0) before they are
    split 60 / 20 / 20, and the features end with an intercept; the `notes` of the data set say what
    became of rows and columns.

    Raises InvalidInput, InvalidDataset, DataUnavailable.
    """
    source: Path | pd.DataFrame | None
    if isinstance(name_or_path, pd.DataFrame):
        source = name_or_path
    else:
        name = str(name_or_path)
        folder = read_settings().data_dir if data_dir is None else Path(data_dir)
        if name in fairness_sets.LOADERS:
            return fairness_sets.LOADERS[name](folder, say)
        source = fairness_table.find(name, folder)
        if source is None:
            known = [*fairness_sets.LOADERS, *fairness_table.names(folder)]
            expected = "the path of a table, or one of " + ", ".join(map(repr, known))
            raise InvalidInput("dataset", name, expected)
    options = TableOptions(header=header, drop=drop, text=text, missing=missing, impute=impute)
    return fairness_table.load(
        source, target, positive, sensitive, privileged, merge_others, options
    )
