"""What payments, cleaning and retraining refuse: in Python and on the command line alike."""

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.__main__ import FAILURE, main
from engine.errors import EngineError, InvalidInput
from engine.market.cleaning import flip_labels
from tests.support.problems import random_problem

DATASET, MODEL = random_problem(9, n=60)
EVERYBODY = list(range(60))


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ({"a": EVERYBODY, "b": []}, "'b'"),
        ({"a": EVERYBODY, "b": [3]}, "do not overlap"),
        ({"a": EVERYBODY[:-1]}, "59"),
    ],
)
def test_vendors_without_samples_and_overlapping_ones(sets: dict[str, list[int]], said: str):
    with pytest.raises(InvalidInput, match=said):
        engine.vendors_of_sets(sets, 60)


def test_a_rule_that_pays_nobody() -> None:
    vendors = engine.make_vendors(DATASET, "random", 3)
    with pytest.raises(InvalidInput, match="positive"):
        engine.payments(-np.ones(60), vendors, "positive")


def test_more_flips_than_samples() -> None:
    with pytest.raises(InvalidInput, match="61"):
        flip_labels(DATASET, 61, 0)


def test_a_subset_that_loses_a_class() -> None:
    subset = (DATASET.y_train != 2)[None]
    with pytest.raises(EngineError, match="none of class 2"):
        engine.retrain_on(DATASET, subset)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["payments", "--count", "3000"], "count must be a whole number in [1, 1200]"),
        (["payments", "--vendor", "99"], "vendor must be a whole number in [0, 9]"),
        (["payments", "--bought", "500"], "bought must be"),
        (["cleaning", "--flipped", "101"], "no more labels can be flipped than samples"),
        (["lds", "--dataset", "rare", "--subsets", "4"], "none of class 2"),
        (["conditioning", "--dampings", "0"], "dampings must be a finite number > 0"),
        (["candidates", "--n-checked", "-1"], "n_checked must be a whole number >= 0"),
        (["playground", "--points", "spiral"], "points must be one of 'clouds', 'digits'"),
    ],
)
def test_the_command_line_says_the_same(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DATA_DIR", str(tmp_path))
    rng = np.random.default_rng(0)
    y = np.append(np.arange(57) % 2, 2)  # a single sample of the third class
    np.savez(
        tmp_path / "rare.npz",
        X_train=rng.normal(size=(58, 3)),
        y_train=y,
        X_test=rng.normal(size=(24, 3)),
        y_test=np.arange(24) % 3,
    )
    assert main(arguments) == FAILURE
    written = capsys.readouterr()
    assert said in written.err
    assert not written.out
