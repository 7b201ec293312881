"""What the speed measurements compare: equal gradients, honest rows, and the protocol of processes.

No test looks at how long anything took.
"""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.errors import EngineError, InvalidDataset, InvalidInput
from engine.influence.scores import influence_gradient, influence_scores
from engine.progress import Progress
from engine.speed import child
from engine.speed.autograd import GradientTask, naive_gradient, rewritten_gradient
from engine.speed.compare import OK, SHAPES, compare_gradients, shape_of
from engine.speed.implementations import GradientProblem, prepare
from engine.speed.memory import RESIDENT
from engine.speed.result import AXES, IMPLEMENTATIONS, growth, growth_exponents
from engine.speed.scaling import BASE, measure_scaling, points_of
from engine.speed.synthetic import synthetic
from tests.support.problems import random_problem
from tests.support.reference import (
    explicit_gradient,
    explicit_scores,
    flat,
    relative_error,
    with_ones,
)

AUTOGRAD = [naive_gradient, rewritten_gradient]
DAMPING = 0.25


def task_of(dataset) -> GradientTask:
    return GradientTask(
        X=with_ones(dataset.X_train),
        y=torch.as_tensor(dataset.y_train),
        X_test=with_ones(dataset.X_test),
        y_test=torch.as_tensor(dataset.y_test),
        damping=DAMPING,
    )


def problem_of(dataset, model, c) -> GradientProblem:
    return GradientProblem(
        dataset.X_train,
        dataset.y_train,
        dataset.X_test,
        dataset.y_test,
        model.parameters,
        c,
        DAMPING,
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("function", AUTOGRAD)
def test_autograd_equals_the_explicit_reference(function, seed):
    """Solved to 1e-12; 1e-8 leaves room for the derivative of a truncated solve, which converges
    behind the solve itself."""
    dataset, model = random_problem(seed, weight_scale=[0.5, 1, 3][seed % 3], duplicates=True)
    c = np.random.default_rng(seed).standard_normal(dataset.n_train)
    found = function(task_of(dataset), flat(model), torch.as_tensor(c), 1e-12)
    scores = explicit_scores(flat(model), dataset, DAMPING).numpy()
    assert relative_error(found.scores.numpy(), scores) < 1e-9, seed
    expected = explicit_gradient(model, dataset, c, DAMPING)
    assert relative_error(found.gradient.numpy().reshape(expected.shape), expected) < 1e-8, seed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_every_implementation_equals_the_public_gradient(name, seed):
    """Solves to 1e-11 in float64; gradients agree to 1e-8."""
    dataset, model = random_problem(seed, n=60, d=8, n_classes=4)
    c = np.random.default_rng(seed).standard_normal(dataset.n_train)
    prepared = prepare(name, problem_of(dataset, model, c), 1e-11, "float64", "cpu")
    gradient, iterations = prepared.step()
    options: dict[str, Any] = {
        "damping": DAMPING,
        "tolerance": 1e-11,
        "dtype": "float64",
        "device": "cpu",
    }
    expected = influence_gradient(model, dataset, c, **options)
    assert relative_error(prepared.decode(gradient), expected.ravel()) < 1e-8, seed
    assert iterations > 0


def test_scores_of_the_rewritten_form_are_the_engines():
    dataset, model = random_problem(0)
    c = torch.ones(dataset.n_train, dtype=torch.float64)
    found = rewritten_gradient(task_of(dataset), flat(model), c, 1e-11)
    scores = influence_scores(model, dataset, tolerance=1e-11, dtype="float64").scores
    assert relative_error(found.scores.numpy(), scores) < 1e-9


def test_a_looser_tolerance_costs_fewer_iterations():
    dataset, model = random_problem(1, n=80, d=12)
    c = torch.ones(dataset.n_train, dtype=torch.float64)
    for function in AUTOGRAD:
        loose, tight = (function(task_of(dataset), flat(model), c, t) for t in (1e-2, 1e-9))
        assert loose.iterations < tight.iterations


@pytest.mark.parametrize("function", AUTOGRAD)
def test_autograd_stays_on_its_device(function):
    """On tensors of the device 'meta', which hold no values, so that solves do a fixed number of
    iterations. Not on fake CUDA tensors: the backward pass asks for a real device's context."""
    with torch.device("meta"):
        n, m, D, K = 16, 8, 6, 3
        y, y_test = torch.randint(K, (n,)), torch.randint(K, (m,))
        task = GradientTask(torch.randn(n, D), y, torch.randn(m, D), y_test, DAMPING)
        theta, c = torch.randn(K * D), torch.randn(n)
    found = function(task, theta, c, 1e-3, fixed=2)
    assert found.scores.shape == (n,)
    assert found.gradient.shape == (K * D,)
    assert found.scores.device.type == found.gradient.device.type == "meta"
    with pytest.raises(RuntimeError, match="device"):
        function(task, torch.randn(K * D), c, 1e-3, fixed=2)


@pytest.mark.long
def test_the_implementations_agree_in_processes_of_their_own():
    told: list[Progress] = []
    result = compare_gradients(
        60,
        n_train=80,
        tolerance=1e-10,
        dtype="float64",
        repeats=2,
        device="cpu",
        on_progress=told.append,
    )
    table = result.table
    assert table["implementation"].tolist() == list(IMPLEMENTATIONS)
    assert (table["status"] == OK).all(), table["status"].tolist()
    assert (table["relative_difference"] < 1e-8).all()
    assert table["cosine"].to_numpy() == pytest.approx(1, abs=1e-12)
    assert result.reference_difference < 1e-8
    assert (table[["seconds", "preparation_seconds", "iterations"]] > 0).all(axis=None)
    assert (table["seconds_min"] <= table["seconds"]).all()
    assert (table["seconds"] <= table["seconds_max"]).all()
    assert (result.n_parameters, result.n_features, result.n_classes) == (60, 5, 10)
    assert (result.n_train, result.n_test, result.dtype) == (80, 40, "float64")
    assert result.device.startswith("cpu")
    assert sorted({(p.done, p.total) for p in told}) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert [p.done for p in told] == sorted(p.done for p in told)


@pytest.mark.long
def test_one_that_needs_too_much_memory_is_a_row():
    """Naive autograd holds n·P = 4000 x 4000 numbers several times over, 64 MB each."""
    result = compare_gradients(4000, 4000, repeats=1, memory_limit_mb=60, device="cpu")
    table = result.table.set_index("implementation")
    assert table["status"].tolist() == [
        "out of memory budget: needs more than 60 MB above the data",
        OK,
        OK,
    ]
    assert pd.isna(table.loc["naive", ["seconds", "peak_mb", "relative_difference"]]).all()
    assert (table.loc[["rewritten", "closed_form"], "relative_difference"] < 1e-4).all()
    if result.memory_by == RESIDENT:
        assert table["peak_mb"]["closed_form"] < table["peak_mb"]["rewritten"] < 60


def test_one_that_dies_is_a_row(monkeypatch):
    """Whatever ends a process after the reference, its last words are the status."""

    def run(folder, request, on_row, on_beat):
        if request["implementation"] == "naive":
            return "killed by signal 9"
        np.savez(folder / "gradient.npz", gradient=np.arange(60.0))
        on_row({"status": OK, "device": "cpu", "memory_by": RESIDENT, "peak_mb": 1.0})
        return None

    monkeypatch.setattr("engine.speed.compare.run_child", run)
    table = compare_gradients(60, n_train=40, device="cpu").table
    assert table["status"].tolist() == ["ended without a result: killed by signal 9", OK, OK]
    assert table["cosine"].isna().tolist() == [True, False, False]


def test_no_comparison_without_a_reference(monkeypatch):
    monkeypatch.setattr("engine.speed.compare.run_child", lambda *a: "exit code 1: no such thing")
    with pytest.raises(EngineError, match=r"reference failed: .*exit code 1: no such thing"):
        compare_gradients(60, n_train=40, device="cpu")


def test_a_callback_stops_the_process(tmp_path, monkeypatch):
    started = []
    popen = child.subprocess.Popen

    def remember(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(child.subprocess, "Popen", remember)

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.run_child(tmp_path, {"what": "memory"}, lambda row: None, stop, beat_seconds=0.0)
    assert started[0].returncode is not None


def test_the_last_words_of_a_process(tmp_path):
    words = child.run_child(tmp_path, {"what": "nothing"}, lambda row: None, lambda: None)
    assert words == "exit code 1: KeyError: 'nothing'"


METERED = """
import numpy as np, torch
from engine.speed.memory import Meter, measure_alive

def work():
    stays = np.ones(2**19)
    np.ones(2**19)
    return stays

measure_alive()
meter = Meter(torch.device("cpu"))
stays, peak = meter.measure(work)
print(meter.by, meter.kept(), peak, len(stays), sep="\\n")
"""


def test_the_meter_sees_what_was_alive_and_what_stays():
    """8 MB at the peak, 4 of them kept; a page or two beside that. In a fresh process, as every
    measurement is: this one may give back what earlier tests freed meanwhile."""
    command = [sys.executable, "-c", METERED]
    said = subprocess.run(command, cwd=child.ROOT, capture_output=True, text=True, check=True)
    by, kept, peak, _ = said.stdout.splitlines()
    if by != RESIDENT:
        pytest.skip("this system cannot reset the peak of its resident set")
    assert 3.9 < float(kept) < 6
    assert 3.9 < float(peak) < 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_parameters": 61}, "n_parameters must be 5130, 75813, 206949, or a multiple of 10"),
        ({"n_parameters": 10**9}, "n_parameters must be 5130"),
        ({"n_parameters": "many"}, "n_parameters must be 5130"),
        ({"n_train": 5}, "n_train must be a whole number >= 20"),
        ({"tolerance": 0}, "tolerance must be a finite number > 0"),
        ({"damping": -1}, "damping must be"),
        ({"repeats": 0}, "repeats must be"),
        ({"memory_limit_mb": 0}, "memory_limit_mb must be"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"device": "abacus"}, "device must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(InvalidInput, match=words):
        compare_gradients(**options)


def test_shapes_have_the_parameters_they_are_listed_under():
    for n_parameters, shape in SHAPES.items():
        assert shape.classes * (shape.d + 1) == n_parameters
        assert shape_of(n_parameters) == shape
    assert shape_of(60, 100).d == 5


def test_synthetic_data_depend_on_their_seed_alone():
    one, same, other = (synthetic(40, 20, 6, 4, seed) for seed in (1, 1, 2))
    assert one.content_hash == same.content_hash != other.content_hash
    assert one.X_train.shape == (40, 6)
    assert one.X_test.shape == one.X_holdout.shape == (20, 6)
    with pytest.raises(InvalidDataset, match="No training sample has class"):
        synthetic(3, 3, 6, 4)


def test_scaling_at_tiny_sizes():
    told: list[Progress] = []
    sizes = {"n": (40, 80, 160, 320), "d": (4, 8), "classes": (2,), "batch": (1,)}
    base = {"n": 60, "d": 5, "classes": 3, "batch": 2}
    result = measure_scaling(
        sizes, base, iterations=2, repeats=2, device="cpu", on_progress=told.append
    )
    table = result.table
    assert list(zip(table["axis"], table["value"], strict=True)) == [
        (axis, value) for axis, values in sizes.items() for value in values
    ]
    for row in table.to_dict("records"):
        assert row[row["axis"]] == row["value"]
        assert all(row[a] == base[a] for a in AXES if a != row["axis"])
    assert (table["seconds"] > 0).all()
    assert (table["peak_mb"] >= 0).all()
    assert result.exponents["axis"].tolist() == [a for a in AXES for _ in range(2)]
    assert result.exponents["quantity"].tolist() == ["seconds", "peak_mb"] * len(AXES)
    assert result.exponents["points"].tolist() == [2, 2, 1, 1, 1, 1, 1, 1]
    assert {p.total for p in told} == {len(table)}
    assert sorted({p.done for p in told}) == list(range(len(table) + 1))


def test_a_scaling_that_fails_says_where(monkeypatch):
    def fails(folder, request, on_row, on_beat):
        on_row({"peak_mb": 1.0})
        return "killed by signal 9"

    monkeypatch.setattr("engine.speed.scaling.run_child", fails)
    with pytest.raises(EngineError, match="ended at n = 80: killed by signal 9"):
        measure_scaling({"n": (40, 80)}, BASE, device="cpu")


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_growth_recovers_a_power(power):
    values = np.array([1, 2, 4, 8, 16, 32])
    exponent, error = growth(values.tolist(), (0.3 * values**power).tolist())
    assert exponent == pytest.approx(power, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-7)


def test_growth_has_the_standard_error_of_a_regression():
    """Against the textbook: 2000 noisy lines scatter as their own standard errors say, within
    10%."""
    rng = np.random.default_rng(0)
    values = 2.0 ** np.arange(6)
    noise = np.exp(0.1 * rng.standard_normal((2000, 6)))
    slopes, errors = np.array([growth(values.tolist(), (values * e).tolist()) for e in noise]).T
    assert slopes.mean() == pytest.approx(1, abs=0.01)
    assert np.sqrt((errors**2).mean()) == pytest.approx(slopes.std(), rel=0.1)


def test_growth_without_enough_points_is_unknown():
    assert np.isnan(growth([1], [1])).all()
    assert np.isnan(growth([1, 2, 4], [0, 1, 2])).all()
    exponent, error = growth([1, 2], [1, 2])
    assert exponent == pytest.approx(1)
    assert np.isnan(error)


def test_the_larger_half_is_fitted():
    values = [1, 2, 4, 8, 16, 32, 64]
    cost = [1, 1, 1, 8, 16, 32, 64]  # the first three cost what any step costs
    table = pd.DataFrame({"axis": "n", "value": values, "seconds_min": cost, "peak_mb": cost})
    found = growth_exponents(table.sample(frac=1, random_state=0))
    assert found["exponent"].to_numpy() == pytest.approx(1)
    assert found["from_value"].tolist() == [8, 8]
    assert found["points"].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"width": (1,)}, "axis must be one of 'n', 'd', 'classes', 'batch'"),
        ({"n": (0,)}, r"sizes\['n'\] must be a whole number >= 4"),
        ({"n": (10,)}, "n must be at least two for each of the 10 classes"),
        ({"batch": (1.5,)}, r"sizes\['batch'\] must be a whole number"),
        ({"n": ()}, "sizes must be at least one axis"),
    ],
)
def test_bad_sizes_are_named(sizes, words):
    with pytest.raises(InvalidInput, match=words):
        points_of(sizes, BASE)


@pytest.mark.parametrize(
    "options", [{"repeats": 0}, {"iterations": 0}, {"base": {"n": "a"}}, {"base": {"width": 3}}]
)
def test_bad_options_of_scaling_are_named(options):
    with pytest.raises(InvalidInput):
        measure_scaling({"n": (40,)}, **options)
