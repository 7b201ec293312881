"""From raw features and labels to a `Dataset`: standardise on train, halve the test data."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import RENUMBER, Dataset, Images, Picked, Pictures, check_samples
from engine.errors import InvalidDataset

ROUNDINGS = 4  # units in the last place by which the values of a constant column may differ


def varying(X: NDArray) -> NDArray[np.bool_]:
    """Return which columns of X (rows, d) have more than one value, differences of rounding
    aside."""
    low, high = X.min(axis=0), X.max(axis=0)
    return beyond_rounding(low, high, X.dtype)


def beyond_rounding(low: NDArray, high: NDArray, kind: np.dtype) -> NDArray[np.bool_]:
    """Return whether columns with these least and greatest values differ by more than the rounding
    of the type of number that they are given in."""
    low, high = low.astype(np.float64), high.astype(np.float64)
    unit = np.finfo(kind).eps if kind.kind == "f" else 0.0
    with np.errstate(over="ignore"):
        return high - low > ROUNDINGS * unit * np.maximum(np.abs(low), np.abs(high))


def exponents(largest: NDArray[np.float64]) -> NDArray[np.int32]:
    """For each column the power of two that brings it to [−1, 1], which rounds nothing: the squares
    in its deviation then neither overflow nor vanish. largest: the greatest absolute values."""
    return -np.frexp(largest)[1]


def standardise(
    train: NDArray[np.floating], *others: NDArray[np.floating], dtype: type = np.float32
) -> list[NDArray]:
    """Return each array minus the mean of `train`, over its standard deviation, column by column.

    A column that is constant on train, differences of rounding aside, becomes 0 everywhere: it
    tells the training nothing, and dividing it by an epsilon would blow it up on the other splits.
    A value of the others too far from train for `dtype` becomes infinite.
    """
    wide = train.astype(np.float64)
    exponent = exponents(np.abs(wide).max(axis=0))
    wide = np.ldexp(wide, exponent)
    mean, deviation = wide.mean(axis=0), wide.std(axis=0)
    varies = varying(train) & (np.ptp(wide, axis=0) > 0)
    scale = 1 / np.where(varies, deviation, 1)
    with np.errstate(over="ignore"):
        return [
            np.where(varies, (np.ldexp(a.astype(np.float64), exponent) - mean) * scale, 0).astype(
                dtype, order="C"
            )
            for a in (train, *others)
        ]


def halve_test(
    y_test: NDArray[np.int64], class_names: tuple[str, ...], seed: int = 0
) -> tuple[NDArray, NDArray]:
    """Return indices of the stratified halves `test` and `holdout`, drawn by `seed`; an odd sample
    goes to holdout.

    Raises InvalidDataset naming a class with a single test sample: it cannot be in both halves.
    """
    from sklearn.model_selection import train_test_split  # a second to import: not for every start

    classes, counts = np.unique(y_test, return_counts=True)
    single = classes[counts == 1]
    if len(single):
        name = class_names[single[0]]
        raise InvalidDataset(
            f"Class {single[0]} ('{name}') has a single test sample; the test data is split in two "
            "stratified halves, so every class in it needs at least two. Add one or drop the class."
        )
    holdout_size = (len(y_test) + 1) // 2
    test, holdout = train_test_split(
        np.arange(len(y_test)), test_size=holdout_size, stratify=y_test, random_state=seed
    )
    return test, holdout


def prepare(
    name: str,
    X_train: NDArray,
    y_train: NDArray,
    X_test: NDArray,
    y_test: NDArray,
    class_names: tuple[str, ...] | None = None,
    images: tuple[NDArray, NDArray] | None = None,
    feature_names: tuple[str, ...] | None = None,
    title: str = "",
    halves: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> Dataset:
    """Standardise the features, and split the test data in halves; `images` are those of train and
    of all test data, `halves` the indices of `test` and `holdout` in it, drawn here where None.

    `class_names` default to the numbers 0…K−1. Raises InvalidDataset.
    """
    for split, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
        check_samples(split, X, y)
    if X_train.shape[1] != X_test.shape[1]:
        raise InvalidDataset(
            f"X_test has {X_test.shape[1]} features but X_train has {X_train.shape[1]}. "
            "Compute both with the same feature extractor."
        )
    if class_names is None:
        class_names = numbered_classes(y_train, y_test)
    for split, X, y in (("train", X_train, y_train), ("test", X_test, y_test)):
        check_samples(split, X, y, n_classes=len(class_names))
    test, holdout = halves or halve_test(y_test, class_names)
    train_features, test_features = standardise(X_train, X_test)
    check_reach(X_test, test_features)
    return Dataset(
        name=name,
        X_train=train_features,
        y_train=y_train.astype(np.int64),
        X_test=test_features[test],
        y_test=y_test[test].astype(np.int64),
        X_holdout=test_features[holdout],
        y_holdout=y_test[holdout].astype(np.int64),
        class_names=class_names,
        images=None
        if images is None
        else Images(images[0], picked(images[1], test), picked(images[1], holdout)),
        feature_names=feature_names,
        title=title or name,
    )


def picked(pictures: NDArray, indices: NDArray[np.int64]) -> Pictures:
    """Return the pictures with these indices; those in a file stay there."""
    return Picked(pictures, indices) if isinstance(pictures, np.memmap) else pictures[indices]


def distinct_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of classes 0…K−1; two of one name are told apart by their numbers."""
    twice = {name for name, number in Counter(names).items() if number > 1}
    return tuple(f"{name} ({c})" if name in twice else name for c, name in enumerate(names))


def numbered_classes(y_train: NDArray, y_test: NDArray) -> tuple[str, ...]:
    """'0' … 'K−1' for the largest label K−1. Raises InvalidDataset where no K can be right."""
    largest = int(max(y_train.max(), y_test.max()))
    if largest >= len(y_train):  # also keeps a stray huge label from asking for as many names
        raise InvalidDataset(
            f"Labels go up to {largest} but there are {len(y_train)} training samples, and every "
            f"class needs one: {RENUMBER}"
        )
    return tuple(str(c) for c in range(largest + 1))


def check_reach(X_test: NDArray, standardised: NDArray[np.float32]) -> None:
    """Raise InvalidDataset where a finite test value is too far from train for float32."""
    beyond = np.argwhere(~np.isfinite(standardised))
    if len(beyond):
        row, column = beyond[0]
        raise InvalidDataset(
            f"X_test holds {X_test[row, column]:.3g} in row {row}, column {column}, which lies too "
            "far outside that column's range on train to be standardised. Correct or drop it."
        )
