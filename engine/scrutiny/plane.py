"""Small data sets of two features, for pictures in which the whole model can be seen.

clouds   two overlapping Gaussian clouds, drawn by a seed
digits   two classes of handwritten digits on the first two principal components of the pixels
         of their training samples
"""

import numpy as np
from numpy.typing import NDArray

from engine.checks import check_choice, check_integer
from engine.data.dataset import SPLITS, Dataset
from engine.data.preparation import standardise
from engine.data.sources.bundled import digits
from engine.vocabulary import PLANES

SHAPE = np.array([[1.0, 0.45], [0.0, 0.8]])  # of a cloud: its features are correlated
CENTRE = np.array([1.2, 0.4])  # of the second cloud; the first lies opposite
FEATURES = {  # what the two are called
    "clouds": ("first feature", "second feature"),
    "digits": ("first component", "second component"),
}
PAIR = (3, 8)  # of digits: two that overlap on two components


def plane_dataset(points: str = "clouds", n: int = 80, seed: int = 0) -> Dataset:
    """Make a data set of two classes and two features, standardised on train.

    points: a name of `PLANES`. n: samples of each split, of clouds; digits have all of their two
    classes. seed: draws the clouds, and changes no digits. Raises InvalidInput.
    """
    check_choice("points", points, PLANES)
    if points == "digits":
        return two_digits()
    n, rng = check_integer("n", n, 4), np.random.default_rng(check_integer("seed", seed, 0))
    drawn = [draw(n, rng) for _ in range(3)]
    (train, test, holdout) = standardise(*(X for X, _ in drawn))
    y_train, y_test, y_holdout = (y for _, y in drawn)
    return Dataset(
        *("clouds", train, y_train, test, y_test, holdout, y_holdout),
        class_names=("circle", "square"),
        feature_names=FEATURES["clouds"],
    )


def draw(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw n points, of both classes alternately."""
    y = np.arange(n) % 2
    sides = np.where(y[:, None] == 1, CENTRE, -CENTRE)
    return rng.standard_normal((n, 2)) @ SHAPE + sides, y


def two_digits() -> Dataset:
    """Make the plane of digits `PAIR`; the components are those of the training samples alone."""
    whole = digits()
    pixels, labels = [], []
    for split in SPLITS:
        y = whole.split(split)[1]
        some = np.flatnonzero(np.isin(y, PAIR))
        pictures = getattr(whole.images, split)
        pixels.append(np.stack([pictures[int(i)] for i in some]).reshape(len(some), -1))
        labels.append((y[some] == PAIR[1]).astype(np.int64))
    train, test, holdout = standardise(*on_components(pixels))
    return Dataset(
        *("two digits", train, labels[0], test, labels[1], holdout, labels[2]),
        class_names=tuple(whole.class_names[c] for c in PAIR),
        feature_names=FEATURES["digits"],
    )


def on_components(pixels: list[NDArray]) -> list[NDArray[np.float64]]:
    """Return each split (n, 2) on the first two principal components of the first, train. Each
    component's sign, which is free, makes the sum of its entries positive."""
    middle = pixels[0].mean(0, dtype=np.float64)
    _, _, axes = np.linalg.svd(pixels[0] - middle, full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2].sum(1, keepdims=True))
    return [(X - middle) @ axes.T for X in pixels]
