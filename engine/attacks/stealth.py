"""Terms that an attack minimises beside the scores, so that its model looks like an honest one
to the check of Section 6: the norm of the training gradient, or the Newton decrement.

L(θ) = mean cross-entropy + l2/2·‖θ‖²,   ‖∇L(θ)‖ with the gradient (H + l2·I) ∇L / ‖∇L‖
"""

from collections.abc import Callable

import torch
from torch import Tensor

from engine.influence.problem import InfluenceProblem

DECREMENT_TOLERANCE = 1e-4  # of the solve behind the decrement, whose error is its square
Terms = Callable[[Tensor], tuple[Tensor, Tensor]]


def gradient_norm_terms(problem: InfluenceProblem, l2: float, weight: float) -> Terms:
    """`weight` times ‖∇L(θ)‖ (B,) and its gradient (B, P), for an `Objective`'s terms. At the
    minimum, where the norm has a kink, the gradient is 0."""

    def terms(theta: Tensor) -> tuple[Tensor, Tensor]:
        g = problem.training_loss(theta, l2)[1]
        norm = torch.linalg.vector_norm(g, dim=1)
        Hg = problem.hessian_product(theta, g) + l2 * g
        unit = Hg / norm.clamp(min=torch.finfo(g.dtype).tiny).unsqueeze(1)
        return weight * norm, weight * unit

    return terms


def decrement_terms(problem: InfluenceProblem, l2: float, weight: float) -> Terms:
    """`weight` times the Newton decrement √(∇Lᵀ A⁻¹ ∇L), A = H + l2·I, (B,), and its gradient
    (B, P). With u = A⁻¹ ∇L that is (∇L − ½ ∇⟨u, H u⟩) / decrement; 0 at the minimum."""
    damped = problem.damped(l2)

    def terms(theta: Tensor) -> tuple[Tensor, Tensor]:
        g = problem.training_loss(theta, l2)[1]
        u = damped.inverse_product(theta, g, DECREMENT_TOLERANCE).x.flatten(1)
        decrement = torch.linalg.vecdot(g, u).clamp(min=0).sqrt()
        slope = g - problem.curvature_slope(theta, u, u) / 2
        unit = slope / decrement.clamp(min=torch.finfo(g.dtype).tiny).unsqueeze(1)
        return weight * decrement, weight * unit

    return terms
