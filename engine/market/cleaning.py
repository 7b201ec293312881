"""Wrong labels: flip some, and measure how well a score finds them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput


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
