"""Data sets that come with scikit-learn: nothing to download."""

from collections.abc import Callable

import numpy as np

from engine.data.catalogue import SETS
from engine.data.dataset import Dataset
from engine.data.preparation import prepare


def digits() -> Dataset:
    """Handwritten digits: 1200 train and 597 test images of 8×8 pixels, ten classes."""
    from sklearn.datasets import load_digits  # a second to import: not for every start
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    train, test = train_test_split(
        np.arange(len(bunch.target)), train_size=1200, stratify=bunch.target, random_state=0
    )
    X, y = bunch.data, bunch.target.astype(np.int64)
    pictures = (1 - bunch.images / 16).astype(np.float32)
    return prepare(
        "digits",
        X[train],
        y[train],
        X[test],
        y[test],
        class_names=tuple(str(name) for name in bunch.target_names),
        images=(pictures[train], pictures[test]),
        title=SETS["digits"].title,
    )


LOADERS: dict[str, Callable[[], Dataset]] = {"digits": digits}
