"""How somebody who cannot touch the model earns more: vendors by what they deliver, valuators by
what they measure on.

    copies     the vendor delivers its best samples once more
    outliers   the vendor delivers samples that the model takes for another class, labels kept
    split      the vendor sells its harmful samples under other names
    test set   the valuator tries random halves of the test set, and reports the best for a vendor
    damping    the valuator tries several dampings

Outliers follow the Outlier Attack of Wang, Hu, Deng and Ma (2025, Adversarial Attacks on Data
Attribution), which perturbs a delivery by black-box queries until the model errs. Here the model is
linear, so that the smallest such change is known in closed form; the outliers come on top of the
delivery instead of replacing it, and pay is a share of a budget instead of places among the top k
of single test points.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.checks import check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.market.vendors import Vendors
from engine.models.linear import LinearModel, as_linear

OVERSHOOT = 1.1  # of the way to the boundary between two classes


def with_samples(dataset: Dataset, X: NDArray, y: NDArray[np.int64]) -> Dataset:
    """Return the data set with more training samples, which come last and have no pictures."""
    return replace(
        dataset,
        X_train=np.concatenate([dataset.X_train, X.astype(np.float32)]),
        y_train=np.concatenate([dataset.y_train, y]),
        images=None,
        on_disk=False,
    )


def best_of(vendors: Vendors, vendor: int, worth: NDArray, count: int) -> NDArray[np.int64]:
    """Return a vendor's `count` samples of the highest worth (n,), best first.

    Raises InvalidInput for more samples than it owns.
    """
    own = vendors.samples(vendor)
    count = check_integer("count", count, 1, len(own))
    return own[np.argsort(-worth[own], kind="stable")[:count]]


def copies(
    dataset: Dataset, vendors: Vendors, vendor: int, worth: NDArray, count: int
) -> tuple[Dataset, Vendors]:
    """Let a vendor deliver its `count` best samples once more. worth: (n,), high is good.

    Raises InvalidInput for more samples than it owns.
    """
    chosen = best_of(vendors, vendor, worth, count)
    X, y = dataset.X_train[chosen], dataset.y_train[chosen]
    return with_samples(dataset, X, y), vendors.with_samples(vendor, len(chosen))


def misread(model: LinearModel, X: NDArray, y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Move samples (q, d) by the smallest change, and a tenth more, that makes the model prefer its
    second choice to their labels; samples that it misreads already stay.

    Along w_rival − w_label the difference of the two logits grows by ‖w_rival − w_label‖² a unit:
    the closed form of DeepFool (Moosavi-Dezfooli et al. 2016) against the strongest rival.
    """
    X = np.asarray(X, np.float64)
    logits = X @ as_linear(model).weight.T + model.bias
    rows = np.arange(len(y))
    others = logits.copy()
    others[rows, y] = -np.inf
    rival = others.argmax(1)
    margin = logits[rows, y] - logits[rows, rival]
    way = model.weight[rival] - model.weight[y]
    size = np.maximum((way**2).sum(1), np.finfo(np.float64).tiny)
    return X + (OVERSHOOT * np.maximum(margin, 0) / size)[:, None] * way


def outliers(
    dataset: Dataset, vendors: Vendors, vendor: int, model: LinearModel, count: int, seed: int
) -> tuple[Dataset, Vendors]:
    """Let a vendor deliver `count` of its samples, drawn by the seed, changed as `misread` does.

    Raises InvalidInput for more samples than it owns.
    """
    own = vendors.samples(vendor)
    count = check_integer("count", count, 1, len(own))
    chosen = np.random.default_rng(seed).choice(own, count, replace=False)
    y = dataset.y_train[chosen]
    more = with_samples(dataset, misread(model, dataset.X_train[chosen], y), y)
    return more, vendors.with_samples(vendor, count)


def names_of(vendors: Vendors, vendor: int, worth: NDArray, names: int) -> Vendors:
    """Let a vendor sell under `names` names: its own keeps the samples whose worth (n,) is not
    negative, the others share those whose worth is. The new names come last.

    Raises InvalidInput where it has too few samples of either kind for every name to own one.
    """
    own = vendors.samples(vendor)
    names = check_integer("names", names, 2)
    bad = own[worth[own] < 0]
    if len(bad) < names - 1 or len(bad) == len(own):
        raise InvalidInput(
            "names", names, f"at most {1 + min(len(bad), len(own) - 1)} for what it owns"
        )
    return vendors.split(vendor, np.array_split(bad, names - 1))


def halves(points: int, tries: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Draw random halves of so many test points, one after the other; the first few of more tries
    are those of fewer."""
    for number in range(tries):
        rng = np.random.default_rng([seed, number])
        yield np.sort(rng.choice(points, max(points // 2, 1), replace=False))
