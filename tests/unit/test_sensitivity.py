"""Gradient norms of the scores: exact ones against autograd, estimated ones against exact ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st

import engine.scrutiny.sensitivity as module
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.sensitivity import Sensitivity, exact_sensitivity, sensitivity
from tests.support.problems import random_problem
from tests.support.reference import explicit_scores, flat, relative_error

# (dtype, tolerance of the solves, relative error allowed): as for the gradients themselves
PRECISIONS = [("float64", 1e-12, 1e-8), ("float32", 1e-6, 1e-4)]
PROBLEMS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "n": st.integers(8, 40),
        "d": st.integers(1, 6),
        "n_classes": st.integers(2, 4),
        "weight_scale": st.sampled_from([0.0, 0.3, 1.0, 3.0]),
        "imbalance": st.sampled_from([0.0, 0.9]),
        "duplicates": st.booleans(),
        "constant_columns": st.integers(0, 1),
    }
)


def explicit_norms(model: LinearModel, dataset: Dataset, damping: float) -> np.ndarray:
    """‖∇θ I_i‖ of every sample: the rows of autograd's Jacobian through the inverse, (n,)."""
    jacobian = torch.autograd.functional.jacobian(
        lambda theta: explicit_scores(theta, dataset, damping), flat(model)
    )
    return jacobian.norm(dim=1).numpy()


@pytest.mark.parametrize(("dtype", "tolerance", "allowed"), PRECISIONS)
@given(problem=PROBLEMS, damping=st.sampled_from([1e-2, 0.25, 10.0]))
@settings(max_examples=25, derandomize=True)
def test_exact_norms_are_those_of_autograd(dtype, tolerance, allowed, problem, damping):
    note(f"random_problem(**{problem}), damping={damping}")
    dataset, model = random_problem(**problem)
    found = exact_sensitivity(
        model, dataset, range(dataset.n_train), damping, tolerance=tolerance, dtype=dtype
    )
    assert found.shape == (dataset.n_train,)
    assert relative_error(found, explicit_norms(model, dataset, damping)) <= allowed


def test_the_order_of_the_indices_is_kept():
    dataset, model = random_problem(3)
    expected = explicit_norms(model, dataset, 0.25)
    found = exact_sensitivity(model, dataset, [7, 2, 30], dtype="float64", tolerance=1e-12)
    np.testing.assert_allclose(found, expected[[7, 2, 30]], rtol=1e-8)
    assert exact_sensitivity(model, dataset, 2)[0] == pytest.approx(expected[2], rel=1e-4)


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, LinearModel]:
    dataset = load_dataset("digits")
    return dataset, fit(dataset)


@pytest.fixture(scope="module")
def estimated(digits) -> Sensitivity:
    return sensitivity(digits[1], digits[0], probes=256)


@pytest.fixture(scope="module")
def exact(digits, estimated) -> tuple[np.ndarray, np.ndarray]:
    """Every tenth sample, and its exact norm."""
    some = np.arange(0, digits[0].n_train, 10)
    return some, exact_sensitivity(digits[1], digits[0], some.tolist())


def test_probes_estimate_the_exact_norms_on_digits(estimated, exact):
    some, norms = exact
    error = estimated.norms[some] / norms - 1
    # 1/√512 = 4.4% is expected; all errors share the probes, so that their mean may be off by more
    # than a count of the samples would have it.
    assert np.sqrt(np.mean(error**2)) <= 0.10
    covered = np.abs(estimated.norms[some] - norms) <= 2 * estimated.standard_errors[some]
    assert covered.mean() >= 0.9


def test_the_standard_error_is_that_of_a_gaussian_spread(estimated):
    assert estimated.probes == 256
    np.testing.assert_allclose(estimated.standard_errors, estimated.norms / np.sqrt(512))


def test_the_extremes_depend_on_the_model_more_than_the_middle(digits, estimated):
    """The paper's Fig. 4: the most and the least influential are the sensitive ones."""
    dataset, model = digits
    order = influence_scores(model, dataset).ranks.argsort()
    middle = np.median(estimated.norms[order[450:750]])
    assert np.median(estimated.norms[order[:60]]) >= 3 * middle
    assert np.median(estimated.norms[order[-60:]]) >= 3 * middle


def test_batches_do_not_change_the_numbers():
    """More probes, and more samples, than a batch holds: as if each were alone."""
    dataset, model = random_problem(11, n=module.MOST_AT_ONCE + 6)
    heard: list[tuple[int, int]] = []
    found = sensitivity(
        model, dataset, probes=150, seed=3, dtype="float64",
        on_step=lambda done, total: heard.append((done, total)),
    )  # fmt: skip
    assert heard == [(64, 150), (128, 150), (150, 150)]
    problem, forward = module.prepare(model, dataset, 0.25, 1e-6, "float64", "cpu")
    drawn = np.random.default_rng(3).standard_normal((150, *forward.solution.x.shape[1:]))
    alone = [
        module.project(problem, forward, direction[None], module.PROBE_TOLERANCE)
        for direction in torch.as_tensor(drawn)
    ]
    # Every probe's solve stops on its own residual, of 1e-4.
    squares = torch.cat(alone).square().mean(0).numpy()
    np.testing.assert_allclose(found.norms, np.sqrt(squares), rtol=1e-10)
    every = exact_sensitivity(
        model, dataset, range(dataset.n_train), dtype="float64", tolerance=1e-12
    )
    for i in (0, 63, 64, 69):
        one = exact_sensitivity(model, dataset, i, dtype="float64", tolerance=1e-12)
        np.testing.assert_allclose(every[i], one[0], rtol=1e-10)


def test_one_seed_one_result():
    dataset, model = random_problem(12)
    first, again, other = (sensitivity(model, dataset, probes=20, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(first.norms, again.norms)
    assert not np.allclose(first.norms, other.norms)


def test_precision_matters_less_than_the_probes():
    dataset, model = random_problem(13)
    single, double = (
        sensitivity(model, dataset, probes=64, dtype=dtype) for dtype in ("float32", "float64")
    )
    assert single.norms.dtype == double.norms.dtype == np.float64
    np.testing.assert_allclose(single.norms, double.norms, rtol=2e-3)


def test_a_cancelled_computation_stops():
    dataset, model = random_problem(14)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity(model, dataset, probes=4, on_step=stop)


def test_how_many_at_once():
    assert module.at_once(1200, 10) == module.MOST_AT_ONCE
    assert module.at_once(50_000, 100) == module.FLOATS_AT_ONCE // 5_000_000
    assert module.at_once(10**9, 10) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": 1}, r"probes must be a whole number >= 2. Got 1 instead"),
        ({"probes": 2.5}, "probes must be a whole number"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"damping": 0.0}, "damping must be"),
        ({"dtype": "float16"}, "dtype must be one of"),
    ],
)
def test_bad_input_is_named(options, message):
    dataset, model = random_problem(15)
    with pytest.raises(InvalidInput, match=message):
        sensitivity(model, dataset, **options)


@pytest.mark.parametrize("indices", [[], [40], [-1], [3, 3], "3", [1.5]])
def test_bad_indices_are_refused(indices):
    dataset, model = random_problem(16)
    with pytest.raises(InvalidInput, match="target"):
        exact_sensitivity(model, dataset, indices)
    with pytest.raises(InvalidInput, match="tolerance"):
        exact_sensitivity(model, dataset, 0, tolerance=0)
    with pytest.raises(InvalidInput, match="model"):
        exact_sensitivity(random_problem(1, d=2)[1], dataset, 0)
