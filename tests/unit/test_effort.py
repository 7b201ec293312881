"""What a computation may take, against what the published ones took."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from engine.data.load import load_dataset
from engine.experiments import (
    EXPERIMENTS,
    AttackRequest,
    AuditRequest,
    ExplainRequest,
    ImpossibleRequest,
    LeaveOneOutRequest,
    RankingRequest,
    SensitivityRequest,
    SweepRequest,
    cost,
)
from engine.models.network import architecture
from pages.common.asking import effort, sweep_requests


def of_size(n: int, d: int, k: int, name: str = "some") -> Any:
    return SimpleNamespace(n_train=n, n_features=d, n_classes=k, name=name)


def test_the_estimate_is_that_of_the_published_sweeps() -> None:
    # 480 runs of 100 steps on 5,000 × 1,280 features of 10 classes took 5,904 s.
    one = cost.attack_seconds(of_size(5000, 1280, 10), 1, 100) - cost.FIXED_SECONDS
    assert 480 * one == pytest.approx(5904, rel=0.2)
    # Ten runs of 100 steps on digits took 4.7 s.
    assert 2 < cost.attack_seconds(of_size(1200, 64, 10), 10, 100) < 10


def test_the_estimate_grows_with_everything() -> None:
    small, steps = of_size(1000, 99, 10), 50
    one = cost.attack_seconds(small, 2, steps) - cost.FIXED_SECONDS
    for larger, runs, many in (
        (of_size(2000, 99, 10), 2, steps),
        (of_size(1000, 199, 10), 2, steps),
        (of_size(1000, 99, 20), 2, steps),
        (small, 4, steps),
        (small, 2, 2 * steps),
    ):
        found = cost.attack_seconds(larger, runs, many) - cost.FIXED_SECONDS
        assert found == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("model", "a_step"),
    [("mlp", 0.017), ("cnn", 0.057)],  # seconds of one core, of a run on digits
)
def test_the_estimate_of_a_network_is_that_of_digits(model: str, a_step: float) -> None:
    digits = of_size(1200, 64, 10)
    fixed = cost.FIXED_SECONDS + cost.honest_seconds(digits, model)
    found = cost.attack_seconds(digits, 10, 100, model) - fixed
    assert found == pytest.approx(1000 * a_step, rel=0.1)
    larger = of_size(12_000, 64, 10)
    one, two = (cost.attack_seconds(larger, runs, 100, model) for runs in (1, 2))
    assert two - one == pytest.approx(found)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_what_a_network_multiplies_is_what_its_layers_do(kind: str) -> None:
    digits = load_dataset("digits")
    counted = []

    def count(module: nn.Module, given: Any, found: torch.Tensor) -> None:
        counted.append(found[0].numel() * module.get_parameter("weight")[0].numel())

    module = architecture(kind, digits).build()
    for layer in (m for m in module.modules() if isinstance(m, nn.Linear)):
        layer.register_forward_hook(count)
    module(torch.as_tensor(digits.X_train[:1]).double())
    if kind == "cnn":  # which calls no layer for its convolution
        counted.append(16 * module.get_parameter("hidden.weight").numel())
    assert cost.multiplications(digits, kind) == 1200 * sum(counted)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "half a minute"),
        (31, "a minute"),
        (91, "2 minutes"),
        (1700, "29 minutes"),
        (5500, "2 hours"),
        (3600 * 30, "30 hours"),
        (86400 * 3, "3 days"),
    ],
)
def test_durations_are_rounded_up(seconds: float, words: str) -> None:
    assert effort.roughly(seconds) == words


def test_training_that_takes_long_is_announced() -> None:
    assert effort.training(of_size(1200, 64, 10)) == ""
    said = effort.training(of_size(6941, 1280, 101))
    assert said.startswith(", 101 classes from 1,280 features: about ")
    assert "half a minute" in said


def test_data_like_digits_needs_no_word() -> None:
    assert effort.beside_digits(None) == ""
    assert effort.beside_digits(of_size(1200, 64, 10)) == ""
    said = effort.beside_digits(of_size(6941, 1280, 101, "big"))
    assert "“big” has 1,168 times as many" in said
    assert said.endswith("what takes a minute there may take 20 hours here.")


def test_what_an_experiment_takes_is_estimated_from_its_request() -> None:
    """Seconds on one core, measured on digits, against estimates from above."""
    digits, photos = cost.Size(1200, 64, 10), cost.Size(5000, 1280, 10)
    measured = {
        "ranking": (RankingRequest(), 1),
        "explain": (ExplainRequest(), 1),
        "attack": (AttackRequest(), 1.5),
        "impossible": (ImpossibleRequest(), 1.2),
        "sensitivity": (SensitivityRequest(), 0.7),
        "audit": (AuditRequest(), 11.4),
        "leave-one-out": (LeaveOneOutRequest(), 1.4),
    }
    for name, (request, took) in measured.items():
        estimate = EXPERIMENTS[name].seconds
        assert estimate is not None, name
        assert took <= estimate(request, digits) <= took + 10, name
        assert estimate(request, photos) >= estimate(request, digits), name
    assert cost.sensitivity_seconds(photos, 256) == pytest.approx(60, rel=0.25)  # as published
    assert EXPERIMENTS["sweep"].seconds is None


def test_the_size_of_data_is_that_of_its_training_half() -> None:
    digits = load_dataset("digits")
    assert cost.size_of(digits) == cost.Size(1200, 64, 10)
    assert cost.size_of(None) == cost.Size(0, 0, 0)


@pytest.fixture
def largest_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caltech-101 with the features of EfficientNet-Lite2, which no test has, as if it were."""
    size = of_size(6000, 1408, 101)
    monkeypatch.setattr(sweep_requests, "open_dataset", lambda name: size)
    monkeypatch.setattr(sweep_requests.data_choice, "data_hash", lambda name: "there")


@pytest.mark.parametrize("role", ["ablation", "sizes", "cost", "training"])
def test_a_sweep_that_nobody_chose_takes_an_hour_at_most_on_the_papers_largest_data(
    role: str, largest_here: None
) -> None:
    opening = sweep_requests.opening_sweep(role, "caltech101-efficientnet_lite2")
    assert 0 < sweep_requests.seconds_of([opening]) <= sweep_requests.MODEST_SECONDS


def test_a_sweep_of_several_parts_takes_an_hour_at_most_with_all_of_them(
    largest_here: None,
) -> None:
    """As on the page “What makes it work?”, whose second part starts five times."""

    def parts(request: SweepRequest) -> list[SweepRequest]:
        return [request, replace(request, objectives=("higher_ranked",), restarts=(5,))]

    opening = sweep_requests.opening_sweep("ablation", "caltech101-efficientnet_lite2", parts)
    alone = sweep_requests.opening_sweep("ablation", "caltech101-efficientnet_lite2")
    assert sweep_requests.seconds_of(parts(alone)) > sweep_requests.MODEST_SECONDS
    assert 0 < sweep_requests.seconds_of(parts(opening)) <= sweep_requests.MODEST_SECONDS
