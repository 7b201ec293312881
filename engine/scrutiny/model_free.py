"""Scores that train models of their own, and never look at the one that is handed in.

    data_oob    minus the share of trees that classify the sample right, among those of a bagged
                ensemble whose bootstrap sample lacks it (Kwon and Zou 2023, Data-OOB)
    banzhaf     the mean test loss of models trained on subsets with the sample, minus that without
                it: minus the Banzhaf value of minus the loss (Wang and Jia 2023, Data Banzhaf), by
                maximum sample reuse, where each subset counts for all samples

Both have Definition 1's sign: positive, or the less negative, where the sample harms.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput, NotConverged
from engine.models.model import check_dataset
from engine.progress import OnStep, ignore_step
from engine.scrutiny.retraining import retrain_on
from engine.vocabulary import L2

TREES = 200  # of Data-OOB's ensemble: a sample is out of the bag of about 74
SUBSETS = 400  # of Data Banzhaf


def data_oob(dataset: Dataset, trees: int = TREES, seed: int = 0) -> NDArray[np.float64]:
    """Return minus Data-OOB's values of the training samples, (n,) in [−1, 0]. The test set does
    not enter. Raises InvalidInput, NotConverged where a sample is in the bag of every tree."""
    from sklearn.ensemble import BaggingClassifier  # here: it takes a second to import

    check_dataset(dataset)
    trees, seed = check_integer("trees", trees, 1), check_integer("seed", seed, 0)
    X, y = np.asarray(dataset.X_train), dataset.y_train
    bagged = BaggingClassifier(n_estimators=trees, random_state=seed).fit(X, y)
    right, tried = np.zeros(len(y)), np.zeros(len(y))
    for tree, drawn in zip(bagged.estimators_, bagged.estimators_samples_, strict=True):
        outside = np.setdiff1d(np.arange(len(y)), drawn)
        right[outside] += tree.predict(X[outside]) == y[outside]
        tried[outside] += 1
    if not tried.all():
        raise NotConverged(
            f"{int((tried == 0).sum())} of {len(y)} samples are in the bag of all {trees} trees: "
            "ask for more trees."
        )
    return -right / tried


def maximum_sample_reuse(subsets: NDArray[np.bool_], values: ArrayLike) -> NDArray[np.float64]:
    """Estimate Banzhaf values (n,) from the values (B,) of subsets (B, n), drawn by a coin for each
    sample: the mean with the sample minus that without it. From all 2ⁿ subsets they are exact.

    Raises InvalidInput where a sample is in all of the subsets, or in none.
    """
    utilities = check_array("values", values)
    if subsets.ndim != 2 or utilities.shape != (len(subsets),):
        raise InvalidInput("values", utilities.shape, f"one per subset, ({len(subsets)},)")
    inside = subsets.sum(0)
    never = np.flatnonzero((inside == 0) | (inside == len(subsets)))
    if len(never):
        raise InvalidInput(
            "subsets", len(subsets), f"more: sample {never[0]} is in all of them or in none"
        )
    weights = subsets / inside - ~subsets / (len(subsets) - inside)
    return utilities @ weights


def data_banzhaf(
    dataset: Dataset,
    subsets: int = SUBSETS,
    l2: float = L2,
    split: str = "test",
    seed: int = 0,
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> NDArray[np.float64]:
    """Return minus the Data Banzhaf values of the training samples, (n,), whose utility is minus
    the mean loss on `split` of a linear model. on_step(done, total) hears of every batch of models.

    Raises InvalidInput, InvalidDataset (a subset without one of the classes), NotConverged.
    """
    check_dataset(dataset)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    drawn = rng.random((check_integer("subsets", subsets, 2), dataset.n_train)) < 0.5
    found = retrain_on(dataset, drawn, l2, device, on_step=on_step)
    return maximum_sample_reuse(drawn, found.mean_losses(split))
