"""How far two honest rankings agree: against the scores on each half, and of halves drawn anew."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from engine.data.preparation import halve_test
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, Context, HalvesRequest
from engine.influence.scores import influence_scores
from engine.scrutiny.agreement import ranking_agreement
from engine.scrutiny.queries import influence_matrix
from tests.support.problems import random_problem


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_row_0_compares_the_rankings_on_test_and_on_holdout(order):
    dataset, model = random_problem(3, n=60)
    row = ranking_agreement(model, dataset, draws=0, order=order, device="cpu").iloc[0]
    own, other = (
        influence_scores(model, dataset, split=split, order=order, device="cpu")
        for split in ("test", "holdout")
    )
    assert row["spearman"] == pytest.approx(spearmanr(own.ranks, other.ranks).statistic, abs=1e-9)
    absolute = spearmanr(np.abs(own.scores), np.abs(other.scores)).statistic
    assert row["spearman_absolute"] == pytest.approx(absolute, abs=1e-9)
    shared = np.flatnonzero((own.ranks <= 10) & (other.ranks <= 10))
    assert row["shared_first"] == len(shared)
    assert row["first_on_second"] == other.ranks[np.argmin(own.ranks)]
    assert row["second_on_first"] == own.ranks[np.argmin(other.ranks)]
    assert (row["n_train"], row["n_half"]) == (60, 30)


def test_halves_drawn_anew_are_the_means_over_their_points():
    dataset, model = random_problem(5, n=60)
    X = np.concatenate([dataset.X_test, dataset.X_holdout])
    y = np.concatenate([dataset.y_test, dataset.y_holdout])
    each = influence_matrix(model, dataset, X, y, device="cpu")  # (n, m), a column a test point
    found = ranking_agreement(model, dataset, draws=3, seed=7, dtype="float64", device="cpu")
    for draw in range(3):
        halves = halve_test(y, dataset.class_names, 7 + draw)
        one, other = (each[:, half].mean(1) for half in halves)
        expected = spearmanr(one, other).statistic
        assert found["spearman"][1 + draw] == pytest.approx(expected, abs=1e-9)
    assert found["draw"].tolist() == [0, 1, 2, 3]
    assert found["spearman"][1:].nunique() == 3


def test_a_half_agrees_with_itself():
    dataset, model = random_problem(2)
    row = ranking_agreement(model, dataset, ("test", "test"), draws=0, device="cpu").iloc[0]
    assert row["spearman"] == pytest.approx(1)
    assert (row["shared_first"], row["first_on_second"], row["second_on_first"]) == (10, 1, 1)


def test_bad_input_is_named():
    dataset, model = random_problem(1)
    with pytest.raises(InvalidInput, match="draws must be"):
        ranking_agreement(model, dataset, draws=-1)
    with pytest.raises(InvalidInput, match="split must be"):
        ranking_agreement(model, dataset, ("test", "nope"))


def test_the_experiment_is_kept_and_said(tmp_path):
    dataset, _ = random_problem(4, n=60)
    halves = EXPERIMENTS["halves"]
    table = halves.run(HalvesRequest(draws=4), dataset, Context(device="cpu"))
    halves.save(table, tmp_path)
    pd.testing.assert_frame_equal(halves.load(tmp_path), table)
    assert len(table) == 5
    said = halves.describe(table)
    assert f"Spearman {table['spearman'][0]:.3f}" in said
    assert f"median {table['spearman'][1:].median():.3f}" in said
