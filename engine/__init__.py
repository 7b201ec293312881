"""The engine of the Influence Attack Lab: influence scores, and attacks on them.

    dataset = engine.load_dataset("digits")
    model = engine.fit(dataset)
    result = engine.attack(model, dataset, targets=16, k=1, radius=0.3)

Names are imported when they are first used: `import engine` alone does not import torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.attacks.attack import attack, attack_each
    from engine.attacks.rates import share_rates, success_rates
    from engine.attacks.result import AttackResult, Ranking, ReweighingResult, StepInfo
    from engine.attacks.reweighing import loss_reweighing, loss_reweighing_each
    from engine.attacks.sweep import sweep
    from engine.data.dataset import Dataset
    from engine.data.fairness import FairnessDataset
    from engine.data.load import load_dataset, load_fairness_dataset
    from engine.errors import EngineError, InvalidInput
    from engine.fairness.result import FairnessResult
    from engine.fairness.scaling import fairness_scaling
    from engine.influence.estimators import Lissa
    from engine.influence.scores import InfluenceScores, influence_gradient, influence_scores
    from engine.models.fit import fit
    from engine.models.fit_network import fit_network
    from engine.models.linear import LinearModel
    from engine.models.network import Network
    from engine.scrutiny.attributions import attribution
    from engine.scrutiny.audit import audit_scores
    from engine.scrutiny.impossibility import (
        ImpossibleInstance,
        impossible_instance,
        impossible_scores,
        try_random_models,
    )
    from engine.scrutiny.leave_one_out import leave_one_out
    from engine.scrutiny.optimality import optimality
    from engine.scrutiny.queries import influence_matrix, query_gradients
    from engine.scrutiny.sensitivity import exact_sensitivity, sensitivity
    from engine.speed.compare import compare_gradients
    from engine.speed.result import GradientComparison, Scaling
    from engine.speed.scaling import measure_scaling

_HOMES = {
    "attack": "engine.attacks.attack",
    "attack_each": "engine.attacks.attack",
    "share_rates": "engine.attacks.rates",
    "success_rates": "engine.attacks.rates",
    "AttackResult": "engine.attacks.result",
    "Ranking": "engine.attacks.result",
    "ReweighingResult": "engine.attacks.result",
    "StepInfo": "engine.attacks.result",
    "loss_reweighing": "engine.attacks.reweighing",
    "loss_reweighing_each": "engine.attacks.reweighing",
    "sweep": "engine.attacks.sweep",
    "Dataset": "engine.data.dataset",
    "load_dataset": "engine.data.load",
    "FairnessDataset": "engine.data.fairness",
    "load_fairness_dataset": "engine.data.load",
    "EngineError": "engine.errors",
    "InvalidInput": "engine.errors",
    "FairnessResult": "engine.fairness.result",
    "fairness_scaling": "engine.fairness.scaling",
    "Lissa": "engine.influence.estimators",
    "InfluenceScores": "engine.influence.scores",
    "influence_gradient": "engine.influence.scores",
    "influence_scores": "engine.influence.scores",
    "fit": "engine.models.fit",
    "fit_network": "engine.models.fit_network",
    "LinearModel": "engine.models.linear",
    "Network": "engine.models.network",
    "attribution": "engine.scrutiny.attributions",
    "audit_scores": "engine.scrutiny.audit",
    "leave_one_out": "engine.scrutiny.leave_one_out",
    "optimality": "engine.scrutiny.optimality",
    "influence_matrix": "engine.scrutiny.queries",
    "query_gradients": "engine.scrutiny.queries",
    "sensitivity": "engine.scrutiny.sensitivity",
    "exact_sensitivity": "engine.scrutiny.sensitivity",
    "ImpossibleInstance": "engine.scrutiny.impossibility",
    "impossible_instance": "engine.scrutiny.impossibility",
    "impossible_scores": "engine.scrutiny.impossibility",
    "try_random_models": "engine.scrutiny.impossibility",
    "compare_gradients": "engine.speed.compare",
    "GradientComparison": "engine.speed.result",
    "Scaling": "engine.speed.result",
    "measure_scaling": "engine.speed.scaling",
}

__all__ = [  # noqa: RUF022  # as in _HOMES, where each name's module is beside it
    "attack",
    "attack_each",
    "share_rates",
    "success_rates",
    "AttackResult",
    "Ranking",
    "ReweighingResult",
    "StepInfo",
    "loss_reweighing",
    "loss_reweighing_each",
    "sweep",
    "Dataset",
    "load_dataset",
    "FairnessDataset",
    "load_fairness_dataset",
    "EngineError",
    "InvalidInput",
    "FairnessResult",
    "fairness_scaling",
    "Lissa",
    "InfluenceScores",
    "influence_gradient",
    "influence_scores",
    "fit",
    "fit_network",
    "LinearModel",
    "Network",
    "attribution",
    "audit_scores",
    "leave_one_out",
    "optimality",
    "influence_matrix",
    "query_gradients",
    "sensitivity",
    "exact_sensitivity",
    "ImpossibleInstance",
    "impossible_instance",
    "impossible_scores",
    "try_random_models",
    "compare_gradients",
    "GradientComparison",
    "Scaling",
    "measure_scaling",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
