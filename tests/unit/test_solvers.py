"""Other libraries' solvers, written anew: each gives the exact scores, as far as it promises to."""

import numpy as np
import pandas as pd
import pytest
import torch

from engine.errors import EngineError, InvalidInput
from engine.influence.estimators import Lissa
from engine.progress import Progress
from engine.speed import solvers
from engine.speed.result import SOLVERS
from engine.speed.solvers import (
    ANSWERS,
    by_arnoldi,
    by_lissa,
    compare_solvers,
    exponents_of,
    fitting,
    measured_at,
    question,
    scores_by,
)
from tests.support.problems import random_problem
from tests.support.reference import explicit_scores, flat, relative_error

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


def test_all_are_measured_on_the_same_problems_in_a_process_of_their_own():
    """Whole: LiSSA draws its million samples at every size."""
    told: list[Progress] = []
    small = {"n": 60, "d": 5, "classes": 3}
    found = compare_solvers(
        1, sizes={"n": (40, 80)}, base=small, large=small | {"n": 3000}, on_progress=told.append
    )
    assert set(found.at_large["solver"]) == set(SOLVERS) == set(ANSWERS)
    assert (found.at_large["peak_mb"] >= 0).all() and found.at_large["peak_mb"].max() > 0
    assert found.table.groupby("value").size().to_dict() == dict.fromkeys((40, 80), len(SOLVERS))
    assert (found.table["seconds"] > 0).all()
    sure = found.table[found.table["solver"].isin(SOLVING)]
    assert (sure["error"] < 5e-3).all()  # of solves to 1e-3
    assert set(found.exponents["solver"]) == set(SOLVERS)
    assert (told[-1].done, told[-1].total) == (3 * len(SOLVERS), 3 * len(SOLVERS))
    assert found.device == "cpu (1 thread)"


def test_exponents_are_those_of_the_larger_half():
    rows = [("n", value, "lissa", seconds) for value, seconds in ((1, 9), (2, 7), (4, 2), (8, 8))]
    table = pd.DataFrame(rows, columns=["axis", "value", "solver", "seconds"])
    assert exponents_of(table)["exponent"].tolist() == pytest.approx([2.0])


def test_a_hessian_that_is_too_large_is_left_out(monkeypatch):
    small = {"n": 40, "d": 5, "classes": 3}
    assert set(fitting(small)) == set(ANSWERS)
    monkeypatch.setattr(solvers, "MOST_COLUMNS", 17)
    monkeypatch.delitem(ANSWERS, "lissa")  # it would take its time
    rows = list(measured_at(small, seed=0, repeats=1))
    assert set(ANSWERS) - {row["solver"] for row in rows} == {"explicit"}
    assert all(np.isnan(row["peak_mb"]) for row in rows)


@pytest.mark.parametrize("options", [{"repeats": 0}, {"seed": -1}])
def test_bad_options_are_named(options):
    with pytest.raises(InvalidInput, match=next(iter(options))):
        compare_solvers(**options)


def test_a_measurement_that_fails_says_where(monkeypatch):
    monkeypatch.setattr(solvers, "run_child", lambda *given: "killed by signal 9")
    with pytest.raises(EngineError, match="row 1: killed by signal 9"):
        compare_solvers(1)


def test_an_unknown_solver_is_named():
    dataset, model = random_problem(0)
    with pytest.raises(InvalidInput, match="solver"):
        scores_by("magic", question(dataset, model, DAMPING, "float64"))
    assert torch.isfinite(
        scores_by("closed_form", question(dataset, model, DAMPING, "float32")).scores
    ).all()
    assert np.isfinite(model.parameters).all()
