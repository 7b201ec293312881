"""The card of a hovered sample: what it says, and that it believes nothing the browser asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.load import load_dataset
from engine.data.sources.bundled import digits
from pages.common.samples import Samples
from pages.common.widgets.sample_card import answer


def test_the_card_shows_the_picture_of_the_sample_that_is_asked_for() -> None:
    samples = Samples(digits())
    found = answer(samples, 17)
    assert found == {"sample": 17, "picture": samples.thumbnail(17), "lines": []}
    assert found["picture"] != answer(samples, 18)["picture"]


def test_without_pictures_the_card_shows_features(tmp_path: Path) -> None:
    X = np.zeros((9, 2))
    X[4, 1] = 1  # (1 − 1/9) / sqrt(1/9 · 8/9) = sqrt(8) = 2.83
    np.savez(
        tmp_path / "bare.npz", X_train=X, y_train=np.arange(9) % 2, X_test=X[:4],
        y_test=np.arange(4) % 2,
    )  # fmt: skip
    found: Mapping[str, Any] = answer(Samples(load_dataset(tmp_path / "bare.npz")), 4)
    assert found["picture"] is None
    assert found["lines"][0] == "feature 1 +2.8 σ"


@pytest.mark.parametrize("asked", [None, -1, 1200, "5", 5.0, [5], {"sample": 5}, 10**30])
def test_who_asks_for_no_sample_gets_none(asked: object) -> None:
    assert answer(Samples(digits()), asked) == {"sample": None}
