"""Smaller training sets: nested, balanced over the classes, features as they are."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.checks import check_integer
from engine.data.dataset import Dataset, Picked


def training_order(y: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return all samples in an order (n,) of which every beginning has the classes in their
    proportion, as far as that is possible; one sample of each class comes first."""
    rng = np.random.default_rng(seed)
    key = np.empty(len(y))
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        places = (np.arange(len(members)) + rng.random()) / len(members)
        key[members] = np.where(np.arange(len(members)) == 0, places - 1, places)
    return np.argsort(key, kind="stable")


def training_subset(dataset: Dataset, size: int, seed: int = 0) -> NDArray[np.int64]:
    """Return indices, ascending, of `size` training samples; those of a smaller size are among
    them.

    Raises InvalidInput unless n_classes <= size <= n_train.
    """
    size = check_integer("train_size", size, dataset.n_classes, dataset.n_train)
    return np.sort(training_order(dataset.y_train, seed)[:size])


def with_training_subset(dataset: Dataset, indices: NDArray[np.int64]) -> Dataset:
    """Return the data set with these training samples only; sample i there is indices[i] here."""
    images = dataset.images
    if images is not None:
        images = replace(images, train=Picked(images.train, indices))
    return replace(
        dataset,
        X_train=np.asarray(dataset.X_train[indices]),
        y_train=dataset.y_train[indices],
        images=images,
        on_disk=False,
    )
