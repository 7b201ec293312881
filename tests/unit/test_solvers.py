"""Other libraries' solvers, written anew: each gives the exact scores, as far as it promises to."""

import numpy as np
import pytest
import torch

from engine.errors import InvalidInput
from engine.influence.estimators import Lissa
from tests.support import solvers
from tests.support.problems import random_problem
from tests.support.reference import explicit_scores, flat, relative_error
from tests.support.solvers import (
    SOLVERS,
    by_arnoldi,
    by_lissa,
    measure_solvers,
    question,
    scores_by,
)

DAMPING = 0.25
SOLVING = ("closed_form", "preconditioned", "conjugate_gradients", "explicit")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("solver", SOLVING)
def test_what_solves_to_a_tolerance_gives_the_exact_scores(solver, seed):
    dataset, model = random_problem(seed, n=60, d=6, weight_scale=[0.5, 1, 3][seed % 3])
    found = scores_by(solver, question(dataset, model, DAMPING, "float64"), 1e-11)
    exact = explicit_scores(flat(model), dataset, DAMPING).numpy()
    assert relative_error(found.scores.numpy(), exact) < 1e-9, seed
    assert found.products >= 1


@pytest.mark.parametrize("seed", range(3))
def test_arnoldi_is_exact_in_the_whole_space_and_nearer_in_a_larger_one(seed):
    dataset, model = random_problem(seed, n=60, d=6)
    q = question(dataset, model, DAMPING, "float64")
    exact = explicit_scores(flat(model), dataset, DAMPING).numpy()
    errors = [relative_error(by_arnoldi(q, 0.0, k).scores.numpy(), exact) for k in (2, 10, 21)]
    assert errors[2] < 1e-8 and errors[0] > errors[2]  # K·D = 21
    assert errors[1] < errors[0]


def test_lissa_comes_within_its_noise():
    dataset, model = random_problem(5, n=60, d=6)
    q = question(dataset, model, DAMPING, "float64")
    found = by_lissa(q, 0.0, Lissa(scale=10.0, samples=200_000, batch_size=500))
    exact = explicit_scores(flat(model), dataset, DAMPING).numpy()
    assert relative_error(found.scores.numpy(), exact) < 0.03
    assert found.products == pytest.approx(200_000 / 60)


def test_all_are_measured_on_the_same_problems():
    table, exponents = measure_solvers(
        {"n": (40, 80), "classes": (2, 3)}, {"n": 60, "d": 5, "classes": 3}, repeats=1
    )
    assert set(table["solver"]) == set(SOLVERS)
    assert len(table) == 4 * len(SOLVERS) and (table["seconds"] > 0).all()
    sure = table[table["solver"].isin(SOLVING)]
    assert (sure["error"] < 5e-3).all()  # of solves to 1e-3
    assert len(exponents) == 2 * len(SOLVERS)


def test_a_hessian_that_is_too_large_is_left_out(monkeypatch):
    monkeypatch.setattr(solvers, "MOST_COLUMNS", 10)
    table, _ = measure_solvers({"n": (40,)}, {"n": 40, "d": 5, "classes": 3}, repeats=1)
    assert set(SOLVERS) - set(table["solver"]) == {"explicit"}


def test_an_unknown_solver_is_named():
    dataset, model = random_problem(0)
    with pytest.raises(InvalidInput, match="solver"):
        scores_by("magic", question(dataset, model, DAMPING, "float64"))
    assert torch.isfinite(
        scores_by("closed_form", question(dataset, model, DAMPING, "float32")).scores
    ).all()
    assert np.isfinite(model.parameters).all()
