"""What a trainer declares, the minimum of that loss, and how scores follow it in closed form.

A trainer chooses an l2, weights w of the samples (mean 1) and scales s of the features. With
x̃ = (s ⊙ x, 1), the model is the one minimum θ of

    L(θ) = (1/n) Σ w_i ℓ(θ; x̃_i, y_i) + l2/2·‖θ‖²,   A = H_w(θ) + l2·I

H_w is the Hessian of the weighted mean. The verifier scores that model as every other: Definition 1
on the features x̃, with the mean over all samples alike, and the usual damping λ. With
g = ∇θ Σ c_i I_i and s_c of `LinearProblem.gradient`, t the solve (H + λI)⁻¹∇L(test), and v = A⁻¹g,

    ∂/∂w_i      Σ c I = −⟨∇ℓ_i, v⟩/n                            dθ/dw_i = −A⁻¹ ∇ℓ_i/n
    ∂/∂(log l2) Σ c I = −l2·⟨v, θ⟩                              dθ/dl2 = −A⁻¹ θ
    ∂/∂s_j      Σ c I = (2/s_j)·Σ_k (l2·v ⊙ θ − λ·s_c ⊙ t)_kj

One solve gives all of them. The last line reads the scales as a penalty: with ϑ_j = s_j θ_j on the
features as they are, l2·I becomes l2·diag(1/s²), and λI becomes λ·diag(1/s²).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import check_array, check_positive, check_sample_weights
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.newton import minimum
from engine.influence.problem import Forward, ranks
from engine.influence.products import image, probabilities, residuals
from engine.models.linear import LinearModel
from engine.vocabulary import DAMPING

Vector = NDArray[np.float64]
SOLVED = 1e-9  # relative residual of the scores' solves
AT_MINIMUM = 1e-10  # norm of the gradient; the last Newton step ends far below


@dataclass(frozen=True, eq=False)
class Declared:
    """The choices of a trainer: l2 > 0, weights (n,) of mean 1, scales (d,) > 0 of the features."""

    l2: float
    weights: Vector
    scales: Vector

    def __post_init__(self) -> None:
        scales = check_array("scales", self.scales)
        if scales.ndim != 1 or not np.isfinite(scales).all() or scales.min() <= 0:
            raise InvalidInput("scales", self.scales, "finite numbers > 0, one a feature")
        object.__setattr__(self, "l2", check_positive("l2", self.l2))
        object.__setattr__(self, "scales", scales)
        n = len(np.atleast_1d(self.weights))
        object.__setattr__(self, "weights", check_sample_weights(self.weights, n))

    @classmethod
    def usual(cls, dataset: Dataset, l2: float) -> "Declared":
        """Return the choices of a trainer who weighs and scales nothing."""
        return cls(l2, np.ones(dataset.n_train), np.ones(dataset.n_features))

    @property
    def epsilon(self) -> float:
        """Return the largest distance of a weight or a scale from 1."""
        return float(max(np.abs(self.weights - 1).max(), np.abs(self.scales - 1).max()))

    def features(self, dataset: Dataset) -> Dataset:
        """Return the data set with its features scaled."""
        if bool((self.scales == 1).all()):
            return dataset
        scales = self.scales.astype(np.float32)
        return replace(
            dataset,
            X_train=dataset.X_train * scales,
            X_test=dataset.X_test * scales,
            X_holdout=dataset.X_holdout * scales,
        )


@dataclass(frozen=True, eq=False)
class Trained:
    """The minimum of a declared loss: θ (1, P) on the scaled features, the norm of the loss's
    gradient there, and the verifier's scores."""

    declared: Declared
    dataset: Dataset
    problem: LinearProblem
    theta: Tensor
    gradient_norm: float
    forward: Forward

    @property
    def model(self) -> LinearModel:
        """Return the model, on the scaled features."""
        theta = self.problem.decode(self.theta[0])
        return LinearModel(
            *(theta[:, :-1].copy(), theta[:, -1].copy(), self.declared.l2),
            gradient_norm=self.gradient_norm,
        )

    @property
    def ranks(self) -> NDArray[np.int64]:
        return ranks(self.forward.scores[0].cpu().numpy())

    @property
    def loss(self) -> LinearProblem:
        """Return the problem whose training loss is the declared one, with l2 as its damping."""
        return self.problem.damped(self.declared.l2).weighted(self.declared.weights)

    def accuracy(self, split: str) -> float:
        return float(self.problem.accuracy(self.theta, split))


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains on a data set what is declared. damping, order: of the verifier's scores."""

    dataset: Dataset
    plain: LinearProblem  # of the features as they are

    @classmethod
    def on(
        cls,
        dataset: Dataset,
        damping: float = DAMPING,
        order: str = "highest_first",
        device: str = "auto",
    ) -> "Trainer":
        return cls(dataset, LinearProblem.build(dataset, damping, order, "float64", device))

    def problem_of(self, declared: Declared, dataset: Dataset) -> LinearProblem:
        """Return the verifier's problem on the features as they are declared."""
        if dataset is self.dataset:
            return self.plain
        plain, order = self.plain, "highest_first" if self.plain.sign > 0 else "lowest_first"
        device = str(plain.basis.device)
        return LinearProblem.build(dataset, plain.damping, order, "float64", device)

    def train(self, declared: Declared, start: Vector, tolerance: float = AT_MINIMUM) -> Trained:
        """Follow Newton steps to the minimum of the declared loss, and score it.

        start: (K, d+1), on the features as they are, where they begin. tolerance: norm of the
        gradient at which they end. Raises NotConverged.
        """
        dataset = declared.features(self.dataset)
        problem = self.problem_of(declared, dataset)
        scales = np.append(declared.scales, 1.0)
        theta = problem.encode(LinearModel.from_parameters(start / scales, declared.l2))
        loss = problem.damped(declared.l2).weighted(declared.weights)
        theta, norms = minimum(loss, theta, declared.l2, tolerance)
        forward = problem.forward(theta, SOLVED)
        return Trained(declared, dataset, problem, theta, float(norms), forward)

    def unscaled(self, trained: Trained) -> Vector:
        """Return θ (K, d+1) on the features as they are: where another training may start."""
        scales = np.append(trained.declared.scales, 1.0)
        return trained.problem.decode(trained.theta[0]) * scales


def slopes(
    trained: Trained, coefficients: Tensor, tolerance: float = SOLVED
) -> tuple[Vector, Vector, Vector]:
    """Return the derivatives of Σ_i c_i I_i at the declared minimum for each row of coefficients
    (c, n), which are held fixed: by log l2, (c,), by the weights, (c, n), and by the scales,
    (c, d). tolerance: relative residual of the solves."""
    problem, loss, declared = trained.problem, trained.loss, trained.declared
    gradient, on_scores = problem.gradient(trained.forward, coefficients, tolerance)
    curvature = loss.curvature(trained.theta)
    v = loss.solve(curvature, problem.shape(gradient), tolerance)
    theta = problem.shape(trained.theta)
    errors = residuals(probabilities(image(problem.train.X, theta)), problem.train.y)
    by_weights = -(errors * v.image).sum(1) / problem.n_train
    by_l2 = -declared.l2 * (v.x * theta).sum((1, 2))

    def own(V: Tensor) -> Tensor:
        return V @ problem.basis.T  # in the features' own basis

    penalty = declared.l2 * own(v.x) * own(theta)
    penalty -= problem.damping * own(on_scores.x) * own(trained.forward.solution.x)
    by_scales = 2 * penalty.sum(1)[:, :-1].cpu().numpy() / declared.scales
    return by_l2.cpu().numpy(), by_weights.cpu().numpy(), by_scales


def has(means: str, part: str) -> bool:
    """Say whether some means (of `engine.vocabulary.MEANS`) move 'l2', 'weights' or 'scales'."""
    return means in (part, "together")
