"""Theorem 1: a training sample that no linear model ranks among its k first, in closed form.

Two classes. The test set is one point (x, y); the training set holds the target (x, y), k copies of
it with the other label, and anything else. With x̃ the features and the column of ones, v the
difference of the two classes' weights (y's first) and z_i = ⟨v, x̃_i⟩, a model gives sample i the
probability p_i = σ(z_i) of y; p and x̃ without an index are those of the test point. For u = (1, −1)

    ∇L(z_i)        = r_i u ⊗ x̃_i,     r_i = p_i − 1 where the label is y, else p_i
    H (u ⊗ w)      = u ⊗ 2Aw,         A = mean p_i (1 − p_i) x̃_i x̃_iᵀ
    s              = (2A + λI)⁻¹ x̃
    I_i            = 2 (1 − p) r_i ⟨s, x̃_i⟩                                   (Definition 1)
    I_target       = −(1 − p)² q,     I_copy = p (1 − p) q,     q = 2⟨s, x̃⟩ > 0
    I_copy − I_target = (1 − p) q > 0,        so that the target's rank is above k.

Nothing of it needs the column of ones. The paper's special case has none, and basis vectors for
features: A is diagonal there, and with n₁ of the n samples on x = e₁, q = 2 / (λ + 2p(1 − p)n₁/n).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # which loads `scipy.special` when it is first used: a third of a second
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.options import truth
from engine.vocabulary import DAMPING

SIZES = (0.01, 100.0)  # the norms of random models, as far as p ≈ 1/2 and 1 − p ≈ 1e-200 apart
MOST_NUMBERS = 10_000_000  # samples times features: an instance is an illustration
OUTERMOST = 1.2  # the target's distance from the origin, over that of the furthest other sample
APART = 2.0  # the centre of each cloud, from the origin
CHUNK = 1000  # models at a time


@dataclass(frozen=True, eq=False)
class ImpossibleInstance:
    """A data set whose training sample `target` never reaches the top k: samples 1…k contradict it.

    Class 0 is y. The holdout half is the test half: the theorem is about the one test point.
    """

    dataset: Dataset
    k: int
    target: int = 0

    @property
    def copies(self) -> NDArray[np.int64]:
        """Index the training samples at the target's place with the other label."""
        return np.arange(1, self.k + 1)


@dataclass(frozen=True, eq=False)
class ExactScores:
    """Scores of B models. All scores of a model share the factor 1 − p > 0, which is 0 in float64
    where the log-odds exceed 745: `scores`, `target` and `copy` are 0 there, all equal. Ranks are
    therefore counted without that factor, and `log_gap` is finite for every model.

    log_odds: ln p/(1 − p) of the test point (B,). q: (B,). relative: I_i / (1 − p), (B, n).
    ranks: the target's, 1 + number of strictly greater scores, (B,).
    """

    log_odds: NDArray[np.float64]
    q: NDArray[np.float64]
    relative: NDArray[np.float64]
    ranks: NDArray[np.int64]

    @property
    def p(self) -> NDArray[np.float64]:
        """Return the models' probability of y at the test point, (B,)."""
        return scipy.special.expit(self.log_odds)

    @property
    def scores(self) -> NDArray[np.float64]:
        """Definition 1, (B, n)."""
        return scipy.special.expit(-self.log_odds)[:, None] * self.relative

    @property
    def target(self) -> NDArray[np.float64]:
        """I_target = −(1 − p)² q, (B,)."""
        return -np.exp(2 * scipy.special.log_expit(-self.log_odds)) * self.q

    @property
    def copy(self) -> NDArray[np.float64]:
        """I_copy = p (1 − p) q, (B,)."""
        return self.p * scipy.special.expit(-self.log_odds) * self.q

    @property
    def log_gap(self) -> NDArray[np.float64]:
        """ln (I_copy − I_target) = ln (1 − p) q, (B,)."""
        return scipy.special.log_expit(-self.log_odds) + np.log(self.q)


@dataclass(frozen=True, eq=False)
class RandomModels:
    """Hold what random models made of the target. table: one row per model: log_odds, rank and
    log_gap, as in `ExactScores`."""

    k: int
    table: pd.DataFrame

    @property
    def best_rank(self) -> int:
        """Return the target's best rank under any of the models."""
        return int(self.table["rank"].min())

    @property
    def beaten(self) -> int:
        """Return how many models have the target in the top k."""
        return int((self.table["rank"] <= self.k).sum())


def impossible_instance(
    k: int = 1, n_train: int = 60, n_features: int = 2, seed: int = 0, basis: bool = False
) -> ImpossibleInstance:
    """Build the data of Theorem 1: target, k copies with the other label, and n_train − k − 1
    further samples.

    Those may be anything. Here they are two Gaussian clouds, one for each class, with the target
    furthest out on its own class's side: some models rank it above all of them, so that nothing but
    its copies keeps it from the top.
    basis: the paper's special case instead, x = e₁ and all other samples on random basis vectors
    with random labels.
    Raises InvalidInput.
    """
    k = check_integer("k", k, 1)
    n_features = check_integer("n_features", n_features, 2)
    n_train = check_integer("n_train", n_train, 1)
    if n_train < k + 1:
        raise InvalidInput("n_train", n_train, f"at least k + 1 = {k + 1}: the target and k copies")
    if n_train * n_features > MOST_NUMBERS:
        raise InvalidInput("n_train", n_train, f"at most {MOST_NUMBERS // n_features:,} here")
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    basis = truth("basis", basis)
    X, y = (on_basis if basis else two_clouds)(n_train, n_features, rng)
    X[1 : k + 1], y[0], y[1 : k + 1] = X[0], 0, 1
    features = X.astype(np.float32)
    dataset = Dataset(
        name=f"impossible-{k}",
        X_train=features,
        y_train=y,
        X_test=features[:1],
        y_test=y[:1],
        X_holdout=features[:1],
        y_holdout=y[:1],
        class_names=("y", "not y"),
        title="An impossible sample (Theorem 1)",
    )
    return ImpossibleInstance(dataset, k)


def check_instance(instance: object) -> ImpossibleInstance:
    """`instance` if it is one. Raises InvalidInput."""
    if not isinstance(instance, ImpossibleInstance):
        expected = "what impossible_instance(k) returns"
        raise InvalidInput("instance", type(instance).__name__, expected)
    return instance


def two_clouds(
    n: int, d: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw features and labels of two Gaussian clouds, sample 0 outermost on class 0's side."""
    direction = rng.standard_normal(d)
    direction /= np.linalg.norm(direction)
    y = np.arange(n) % 2
    X = rng.standard_normal((n, d)) + APART * np.outer(1 - 2 * y, direction)
    X[0] = OUTERMOST * np.linalg.norm(X, axis=1).max() * direction
    return X, y


def on_basis(
    n: int, d: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw random basis vectors with random labels, sample 0 on the first."""
    at = rng.integers(d, size=n)
    at[0] = 0
    return np.eye(d)[at], rng.integers(2, size=n)


def impossible_scores(
    instance: ImpossibleInstance, theta: ArrayLike, damping: float = DAMPING
) -> ExactScores:
    """Compute the scores of an instance under models θ, in float64.

    theta: (2, d + 1), the bias last as in `LinearModel.parameters`, or (2, d) for a model without
    bias; several models as (B, 2, d + 1) or (B, 2, d). damping: λ > 0.
    Raises InvalidInput.
    """
    damping = check_positive("damping", damping)
    X, z = features_and_logits(instance, theta)
    x, log_odds = X[instance.target], z[:, instance.target]
    outer = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    expit = scipy.special.expit
    A = (expit(z) * expit(-z) @ outer / len(X)).reshape(len(z), len(x), len(x))
    values, vectors = np.linalg.eigh(2 * A)
    rotated = x @ vectors  # B, D
    solved = rotated / (values.clip(min=0) + damping)
    q = 2 * (rotated * solved).sum(1)  # squares over positive numbers: > 0 whatever the rounding
    s = (vectors @ solved[:, :, None])[:, :, 0]
    residuals = np.where(instance.dataset.y_train == 0, -expit(-z), expit(z))
    relative = 2 * residuals * (s @ X.T)
    at_x = (x == X).all(1)  # q again, from another sum: ties at x are to be exact
    relative[:, at_x] = (residuals * q[:, None])[:, at_x]
    ranks = 1 + (relative > relative[:, [instance.target]]).sum(1)
    return ExactScores(log_odds, q, relative, ranks)


def features_and_logits(
    instance: ImpossibleInstance, theta: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return X̃ (n, D), with a column of ones where θ has a bias, and z (B, n). Raises
    InvalidInput."""
    dataset = check_instance(instance).dataset
    models = check_array("theta", theta)
    d, width = dataset.n_features, models.shape[-1] if models.ndim else 0
    if models.ndim not in (2, 3) or models.shape[-2] != 2 or width not in (d, d + 1):
        raise InvalidInput("theta", models.shape, f"of shape (…, 2, {d + 1}) or (…, 2, {d})")
    models = models.reshape(-1, 2, width)
    X = np.ones((dataset.n_train, width))
    X[:, :d] = dataset.X_train
    if not X[instance.target].any():
        raise InvalidInput("x", X[instance.target], "other than 0 where the model has no bias")
    with np.errstate(over="ignore", invalid="ignore"):
        z = (models[:, 0] - models[:, 1]) @ X.T
    if not np.isfinite(z).all():
        raise InvalidInput("theta", "NaN or infinity", "finite, and small enough for its logits")
    return X, z


def try_random_models(
    instance: ImpossibleInstance, count: int = 10_000, seed: int = 0, damping: float = DAMPING
) -> RandomModels:
    """Rank the target under `count` random models: directions uniform, norms log-uniform from
    0.01 to 100.

    Raises InvalidInput.
    """
    count, instance = check_integer("count", count, 1), check_instance(instance)
    rng = np.random.default_rng(check_integer("seed", seed, 0))
    tried = (
        impossible_scores(instance, theta, damping)
        for theta in random_models(instance.dataset.n_features + 1, count, rng)
    )
    parts = [
        pd.DataFrame({"log_odds": t.log_odds, "rank": t.ranks, "log_gap": t.log_gap}) for t in tried
    ]
    return RandomModels(instance.k, pd.concat(parts, ignore_index=True))


def random_models(
    width: int, count: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Draw `count` models (2, width), a chunk at a time."""
    low, high = np.log(SIZES)
    for start in range(0, count, CHUNK):
        theta = rng.standard_normal((min(CHUNK, count - start), 2, width))
        theta /= np.linalg.norm(theta, axis=(1, 2), keepdims=True)
        yield theta * np.exp(rng.uniform(low, high, (len(theta), 1, 1)))
