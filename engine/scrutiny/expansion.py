"""Scores of a linear model to first order in θ, and what bounds the rest: self-concordance.

Log-sum-exp ψ is self-concordant: along h, the derivative of its Hessian S is at most range(h)·S,
range(h) = max h − min h. So on a sample whose logits' differences change by at most r

    e^{−r} S ⪯ S' ⪯ e^r S,   |w·(∇ψ(z+h) − ∇ψ(z) − S h)| <= φ(r) ‖w‖_S ‖h‖_S,
    |w·(S' − S − S˙)h| <= (e^r − 1 − r) ‖w‖_S ‖h‖_S,   φ(r) = (e^r − 1 − r)/r,

S˙ being S's derivative along the change (`docs/certificates.md` proves all three).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.influence.problem import order_sign
from engine.models.linear import LinearModel

Array = NDArray[np.float64]

TINY = float(np.finfo(np.float64).tiny)  # in place of a divisor of 0
JITTER = 1e-13  # relative to the trace: makes a singular matrix's Cholesky factor exist


class ExpansionPart(NamedTuple):
    """A split at θ*: features with a column of ones (n, D), p − y (n, K), S = diag(p) − ppᵀ."""

    X: Array
    P: Array
    E: Array
    S: Array  # n, K, K

    @classmethod
    def of(cls, theta: Array, features: NDArray, labels: NDArray) -> Self:
        X = np.concatenate([features, np.ones((len(features), 1))], axis=1, dtype=np.float64)
        Z = X @ theta.T
        Z = np.exp(Z - Z.max(axis=1, keepdims=True))
        P = Z / Z.sum(axis=1, keepdims=True)
        rows = np.arange(len(X))
        E = P.copy()
        E[rows, labels] = 0
        E[rows, labels] = -E.sum(axis=1)  # p − 1 would lose a sure sample's digits
        S = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
        return cls(X, P, E, S)

    def mean_of(self, M: Array) -> Array:
        """Return the mean of M_i ⊗ x_i x_iᵀ, (K·D, K·D), for symmetric M (n, K, K)."""
        n, D = self.X.shape
        K = M.shape[1]
        H = np.empty((K, D, K, D))
        for a in range(K):
            for b in range(a, K):
                H[a, :, b] = (self.X * M[:, a, b, None]).T @ self.X / n
                H[b, :, a] = H[a, :, b]
        return H.reshape(K * D, K * D)

    def hessian(self, weights: Array) -> Array:
        """Return the Hessian of the mean loss with these weights (n,) on its samples."""
        return self.mean_of(self.S * weights[:, None, None])

    def outer(self, U: Array) -> Array:
        """Return u_i ⊗ x_i for every sample, (n, K·D), U (n, K)."""
        return (U[:, :, None] * self.X[:, None, :]).reshape(len(self.X), -1)

    def variances(self, V: Array) -> Array:
        """Return ‖V x_i‖²_S for every sample, (n,): the variance of the logits' change under p."""
        U = self.X @ V.reshape(self.P.shape[1], -1).T
        U -= (self.P * U).sum(axis=1, keepdims=True)
        return (self.P * U**2).sum(axis=1)


def series(r: Array) -> Array:
    """2(e^r − 1 − r)/r² for r < 1e-3, rounded up by less than 1e-11."""
    return 1 + r / 3 + r**2 / 12 + r**3 / 50


def excess(r: Array) -> Array:
    """e^r − 1 − r, without cancellation for small r."""
    return np.where(r < 1e-3, r**2 / 2 * series(r), np.expm1(r) - r)


def phi(r: Array) -> Array:
    """(e^r − 1 − r)/r: what the second-order remainder of log-sum-exp's gradient is at most,
    in units of ‖·‖_S of its two directions."""
    return np.where(r < 1e-3, r / 2 * series(r), excess(r) / np.maximum(r, TINY))


def slope(r: Array) -> Array:
    """(e^r − 1)/r, 1 at 0."""
    return np.where(r > 0, np.expm1(r) / np.maximum(r, TINY), 1.0)


def kept(r: Array) -> Array:
    """(1 − e^−r)/r, 1 at 0: the least share of S that is left on average on the way."""
    return np.where(r > 0, -np.expm1(-r) / np.maximum(r, TINY), 1.0)


def largest(M: Array) -> float:
    """Return the largest eigenvalue of a symmetric matrix, at least 0."""
    last = len(M) - 1
    found = scipy.linalg.eigh(M, eigvals_only=True, subset_by_index=(last, last))
    return max(float(found[0]), 0.0)


def factor(M: Array) -> Array:
    """Return a lower triangular L with L Lᵀ ⪰ M, and hardly larger, for a positive semidefinite
    M: its Cholesky factor once M is positive definite."""
    room = JITTER * max(float(np.trace(M)), TINY)
    lower: Array = scipy.linalg.cholesky(M + room * np.eye(len(M)), lower=True)
    return lower


def root(M: Array, power: float) -> Array:
    """Return a power of a positive semidefinite symmetric matrix."""
    values, vectors = np.linalg.eigh(M)
    found: Array = (vectors * np.clip(values, 0, None) ** power) @ vectors.T
    return found


@dataclass(frozen=True, eq=False)
class Expansion:
    """Scores of all training samples at θ*, their gradients, and what their remainders need.

    scores (n,), gradients ∇I (n, P), T: t_i = A⁻¹G_i, (n, P), s = A⁻¹g, with A = H + λI, G the
    samples' gradients and g the test loss's; curl = A^{−½}(H_test − ∇⟨·, H s⟩), (P, P).
    """

    train: ExpansionPart
    test: ExpansionPart
    H: Array
    scores: Array
    gradients: Array
    T: Array
    s: Array
    curl: Array
    A_root: Array  # A^{−½}
    own_gradient: float
    l2: float

    @classmethod
    def of(
        cls, model: LinearModel, dataset: Dataset, l2: float, damping: float, order: str
    ) -> Self:
        """Expand at `model`; scores are those that `order` ranks from the highest."""
        theta, sign = model.parameters, order_sign(order)
        train = ExpansionPart.of(theta, dataset.X_train, dataset.y_train)
        test = ExpansionPart.of(theta, dataset.X_test, dataset.y_test)
        H, H_test = train.mean_of(train.S), test.mean_of(test.S)
        eye = np.eye(len(H))
        A_root = root(H + damping * eye, -0.5)
        G = train.outer(train.E)
        s = A_root @ (A_root @ (test.E.T @ test.X / len(test.X)).ravel())
        U = train.X @ s.reshape(theta.shape).T  # s x_i
        change = H_test - train.mean_of(derivative(train.P, U))
        T = G @ A_root @ A_root
        own = np.einsum("nab,nb->na", train.S, U)
        return cls(
            train=train,
            test=test,
            H=H,
            scores=-sign * (G @ s),
            gradients=-sign * (train.outer(own) + T @ change),
            T=T,
            s=s,
            curl=A_root @ change,
            A_root=A_root,
            own_gradient=float(np.linalg.norm(train.E.T @ train.X / len(G) + l2 * theta)),
            l2=l2,
        )

    @cached_property
    def solve(self) -> Array:
        """Return (H + l2·I)⁻¹, (P, P)."""
        return root(self.H + self.l2 * np.eye(len(self.H)), -1)

    @cached_property
    def own_reach(self) -> Array:
        """Return κ_i: ‖w x_i‖_S <= κ_i ‖w‖_A for every w, (n,)."""
        n, K = self.train.P.shape
        A_inverse = (self.A_root @ self.A_root).reshape(K, -1, K, self.train.X.shape[1])
        blocks = np.empty((n, K, K))
        for a in range(K):
            for b in range(K):
                blocks[:, a, b] = ((self.train.X @ A_inverse[a, :, b]) * self.train.X).sum(axis=1)
        # The eigenvalues of S·block are those of S^½ block S^½: real and not negative.
        squared: Array = np.linalg.eigvals(self.train.S @ blocks).real.max(axis=1)
        reach: Array = squared.clip(0) ** 0.5
        return reach

    @cached_property
    def spread(self) -> Array:
        """Return σ_i with ‖h‖_S <= σ_i·range(h), (n,): ½, or less where one class is likely."""
        return np.minimum(0.5, np.sqrt(1 - self.train.P.max(axis=1)))

    @cached_property
    def steepness(self) -> float:
        """Return ‖A^{−½} H_test A^{−½}‖₂^½."""
        H_test = self.test.mean_of(self.test.S)
        return largest(self.A_root @ H_test @ self.A_root) ** 0.5


def derivative(P: Array, U: Array) -> Array:
    """Return the derivative of S = diag(p) − ppᵀ as the logits move along U, (n, K, K)."""
    W = P * (U - (P * U).sum(axis=1, keepdims=True))
    mixed = W[:, :, None] * P[:, None, :]
    return W[:, :, None] * np.eye(P.shape[1]) - mixed - mixed.transpose(0, 2, 1)
