"""What only a real GPU shows: its numbers are the processor's, and the queue gives it one job at a
time. Without a GPU none of it can be run, and pytest says so.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import attack, fit, fit_network, influence_scores, load_dataset
from engine.data.dataset import Dataset
from engine.experiments import AttackRequest
from engine.influence.build import build_problem
from engine.models.model import Model
from engine.results.jobs import Jobs
from engine.results.lanes import SHORT
from engine.scrutiny.sensitivity import exact_sensitivity, sensitivity
from engine.settings import read_settings
from engine.vocabulary import OBJECTIVES
from tests.support.queues import worker_pids

pytestmark = pytest.mark.skipif(
    torch.cuda.device_count() == 0, reason="PyTorch sees no GPU on this machine"
)
EACH = ("cpu", "cuda")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module", params=["linear", "mlp"])
def model(request: pytest.FixtureRequest, digits: Dataset) -> Model:
    if request.param == "linear":
        return fit(digits, device="cpu")
    return fit_network(digits, request.param, device="cpu")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 2e-3)])
def test_scores_and_the_gradient_s_norm(
    digits: Dataset, model: Model, dtype: str, tolerance: float
) -> None:
    """Each device has an eigenbasis of its own for the linear model's weights, in which a gradient
    has other coordinates and the same length."""
    solved = 1e-10 if dtype == "float64" else 1e-6
    found = []
    for device in EACH:
        problem = build_problem(model, digits, 0.25, "highest_first", dtype, device)
        forward = problem.forward(problem.encode(model), solved)
        weights = torch.zeros(1, digits.n_train, dtype=forward.scores.dtype, device=device)
        weights[0, 16] = -1
        gradient, _ = problem.gradient(forward, weights, solved)
        found.append((forward.scores.cpu().double(), gradient.norm().cpu().double()))
    for one, other in zip(*found, strict=True):
        assert (one - other).norm() <= tolerance * one.norm()


def test_models_and_rankings(digits: Dataset) -> None:
    models = [fit(digits, device=device) for device in EACH]
    assert np.allclose(models[0].weight, models[1].weight, atol=1e-6)
    ranked = [
        influence_scores(models[0], digits, dtype="float64", device=device).ranks for device in EACH
    ]
    assert np.array_equal(ranked[0], ranked[1])


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_an_attack_takes_the_same_course(digits: Dataset, objective: str) -> None:
    """From the honest model: random directions are drawn in each device's own eigenbasis."""
    model = fit(digits, device="cpu")
    found = [
        attack(
            model, digits, 16, radius=0.2, objective=objective, restarts=0, steps=8,
            dtype="float64", device=device,
        )
        for device in EACH
    ]  # fmt: skip
    one, other = (result.trajectory for result in found)
    assert one["rank"].tolist() == other["rank"].tolist()
    assert np.allclose(one["accuracy_test"], other["accuracy_test"])


def test_sensitivity(digits: Dataset) -> None:
    """Other probes for the same reason: each device is within its error of the exact norms."""
    model = fit(digits, device="cpu")
    exact = exact_sensitivity(model, digits, range(0, digits.n_train, 60))
    for device in EACH:
        norms = sensitivity(model, digits, probes=256, device=device).norms[::60]
        error = norms / exact - 1
        assert np.sqrt((error**2).mean()) < 0.1


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    settings = read_settings({"IAL_CACHE_DIR": str(tmp_path / "cache")})
    made = Jobs(replace(settings, published=tmp_path / "published"))
    yield made
    for pid in worker_pids(made):
        os.kill(pid, signal.SIGTERM)


def test_the_queue_gives_a_gpu_one_job_at_a_time(jobs: Jobs) -> None:
    asked = [AttackRequest(targets=(target,), radius=0.2, steps=40) for target in (16, 919)]
    names = [jobs.submit("attack", request) for request in asked]
    most, end = 0, time.monotonic() + 200
    while any(jobs.state(name).status != "done" for name in names):
        most = max(most, sum(jobs.state(name).status == "running" for name in names))
        assert time.monotonic() < end, [jobs.state(name) for name in names]
        time.sleep(0.02)
    assert most <= jobs.at_once(SHORT) == torch.cuda.device_count()
    for request in asked:
        stored = jobs.store.find("attack", request, jobs.data_hash(request))
        assert stored is not None
        assert stored.manifest.device == torch.cuda.get_device_name(0)
