"""Options: checked when they are made, equal where their values are, hashed as they always were."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.attacks.attack import attack
from engine.attacks.batch import Batch
from engine.attacks.options import AttackOptions, ReweighingOptions, SweepOptions
from engine.attacks.sweep import sweep
from engine.errors import InvalidInput
from engine.experiments import (
    EXPERIMENTS,
    AttackRequest,
    AuditRequest,
    Context,
    FairnessRequest,
    SweepRequest,
    make_request,
    values_of,
)
from engine.experiments.attack import run_attack
from engine.experiments.sweep import run_sweep
from engine.fairness.options import FairnessOptions
from engine.fairness.scaling import fairness_scaling
from engine.options import Options, choices_of, taken_from
from tests.support.problems import random_problem
from tests.support.tables import random_table

KINDS = (AttackOptions, SweepOptions, ReweighingOptions, FairnessOptions)

# What requests with nothing but defaults were hashed and stored as before there were options.
ATTACK: dict[str, Any] = {
    "dataset": "digits",
    "targets": [16],
    "k": 1,
    "radius": 0.3,
    "objective": "higher_ranked",
    "restarts": 5,
    "learning_rates": [0.01, 0.1],
    "steps": 100,
    "damping": 0.25,
    "l2": 0.01,
    "order": "highest_first",
    "seed": 0,
    "dtype": "float32",
}
EXAMINED: dict[str, Any] = {  # what is asked of one attack that an experiment looks at
    "dataset": "digits",
    "target": 16,
    "k": 1,
    "radius": 0.35,
    "damping": 0.25,
    "l2": 0.01,
    "order": "highest_first",
    "seed": 0,
}
STORED: dict[str, dict[str, Any]] = {
    "attack": ATTACK,
    "replay": ATTACK,
    "pairs": ATTACK,
    "ranking": {
        "dataset": "digits",
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "dtype": "float32",
    },
    "sweep": {
        "dataset": "digits",
        "n_targets": 50,
        "radii": [0.05, 0.1, 0.3, 0.5, 1.0],
        "ks": [1, 3, 10, 30],
        "objectives": ["higher_ranked"],
        "restarts": [5],
        "set_sizes": [1],
        "train_sizes": [0],
        "seeds": [0],
        "learning_rates": [0.01, 0.1],
        "steps": 100,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "dtype": "float32",
        "memory_gb": 2.0,
    },
    "baseline": {
        "dataset": "digits",
        "targets": [],
        "n_targets": 50,
        "outside": 30,
        "target_weights": [1.0, 10.0, 100.0, 1000.0, 10000.0, 100000.0, 1000000.0],
        "steps": 2000,
        "batch_size": 256,
        "learning_rate": 0.001,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
    },
    "fairness": {
        "dataset": "german",
        "metric": "dp",
        "scales": [0.001, 0.01, 0.05, 0.08, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        "l2": None,
        "beta": None,
        "gamma": None,
        "search": True,
        "tolerance": 0.03,
        "top_k": 100,
        "resamples": 2000,
        "seed": 0,
        "target": None,
        "positive": None,
        "sensitive": None,
        "privileged": None,
        "merge_others": False,
    },
    "impossible": {
        "k": 1,
        "n_train": 60,
        "n_features": 2,
        "count": 10000,
        "radius": 1.0,
        "restarts": 5,
        "steps": 100,
        "damping": 0.25,
        "l2": 0.01,
        "seed": 0,
    },
    "defence": {
        "dataset": "digits",
        "n_targets": 25,
        "ks": [1, 10],
        "radii": [0.05, 0.1, 0.2, 0.3, 0.5],
        "restarts": 2,
        "steps": 100,
        "scales": [0.001, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 1.01, 1.1, 1.5, 2.0],
        "stealth": [0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
        "stealth_radius": 0.3,
        "l2_values": [0.003, 0.01, 0.03],
        "repeats": 7,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
    },
    "polish": {
        "dataset": "digits",
        "model": "linear",
        "n_targets": 16,
        "k": 1,
        "radius": 0.3,
        "objectives": ["higher_ranked", "top_k", "target", "accurate", "quiet"],
        "restarts": 2,
        "learning_rates": [0.01, 0.1],
        "steps": 100,
        "stealth": [1.0, 10.0],
        "through_radii": [0.3, 1.0],
        "through_steps": 40,
        "hiding_steps": 100,
        "other_l2": [0.001, 0.002, 0.003, 0.005, 0.02, 0.03, 0.05, 0.1],
        "newton_steps": 5,
        "l2_values": [0.001, 0.003, 0.01, 0.03, 0.1],
        "repeats": 2,
        "n_held_back": 60,
        "train_size": 0,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 18,
        "dtype": "float32",
    },
    "deniable": {
        "dataset": "digits",
        "means": ["weights", "together"],
        "k": 1,
        "n_targets": 20,
        "n_near": 8,
        "near": 60,
        "limit": 0.5,
        "l2_factor": 10.0,
        "fits": 50,
        "competitors": 16,
        "tolerance": 0.025,
        "epsilons": [0.1, 0.3, 0.5],
        "draws": 30,
        "trainers": 30,
        "around": 8,
        "points": 31,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 18,
    },
    "certificates": {
        "dataset": "digits",
        "ks": [1, 10],
        "directions": 10000,
        "n_targets": 12,
        "radius": 0.3,
        "restarts": 1,
        "steps": 100,
        "n_pushed": 120,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
    },
    "sensitivity": {
        "dataset": "digits",
        "probes": 256,
        "n_exact": 24,
        "damping": 0.25,
        "l2": 0.01,
        "seed": 0,
        "dtype": "float32",
    },
    "leave-one-out": {
        "dataset": "digits",
        "l2": 0.25,
        "damping": 0.25,
        "n_samples": 60,
        "split": "test",
    },
    "explain": {
        "dataset": "digits",
        "image": 0,
        "damping": 0.25,
        "l2": 0.01,
        "dtype": "float64",
    },
    "audit": {
        "dataset": "digits",
        "target": 16,
        "k": 1,
        "radius": 0.35,
        "queries": 700,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
    },
    "attributions": {
        "dataset": "digits",
        "target": 16,
        "k": 1,
        "radius": 0.35,
        "neighbours": 5,
        "retrained": 100,
        "n_honest": 80,
        "n_attacked": 40,
        "false_alarms": 0.05,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
    },
    "gradients": {
        "n_parameters": 5130,
        "damping": 0.25,
        "tolerance": 0.001,
        "repeats": 5,
        "dtype": "float32",
        "seed": 0,
    },
    "scaling": {
        "iterations": 6,
        "repeats": 5,
        "seed": 0,
    },
    "solvers": {
        "repeats": 3,
        "seed": 0,
    },
    "lesson": {
        "dataset": "digits",
        "k": 1,
        "radius": 0.3,
        "objective": "higher_ranked",
        "restarts": 5,
        "learning_rates": [0.01, 0.1],
        "steps": 100,
        "damping": 0.25,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
        "lesson": "lesson",
        "targets": [16],
        "nicknames": [],
        "bets_moved": [],
        "bets_price": [],
        "l2": 0.01,
        "model": "linear",
    },
    "minimal-radius": {
        "dataset": "digits",
        "k": 1,
        "start_radii": [0.4, 0.6, 0.8, 1.0, 1.1],
        "restarts": 3,
        "learning_rates": [0.1],
        "start_steps": 100,
        "hops": 5,
        "steps": 120,
        "competitors": 24,
        "tolerance": 0.025,
        "damping": 0.25,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
        "n_targets": 24,
        "targets_seed": 2,
        "objectives": ["higher_ranked", "accurate"],
        "radii": [0.2],
        "other_restarts": 10,
        "other_learning_rates": [0.1],
        "l2": 0.01,
        "keep_models": True,
    },
    "payments": {
        "dataset": "digits",
        "vendors": "random",
        "count": 10,
        "column": "",
        "vendor": 0,
        "k": 30,
        "radius": 0.3,
        "restarts": 1,
        "learning_rates": [0.01, 0.1],
        "steps": 100,
        "order": "lowest_first",
        "draws": 20,
        "bought": [5, 20, 60],
        "names": [2, 3],
        "tried": [10, 100, 1000],
        "damping": 0.25,
        "l2": 0.01,
        "seed": 0,
        "dtype": "float32",
    },
    "cleaning": {
        "dataset": "digits",
        "flipped": 5.0,
        "draws": 10,
        "vendors": 10,
        "radius": 0.3,
        "restarts": 1,
        "learning_rates": [0.01, 0.1],
        "steps": 100,
        "damping": 0.25,
        "l2": 0.01,
        "seed": 0,
        "dtype": "float32",
    },
    "prepare": {
        "name": "digits",
        "backbone": "",
    },
    "lds": {
        **EXAMINED,
        "subsets": 200,
        "neighbours": 5,
    },
    "selection": {
        **EXAMINED,
        "shares": [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95],
        "draws": 5,
        "neighbours": 5,
    },
    "score-matrix": {
        "dataset": "digits",
        "n_targets": 24,
        "k": 10,
        "radius": 0.3,
        "restarts": 1,
        "learning_rates": [0.1],
        "steps": 50,
        "neighbours": 5,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
    },
    "conditioning": {
        **EXAMINED,
        "dampings": [0.0001, 0.001, 0.01, 0.1, 0.25, 1.0, 10.0],
    },
    "candidates": {
        **EXAMINED,
        "n_checked": 24,
    },
    "playground": {
        "points": "clouds",
        "n": 80,
        "radius": 0.3,
        "objective": "higher_ranked",
        "restarts": 5,
        "steps": 100,
        "damping": 0.25,
        "l2": 0.01,
        "seed": 0,
    },
    "halves": {
        "dataset": "digits",
        "draws": 50,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "seed": 0,
        "dtype": "float32",
    },
}


def canonical(values: dict[str, Any]) -> str:
    """As a result's key is made from."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def test_every_experiment_is_in_the_table():
    assert set(STORED) == set(EXPERIMENTS) - {"batch"}


@pytest.mark.parametrize("name", STORED)
def test_default_requests_are_hashed_as_they_always_were(name):
    given_ = {"name": "digits"} if name == "prepare" else {}
    assert canonical(values_of(make_request(name, given_))) == canonical(STORED[name])


@pytest.mark.parametrize("name", STORED)
def test_a_stored_request_is_read_again(name):
    request = make_request(name, STORED[name])
    assert request == make_request(name, json.loads(canonical(values_of(request))))


def test_batches_are_hashed_as_they_always_were():
    """Written down before batches held options: one that serves two k, one of a training subset."""
    dataset, _ = random_problem(7, n=60, d=4)
    seen = []

    def keep(name: str, request: Any, table: object, seconds: float) -> None:
        seen.append(canonical({"name": name} | values_of(request)))

    request = SweepRequest(
        "random", n_targets=2, radii=(0.5,), ks=(2, 4), objectives=("target", "top_k"),
        restarts=(1,), steps=2, train_sizes=(0, 30), seeds=(1,),
    )  # fmt: skip
    run_sweep(request, dataset, Context(device="cpu", jobs=1, keep=keep))
    common = {
        "targets": [[3], [48]],
        "radius": 0.5,
        "restarts": 1,
        "learning_rates": [0.01, 0.1],
        "steps": 2,
        "seed": 1,
        "damping": 0.25,
        "l2": 0.01,
        "order": "highest_first",
        "dtype": "float32",
    }
    expected = [
        common | {"ks": ks, "objective": objective, "train_size": size}
        for size in (0, 30)
        for objective, ks in (("target", [2, 4]), ("top_k", [2]), ("top_k", [4]))
    ]
    wanted = [canonical({"name": "batch", "dataset": "random", "batch": one}) for one in expected]
    assert seen == wanted


def test_the_defaults_are_the_papers():
    o = AttackOptions()
    assert (o.k, o.radius, o.objective, o.restarts, o.steps) == (1, 0.3, "higher_ranked", 5, 100)
    assert (o.learning_rates, o.damping, o.order, o.seed) == ((0.01, 0.1), 0.25, "highest_first", 0)
    assert (o.dtype, o.stealth, o.precision, o.runs) == ("float32", 0.0, "full", 10)
    assert engine.fit.__defaults__ is not None
    assert SweepOptions().l2 == engine.fit.__defaults__[0] == 0.01
    assert (engine.AttackOptions, engine.FairnessOptions) == (AttackOptions, FairnessOptions)


BAD: list[tuple[type[Options], dict[str, Any], str]] = [
    (AttackOptions, {"k": 0}, "k must be a whole number >= 1. Got 0 "),
    (AttackOptions, {"k": 1.5}, "k must be a whole number >= 1. Got 1.5"),
    (AttackOptions, {"k": True}, "k must be a whole number >= 1. Got True"),
    (AttackOptions, {"radius": 0}, "radius must be a finite number > 0. Got 0"),
    (AttackOptions, {"radius": "far"}, "radius must be a finite number > 0. Got 'far'"),
    (AttackOptions, {"objective": "magic"}, "objective must be one of 'higher_.*Got 'magic'"),
    (AttackOptions, {"restarts": -1}, "restarts must be a whole number >= 0. Got -1"),
    (AttackOptions, {"learning_rates": []}, r"learning_rates must be a sequence .*Got \[\]"),
    (AttackOptions, {"learning_rates": "0.1"}, "learning_rates must be a sequence .*Got '0.1'"),
    (AttackOptions, {"learning_rates": (0.1, 0)}, "learning_rates must be a finite .*Got 0 "),
    (AttackOptions, {"steps": 0}, "steps must be a whole number >= 1. Got 0"),
    (AttackOptions, {"damping": -0.25}, "damping must be a finite number > 0. Got -0.25"),
    (AttackOptions, {"order": "up"}, "order must be one of 'highest_first', .*Got 'up'"),
    (AttackOptions, {"seed": -3}, "seed must be a whole number >= 0. Got -3"),
    (AttackOptions, {"dtype": "float16"}, "dtype must be one of 'float32', .*Got 'float16'"),
    (AttackOptions, {"stealth": -1}, "stealth must be a finite number >= 0. Got -1"),
    (SweepOptions, {"radii": ()}, r"radii must be a sequence .*Got \(\)"),
    (SweepOptions, {"ks": 3}, "ks must be a sequence .*Got 3"),
    (SweepOptions, {"objectives": "target"}, "objectives must be a sequence .*Got 'target'"),
    (SweepOptions, {"set_sizes": (0,)}, "set_sizes must be a whole number >= 1. Got 0"),
    (SweepOptions, {"l2": 0}, "l2 must be a finite number > 0. Got 0"),
    (SweepOptions, {"memory_gb": 0}, "memory_gb must be a finite number > 0. Got 0"),
    (ReweighingOptions, {"batch_size": 0}, "batch_size must be a whole number >= 1. Got 0"),
    (FairnessOptions, {"metric": "di"}, "metric must be one of 'dp', 'eop'. Got 'di'"),
    (FairnessOptions, {"scales": (0.5, 0)}, "scales must be a finite number > 0. Got 0"),
    (FairnessOptions, {"beta": -0.1}, "beta must be a finite number >= 0. Got -0.1"),
    (FairnessOptions, {"l2": 0}, "l2 must be a finite number > 0. Got 0"),
    (FairnessOptions, {"tolerance": -1}, "tolerance must be a finite number >= 0. Got -1"),
]


@pytest.mark.parametrize(("kind", "values", "words"), BAD)
def test_a_bad_value_is_named_when_the_options_are_made(kind, values, words):
    with pytest.raises(InvalidInput, match=words):
        kind(**values)
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(kind(), **values)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_checked(kind):
    """No option takes an object that is nothing: a field without a check would."""
    for item in dataclasses.fields(kind):
        if item.name not in ("search", "gauge_free"):  # truth values, which everything has
            with pytest.raises(InvalidInput, match=rf"^{item.name} must be .*object"):
                kind(**{item.name: object()})


@given(
    k=st.integers(1, 10**6),
    radius=st.integers(1, 1000),
    rates=st.lists(st.integers(1, 9), min_size=1),
)
def test_equal_values_are_one_key(k, radius, rates):
    """1 and 1.0, a list and a tuple, a number of NumPy and one of Python."""
    one = AttackRequest(k=k, radius=radius, learning_rates=rates)
    from_table: Any = np.int64(k)
    other = AttackRequest(
        k=from_table, radius=np.float64(radius), learning_rates=tuple(map(float, rates))
    )
    assert one == other
    assert hash(one) == hash(other)
    assert canonical(values_of(one)) == canonical(values_of(other))
    assert dataclasses.replace(one) == one
    assert [type(v) for v in (other.k, other.radius, other.learning_rates)] == [int, float, tuple]


@given(st.lists(st.sampled_from([0.1, 0.3, 1, 1.0, 2]), min_size=1))
def test_axes_hold_every_value_once(values):
    assert SweepOptions(radii=values).radii == tuple(dict.fromkeys(map(float, values)))
    assert FairnessOptions(scales=values).scales == tuple(sorted(set(map(float, values))))


def test_options_are_taken_from_what_has_fields_of_the_same_name():
    audit = make_request("audit", {"radius": 0.5, "seed": 4, "k": 2})
    assert isinstance(audit, AuditRequest)
    assert audit.attack == AttackRequest(targets=(16,), k=2, radius=0.5, seed=4)
    found = taken_from(AttackOptions, audit, restarts=1, radius=0.7)
    assert found == AttackOptions(k=2, radius=0.7, seed=4, restarts=1)
    with pytest.raises(InvalidInput, match=r"restarts must be a whole number >= 0\. Got -1"):
        taken_from(AttackOptions, audit, restarts=-1)


def test_a_field_knows_its_choices():
    named = {
        f.name: list(choices_of(f)) for f in dataclasses.fields(AttackRequest) if choices_of(f)
    }
    assert set(named) == {"objective", "order", "dtype", "precision", "model"}
    assert named["order"] == ["highest_first", "lowest_first"]


def test_a_new_option_leaves_stored_keys_as_they_are_at_its_default():
    assert "stealth" not in values_of(AttackRequest())
    assert values_of(AttackRequest(stealth=0.5))["stealth"] == 0.5


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any, int]:
    dataset, _ = random_problem(7, n=60, d=4)
    model = engine.fit(dataset, device="cpu")
    ranks = engine.influence_scores(model, dataset, device="cpu").ranks
    return dataset, model, int(np.flatnonzero(ranks == 40)[0])


def test_an_attack_is_the_same_by_keywords_and_through_a_request(small):
    dataset, model, target = small
    options: dict[str, Any] = {"k": 2, "radius": 1.5, "restarts": 2, "steps": 8, "stealth": 0.1}
    by_keywords = attack(model, dataset, target, **options, device="cpu")
    request = AttackRequest("random", (target,), **options)
    asked = run_attack(request, dataset, Context(device="cpu"))
    pd.testing.assert_frame_equal(by_keywords.runs, asked.runs)
    pd.testing.assert_frame_equal(by_keywords.trajectory, asked.trajectory)
    np.testing.assert_array_equal(by_keywords.model.parameters, asked.model.parameters)


def test_a_sweep_is_the_same_by_keywords_and_through_a_request(small):
    dataset, _, _ = small
    grid: dict[str, Any] = {"radii": (0.5, 1.5), "ks": (5, 2), "restarts": (1,), "steps": 4}
    batches: list[Batch] = []

    def keep(batch: Batch, table: pd.DataFrame, seconds: float) -> None:
        batches.append(batch)

    table = sweep(dataset, 2, **grid, device="cpu", jobs=1, keep=keep)
    request = SweepRequest("random", n_targets=2, **grid)
    again = run_sweep(request, dataset, Context(device="cpu", jobs=1))
    pd.testing.assert_frame_equal(table, again)
    assert [(b.ks, b.options) for b in batches] == [
        ((2, 5), AttackOptions(k=2, radius=radius, restarts=1, steps=4)) for radius in (0.5, 1.5)
    ]


def test_fairness_is_the_same_by_keywords_and_through_a_request():
    dataset = random_table(1)
    request = FairnessRequest(scales=(0.1,), metric="eop", resamples=20, search=False)
    asked = EXPERIMENTS["fairness"].run(request, dataset, Context())
    table = fairness_scaling(dataset, (0.1,), "eop", resamples=20)
    pd.testing.assert_frame_equal(asked.table, table)


def test_a_single_learning_rate_is_a_sequence_of_one():
    given: dict[str, Any] = {"learning_rates": 0.1}  # what the annotation does not promise
    assert AttackOptions(**given) == AttackOptions(learning_rates=(0.1,))
