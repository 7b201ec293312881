"""How long a computation may take: pages say it beforehand, and the queue chooses a lane by it.

Everything expensive in the lab is a product of all features (n × D) with a column per class and
run. The time of one such product times their number is an upper estimate, right within a factor of
two or three: its purpose is to tell seconds, minutes and hours apart. Seconds are those of two
processor cores that have nothing else to do.
"""

from dataclasses import dataclass
from typing import Protocol

from engine.data.dataset import Dataset
from engine.data.fairness import FairnessDataset
from engine.vocabulary import LINEAR

# Calibrated on the published sweeps of CIFAR-10 features: 0.12 s a step and run on two cores.
PRODUCTS = 38  # of features and columns, a step and run of an attack
SPEED = 4e10  # multiplications and additions a second, of two cores
HONEST_PRODUCTS = 600  # to train the honest model to its minimum, and of a solve for its scores
PROBE_PRODUCTS = 80  # of a solve for one probe of the sensitivity: 60 s for 256 on CIFAR-10
REFIT_PRODUCTS = 2400  # of a training without one of the samples, to its minimum
QUERY_PRODUCTS = 400  # of an audit's query, in float64, for honest and attacked model
ROW_SECONDS = 0.006  # of a row in the fairness pipeline: 29 s for COMPAS, whose programme is slow
# Of a network: seconds a step and run, by how often its forward pass multiplies for all samples,
# measured on digits on one core; and to train it there
NETWORKS = {"mlp": (6e-9, 5.0), "cnn": (2e-8, 5.0)}
FIXED_SECONDS = 3.0  # of an attack: the honest model, rankings, whatever does not grow
NETWORK_ON_DIGITS = 1200 * 2400  # multiplications of either network's forward pass


class Sized(Protocol):
    """Data by its size alone: a `Dataset`, or a `Size`."""

    @property
    def n_train(self) -> int: ...

    @property
    def n_features(self) -> int: ...

    @property
    def n_classes(self) -> int: ...


@dataclass(frozen=True)
class Size:
    """Samples, features and classes of data; all 0 for a computation that makes its own."""

    n_train: int = 0
    n_features: int = 0
    n_classes: int = 0


def size_of(data: object) -> Size:
    """Return the size of what a request's data is, as `engine.experiments.open_data` opens it."""
    if isinstance(data, Dataset):
        return Size(data.n_train, data.n_features, data.n_classes)
    if isinstance(data, FairnessDataset):
        return Size(data.n_train, data.n_features, 2)
    return Size()


def attack_seconds(data: Sized, runs: int, steps: int, model: str = LINEAR) -> float:
    """Estimate an attack of so many runs, none of which arrives early, from above."""
    if model in NETWORKS:
        step = NETWORKS[model][0] * multiplications(data, model)
        return FIXED_SECONDS + honest_seconds(data, model) + runs * steps * step
    return FIXED_SECONDS + runs * steps * PRODUCTS * product_seconds(data)


def multiplications(data: Sized, model: str) -> int:
    """Count those of a network's forward pass of all training samples: 32 hidden units, or 8
    channels of 3 × 3 kernels at a quarter of the pixels."""
    d, K = data.n_features, data.n_classes
    return data.n_train * {"mlp": 32 * (d + K), "cnn": 2 * d * (9 + K)}[model]


def product_seconds(data: Sized) -> float:
    """Estimate the product of all features with a column per class."""
    return 2 * data.n_train * (data.n_features + 1) * data.n_classes / SPEED


def honest_seconds(data: Sized, model: str = LINEAR) -> float:
    """Estimate the training of the honest model and the ranking of the samples under it."""
    if model in NETWORKS:
        times = multiplications(data, model) / NETWORK_ON_DIGITS
        return NETWORKS[model][1] * max(times, 1)
    return HONEST_PRODUCTS * product_seconds(data)


def sensitivity_seconds(data: Sized, probes: int) -> float:
    """Estimate the gradient norms of all scores from so many probes."""
    return FIXED_SECONDS + (HONEST_PRODUCTS + probes * PROBE_PRODUCTS) * product_seconds(data)


def audit_seconds(data: Sized, queries: int) -> float:
    """Estimate the audit of four calculators by so many queries, without the attack."""
    return queries * QUERY_PRODUCTS * product_seconds(data)


def refits_seconds(data: Sized, models: int) -> float:
    """Estimate so many trainings, each without one of the samples."""
    return FIXED_SECONDS + models * REFIT_PRODUCTS * product_seconds(data)


def fairness_seconds(data: Sized) -> float:
    """Estimate the scaling attack with its search."""
    return FIXED_SECONDS + data.n_train * ROW_SECONDS
