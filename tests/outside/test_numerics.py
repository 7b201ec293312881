"""Numbers that float32 cannot hold: few features and many rows, huge features, duplicated columns,
samples that alone hold a rare feature. In Python and on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine
from engine.__main__ import main
from engine.data.dataset import Dataset
from engine.data.preparation import standardise
from engine.errors import NotConverged
from engine.experiments import AttributionsRequest, attributions
from engine.experiments.base import Context
from engine.influence.linear import LinearProblem, LinearState
from engine.influence.solve import WarmStart, conjugate_gradients
from engine.scrutiny import leave_one_out as retraining
from tests.support.problems import random_problem


def dataset_of(X: np.ndarray, y: np.ndarray, prepared: bool = True) -> Dataset:
    """Three fifths of the rows to train on, the rest to test."""
    a, b = int(len(X) * 0.6), int(len(X) * 0.8)
    splits: Sequence[np.ndarray] = (X[:a], X[a:b], X[b:])
    if prepared:
        splits = standardise(*(split.astype(np.float64) for split in splits))
    names = tuple(str(label) for label in np.unique(y))
    return Dataset("own", splits[0], y[:a], splits[1], y[a:b], splits[2], y[b:], names)


def one_feature(n: int = 6000) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, n)
    y = (x + 3 * rng.normal(size=n) > 4.5).astype(np.int64)
    return dataset_of(x[:, None], y)


def two_features(n: int = 16_000) -> Dataset:
    rng = np.random.default_rng(0)
    return dataset_of(rng.integers(0, 10, (n, 2)), rng.integers(0, 2, n))


def rare_features(seed: int, n: int = 183) -> Dataset:
    """A column of its own for each of thirty samples, as names and ticket numbers make them."""
    rng = np.random.default_rng(seed)
    own = np.zeros((n, 30))
    own[np.arange(30), np.arange(30)] = 1
    own[14:19] = rng.random((5, 30)) < 0.5
    X = np.concatenate([rng.normal(size=(n, 6)), own], axis=1)
    y = (X @ rng.normal(size=X.shape[1]) + 3 * rng.normal(size=n) > 0).astype(np.int64)
    return dataset_of(X, y)


def file_of(dataset: Dataset, folder: Path) -> str:
    path = folder / "own.npz"
    X_test, y_test = (
        np.concatenate([getattr(dataset, f"{what}_{split}") for split in ("test", "holdout")])
        for what in ("X", "y")
    )
    np.savez(path, X_train=dataset.X_train, y_train=dataset.y_train, X_test=X_test, y_test=y_test)
    return str(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DEVICE", "cpu")
    return tmp_path


def test_a_warm_start_that_is_no_number_is_none():
    """The solve begins at zero and ends where it should."""
    dataset, model = random_problem(3, n=4000, d=1, n_classes=2)
    problem = LinearProblem.build(dataset, device="cpu")
    forward = problem.forward(problem.encode(model), 1e-6)
    assert isinstance(forward.state, LinearState)
    curvature, x = forward.state.curvature, forward.solution.x
    b = curvature.pull(curvature.curved(forward.solution.image), x)
    empty = torch.zeros_like(forward.solution.image)
    cold = conjugate_gradients(curvature, b, empty, 1e-6)
    for spoilt in (torch.inf, torch.nan):
        for energy in (1.0, spoilt):
            earlier = WarmStart(x * spoilt, empty * spoilt, torch.full_like(x[:, 0, 0], energy))
            found = conjugate_gradients(curvature, b, empty, 1e-6, earlier)
            torch.testing.assert_close(found.x, cold.x, rtol=0, atol=0)


@pytest.mark.parametrize("target", [0, 7, 28])
def test_an_attack_on_one_feature_and_many_rows_ends_with_a_result(target):
    dataset = one_feature()
    model = engine.fit(dataset, device="cpu")
    found = engine.attack(model, dataset, target, restarts=2, steps=30, device="cpu")
    assert found.ranks_test.shape == (1,)
    assert np.isfinite(found.after.scores).all()


def test_attack_with_defaults_on_one_feature_on_the_command_line(place, capsys):
    own = file_of(one_feature(), place)
    asked = ["attack", "--dataset", own, "--target", "0", "--steps", "20"]
    assert main(asked) == 0, capsys.readouterr().err


def exact_scores(model: engine.LinearModel, dataset: Dataset, damping: float) -> np.ndarray:
    problem = LinearProblem.build(dataset, damping, dtype="float64", device="cpu")
    curvature = problem.curvature(problem.encode(model))
    forward = problem.forward(problem.encode(model), 1e-6)
    b = curvature.pull(curvature.curved(forward.solution.image), forward.solution.x)
    x = torch.linalg.solve(curvature.dense(0), b.flatten()).view_as(b)
    assert isinstance(forward.state, LinearState)
    return -(forward.state.E * curvature.image(x)).sum(1)[0].numpy()


def duplicated(dataset: Dataset) -> Dataset:
    X = {s: np.tile(dataset.split(s)[0], 2) for s in ("train", "test", "holdout")}
    y = (dataset.y_train, dataset.y_test, dataset.y_holdout)
    return Dataset(
        "own", X["train"], y[0], X["test"], y[1], X["holdout"], y[2], dataset.class_names
    )


def huge(dataset: Dataset, factor: float) -> Dataset:
    X = {s: dataset.split(s)[0] * np.float32(factor) for s in ("train", "test", "holdout")}
    y = (dataset.y_train, dataset.y_test, dataset.y_holdout)
    return Dataset(
        "own", X["train"], y[0], X["test"], y[1], X["holdout"], y[2], dataset.class_names
    )


HARD = {
    "two features": (two_features, 0.25),
    "duplicated columns": (lambda: duplicated(random_problem(1, n=400, d=12)[0]), 1e-8),
    "huge features": (lambda: huge(random_problem(2, n=400, d=12)[0], 1e4), 0.25),
}


@pytest.mark.parametrize("name", list(HARD))
def test_what_float32_cannot_solve_is_solved_without_being_asked(name):
    make, damping = HARD[name]
    dataset = make()
    model = engine.fit(dataset, max_iterations=200, device="cpu")
    how: dict[str, Any] = {"damping": damping, "device": "cpu"}
    found = engine.influence_scores(model, dataset, **how)
    assert found.residual <= 1e-6
    expected = exact_scores(model, dataset, damping)
    assert np.linalg.norm(found.scores - expected) <= 1e-4 * np.linalg.norm(expected)
    weights = np.ones(dataset.n_train)
    assert np.isfinite(engine.influence_gradient(model, dataset, weights, **how)).all()
    assert np.isfinite(engine.sensitivity(model, dataset, probes=4, **how).norms).all()
    assert np.isfinite(engine.exact_sensitivity(model, dataset, [0, 1], **how)).all()
    assert np.isfinite(engine.attribution("cosine", model, dataset, **how).scores[:5]).all()
    target = int(np.argmin(found.scores))
    attacked = engine.attack(model, dataset, target, restarts=1, steps=3, **how)
    assert np.isfinite(attacked.after.scores).all()
    moved = engine.loss_reweighing(model, dataset, target, 10.0, steps=3, **how)
    assert np.isfinite(moved.table["score_test"]).all()


def test_features_beyond_float64s_rounding_are_refused_with_the_remedy():
    small, model = random_problem(2, n=400, d=12)
    dataset = huge(small, 1e15)
    model = engine.LinearModel(model.weight / 1e15, model.bias, model.l2)  # as sure as it was
    with pytest.raises(NotConverged, match="standardise features whose size"):
        engine.influence_scores(model, dataset, device="cpu")


@pytest.mark.parametrize(
    "command",
    [
        ["ranking"],
        ["sensitivity", "--probes", "4", "--n-exact", "2"],
        ["attack", "--target", "5", "--steps", "2", "--restarts", "1"],
        ["audit", "--target", "5", "--queries", "30", "--dtype", "float64"],
        ["attributions", "--target", "5", "--retrained", "2", "--n-honest", "2",
         "--n-attacked", "1", "--dtype", "float64"],
        ["defence", "--n-targets", "1", "--steps", "2", "--restarts", "1", "--repeats", "1",
         "--radii", "0.3", "--stealth", "0", "--l2-values", "0.01", "--dtype", "float64"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_two_features_on_the_command_line_whatever_is_asked(place, capsys, command):
    own = file_of(two_features(2000), place)
    assert main([*command, "--dataset", own]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("seed", [1, 2])
def test_retraining_renews_a_hessian_that_no_longer_contracts(seed):
    """The samples that alone hold a rare feature; against L-BFGS on the data without them."""
    dataset = rare_features(seed)
    indices = [0, 2, 9, 14, 18, 24, 29]
    found = engine.leave_one_out(dataset, indices, l2=0.001, device="cpu")
    assert (found.gradient_norms <= retraining.GRADIENT_TOLERANCE).all()
    n = dataset.n_train
    for index, change in zip(indices, found.changes, strict=True):
        kept = np.arange(n) != index
        X, y = dataset.X_train[kept], dataset.y_train[kept]
        part = Dataset(
            "part", X, y, dataset.X_test, dataset.y_test, dataset.X_holdout, dataset.y_holdout,
            dataset.class_names,
        )  # fmt: skip
        model = engine.fit(part, l2=0.001 * n / (n - 1), max_iterations=20_000, device="cpu")
        P = model.probabilities(dataset.X_test)
        loss = -np.log(P[np.arange(len(P)), dataset.y_test]).mean()
        assert change == pytest.approx(loss - found.loss, abs=1e-5)


def test_attributions_say_which_one_is_missing_and_why(monkeypatch, tmp_path):
    """Forced: what float64 cannot solve is rare. Everything else is there, and can be stored."""
    dataset, _ = random_problem(4, n=60, d=5)
    real = engine.attribution

    def stalls(name, *arguments, **options):
        if name == "relative":
            raise NotConverged("The solve stopped.")
        return real(name, *arguments, **options)

    def ends(*arguments, **options):
        raise NotConverged("Retraining stopped.")

    monkeypatch.setattr("engine.scrutiny.attributions.attribution", stalls)
    monkeypatch.setattr("engine.scrutiny.leave_one_out.leave_one_out", ends)
    request = AttributionsRequest(target=5, retrained=3, n_honest=2, n_attacked=2)
    result = attributions.run_attributions(request, dataset, Context(device="cpu"))
    expected = {"relative": "The solve stopped.", attributions.RETRAINING: "Retraining stopped."}
    assert result.missing == expected
    assert "relative" not in result.before
    assert len(result.before) == len(result.after) == len(result.names) == 5
    assert len(result.models) == 4
    attributions.save_attributions(result, tmp_path)
    again = attributions.load_attributions(tmp_path)
    assert again.missing == expected
    assert again.names == result.names
    said = attributions.describe_attributions(again)
    assert "without relative: The solve stopped." in said
    assert "without leave-one-out retraining: Retraining stopped." in said
