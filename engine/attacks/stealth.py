"""What an attacker minimises beside the scores, so that his model looks like an honest one.

The training loss, and, where he knows the check of Section 6, the norm of its gradient:

L(θ) = mean cross-entropy + l2/2·‖θ‖²,   ‖∇L(θ)‖ with the gradient (H + l2·I) ∇L / ‖∇L‖
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.influence.linear import LinearProblem, image

Terms = Callable[[Tensor], tuple[Tensor, Tensor]]


def training_loss_terms(problem: LinearProblem, l2: float, weight: float) -> Terms:
    """`weight` times L(θ) (B,) and its gradient (B, P), for an `Objective`'s terms."""

    def terms(theta: Tensor) -> tuple[Tensor, Tensor]:
        shaped = problem.shape(theta)
        logits = image(problem.train.X, shaped)
        labels = problem.train.y.view(-1, 1, 1).expand(-1, len(theta), 1)
        losses = torch.logsumexp(logits, -1) - logits.gather(-1, labels).squeeze(-1)  # n, B
        value = losses.mean(0) + l2 / 2 * theta.square().sum(1)
        gradient = problem.training_gradient(shaped, torch.softmax(logits, -1), l2)
        return weight * value, weight * gradient.flatten(1)

    return terms


def added(parts: Sequence[Terms]) -> Terms | None:
    """Their sum; None where there are none."""
    if len(parts) < 2:
        return parts[0] if parts else None

    def terms(theta: Tensor) -> tuple[Tensor, Tensor]:
        found = [part(theta) for part in parts]
        return sum_of([value for value, _ in found]), sum_of([gradient for _, gradient in found])

    return terms


def sum_of(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(tensors)).sum(0)


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
