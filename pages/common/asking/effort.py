"""How long a computation may take on this data: said beside its button, before it begins.

`engine.experiments.cost` makes the estimates; here they become words.
"""

from engine.data.dataset import Dataset
from engine.experiments.cost import NETWORKS, honest_seconds
from pages.common.words.code_names import data_name
from pages.common.words.wording import count

LONG_SECONDS = 60.0  # what takes longer than this begins at the push of a button alone
NOTICED_SECONDS = 5.0  # what is begun without being asked for says how long it takes, beyond this
DIGITS = 1200 * 64 * 10  # samples × features × classes


def training(dataset: Dataset, model: str = "linear") -> str:
    """Say what is added to the news that the honest model is being trained, where that takes
    long."""
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
    """Say how long something takes, as a sentence."""
    if seconds < NOTICED_SECONDS:
        return "It takes a few seconds."
    return f"It takes about {roughly(seconds)} on two processor cores that have nothing else to do."


def at_most(seconds: float) -> str:
    """Say how long an attack or sweep takes, as a sentence."""
    return f"On two processor cores that is {roughly(seconds)} at most; runs that arrive stop."


def times_digits(dataset: Dataset) -> float:
    """How many times as many numbers (samples × features × classes) as digits a data set has."""
    return dataset.n_train * dataset.n_features * dataset.n_classes / DIGITS


def beside_digits(dataset: Dataset | None) -> str:
    """Return a sentence for costs that are known for digits: how much larger this data set is;
    empty where it is hardly larger, or not on this machine."""
    if dataset is None:
        return ""
    factor = times_digits(dataset)
    if factor < 2:
        return ""
    times = f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"
    return (
        f" “{data_name(dataset.name)}” has {times} times as many numbers (samples × "
        f"features × classes) as digits: what takes a minute there may take "
        f"{roughly(60 * factor)} here."
    )
