"""Networks through attacks, experiments and the store; what was stored before keeps its key."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.attacks.attack import attack
from engine.attacks.batch import attacks_at_once, bytes_per_run
from engine.attacks.objectives import ATTACK_OBJECTIVES
from engine.attacks.options import AttackOptions
from engine.attacks.state import Plan, init, step
from engine.data.dataset import Dataset
from engine.data.load import load_dataset
from engine.errors import InvalidInput, NotPositiveDefinite
from engine.experiments import (
    AttackRequest,
    Context,
    RankingRequest,
    SweepRequest,
    make_request,
    values_of,
)
from engine.experiments.attack import run_attack
from engine.experiments.files import read_model
from engine.experiments.ranking import run_ranking
from engine.experiments.sweep import run_sweep
from engine.influence.network import NetworkProblem
from engine.influence.scores import influence_scores
from engine.models.fit_network import fit_network
from engine.models.linear import as_linear
from engine.models.network import Architecture, Network, flat
from engine.results.manifest import key
from engine.results.store import Store, open_folder
from engine.settings import PUBLISHED
from tests.support.problems import random_problem

SMALL: dict[str, Any] = {"restarts": 1, "steps": 8, "radius": 0.5, "model": "mlp"}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_problem(0, n=60, d=6)[0]


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Network:
    return fit_network(dataset, "mlp")


def test_every_published_request_has_the_key_that_it_had():
    paths = sorted(PUBLISHED.glob("*/*/manifest.json"))
    assert len(paths) > 20
    for path in paths:
        m = json.loads(path.read_text(encoding="utf-8"))
        request = make_request(m["experiment"], m["request"])
        assert key(m["experiment"], request, m["data_hash"]) == path.parent.name


@pytest.mark.parametrize(("name", "kind"), [("attack", AttackRequest), ("ranking", RankingRequest)])
def test_another_model_is_another_request_and_the_default_is_not_written(name, kind):
    assert "model" not in values_of(kind())
    assert values_of(kind(model="mlp"))["model"] == "mlp"
    assert key(name, kind(model="linear"), "ab") == key(name, kind(), "ab")
    assert len({key(name, kind(model=m), "ab") for m in ("linear", "mlp", "cnn")}) == 3
    with pytest.raises(InvalidInput, match="model must be one of 'linear', 'mlp', 'cnn'"):
        kind(model="resnet")


def test_an_attack_on_a_network_from_request_to_store(dataset, model, tmp_path):
    ranks = influence_scores(model, dataset).ranks
    target = int(np.flatnonzero(ranks == 10)[0])
    request = AttackRequest(dataset="random", targets=(target,), **SMALL)
    result = run_attack(request, dataset, Context())
    honest = result.honest
    assert isinstance(honest, Network)
    assert np.array_equal(honest.parameters, model.parameters)
    assert np.array_equal(result.before.ranks, ranks)
    assert result.distance <= 0.5 * (1 + 1e-6)
    after = influence_scores(result.model, dataset)
    assert np.array_equal(after.ranks, result.after.ranks)
    assert result.accuracy_after == result.model.accuracy(dataset.X_holdout, dataset.y_holdout)
    folder = Store(tmp_path / "r", tmp_path / "p").write(
        "attack", request, "ab", result, 1.0, "CPU"
    )
    found = open_folder(folder)
    assert found.manifest.request["model"] == "mlp"
    assert make_request("attack", found.manifest.request) == request
    opened = found.result.model
    assert np.array_equal(opened.parameters, result.model.parameters)
    assert isinstance(opened, Network) and isinstance(result.model, Network)
    assert np.array_equal(opened.logits(dataset.X_test), result.model.logits(dataset.X_test))
    assert opened.architecture == Architecture("mlp", (6,), 3)


def test_some_run_moves_a_sample_of_a_network_to_the_top(dataset, model):
    target = int(np.flatnonzero(influence_scores(model, dataset).ranks == 5)[0])
    result = attack(model, dataset, target, k=1, radius=0.6, restarts=2, steps=30)
    assert result.success
    assert influence_scores(result.model, dataset).ranks[target] == 1


def test_a_digit_is_moved_to_the_top_of_a_convolutional_network():
    """From the request to the stored model, which is ranked anew and tightly."""
    digits = load_dataset("digits")
    request = AttackRequest(
        targets=(1115,),
        objective="accurate",
        restarts=1,
        learning_rates=(0.1,),
        steps=30,
        model="cnn",
    )
    result = run_attack(request, digits, Context())
    both = [result.honest.accuracy(*digits.split(split)) for split in ("test", "holdout")]
    assert np.mean(both) > 0.95
    assert result.before.ranks[1115] > 100
    assert result.success and result.distance <= 0.3 * (1 + 1e-6)
    assert abs(result.accuracy_drop) <= 0.03
    found = influence_scores(result.model, digits, dtype="float64", tolerance=1e-9)
    assert found.ranks[1115] == 1


def test_a_convolutional_network_is_attacked_on_fewer_samples():
    request = SweepRequest(
        n_targets=1,
        ks=(5,),
        radii=(0.3,),
        restarts=(1,),
        train_sizes=(60,),
        learning_rates=(0.1,),
        steps=1,
        model="cnn",
    )
    table = run_sweep(request, load_dataset("digits"), Context(jobs=1))
    assert table["train_size"].tolist() == [60]


@pytest.mark.parametrize("objective", list(ATTACK_OBJECTIVES))
def test_every_objective_and_stealth_serve_networks(dataset, model, objective):
    ranks = influence_scores(model, dataset).ranks
    target = int(np.flatnonzero(ranks == 30)[0])
    options: dict[str, Any] = {"radius": 0.3, "restarts": 1, "steps": 15, "learning_rates": (0.05,)}
    result = attack(model, dataset, target, objective=objective, stealth=0.1, **options)
    assert result.rank_test is not None and result.rank_test < 30
    assert np.array_equal(influence_scores(result.model, dataset).ranks, result.after.ranks)


def test_the_ranking_of_a_network(dataset, model):
    result = run_ranking(RankingRequest(dataset="random", model="mlp"), dataset, Context())
    assert np.array_equal(result.test.ranks, influence_scores(model, dataset).ranks)


def test_a_sweep_over_networks_keeps_batches_of_their_own(dataset, model):
    kept: list[Any] = []
    context = Context(keep=lambda name, request, table, seconds: kept.append(request), jobs=1)
    asked: dict[str, Any] = {
        "n_targets": 2,
        "radii": (0.4,),
        "ks": (1, 3),
        "restarts": (1,),
        "steps": 5,
    }
    request = SweepRequest(dataset="random", learning_rates=(0.1,), model="mlp", **asked)
    table = run_sweep(request, dataset, context)
    assert len(table) == 4
    honest = model.accuracy(dataset.X_holdout, dataset.y_holdout)
    assert table["accuracy_before"].tolist() == [honest] * 4
    assert [batch.model for batch in kept] == ["mlp"]
    assert "model" in values_of(kept[0]) and "model" not in values_of(SweepRequest())


def test_the_memory_of_a_run_is_that_of_the_network(dataset, model):
    module = nn.Sequential(nn.Linear(6, 3200), nn.Tanh(), nn.Linear(3200, 3))
    wide = Network(module, flat(module).numpy(), l2=0.01)
    small, large = (bytes_per_run(dataset, "float32", m) for m in (model, wide))
    assert bytes_per_run(dataset, "float32") < small  # a linear model's
    assert 30 < large / small < 100  # a hundred times as many hidden units
    assert bytes_per_run(dataset, "float64", model) == 2 * small
    budget = 4 * (small + 3 * 4 * 60) / 1e9
    assert attacks_at_once(AttackOptions(restarts=2), dataset, 1, 2.5 * budget, model) == 2
    with pytest.raises(InvalidInput, match=r"memory_gb must be at least"):
        attacks_at_once(AttackOptions(restarts=2), dataset, 1, 2.5 * budget, wide)


def test_scores_of_a_network_know_their_error(dataset, model):
    tight = influence_scores(model, dataset, dtype="float64", tolerance=1e-12)
    loose = influence_scores(model, dataset, dtype="float64", tolerance=1e-2)
    true = np.linalg.norm(loose.scores - tight.scores) / np.linalg.norm(tight.scores)
    assert tight.error < 1e-9
    assert loose.error == pytest.approx(true, rel=0.02)


def test_an_iterate_without_a_ranking_is_last_and_never_serves(dataset, model):
    """With next to no damping the Hessian is indefinite far from the minimum."""
    problem = NetworkProblem.build(dataset, model, 1e-4, dtype="float64")
    honest = problem.encode(model)
    far = honest + torch.as_tensor(np.random.default_rng(0).standard_normal(honest.shape))
    assert float(problem.forward(far, 1e-6).solution.lowest) <= 0
    plan = Plan(
        theta=far,
        honest=honest,
        targets=torch.tensor([[3]]),
        learning_rates=torch.tensor([0.01], dtype=torch.float64),
        ball=1e9,
        k=dataset.n_train - 1,
        steps=4,
        objective=ATTACK_OBJECTIVES["higher_ranked"],
    )
    state, info = step(problem, plan, init(plan))
    assert info.rank.tolist() == [dataset.n_train]
    assert not bool(state.reached.any()), "every rank but the last is in this top"
    assert torch.equal(state.theta, (far + honest) / 2), "it goes halfway back"
    wild = model.with_parameters(far[0].numpy())
    with pytest.raises(NotPositiveDefinite, match="a damping that is larger by at least"):
        influence_scores(wild, dataset, damping=1e-4, dtype="float64")


def test_a_stored_network_of_impossible_size_is_refused_before_it_is_made(model):
    arrays = {
        "m_parameters": model.parameters,
        "m_training": np.array([0.01, 0.0, 1]),
        "m_architecture": np.array("mlp"),
        "m_shape": np.array([10**9, 10**6, 3]),
    }
    with pytest.raises(InvalidInput, match="as its shape says"):
        read_model("m", arrays)


def test_what_knows_linear_models_alone_says_so(model):
    with pytest.raises(InvalidInput, match="a linear model"):
        as_linear(model)


def test_a_module_of_ones_own_is_not_stored(dataset, model, tmp_path):
    unnamed = replace(model, architecture=None)
    target = int(np.flatnonzero(influence_scores(model, dataset).ranks == 10)[0])
    result = attack(unnamed, dataset, target, restarts=0, steps=1, learning_rates=(0.01,))
    store = Store(tmp_path / "r", tmp_path / "p")
    with pytest.raises(InvalidInput, match="one of those that have a name"):
        store.write("attack", AttackRequest(**SMALL), "ab", result, 1.0, "CPU")
