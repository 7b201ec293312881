"""Smaller training sets: nested, balanced, seeded, and the samples are those of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.load import load_dataset
from engine.data.subset import training_order, training_subset, with_training_subset
from engine.errors import InvalidInput
from tests.support.problems import random_problem

DATASET, _ = random_problem(5, n=90, n_classes=4, imbalance=0.5)
DIGITS = load_dataset("digits")


@given(st.integers(0, 1000), st.integers(4, 90), st.integers(4, 90))
def test_sizes_are_nested_and_every_class_is_there(seed, one, other):
    small, large = sorted((one, other))
    inner, outer = (training_subset(DATASET, size, seed) for size in (small, large))
    assert len(inner) == small and len(set(inner.tolist())) == small
    assert (np.diff(outer) > 0).all()
    assert set(inner.tolist()) <= set(outer.tolist())
    assert set(DATASET.y_train[inner]) == {0, 1, 2, 3}


@given(st.integers(0, 1000), st.integers(10, 1200))
def test_every_beginning_has_the_classes_in_their_proportion(seed, size):
    """A class has its share of the samples to within one, and one more for its first, which comes
    before all others; the shares sum to `size`, so that nine others' firsts may push it down."""
    y = DIGITS.y_train
    counts = np.bincount(y[training_order(y, seed)[:size]], minlength=10)
    shares = np.bincount(y) * size / len(y)
    assert np.abs(counts - shares).max() <= 3


def test_the_whole_set_is_its_own_subset_and_seeds_differ():
    np.testing.assert_array_equal(training_subset(DATASET, 90, seed=3), np.arange(90))
    first = training_subset(DATASET, 30, seed=0)
    np.testing.assert_array_equal(first, training_subset(DATASET, 30, seed=0))
    assert not np.array_equal(first, training_subset(DATASET, 30, seed=1))


def test_the_smallest_has_one_of_each_class():
    found = training_subset(DATASET, 4, seed=0)
    assert sorted(DATASET.y_train[found]) == [0, 1, 2, 3]


def test_samples_are_those_of_the_whole_set_and_tests_stay():
    indices = training_subset(DIGITS, 100, seed=0)
    part = with_training_subset(DIGITS, indices)
    np.testing.assert_array_equal(part.X_train, DIGITS.X_train[indices])
    np.testing.assert_array_equal(part.y_train, DIGITS.y_train[indices])
    assert part.X_test is DIGITS.X_test and part.X_holdout is DIGITS.X_holdout
    assert (part.name, part.class_names) == (DIGITS.name, DIGITS.class_names)
    assert part.content_hash != DIGITS.content_hash


def test_samples_keep_their_pictures():
    """So that a network that reads pixels can be trained on fewer of them."""
    indices = training_subset(DIGITS, 100, seed=0)
    smaller = training_subset(with_training_subset(DIGITS, indices), 30, seed=1)
    part = with_training_subset(with_training_subset(DIGITS, indices), smaller)
    assert part.images is not None and DIGITS.images is not None
    assert len(part.images.train) == 30 and part.pixel_shape == DIGITS.pixel_shape == (8, 8)
    for i, original in enumerate(indices[smaller]):
        np.testing.assert_array_equal(part.images.train[i], DIGITS.images.train[original])
    assert len(DIGITS.images.train) == 1200


def test_what_has_no_pictures_gets_none():
    assert with_training_subset(DATASET, training_subset(DATASET, 30, seed=0)).images is None


@pytest.mark.parametrize("size", [3, 91, 0, 4.5])
def test_sizes_are_checked(size):
    with pytest.raises(InvalidInput, match=r"train_size must be a whole number in \[4, 90\]"):
        training_subset(DATASET, size)
