"""Is the model a minimum of its training loss? (Section 6's defence.)

An honestly trained model is; a model that was moved for its influence scores, or scaled, is not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_curve

from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.scores import check_fits
from engine.models.linear import LinearModel
from engine.statistics import resampled


@dataclass(frozen=True)
class Optimality:
    """gradient_norm: ‖∇L(θ)‖₂ of the training loss L, mean cross-entropy + l2/2·‖θ‖².

    relative: gradient_norm / (‖∇ mean cross-entropy‖ + ‖l2·θ‖), in [0, 1]: 0 where the two cancel,
        as they do at the minimum, whatever the scale of features and loss.
    smallest_eigenvalue: of the Hessian of L. Any softmax model has directions without curvature
        (the same vector added to every class), so that it is l2 exactly: L has one minimum and no
        other stationary point.
    loss: L(θ).
    """

    gradient_norm: float
    relative: float
    smallest_eigenvalue: float
    loss: float


def optimality(model: LinearModel, dataset: Dataset, l2: float | None = None) -> Optimality:
    """How far the model is from the minimum of its training loss, in float64.

    l2: of the loss that it should be a minimum of; the model's own where not given.
    Raises InvalidInput.
    """
    l2 = check_positive("l2", model.l2 if l2 is None else l2)
    check_fits(model, dataset)
    loss, gradient = cross_entropy(model.parameters, dataset)
    pull = l2 * model.parameters
    size = float(np.linalg.norm(gradient) + np.linalg.norm(pull))
    norm = float(np.linalg.norm(gradient + pull))
    return Optimality(
        gradient_norm=norm,
        relative=norm / size if size else 0.0,
        smallest_eigenvalue=l2,
        loss=loss + l2 / 2 * model.norm**2,
    )


def cross_entropy(
    parameters: NDArray[np.float64], dataset: Dataset
) -> tuple[float, NDArray[np.float64]]:
    """Mean cross-entropy on train and its gradient, (K, d+1), bias last."""
    X = np.concatenate([dataset.X_train, np.ones((dataset.n_train, 1))], axis=1, dtype=np.float64)
    y, rows = dataset.y_train, np.arange(dataset.n_train)
    logits = X @ parameters.T
    logits -= logits.max(axis=1, keepdims=True)
    P = np.exp(logits)
    total = P.sum(axis=1, keepdims=True)
    loss = float((np.log(total[:, 0]) - logits[rows, y]).mean())
    P /= total
    P[rows, y] -= 1
    return loss, P.T @ X / len(X)


@dataclass(frozen=True, eq=False)
class Detection:
    """A detector's operating points over all thresholds: shares of honest models flagged and of
    manipulated ones found, ascending (flagged from `thresholds` upwards); auc, the area under that
    curve, with its 95% interval."""

    thresholds: NDArray[np.float64]
    false_alarms: NDArray[np.float64]
    found: NDArray[np.float64]
    auc: float
    auc_low: float
    auc_high: float


def detection(
    honest: ArrayLike, manipulated: ArrayLike, resamples: int = 2000, seed: int = 0
) -> Detection:
    """How well a number that is larger for manipulated models tells them from honest ones.

    auc is the chance that a manipulated model's number is larger than an honest one's, ties half;
    its interval a percentile bootstrap of both groups. Raises InvalidInput.
    """
    groups = [np.asarray(values, dtype=np.float64) for values in (honest, manipulated)]
    for name, values in zip(("honest", "manipulated"), groups, strict=True):
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise InvalidInput(name, values.shape, "a sequence of finite numbers, at least one")
    is_manipulated = np.repeat([0, 1], [len(values) for values in groups])
    false_alarms, found, thresholds = roc_curve(
        is_manipulated, np.concatenate(groups), drop_intermediate=False
    )
    drawn = [values[resampled(len(values), resamples, seed + i)] for i, values in enumerate(groups)]
    low, high = np.quantile(area(*drawn), (0.025, 0.975))
    return Detection(thresholds, false_alarms, found, float(area(*groups)), float(low), float(high))


def area(honest: NDArray, manipulated: NDArray) -> NDArray[np.float64]:
    """Under the curve, along the last axis: Mann and Whitney's U as a share."""
    u = mannwhitneyu(manipulated, honest, axis=-1, method="asymptotic").statistic
    return u / (honest.shape[-1] * manipulated.shape[-1])
