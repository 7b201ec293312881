"""Open a data set by its name or path: one door for features, one for fairness tables."""

from pathlib import Path

from engine.data.dataset import Dataset
from engine.data.fairness import FairnessDataset
from engine.data.raw_files import Say, silent
from engine.data.sources import (
    bundled,
    fairness_sets,
    fairness_table,
    features_file,
    features_folder,
)
from engine.errors import InvalidInput
from engine.settings import read_settings


def load_dataset(name_or_path: str | Path, data_dir: str | Path | None = None) -> Dataset:
    """A data set by name ('digits', or a features file or folder in `data_dir`) or by the path of
    an `.npz` or a folder (`engine.data.sources.features_folder`).

    Raises InvalidInput for an unknown name and InvalidDataset for a file that cannot be used.
    """
    name = str(name_or_path)
    if name in bundled.LOADERS:
        return bundled.LOADERS[name]()
    path = Path(name)
    if path.suffix == ".npz":
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
        "the path of an .npz features file or of a folder with X_train.npy, or one of "
        + ", ".join(f"'{a}'" for a in available),
    )


def dataset_names(data_dir: str | Path | None = None) -> list[str]:
    """The names that `load_dataset` knows: bundled sets, then features files and folders in
    `data_dir`."""
    if data_dir is None:
        return [*bundled.LOADERS]
    files = sorted(p.stem for p in Path(data_dir).glob("*.npz"))
    folders = [p.name for p in features_folder.folders(Path(data_dir)) if p.name not in files]
    return [*bundled.LOADERS, *files, *folders]


def load_fairness_dataset(
    name_or_path: str | Path,
    data_dir: str | Path | None = None,
    *,
    target: str | None = None,
    positive: str | None = None,
    sensitive: str | None = None,
    privileged: str | None = None,
    merge_others: bool = False,
    say: Say = silent,
) -> FairnessDataset:
    """'german', 'compas' or 'adult', or a table of your own: a CSV file's path, or its name in
    `data_dir`.

    The three are fetched once into `data_dir` (by default the lab's, IAL_DATA_DIR); `say` hears of
    it. For your own table, `target` is the column to predict and `positive` its favourable value,
    `sensitive` the column of the group and `privileged` the value of group 1; where that column has
    more than two values, `merge_others` compares the privileged rows with all the others. Rows are
    shuffled (seed 0) before they are split 60 / 20 / 20.

    Raises InvalidInput, InvalidDataset, DataUnavailable.
    """
    name = str(name_or_path)
    folder = read_settings().data_dir if data_dir is None else Path(data_dir)
    if name in fairness_sets.LOADERS:
        return fairness_sets.LOADERS[name](folder, say)
    path = fairness_table.find(name, folder)
    if path is None:
        known = [*fairness_sets.LOADERS, *fairness_table.names(folder)]
        raise InvalidInput(
            "dataset", name, "the path of a CSV table, or one of " + ", ".join(map(repr, known))
        )
    return fairness_table.load(path, target, positive, sensitive, privileged, merge_others)
