"""Small random problems for numerical tests."""

import numpy as np

from engine.data.dataset import Dataset
from engine.data.preparation import standardise
from engine.models.linear import LinearModel


def random_problem(
    seed: int,
    n: int = 40,
    d: int = 5,
    n_classes: int = 3,
    weight_scale: float = 1.0,
    imbalance: float = 0.0,
    duplicates: bool = False,
    constant_columns: int = 0,
) -> tuple[Dataset, LinearModel]:
    """Standardised features with correlated columns, and a model with random weights.

    imbalance in [0, 1) shrinks the share of later classes; duplicates repeats training samples,
    some with another label; constant columns are constant on train, so that preparation zeroes
    them.
    """
    rng = np.random.default_rng(seed)
    n = max(n, 2 * n_classes)

    def labels(count: int) -> np.ndarray:
        weights = (1 - imbalance) ** np.arange(n_classes)
        y = rng.choice(n_classes, size=count, p=weights / weights.sum())
        y[:n_classes] = np.arange(n_classes)
        return y

    mix = rng.standard_normal((d, d)) + np.eye(d)

    def features(count: int) -> np.ndarray:
        X = rng.standard_normal((count, d)) @ mix
        return np.concatenate([X, np.full((count, constant_columns), 3.0)], axis=1)

    m = max(n // 2, n_classes)
    X_train, y_train = features(n), labels(n)
    if duplicates:
        X_train[n // 2 : n // 2 + 3] = X_train[:3]
        y_train[n // 2] = y_train[0]
    train, test, holdout = standardise(X_train, features(m), features(m))
    dataset = Dataset(
        name=f"random {seed}",
        X_train=train,
        y_train=y_train,
        X_test=test,
        y_test=labels(m),
        X_holdout=holdout,
        y_holdout=labels(m),
        class_names=tuple("abcdefgh"[:n_classes]),
    )
    width = d + constant_columns
    model = LinearModel(
        weight=weight_scale * rng.standard_normal((n_classes, width)) / np.sqrt(width),
        bias=weight_scale * rng.standard_normal(n_classes),
        l2=0.01,
    )
    return dataset, model
