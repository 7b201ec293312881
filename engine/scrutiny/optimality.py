"""Is the model a minimum of its training loss? (Section 6's defence.)

An honestly trained model is; a model that was moved for its influence scores, or scaled, is not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_positive, check_sample_weights
from engine.data.dataset import Dataset
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair


@dataclass(frozen=True)
class Optimality:
    """gradient_norm: ‖∇L(θ)‖₂ of the training loss L, mean cross-entropy + l2/2·‖θ‖².

    relative: gradient_norm / (‖∇ mean cross-entropy‖ + ‖l2·θ‖), in [0, 1]: 0 where the two cancel,
        as they do at the minimum, whatever the scale of features and loss.
    smallest_eigenvalue: of the Hessian of L. Every softmax model has directions without curvature
        (the same vector added to every class), so that it is l2 exactly: L has one minimum and no
        other stationary point.
    loss: L(θ).
    """

    gradient_norm: float
    relative: float
    smallest_eigenvalue: float
    loss: float


def optimality(
    model: LinearModel,
    dataset: Dataset,
    l2: float | None = None,
    weights: ArrayLike | None = None,
) -> Optimality:
    """Measure how far the model is from the minimum of its training loss, in float64.

    l2: of the loss that it should be a minimum of; the model's own where not given. weights: (n,)
    of the samples in its mean, with mean 1; 1 each where not given.
    Raises InvalidInput.
    """
    check_pair(as_linear(model), dataset)
    l2 = check_positive("l2", model.l2 if l2 is None else l2)
    loss, gradient = cross_entropy(model.parameters, dataset, weights)
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
    parameters: NDArray[np.float64], dataset: Dataset, weights: ArrayLike | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean cross-entropy on train and its gradient, (K, d+1), bias last; weights (n,)
    of the samples in that mean as in `optimality`."""
    n = dataset.n_train
    w = np.ones(n) if weights is None else check_sample_weights(weights, n)
    X = np.concatenate([dataset.X_train, np.ones((n, 1))], axis=1, dtype=np.float64)
    y, rows = dataset.y_train, np.arange(n)
    logits = X @ parameters.T
    logits -= logits.max(axis=1, keepdims=True)
    P = np.exp(logits)
    total = P.sum(axis=1, keepdims=True)
    loss = float((w * (np.log(total[:, 0]) - logits[rows, y])).mean())
    P /= total
    P[rows, y] -= 1
    P *= w[:, None]
    return loss, P.T @ X / len(X)
