"""Conjugate gradients for (H + λI) x = b, a batch of columns at once, each with its own H.

A curvature operator offers its product in two halves, because the first half (the *image*, X Vᵀ for a
linear model) is wanted later: it accumulates along the iterations into the image of the solution, so
that scores need no product of their own, and it is what makes a warm start cost half a product.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

HISTORY = (
    2  # earlier solutions that a warm start combines; a third saved nothing measurable
)


class Curvature(Protocol):
    """(H + λI) of B models as an operator on V, (B, P); `image` is linear in V, (n, B, …)."""

    def image(self, V: Tensor) -> Tensor: ...

    def product(self, V: Tensor, image: Tensor) -> Tensor:
        """(H + λI) V, given the image of V."""
        ...

    def gram(self, V: tuple[Tensor, ...], images: tuple[Tensor, ...]) -> Tensor:
        """⟨V_i, (H + λI) V_j⟩ per column, (B, h, h), from h images alone."""
        ...

    def precondition(self, R: Tensor) -> Tensor: ...

    def select(self, columns: Tensor) -> Self:
        """The operator of these columns only."""
        ...


@dataclass(frozen=True)
class Solution:
    """x (B, P), its image, and per column the relative residual and the iterations spent, (B,)."""

    x: Tensor
    image: Tensor
    residual: Tensor
    iterations: Tensor


@dataclass(frozen=True)
class WarmStart:
    """The last solutions of a slowly changing system, newest first, at most `HISTORY`."""

    x: tuple[Tensor, ...] = ()
    image: tuple[Tensor, ...] = ()

    def push(self, solution: Solution) -> "WarmStart":
        return WarmStart(
            (solution.x, *self.x)[:HISTORY], (solution.image, *self.image)[:HISTORY]
        )

    def select(self, columns: Tensor) -> "WarmStart":
        return WarmStart(
            tuple(x[columns] for x in self.x), tuple(u[:, columns] for u in self.image)
        )


def dot(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ per column, (B,)."""
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def weigh(weights: Tensor, x: Tensor, axis: int) -> Tensor:
    """`x` times one weight per column, columns along `axis`."""
    shape = [1] * x.ndim
    shape[axis] = len(weights)
    return x * weights.view(shape)


def start(
    operator: Curvature, b: Tensor, warm: WarmStart, empty_image: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """x, its image and the residual b − (H + λI) x to begin from.

    The best combination of earlier solutions in the norm of H: a small Galerkin system made from their
    images, so that only the residual costs (half) a product. Never worse than beginning at zero.
    """
    if not warm.x:
        return torch.zeros_like(b), empty_image, b
    gram = operator.gram(warm.x, warm.image)
    diagonal = gram.diagonal(dim1=1, dim2=2)
    # Earlier solutions may be parallel (a run that stands still) or zero: the ridge keeps it solvable.
    ridge = 1e-6 * diagonal + torch.finfo(b.dtype).tiny
    weights = torch.linalg.solve(
        gram + torch.diag_embed(ridge), torch.stack([dot(v, b) for v in warm.x], -1)
    )
    x = sum(weigh(weights[:, j], v, 0) for j, v in enumerate(warm.x))
    image = sum(weigh(weights[:, j], u, 1) for j, u in enumerate(warm.image))
    assert isinstance(x, Tensor)
    assert isinstance(image, Tensor)
    return x, image, b - operator.product(x, image)


def conjugate_gradients(
    operator: Curvature,
    b: Tensor,
    empty_image: Tensor,
    tolerance: float,
    warm: WarmStart | None = None,
    max_iterations: int = 1000,
    fixed: int | None = None,
) -> Solution:
    """Solve (H + λI) x = b to ‖residual‖ <= tolerance·‖b‖, column by column.

    b: (B, P). A column that has converged is frozen and leaves the products, so that it depends on no
    neighbour and costs nothing more. `empty_image`: zeros of the image's shape for B columns.
    fixed: do exactly that many iterations, without looking at values (fake tensors cannot branch).
    """
    scale = dot(b, b).sqrt()
    scale = torch.where(
        scale > 0, scale, torch.ones_like(scale)
    )  # b = 0 has the solution 0
    x, image, r = start(operator, b, warm or WarmStart(), empty_image)
    residual = dot(r, r).sqrt() / scale
    iterations = torch.zeros_like(scale)
    if fixed is None:
        active = torch.nonzero(residual > tolerance).flatten()
        if len(active) == 0:
            return Solution(x, image, residual, iterations)
    else:
        active = torch.arange(len(b), device=b.device)
    x, image = x.clone(), image.clone()
    part = (
        Columns(operator, r, scale).select(active)
        if len(active) < len(b)
        else Columns(operator, r, scale)
    )
    z = part.operator.precondition(part.r)
    d, rz = z, dot(part.r, z)
    for _ in range(fixed if fixed is not None else max_iterations):
        u = part.operator.image(d)
        q = part.operator.product(d, u)
        alpha = rz / dot(d, q)
        if len(active) == len(b):
            x += weigh(alpha, d, 0)
            image += weigh(alpha, u, 1)
        else:
            x.index_add_(0, active, weigh(alpha, d, 0))
            image.index_add_(1, active, weigh(alpha, u, 1))
        part = replace(part, r=part.r - weigh(alpha, q, 0))
        now = dot(part.r, part.r).sqrt() / part.scale
        residual.index_copy_(0, active, now)
        iterations.index_add_(0, active, torch.ones_like(now))
        if fixed is None:
            going = torch.nonzero(now > tolerance).flatten()
            if len(going) == 0:
                break
            if len(going) < len(active):
                part, d, rz, active = (
                    part.select(going),
                    d[going],
                    rz[going],
                    active[going],
                )
        z = part.operator.precondition(part.r)
        rz, previous = dot(part.r, z), rz
        d = z + weigh(rz / previous, d, 0)
    return Solution(x, image, residual, iterations)


@dataclass(frozen=True)
class Columns:
    """The columns still iterating: their operator, residual and ‖b‖."""

    operator: Curvature
    r: Tensor
    scale: Tensor

    def select(self, columns: Tensor) -> "Columns":
        return Columns(
            self.operator.select(columns), self.r[columns], self.scale[columns]
        )


def refine(
    solve: Callable[[Tensor], Solution],
    operator: Curvature,
    b: Tensor,
    tolerance: float,
    rounds: int = 3,
) -> Solution:
    """`solve` again for what its *true* residual still lacks: rounding hides it from the recursion."""
    solution = solve(b)
    scale = dot(b, b).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    for _ in range(rounds):
        r = b - operator.product(solution.x, solution.image)
        residual = dot(r, r).sqrt() / scale
        if bool((residual <= tolerance).all()):
            return replace(solution, residual=residual)
        more = solve(r)
        solution = Solution(
            solution.x + more.x,
            solution.image + more.image,
            residual,
            solution.iterations + more.iterations,
        )
    r = b - operator.product(solution.x, solution.image)
    return replace(solution, residual=dot(r, r).sqrt() / scale)
