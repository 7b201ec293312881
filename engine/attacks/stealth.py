"""An attacker who knows the check of Section 6: the training gradient's norm as a part of the goal.

‖∇L(θ)‖,   its gradient (H + l2·I) ∇L / ‖∇L‖,   L = mean cross-entropy + l2/2·‖θ‖²
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from engine.influence.linear import LinearProblem

Terms = Callable[[Tensor], tuple[Tensor, Tensor]]


def gradient_norm_terms(problem: LinearProblem, l2: float, weight: float) -> Terms:
    """`weight` times ‖∇L(θ)‖ (B,) and its gradient (B, P), for an `Objective`'s terms. At the
    minimum, where the norm has a kink, the gradient is 0."""

    def terms(theta: Tensor) -> tuple[Tensor, Tensor]:
        curvature = replace(problem.curvature(theta), damping=l2)
        g = problem.training_gradient(problem.shape(theta), curvature.P, l2)
        norm = torch.linalg.vector_norm(g, dim=(1, 2))
        Hg = curvature.pull(curvature.curved(curvature.image(g)), g)
        unit = Hg / norm.clamp(min=torch.finfo(g.dtype).tiny).view(-1, 1, 1)
        return weight * norm, weight * unit.flatten(1)

    return terms
