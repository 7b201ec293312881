"""Fairness by influence, as Li and Liu (2022) reweigh: a base model's influence scores choose how
much of each training row is removed before a downstream model is trained.

Logistic regression without intercept; the objective is the *summed* log-loss + l2/2·‖θ‖². All in
float64. With p = σ(Xθ), removing row i changes a function f of the model by g_iᵀ H⁻¹ ∇f, where
g_i = (p_i − y_i) x_i and H = Σ p_i (1 − p_i) x_i x_iᵀ + l2·I.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import linprog
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from engine.data.fairness import FairnessDataset
from engine.errors import NotConverged
from engine.vocabulary import PROGRAMMES

LEAST_REMOVAL, MOST_FAIRNESS = PROGRAMMES
MAX_ITERATIONS = 1000
GRADIENT_TOLERANCE = 1e-9
SOLVED, INFEASIBLE = 0, 2  # of linprog's statuses


def train(
    X: NDArray,
    y: NDArray,
    l2: float,
    weights: NDArray | None = None,
    start: NDArray | None = None,
) -> NDArray[np.float64]:
    """Fit θ (d,), logistic regression on rows weighted by `weights`; the objective is convex, so
    that `start` (d,) saves iterations and changes nothing else. Raises NotConverged."""
    model = LogisticRegression(
        C=1 / l2,
        fit_intercept=False,
        solver="newton-cholesky",
        tol=GRADIENT_TOLERANCE,
        max_iter=MAX_ITERATIONS,
        warm_start=True,
    )
    if start is not None:
        model.coef_ = start[None]
    model.fit(X, y, sample_weight=weights)
    if model.n_iter_.max() >= MAX_ITERATIONS:
        raise NotConverged(
            f"The logistic regression did not converge in {MAX_ITERATIONS} iterations. A larger "
            "l2 helps."
        )
    return model.coef_[0]


def log_losses(theta: NDArray, X: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Return the log-loss of every row (n,); finite however sure the model is."""
    logits = X @ theta
    return np.logaddexp(0, np.where(y == 1, -logits, logits))


def predict(theta: NDArray, X: NDArray) -> NDArray[np.bool_]:
    """Return which rows (n,) are predicted the favourable label."""
    return X @ theta > 0


def loss_gradient(theta: NDArray, X: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Return the gradient (d,) of the summed log-loss."""
    return X.T @ (expit(X @ theta) - y)


def soft_gap(
    theta: NDArray, X: NDArray, y: NDArray, group: NDArray, metric: str
) -> tuple[float, NDArray[np.float64]]:
    """Return the differentiable gap that the pipeline lowers, and its gradient (d,).

    'dp': mean p of group 1 minus mean p of group 0. 'eop': mean log-loss of the favourable rows
    (y = 1) of group 0 minus that of group 1. Both are positive where group 1 is better off.
    """
    first, other = group == 1, group == 0
    if metric == "eop":
        first, other = (y == 1) & other, (y == 1) & first  # a loss: the worse-off group comes first
        values = log_losses(theta, X, y)
        slopes = expit(X @ theta) - y
    else:
        values = expit(X @ theta)
        slopes = values * (1 - values)
    gap = values[first].mean() - values[other].mean()
    signs = first / first.sum() - other / other.sum()
    return float(gap), X.T @ (signs * slopes)


@dataclass(frozen=True, eq=False)
class Effects:
    """What removing each training row does to two functions of the validation set, (n,) each: the
    soft gap, whose value now is `gap`, and the summed log-loss."""

    gap: float
    on_gap: NDArray[np.float64]
    on_loss: NDArray[np.float64]


def removal_effects(theta: NDArray, dataset: FairnessDataset, metric: str, l2: float) -> Effects:
    """Return the influence scores that the pipeline uses, at the model θ (d,)."""
    X, y, _ = dataset.split("train")
    p = expit(X @ theta)
    hessian = (X * (p * (1 - p))[:, None]).T @ X
    hessian[np.diag_indices_from(hessian)] += l2
    X_val, y_val, group_val = dataset.split("val")
    gap, gap_gradient = soft_gap(theta, X_val, y_val, group_val, metric)
    directions = np.stack([gap_gradient, loss_gradient(theta, X_val, y_val)], axis=1)
    on_gap, on_loss = ((p - y)[:, None] * (X @ cho_solve(cho_factor(hessian), directions))).T
    return Effects(gap, on_gap, on_loss)


@dataclass(frozen=True, eq=False)
class Removal:
    """A solved programme: which one, and how much of each training row goes, in [0, 1] (n,); None
    where it has no solution."""

    programme: str
    shares: NDArray[np.float64] | None


def choose_removal(effects: Effects, beta: float, gamma: float) -> Removal:
    """Solve the linear programme (Eq. 7): remove least so that the gap falls by β of itself and the
    validation loss by γ of what is possible.

    Where removal cannot promise to close the gap at all, the programme that lowers it most without
    raising the loss. Solved by HiGHS. Raises NotConverged.
    """
    n = len(effects.on_gap)
    possible = -np.minimum(effects.on_gap, 0).sum()
    if effects.gap >= possible:
        programme = MOST_FAIRNESS
        cost, rows = effects.on_gap, [effects.on_loss, np.ones(n)]
        limits = [0.0, n]
    else:
        programme = LEAST_REMOVAL
        cost, rows = np.ones(n), [effects.on_gap, effects.on_loss]
        limits = [-beta * effects.gap, gamma * np.minimum(effects.on_loss, 0).sum()]
    solved = linprog(cost, A_ub=np.stack(rows), b_ub=limits, bounds=(0, 1), method="highs")
    if solved.status not in (SOLVED, INFEASIBLE):
        raise NotConverged(f"The linear programme was not solved: {solved.message}")
    return Removal(programme, solved.x if solved.status == SOLVED else None)
