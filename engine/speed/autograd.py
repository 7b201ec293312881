"""One attack step's gradient by automatic differentiation: naively, and as Algorithm 1 rewrites it.

Both know a loss and nothing of its structure: gradients, per-sample gradients and Hessian products
come from PyTorch. With c frozen, G_c = Σ c_i ∇L(z_i), s = (H + λI)⁻¹ ∇L_test,
s_c = (H + λI)⁻¹ G_c, they are

    naive:      ∇ of −⟨G_c, s⟩, through the solve itself, whose every iteration is kept for that
    rewritten:  ∇ of −⟨∇L_test(θ), s_c⟩ − ⟨G_c(θ), s⟩ + ⟨s_c, H(θ) s⟩, with s and s_c constants

Signs, means and damping as in `engine.influence.problem`. The solves are plain conjugate gradients:
a preconditioner would have to know the Hessian's form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import grad
from torch.nn.functional import cross_entropy

MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class GradientTask:
    """Features with the column of ones, (n, D) and (m, D), and labels; θ is flat, (K·D,)."""

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor
    damping: float


@dataclass(frozen=True)
class StepGradient:
    """scores (n,) of Definition 1, gradient (K·D,) of Σ c_i I_i, iterations of both solves."""

    scores: Tensor
    gradient: Tensor
    iterations: int


def losses(theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each sample, (n,)."""
    return cross_entropy(X @ theta.view(-1, X.shape[1]).T, y, reduction="none")


def mean_loss(theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
    return losses(theta, X, y).mean()


def sample_loss(theta: Tensor, x: Tensor, label: Tensor) -> Tensor:
    """Return the cross-entropy of one sample, x (D,)."""
    return cross_entropy(theta.view(-1, len(x)) @ x, label)


def sample_gradients(theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """Return ∇L(z_i) of every sample, (n, K·D): a matrix that the others never make."""
    return torch.func.vmap(torch.func.grad(sample_loss), (None, 0, 0))(theta, X, y)


def solve(
    product: Callable[[Tensor], Tensor], b: Tensor, tolerance: float, fixed: int | None = None
) -> tuple[Tensor, int]:
    """Solve product(x) = b by conjugate gradients to ‖residual‖ <= tolerance·‖b‖: x, iterations.

    Nothing is done in place, so that autograd can go back through every iteration. fixed: do
    exactly that many, without looking at values (fake tensors cannot branch).
    """
    x, r, d = torch.zeros_like(b), b, b
    rr = r @ r
    for done in range(MAX_ITERATIONS if fixed is None else fixed):
        if fixed is None and bool(rr.sqrt() <= tolerance * torch.linalg.vector_norm(b)):
            return x, done
        Ad = product(d)
        alpha = rr / (d @ Ad)
        x, r = x + alpha * d, r - alpha * Ad
        rr, previous = r @ r, rr
        d = r + rr / previous * d
    return x, MAX_ITERATIONS if fixed is None else fixed


def naive_gradient(
    task: GradientTask, theta: Tensor, c: Tensor, tolerance: float, fixed: int | None = None
) -> StepGradient:
    """Compute scores as Definition 1 reads, from per-sample gradients and a solve, and autograd
    through all of it; c (n,) is held fixed."""
    theta = theta.detach().requires_grad_()
    (g_train,) = grad(mean_loss(theta, task.X, task.y), theta, create_graph=True)
    (g_test,) = grad(mean_loss(theta, task.X_test, task.y_test), theta, create_graph=True)

    def product(v: Tensor) -> Tensor:
        return grad(g_train, theta, v, create_graph=True)[0] + task.damping * v

    s, iterations = solve(product, g_test, tolerance, fixed)
    scores = -sample_gradients(theta, task.X, task.y) @ s  # Def. 1, (n,)
    (gradient,) = grad(c @ scores, theta)
    return StepGradient(scores.detach(), gradient, iterations)


def rewritten_gradient(
    task: GradientTask, theta: Tensor, c: Tensor, tolerance: float, fixed: int | None = None
) -> StepGradient:
    """Run Algorithm 1: the two solves leave no graph, and the objective has no solve left in it."""
    theta = theta.detach().requires_grad_()
    (g_train,) = grad(mean_loss(theta, task.X, task.y), theta, create_graph=True)
    (g_test,) = grad(mean_loss(theta, task.X_test, task.y_test), theta, create_graph=True)

    def product(v: Tensor) -> Tensor:
        return grad(g_train, theta, v, retain_graph=True)[0] + task.damping * v

    s, first = solve(product, g_test.detach(), tolerance, fixed)
    # ⟨∇L(z_i), s⟩ for all i at once: how the losses change along s
    along_s = torch.func.jvp(lambda t: losses(t, task.X, task.y), (theta.detach(),), (s,))[1]
    (G,) = grad(c @ losses(theta, task.X, task.y), theta, create_graph=True)
    s_c, second = solve(product, G.detach(), tolerance, fixed)
    (Hs,) = grad(g_train, theta, s, create_graph=True)
    (gradient,) = grad(-(g_test @ s_c) - G @ s + s_c @ Hs, theta)
    return StepGradient(-along_s, gradient, first + second)
