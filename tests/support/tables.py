"""Small fairness problems, and where the original files lie."""

from typing import Any

import numpy as np
import pytest

from engine.data.fairness import FairnessDataset, Strength
from engine.data.load import load_fairness_dataset
from engine.data.preparation import standardise
from engine.errors import DataUnavailable


def original(name: str) -> FairnessDataset:
    """'german', 'compas' or 'adult'; a test that needs it is reported as not run where it cannot be
    had."""
    try:
        return load_fairness_dataset(name)
    except DataUnavailable as error:
        pytest.skip(f"the original files cannot be fetched here: {error}")


def random_table(seed: int, n: int = 120, d: int = 4, l2: float = 1.0) -> FairnessDataset:
    """Correlated features, a group that shifts one of them, labels that depend on both."""
    rng = np.random.default_rng(seed)

    def part(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = rng.integers(2, size=count)
        X = rng.standard_normal((count, d)) + 0.8 * group[:, None] * (np.arange(d) == 0)
        y = (X @ np.linspace(1, -0.5, d) + rng.logistic(size=count) > 0).astype(np.int64)
        y[:4], group[:4] = [0, 1, 0, 1], [0, 0, 1, 1]  # every combination is there
        return X, y, group

    parts = {split: part(n if split == "train" else n // 2) for split in ("train", "val", "test")}
    features = standardise(*(X for X, _, _ in parts.values()), dtype=np.float64)
    arrays: dict[str, Any] = {}
    for (split, (_, y, group)), X in zip(parts.items(), features, strict=True):
        arrays |= {f"X_{split}": X, f"y_{split}": y, f"group_{split}": group}
    return FairnessDataset(
        name=f"random {seed}",
        title=f"Random {seed}",
        **arrays,
        feature_names=tuple("abcdefgh"[:d]),
        label_names=("no", "yes"),
        group_names=("blue", "green"),
        l2=l2,
        dp=Strength(0.3, 0.1),
        eop=Strength(0.3, 0.1),
    )
