"""How long a computation may take on this data: said beside its button, before it begins.

Everything expensive in the lab is a product of all features (n × D) with a column per class and
run. The time of one such product times their number is an upper estimate, right within a factor of
two or three: its purpose is to announce hours, not to tell seconds apart.
"""

from engine.data.dataset import Dataset
from pages.common.words.wording import count

# Calibrated on the published sweeps of CIFAR-10 features: 0.12 s a step and run on two cores.
PRODUCTS = 38  # of features and columns, a step and run of an attack
SPEED = 4e10  # multiplications and additions a second, of two cores
HONEST_PRODUCTS = 600  # to train the honest model to its minimum, and of a solve for its scores
# Of a network: seconds a step and run, by how often its forward pass multiplies for all samples,
# measured on digits on one core; and to train it there
NETWORKS = {"mlp": (6e-9, 5.0), "cnn": (2e-8, 5.0)}
FIXED_SECONDS = 3.0  # of an attack: the honest model, rankings, whatever does not grow
LONG_SECONDS = 60.0  # what takes longer than this begins at the push of a button alone
NOTICED_SECONDS = 5.0  # what is begun without being asked for says how long it takes, beyond this
DIGITS = 1200 * 64 * 10  # samples × features × classes
NETWORK_ON_DIGITS = 1200 * 2400  # multiplications of either network's forward pass


def attack_seconds(dataset: Dataset, runs: int, steps: int, model: str = "linear") -> float:
    """An upper estimate for an attack of so many runs, none of which arrives early."""
    if model in NETWORKS:
        step = NETWORKS[model][0] * multiplications(dataset, model)
        return FIXED_SECONDS + honest_seconds(dataset, model) + runs * steps * step
    return FIXED_SECONDS + runs * steps * PRODUCTS * product_seconds(dataset)


def multiplications(dataset: Dataset, model: str) -> int:
    """Of a network's forward pass of all training samples: 32 hidden units, or 8 channels of 3 × 3
    kernels at a quarter of the pixels."""
    d, K = dataset.n_features, dataset.n_classes
    return dataset.n_train * {"mlp": 32 * (d + K), "cnn": 2 * d * (9 + K)}[model]


def product_seconds(dataset: Dataset) -> float:
    """Of the product of all features with a column per class."""
    return 2 * dataset.n_train * (dataset.n_features + 1) * dataset.n_classes / SPEED


def honest_seconds(dataset: Dataset, model: str = "linear") -> float:
    """Of training the honest model and ranking the samples under it."""
    if model in NETWORKS:
        times = multiplications(dataset, model) / NETWORK_ON_DIGITS
        return NETWORKS[model][1] * max(times, 1)
    return HONEST_PRODUCTS * product_seconds(dataset)


def training(dataset: Dataset, model: str = "linear") -> str:
    """What is added to the news that the honest model is being trained, where that takes long."""
    seconds = honest_seconds(dataset, model)
    if model in NETWORKS:
        return f", a network, to a minimum of its loss: about {roughly(seconds)} on one core"
    if seconds < NOTICED_SECONDS:
        return ""
    return (
        f", {dataset.n_classes} classes from {dataset.n_features:,} features: about "
        f"{roughly(seconds)} on two processor cores that have nothing else to do"
    )


def roughly(seconds: float) -> str:
    """Write an estimate in words, in whole numbers, rounded up: '25 minutes', '3 hours'."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds > 1.5 * size:
            return count(-int(-seconds // size), unit)
    return "a minute" if seconds > 30 else "half a minute"


def expected(seconds: float) -> str:
    """How long something takes, as a sentence."""
    if seconds < NOTICED_SECONDS:
        return "It takes a few seconds."
    return f"It takes about {roughly(seconds)} on two processor cores that have nothing else to do."


def at_most(seconds: float) -> str:
    """How long an attack or sweep takes, as a sentence."""
    return f"On two processor cores that is {roughly(seconds)} at most; runs that arrive stop."


def beside_digits(dataset: Dataset | None) -> str:
    """A sentence for costs that are known for digits: how much larger this data set is; empty where
    it is hardly larger, or not on this machine."""
    if dataset is None:
        return ""
    factor = dataset.n_train * dataset.n_features * dataset.n_classes / DIGITS
    if factor < 2:
        return ""
    return (
        f" “{dataset.name}” has {factor:,.0f} times as many numbers (samples × features × "
        f"classes) as digits: what takes a minute there may take {roughly(60 * factor)} here."
    )
