"""Features of any size that behave as pooled image features do: what speed is measured on.

Class means plus noise whose spectrum falls as a power of its index, mixed, rectified and
standardised.
"""

import numpy as np
from numpy.typing import NDArray

from engine.attacks.attack import starts
from engine.data.dataset import Dataset
from engine.data.preparation import standardise
from engine.models.fit import fit
from engine.models.linear import LinearModel

DECAY = 0.35  # of the noise's spectrum
SPREAD = 0.2  # of the class means
RADIUS = 0.3
FIT_ITERATIONS = 10  # L-BFGS: enough for sensible weights


def synthetic(n: int, m: int, d: int, n_classes: int, seed: int = 0) -> Dataset:
    """Draw n training samples, m each of test and holdout, d features; classes take turns.

    Raises InvalidDataset where n < n_classes leaves a class without a sample.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, d + 1) ** -DECAY
    mix = rng.standard_normal((d, d)) / d**0.5
    means = SPREAD * rng.standard_normal((n_classes, d)) * spectrum

    def draw(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        y = np.arange(count) % n_classes
        X = (means[y] + spectrum * rng.standard_normal((count, d))) @ mix
        return np.maximum(X, 0), y

    (train, y), (test, y_test), (holdout, y_holdout) = draw(n), draw(m), draw(m)
    X, X_test, X_holdout = standardise(train, test, holdout)
    names = tuple(str(c) for c in range(n_classes))
    return Dataset("synthetic", X, y, X_test, y_test, X_holdout, y_holdout, names)


def start_of_attack(dataset: Dataset, target: int, seed: int, device: str) -> LinearModel:
    """Return a point on the sphere of the radius around a roughly trained model."""
    honest = fit(dataset, max_iterations=FIT_ITERATIONS, device=device)
    point = starts(honest.parameters, RADIUS * honest.norm, 1, seed, [target])[0]
    return LinearModel.from_parameters(point.reshape(honest.parameters.shape), honest.l2)
