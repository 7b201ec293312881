"""Wrong labels: flip some, or know some, and measure how well a score finds them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_integer
from engine.data.dataset import SPLITS, Dataset, Split
from engine.errors import InvalidInput
from engine.market.vendors import categories, table_columns


def flip_labels(dataset: Dataset, flips: int, seed: int = 0) -> tuple[Dataset, NDArray[np.int64]]:
    """Give `flips` training samples, drawn by the seed, another label each, drawn among the other
    classes; return the data set and their indices, ascending.

    Raises InvalidInput for more flips than samples, InvalidDataset where a class loses all its
    samples.
    """
    n = dataset.n_train
    if isinstance(flips, int) and flips > n:
        raise InvalidInput("flips", flips, f"at most {n}: there are no more training samples")
    flips = check_integer("flips", flips, 1, n)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    chosen = np.sort(rng.choice(n, flips, replace=False))
    y = dataset.y_train.copy()
    y[chosen] = (y[chosen] + rng.integers(1, dataset.n_classes, flips)) % dataset.n_classes
    return replace(dataset, y_train=y), chosen


def right_labels(dataset: Dataset, column: str) -> dict[Split, NDArray[np.int64]]:
    """Read the classes that a column of the data set's table holds, by split: (n,) each.

    column: of texts, each the name of a class; or of numbers, where the classes have numbers for
    names and as many values occur in training. Raises InvalidInput for any other column, and where
    a sample's value does not occur in training.
    """
    K, names = dataset.n_classes, dataset.feature_names or ()
    texts = categories(dataset)
    check_choice("truth", column, table_columns(dataset))
    if column in texts:
        places, values = list(texts[column].values()), list(texts[column])
        if not set(values) <= set(dataset.class_names) or (len(values) == 1 and K > 2):
            raise not_of_classes(column, dataset)
        classes = np.array([dataset.class_names.index(value) for value in values])
        known = dataset.X_train[:, places]
        middle = (known.min(0) + known.max(0)) / 2
        found: dict[Split, NDArray[np.int64]] = {}
        for split in SPLITS:
            there = dataset.split(split)[0][:, places] > middle
            if len(values) == 1:  # a column of two values is one feature
                found[split] = np.where(there[:, 0], classes[0], 1 - classes[0])
                continue
            if not there.any(1).all():
                raise not_of_classes(column, dataset)
            found[split] = classes[there.argmax(1)]
        return found
    place = names.index(column)
    levels = np.unique(dataset.X_train[:, place])
    if len(levels) != K or not all(map(is_number, dataset.class_names)):
        raise not_of_classes(column, dataset)
    nearest = {s: np.abs(dataset.split(s)[0][:, place, None] - levels) for s in SPLITS}
    if any(distance.min(1).max() > 0 for distance in nearest.values()):
        raise not_of_classes(column, dataset)
    return {split: distance.argmin(1) for split, distance in nearest.items()}


def not_of_classes(column: str, dataset: Dataset) -> InvalidInput:
    classes = list(dataset.class_names[:5])
    return InvalidInput("truth", column, f"a column whose values are the classes, as {classes}")


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def label_columns(dataset: Dataset) -> list[str]:
    """List the columns of the table that hold classes, and could be the right labels."""
    found = []
    for name in table_columns(dataset):
        try:
            right_labels(dataset, name)
        except InvalidInput:
            continue
        found.append(name)
    return found


def known_labels(dataset: Dataset, column: str) -> tuple[Dataset, NDArray[np.int64]]:
    """Take the right labels from a column of the data set's table: return the data set without that
    column, right labels in its test data, and the training samples whose label differs, ascending.

    Raises InvalidInput for a column without classes, where no label differs, and where no other
    column is left.
    """
    right = right_labels(dataset, column)
    wrong = np.flatnonzero(right["train"] != dataset.y_train)
    if not len(wrong):
        raise InvalidInput("truth", column, "a column that differs from some label: none is wrong")
    names = dataset.feature_names or ()
    gone = set(categories(dataset).get(column, {}).values()) or {names.index(column)}
    kept = [place for place in range(dataset.n_features) if place not in gone]
    if not kept:
        raise InvalidInput("truth", column, "not the only column: the model needs features")
    features = {f"X_{split}": dataset.split(split)[0][:, kept] for split in SPLITS}
    return replace(
        dataset,
        X_train=features["X_train"],
        X_test=features["X_test"],
        X_holdout=features["X_holdout"],
        y_test=right["test"],
        y_holdout=right["holdout"],
        feature_names=tuple(names[place] for place in kept),
    ), wrong


@dataclass(frozen=True, eq=False)
class Finding:
    """How well a score finds wrong labels, looking at the most suspicious samples first.

    precision, recall: (n,), among the first 1, 2, … n samples; of samples that tie, all come in
        the order of their indices. average_precision: the area under precision against recall,
        Σ (R_j − R_{j−1}) P_j over the distinct scores, as scikit-learn's.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    average_precision: float

    def after(self, inspected: int) -> tuple[float, float]:
        """Return precision and recall after so many samples were looked at."""
        place = check_integer("inspected", inspected, 1, len(self.recall)) - 1
        return float(self.precision[place]), float(self.recall[place])


def finding(suspicion: ArrayLike, wrong: ArrayLike) -> Finding:
    """Measure how well `suspicion` (n,), high for what looks wrong, finds the samples `wrong`, by
    their indices. Raises InvalidInput for no wrong samples and scores that are not finite."""
    scores = check_array("suspicion", suspicion)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise InvalidInput("suspicion", scores.shape, "a sequence of finite numbers")
    indices = np.unique([check_integer("wrong", i, 0, len(scores) - 1) for i in np.asarray(wrong)])
    if not len(indices):
        raise InvalidInput("wrong", [], "at least one sample")
    is_wrong = np.zeros(len(scores))
    is_wrong[indices] = 1
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(is_wrong[order])
    precision = found / np.arange(1, len(scores) + 1)
    recall = found / len(indices)
    last = np.append(np.diff(scores[order]) != 0, True)  # of those that tie
    gained = np.diff(recall[last], prepend=0)
    return Finding(precision, recall, float((gained * precision[last]).sum()))
