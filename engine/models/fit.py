"""Training the honest model: mean cross-entropy + l2/2·‖θ‖², bias included, in float64."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from engine.checks import check_choice, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.devices import resolve_device
from engine.models.linear import LinearModel

OPTIMIZERS = ("lbfgs",)
GRADIENT_TOLERANCE = 1e-8  # largest entry of the gradient at which L-BFGS stops


def fit(
    dataset: Dataset,
    l2: float = 0.01,
    optimizer: str = "lbfgs",
    max_iterations: int = 2000,
    device: str = "auto",
) -> LinearModel:
    """The honest model θ* on `dataset.X_train`, from zero weights; deterministic.

    l2: weight of ‖θ‖²/2 beside the *mean* cross-entropy, > 0 so that a unique minimum exists.
    max_iterations: L-BFGS steps at most; fewer stop early, and `gradient_norm` says how early.
    Raises InvalidInput, DeviceUnavailable.
    """
    check_choice("optimizer", optimizer, OPTIMIZERS)
    l2 = check_positive("l2", l2)
    max_iterations = check_integer("max_iterations", max_iterations, 1)
    where = resolve_device(device)
    X = torch.as_tensor(dataset.X_train, dtype=torch.float64, device=where)
    X = torch.cat([X, X.new_ones(len(X), 1)], dim=1)  # (n, D)
    y = torch.as_tensor(dataset.y_train, device=where)
    shape = (dataset.n_classes, X.shape[1])

    def loss_and_gradient(flat: NDArray) -> tuple[float, NDArray]:
        theta = torch.as_tensor(flat, device=where).view(shape)
        log_p = torch.log_softmax(X @ theta.T, dim=1)
        loss = torch.nn.functional.nll_loss(log_p, y) + l2 / 2 * theta.square().sum()
        residual = log_p.exp()
        residual[torch.arange(len(y), device=where), y] -= 1
        gradient = residual.T @ X / len(X) + l2 * theta
        return float(loss), gradient.flatten().cpu().numpy()

    found = minimize(
        loss_and_gradient,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_iterations,
            "maxfun": 2 * max_iterations,
            "maxcor": 20,
            "gtol": GRADIENT_TOLERANCE,
            "ftol": 0,
        },
    )
    theta = found.x.reshape(shape)
    return LinearModel(
        weight=theta[:, :-1].copy(),
        bias=theta[:, -1].copy(),
        l2=l2,
        gradient_norm=float(np.linalg.norm(loss_and_gradient(found.x)[1])),
        iterations=int(found.nit),
    )
