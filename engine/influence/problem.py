"""What an attack needs to know of a model: scores at θ, and the gradient of a weighted sum of them.

Signs and means are fixed here, once, for every implementation:
- the training loss is the mean over train, the test loss the mean over the test half;
- I_i = −∇L(test)ᵀ (H + λI)⁻¹ ∇L(z_i) (Definition 1), H the Hessian of the mean training loss
  without its l2 term, λ the damping. A positive score means that up-weighting z_i raises the test
  loss;
- `order` 'highest_first' ranks by I, as the paper does, 'lowest_first' by −I. `forward` returns the
  scores that are ranked, and coefficients multiply those.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.checks import order_sign as order_sign
from engine.influence.solve import Solution, Warm, WarmStart
from engine.models.model import Model
from engine.vocabulary import SIGNS as SIGNS


def ranks(ranked_scores: NDArray) -> NDArray[np.int64]:
    """1 + number of strictly greater scores, for each of (n,); ties share the better rank."""
    lowered = -np.asarray(ranked_scores)
    return 1 + np.searchsorted(np.sort(lowered), lowered).astype(np.int64)


@dataclass(frozen=True)
class Forward:
    """Scores of B models (B, n), the accuracy of each on the test half (B,), and the solve.

    `state` is the implementation's own: what its gradient takes up again.
    """

    scores: Tensor
    accuracy: Tensor
    solution: Solution
    state: object


class InfluenceProblem(Protocol):
    """Models θ as rows of (B, P); tolerances are relative residuals, ‖residual‖/‖b‖."""

    @property
    def n_train(self) -> int: ...

    @property
    def sign(self) -> int:
        """Return the sign of the order."""
        ...

    def encode(self, model: Model) -> Tensor:
        """θ of a model, (1, P), in the basis and type in which the problem is solved."""
        ...

    def decode(self, theta: Tensor) -> NDArray[np.float64]:
        """θ (P,), or a gradient, in the shape and basis in which a model keeps it."""
        ...

    def forward(
        self, theta: Tensor, tolerance: float, warm: WarmStart | None = None, split: str = "test"
    ) -> Forward: ...

    def gradient(
        self, forward: Forward, c: Tensor, tolerance: float, warm: Warm = None, weight: float = 0.0
    ) -> tuple[Tensor, Solution]:
        """∇θ (Σ_i c_i I_i + weight · L), (B, P), for coefficients c (B, n) held fixed, L the
        mean training loss without l2; and its solve."""
        ...

    def accuracy(self, theta: Tensor, split: str) -> Tensor:
        """(B,)"""
        ...

    def training_loss(self, theta: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        """Return the mean training loss + l2/2·‖θ‖², (B,), and its gradient, (B, P)."""
        ...

    def drift(self, theta: Tensor, honest: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far predictions have moved from those of θ* (1, P): the mean of KL(p_θ* ‖ p_θ)
        over the inputs of train and test, no label seen, in nats, (B,), and its gradient, (B,
        P)."""
        ...

    def hessian_product(self, theta: Tensor, V: Tensor) -> Tensor:
        """H V of the mean training loss, without damping or l2, (B, P)."""
        ...

    def damped(self, damping: float) -> Self:
        """Return the same problem with another damping."""
        ...

    def inverse_product(self, theta: Tensor, b: Tensor, tolerance: float) -> Solution:
        """(H + λI)⁻¹ b for b (B, P), H of the mean training loss at θ. The solution's x and image
        have the implementation's own shape, (B, …)."""
        ...

    def curvature_slope(self, theta: Tensor, V: Tensor, W: Tensor) -> Tensor:
        """∇θ ⟨V, H(θ) W⟩, (B, P), with V and W (B, P) held fixed: a third derivative."""
        ...
