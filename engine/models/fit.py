"""Training the honest model: mean cross-entropy + l2/2·‖θ‖², bias included, in float64."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from engine.checks import check_choice, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.devices import resolve_device
from engine.models.linear import LinearModel
from engine.models.model import check_dataset
from engine.rows import Rows, Streamed, times, under
from engine.vocabulary import L2

GRADIENT_TOLERANCE = 1e-8  # largest entry of the gradient at which training stops
ADAM_RATE, SGD_RATE, MOMENTUM = 0.02, 0.05, 0.9
SGD_ROWS = 64  # of a batch
SGD_DECAY = 1000  # steps after which SGD's rate has halved


@dataclass(frozen=True, eq=False)
class TrainingLoss:
    """Mean cross-entropy + l2/2·‖θ‖²; X (n, D) with a column of ones, y (n,)."""

    X: Rows
    y: Tensor
    l2: float

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return value and gradient at θ (K, D)."""
        log_p = torch.log_softmax(times(self.X, theta), dim=0)  # K, n
        own = self.y, torch.arange(len(self.y), device=theta.device)
        value = self.l2 / 2 * theta.square().sum() - log_p[own].mean()
        residual = log_p.exp()
        residual[own] -= 1
        return value, under(residual, self.X) / len(self.X) + self.l2 * theta

    def rows(self, chosen: Tensor) -> "TrainingLoss":
        return TrainingLoss(self.X[chosen], self.y[chosen], self.l2)


def lbfgs(
    loss: Callable[[Tensor], tuple[Tensor, Tensor]],
    theta: Tensor,
    max_iterations: int,
    seed: int,
    tolerance: float = GRADIENT_TOLERANCE,
) -> tuple[Tensor, int]:
    """Minimise by SciPy's L-BFGS; deterministic."""

    def value_and_gradient(flat: NDArray) -> tuple[float, NDArray]:
        value, gradient = loss(torch.as_tensor(flat, device=theta.device).view(theta.shape))
        return float(value), gradient.flatten().cpu().numpy()

    found = minimize(
        value_and_gradient,
        theta.flatten().cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_iterations,
            "maxfun": 2 * max_iterations,
            "maxcor": 20,
            "gtol": tolerance,
            "ftol": 0,
        },
    )
    return torch.as_tensor(found.x, device=theta.device).view(theta.shape), int(found.nit)


def adam(loss: TrainingLoss, theta: Tensor, max_iterations: int, seed: int) -> tuple[Tensor, int]:
    """Minimise by Adam on all samples at once; deterministic."""
    theta = theta.clone().requires_grad_()
    optimizer = torch.optim.Adam([theta], lr=ADAM_RATE)
    for iteration in range(max_iterations):
        theta.grad = loss(theta.detach())[1]
        if theta.grad.abs().max() <= GRADIENT_TOLERANCE:
            return theta.detach(), iteration
        optimizer.step()
    return theta.detach(), max_iterations


def sgd(loss: TrainingLoss, theta: Tensor, max_iterations: int, seed: int) -> tuple[Tensor, int]:
    """Minimise by momentum on batches of 64 drawn by the seed, the rate falling as 1 / (1 +
    t/1000)."""
    theta = theta.clone().requires_grad_()
    optimizer = torch.optim.SGD([theta], lr=SGD_RATE, momentum=MOMENTUM)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t / SGD_DECAY))
    rng = np.random.default_rng(seed)
    for _ in range(max_iterations):
        chosen = rng.integers(len(loss.y), size=min(SGD_ROWS, len(loss.y)))
        theta.grad = loss.rows(torch.as_tensor(chosen, device=theta.device))(theta.detach())[1]
        optimizer.step()
        rates.step()
    return theta.detach(), max_iterations


def features(dataset: Dataset, device: torch.device) -> Rows:
    """Return the training features (n, D) with a column of ones, float64, read in parts where
    they are on disk."""
    if dataset.on_disk:
        return Streamed.of(dataset.X_train, torch.float64, device)
    X = torch.as_tensor(dataset.X_train, dtype=torch.float64, device=device)
    return torch.cat([X, X.new_ones(len(X), 1)], dim=1)


OPTIMIZERS = {"lbfgs": lbfgs, "adam": adam, "sgd": sgd}


def fit(
    dataset: Dataset,
    l2: float = L2,
    optimizer: str = "lbfgs",
    max_iterations: int = 2000,
    device: str = "auto",
    seed: int = 0,
) -> LinearModel:
    """Train the honest model θ* on `dataset.X_train`, from zero weights; deterministic.

    l2: weight of ‖θ‖²/2 beside the *mean* cross-entropy, > 0 so that a unique minimum exists.
    optimizer: 'lbfgs', 'adam' (full batches) or 'sgd' (batches drawn by `seed`).
    max_iterations: steps at most; fewer stop early, and `gradient_norm` says how early.
    Raises InvalidInput, DeviceUnavailable.
    """
    check_dataset(dataset)
    train = OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)]
    l2 = check_positive("l2", l2)
    max_iterations = check_integer("max_iterations", max_iterations, 1)
    seed = check_integer("seed", seed, 0)
    where = resolve_device(device)
    X = features(dataset, where)
    loss = TrainingLoss(X, torch.as_tensor(dataset.y_train, device=where), l2)
    start = torch.zeros(dataset.n_classes, X.shape[1], dtype=X.dtype, device=where)
    theta, iterations = train(loss, start, max_iterations, seed)
    parameters = theta.cpu().numpy()
    return LinearModel(
        weight=parameters[:, :-1].copy(),
        bias=parameters[:, -1].copy(),
        l2=l2,
        gradient_norm=float(loss(theta)[1].norm()),
        iterations=iterations,
    )
