"""The least that every public name is called with, and what is thrown at it in its place."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

import engine
from engine.data.dataset import Dataset
from engine.data.fairness import FairnessDataset
from tests.support.problems import random_problem

DATASET, MODEL = random_problem(7, n=24, d=2)
N_TRAIN = len(DATASET.y_train)
TABLE = pd.DataFrame(
    {"income": np.arange(60.0) % 7, "sex": list("mf") * 30, "repaid": ["no", "no", "yes"] * 20}
)
LOANS = engine.load_fairness_dataset(
    TABLE, target="repaid", positive="yes", sensitive="sex", privileged="m"
)
ROWS = engine.sweep(
    DATASET, targets=1, radii=(0.1,), ks=(1,), restarts=(1,), steps=1, jobs=1, device="cpu"
)
INSTANCE = engine.impossible_instance(n_train=12)
SHORT: dict[str, object] = {"restarts": 1, "steps": 1, "device": "cpu"}
SCORES = np.linspace(-1, 1, N_TRAIN)
VENDORS = engine.make_vendors(DATASET, "random", 2)
FEW_FITS = engine.DeniableOptions(fits=1)
SEARCH = engine.MinimalOptions(start_radii=(0.3,), restarts=1, start_steps=1, steps=1)
REWEIGHING = {"target_weight": 1.0, "steps": 1, "batch_size": 4, "device": "cpu"}
ON_MODEL = {"model": MODEL, "dataset": DATASET, "device": "cpu"}
COLUMNS = {"target": "repaid", "positive": "yes", "sensitive": "sex", "privileged": "m"}


def arrays_of(dataset: Dataset | FairnessDataset) -> dict[str, object]:
    return {item.name: getattr(dataset, item.name) for item in fields(dataset) if item.init}


# The least that each public name is called with: other parameters keep their defaults.
SMALL: dict[str, Mapping[str, Any]] = {
    "attack": ON_MODEL | SHORT | {"targets": 3},
    "attack_each": ON_MODEL | SHORT | {"targets": [3]},
    "AttackOptions": {},
    "share_rates": {"table": ROWS},
    "success_rates": {"table": ROWS},
    "MinimalOptions": {},
    "DeniableOptions": {},
    "deniable_attack": ON_MODEL | {"targets": 3, "options": FEW_FITS},
    "needed_epsilon": ON_MODEL | {"targets": 3, "options": FEW_FITS},
    "minimal_radius": ON_MODEL | {"targets": 3, "options": SEARCH},
    "loss_reweighing": ON_MODEL | REWEIGHING | {"target": 3},
    "loss_reweighing_each": ON_MODEL | REWEIGHING | {"targets": [3]},
    "sweep": {
        "dataset": DATASET, "targets": 1, "radii": (0.1,), "ks": (1,), "restarts": (1,),
        "steps": 1, "jobs": 1, "device": "cpu",
    },
    "Dataset": arrays_of(DATASET),
    "FairnessDataset": arrays_of(LOANS),
    "load_dataset": {"name_or_path": TABLE, "label": "repaid"},
    "load_fairness_dataset": {"name_or_path": TABLE, **COLUMNS},
    "FairnessOptions": {},
    "fairness_scaling": {"dataset": LOANS, "scales": (0.5, 1.0), "resamples": 2},
    "Lissa": {},
    "influence_gradient": ON_MODEL | {"coefficients": np.ones(N_TRAIN)},
    "influence_scores": ON_MODEL,
    "fit": {"dataset": DATASET, "device": "cpu"},
    "fit_network": {"dataset": DATASET, "max_iterations": 1, "device": "cpu"},
    "LinearModel": {"weight": MODEL.weight, "bias": MODEL.bias, "l2": 0.01},
    "attribution": ON_MODEL | {"name": "influence"},
    "audit_scores": {"score_matrix": np.ones((6, 5)), "query_gradients": np.eye(4, 5)},
    "impossible_instance": {"n_train": 12},
    "impossible_scores": {"instance": INSTANCE, "theta": np.ones((2, 3))},
    "try_random_models": {"instance": INSTANCE, "count": 3},
    "leave_one_out": {"dataset": DATASET, "indices": 3, "device": "cpu"},
    "optimality": {"model": MODEL, "dataset": DATASET, "weights": np.ones(N_TRAIN)},
    "influence_matrix": ON_MODEL | {"X": DATASET.X_test[:2], "y": DATASET.y_test[:2]},
    "query_gradients": {"model": MODEL, "X": DATASET.X_test[:2], "y": DATASET.y_test[:2]},
    "exact_sensitivity": ON_MODEL | {"indices": 3},
    "sensitivity": ON_MODEL | {"probes": 2},
    "certify": {"model": MODEL, "dataset": DATASET},
    "certified_depth": {"model": MODEL, "dataset": DATASET, "gradient_norm": 1e-6},
    "check_claims": ON_MODEL | {"weights": np.ones(N_TRAIN)},
    "polish": ON_MODEL | {"weights": np.ones(N_TRAIN)},
    "ranking_agreement": ON_MODEL | {"draws": 2},
    "linear_datamodelling_score": {
        "scores": SCORES, "dataset": DATASET, "subsets": 4, "device": "cpu",
    },
    "retrain_on": {"dataset": DATASET, "subsets": np.ones((1, N_TRAIN), bool), "device": "cpu"},
    "selection_curve": {"ranks": np.arange(N_TRAIN) + 1, "dataset": DATASET, "device": "cpu"},
    "Vendors": {"names": VENDORS.names, "owner": VENDORS.owner},
    "make_vendors": {"dataset": DATASET, "scheme": "random", "count": 2},
    "vendors_by_column": {"values": ["a", "b"] * (N_TRAIN // 2)},
    "vendors_of_sets": {"sets": {"a": range(12), "b": range(12, N_TRAIN)}, "n": N_TRAIN},
    "payments": {"scores": SCORES, "vendors": VENDORS},
    "model_differences": {"first": MODEL, "second": MODEL, "dataset": DATASET},
    "candidate_scores": ON_MODEL | {"X": DATASET.X_test[:2], "y": DATASET.y_test[:2]},
    "added_effects": ON_MODEL | {"X": DATASET.X_test[:2], "y": DATASET.y_test[:2]},
    "spectrum": ON_MODEL,
    "compare_gradients": {"n_parameters": 30, "n_train": 20, "repeats": 1, "device": "cpu"},
    "measure_scaling": {
        "sizes": {"n": (8, 16)}, "base": {"n": 8, "d": 2, "classes": 2, "batch": 1},
        "iterations": 1, "repeats": 1, "device": "cpu",
    },
}  # fmt: skip
# Made by the engine alone; errors are thrown by it.
RESULTS = {
    "AttackResult", "Ranking", "ReweighingResult", "StepInfo", "FairnessResult", "InfluenceScores",
    "Network", "ImpossibleInstance", "GradientComparison", "Scaling", "EngineError", "InvalidInput",
    "Certificate", "DatamodellingScore", "MinimalRadii", "Payments", "Replay", "Retrained",
    "Spectrum",
}  # fmt: skip
CALLBACKS = ("on_step", "on_progress", "on_target", "say", "find", "keep", "honest", "loss")
# Taken as a count of computations: an enormous one is no mistake, and would be computed.
WORK = (
    "steps", "restarts", "max_iterations", "resamples", "probes", "repeats", "iterations", "count",
    "samples", "batch_size", "draws", "subsets", "start_steps",
)  # fmt: skip

VALUES: list[Any] = [
    None, True, np.bool_(False), 0, -1, 3, np.int8(3), np.uint64(3), np.array(3), np.array([3]),
    0.5, -0.0, np.float16(0.5), np.float64(0.5), 1e-30, 1e39, float("nan"), float("inf"),
    2.0, 1j, Decimal("0.5"), "", "x", "3", "ä\n", "\0", np.str_("top_k"), b"x", (), [], {},
    [None], [[1], [1, 2]], ["a", "a"], [0.1, "x"], {"a": 1}, object(), object, pd.NA, pd.NaT,
    pd.Series([0.5]), pd.Timestamp(2026, 1, 1), range(2), iter([1, 2]), lambda: 1, slice(2), ...,
]  # fmt: skip
ENORMOUS: list[Any] = [2**31, 2**63, 2**64, 10**400, np.uint64(2**63), -(2**63)]


def parameters(name: str) -> list[str]:
    return [p for p in inspect.signature(getattr(engine, name)).parameters if p not in CALLBACKS]


# Each call of these that is not refused measures for seconds, in processes of its own.
MEASURING = ("compare_gradients", "measure_scaling")
QUICK = [name for name in SMALL if name not in MEASURING]


def call(name: str, changed: Mapping[str, object]) -> object:
    made: Callable[..., object] = getattr(engine, name)
    return made(**{**SMALL[name], **changed})
