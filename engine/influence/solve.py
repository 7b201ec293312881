"""Conjugate gradients for (H + λI) x = b, a batch of columns at once, each with its own H.

A curvature operator offers its product in halves: the *image* (X Vᵀ for a linear model), its
elementwise *curving*, and the *pull* back to parameters. The large products are the first and the
last, and the halves save some of them: the image of the solution accumulates along the iterations,
so that scores need no product of their own; a warm start from earlier solutions, whose images are
known, costs a pull alone; and no pull is made for a column that a sketch already shows to be done.

Conjugate gradients need a positive definite matrix. That of a network may have directions of
negative curvature beyond −λ: a column that meets one stops there, and its solution says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

HISTORY = 2  # earlier solutions that a warm start combines
WARM_SHARE = 0.9  # of a solution's energy that a warm start must hold to be worth its pull
SKETCH_MARGIN = (
    0.75  # of the tolerance that a sketched residual must reach: it errs by a few percent
)
FAINT, SMALLEST = 1e-12, 120  # an entry, and an exponent of two, that float32 still inverts
SKETCH_FROM = 20  # times the tolerance: above it the next iteration cannot be the last


class Curvature(Protocol):
    """(H + λI) of B models as an operator on V, (B, …); images are (B, …) too, linear in V."""

    def image(self, V: Tensor) -> Tensor: ...

    def curved(self, image: Tensor) -> Tensor: ...

    def pull(self, curved: Tensor, V: Tensor) -> Tensor:
        """(H + λI) V from the curved image of V."""
        ...

    def energy(self, V: Tensor, image: Tensor, curved: Tensor) -> Tensor:
        """⟨V, (H + λI) V⟩ per column, (B,)."""
        ...

    def gram(self, V: tuple[Tensor, ...], images: tuple[Tensor, ...]) -> Tensor:
        """⟨V_i, (H + λI) V_j⟩ per column, (B, h, h), from h images alone."""
        ...

    def sketched_norm(self, r: Tensor, V: Tensor, curved: Tensor) -> Tensor | None:
        """‖r − (H + λI) V‖ per column, estimated without a pull; None where a pull is as cheap."""
        ...

    def precondition(self, R: Tensor) -> Tensor: ...

    def select(self, columns: Tensor) -> Self:
        """The operator of these columns only."""
        ...


@dataclass(frozen=True)
class Solution:
    """x (B, …), its image, and per column the relative residual and the iterations spent, (B,).

    lowest: (B,), ⟨d, (H + λI) d⟩/⟨d, d⟩ of a direction d on which that is not positive, where the
    solve met one and ended; infinity elsewhere, which does not prove that there is none.
    """

    x: Tensor
    image: Tensor
    residual: Tensor
    iterations: Tensor
    lowest: Tensor


@dataclass(frozen=True)
class WarmStart:
    """The last solutions of a slowly changing system, newest first, at most `HISTORY`."""

    x: tuple[Tensor, ...] = ()
    image: tuple[Tensor, ...] = ()

    def push(self, solution: Solution) -> "WarmStart":
        return WarmStart((solution.x, *self.x)[:HISTORY], (solution.image, *self.image)[:HISTORY])

    def select(self, columns: Tensor) -> "WarmStart":
        return WarmStart(tuple(x[columns] for x in self.x), tuple(u[columns] for u in self.image))


def dot(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ per column, (B,)."""
    return torch.linalg.vecdot(a.flatten(1), b.flatten(1))


def weigh(weights: Tensor, x: Tensor) -> Tensor:
    """`x` (B, …) times one weight per column, (B,)."""
    return x * weights.view(-1, *[1] * (x.ndim - 1))


def add_columns(total: Tensor, columns: Tensor, values: Tensor) -> None:
    """Add `values` to these columns in place; plainly where they are all of them, which takes half
    the time."""
    if len(columns) == len(total):
        total.add_(values)
    else:
        total.index_add_(0, columns, values)


def warm_up(
    operator: Curvature, b: Tensor, z: Tensor, warm: WarmStart, x: Tensor, image: Tensor, r: Tensor
) -> None:
    """Write the best combination of earlier solutions into x, its image and r, in place.

    Best in the norm of H: a small Galerkin system made from images alone. Its residual costs a
    pull, so a column begins there only where that holds most of the solution's energy bᵀH⁻¹b ≈
    bᵀz, z = precondition(b); the others begin at zero. So does a column whose small system cannot
    be solved: where few features leave float32's rounding above the ridge, it may be singular.
    """
    gram = operator.gram(warm.x, warm.image)
    overlap = torch.stack([dot(v, b) for v in warm.x], -1)
    diagonal = gram.diagonal(dim1=1, dim2=2)
    # Earlier solutions may be parallel (a run that stands still) or zero: the ridge mends that.
    ridge = 1e-6 * diagonal + torch.finfo(b.dtype).tiny
    weights, unsolved = torch.linalg.solve_ex(gram + torch.diag_embed(ridge), overlap)
    held = (weights * overlap).sum(-1)
    solved = (unsolved == 0) & weights.isfinite().all(-1)
    pays = torch.nonzero(solved & (held > WARM_SHARE * dot(b, z))).flatten()
    if len(pays) == 0:
        return
    for j, (v, u) in enumerate(zip(warm.x, warm.image, strict=True)):
        add_columns(x, pays, weigh(weights[pays, j], v[pays]))
        add_columns(image, pays, weigh(weights[pays, j], u[pays]))
    part = operator.select(pays)
    r.index_add_(0, pays, part.pull(part.curved(image[pays]), x[pays]), alpha=-1)


def unit_of(b: Tensor) -> Tensor:
    """Return a power of two (B,) by which to divide each column of b (B, …) before it is solved.

    It is 1 unless the column's squares would underflow, as those of a target far above all others
    do. Division by a power of two rounds nothing."""
    largest = b.flatten(1).abs().amax(1)
    exponent = torch.frexp(largest).exponent.clamp(min=-SMALLEST)
    faint = (largest > 0) & (largest < FAINT)
    return torch.where(faint, torch.ldexp(torch.ones_like(largest), exponent), 1)


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

    b: (B, …). A column that has converged is frozen and leaves the products, so that it depends on
    no neighbour and costs nothing more; so has one that meets a direction of no positive curvature.
    `empty_image`: zeros of the image's shape for B columns.
    fixed: do exactly that many iterations, without looking at values (fake tensors cannot branch).
    """
    if fixed is None and bool(((unit := unit_of(b)) != 1).any()):
        found = conjugate_gradients(
            operator, weigh(1 / unit, b), empty_image, tolerance, warm, max_iterations
        )
        return replace(found, x=weigh(unit, found.x), image=weigh(unit, found.image))
    scale = dot(b, b).sqrt()
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))  # b = 0 has the solution 0
    x, image, r = torch.zeros_like(b), empty_image.clone(), b.clone()
    if warm is not None and warm.x and fixed is None:
        warm_up(operator, b, operator.precondition(b), warm, x, image, r)
    residual, iterations = dot(r, r).sqrt() / scale, torch.zeros_like(scale)
    lowest = torch.full_like(scale, torch.inf)
    active = torch.arange(len(b), device=b.device)
    if fixed is None:
        active = torch.nonzero(residual > tolerance).flatten()
        if len(active) == 0:
            return Solution(x, image, residual, iterations, lowest)
        if len(active) < len(b):
            operator, r = operator.select(active), r[active]
    z = operator.precondition(r)
    d, rz = z, dot(r, z)
    for _ in range(max_iterations if fixed is None else fixed):
        u = operator.image(d)
        curved = operator.curved(u)
        energy = operator.energy(d, u, curved)
        # what is not positive ends its column below, unchanged; NaN (an overflow) stays NaN
        alpha = torch.where(energy <= 0, torch.zeros_like(rz), rz / energy)
        add_columns(x, active, weigh(alpha, d))
        add_columns(image, active, weigh(alpha, u))
        iterations.index_add_(0, active, torch.ones_like(alpha))
        if fixed is None and bool((residual[active] <= SKETCH_FROM * tolerance).any()):
            norm = operator.sketched_norm(r, weigh(alpha, d), weigh(alpha, curved))
            if norm is not None:
                estimate = norm / scale[active]
                done = estimate <= SKETCH_MARGIN * tolerance
                residual[active[done]] = estimate[done]
                going = torch.nonzero(~done).flatten()
                if len(going) == 0:
                    break
                if len(going) < len(active):
                    operator, active, r, d = (
                        operator.select(going),
                        active[going],
                        r[going],
                        d[going],
                    )
                    curved, alpha, rz = curved[going], alpha[going], rz[going]
                    energy = energy[going]
        r = r - weigh(alpha, operator.pull(curved, d))
        now = dot(r, r).sqrt() / scale[active]
        residual.index_copy_(0, active, now)
        if fixed is None:
            bent, length = energy <= 0, dot(d, d)  # a length of 0 is a tiny column's underflow
            curvature = (energy / length).masked_fill_(~bent | (length == 0), torch.inf)
            lowest.index_copy_(0, active, curvature)
            going = torch.nonzero((now > tolerance) & ~bent).flatten()
            if len(going) == 0:
                break
            if len(going) < len(active):
                operator, active = operator.select(going), active[going]
                r, d, rz = r[going], d[going], rz[going]
        z = operator.precondition(r)
        rz, previous = dot(r, z), rz
        d = z + weigh(rz / previous, d)
    return Solution(x, image, residual, iterations, lowest)


def refine(
    solve: Callable[[Tensor], Solution],
    operator: Curvature,
    b: Tensor,
    tolerance: float,
    rounds: int = 3,
) -> Solution:
    """Solve again for the *true* residual, which the recursive one loses to rounding."""
    solution = solve(b)
    scale = dot(b, b).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    for round_ in range(rounds + 1):
        r = b - operator.pull(operator.curved(solution.image), solution.x)
        residual = dot(r, r).sqrt() / scale
        bent = solution.lowest <= 0  # not to be mended
        if round_ == rounds or bool(((residual <= tolerance) | bent).all()):
            break
        more = solve(weigh((~bent).to(r.dtype), r))
        solution = Solution(
            solution.x + more.x,
            solution.image + more.image,
            residual,
            solution.iterations + more.iterations,
            torch.minimum(solution.lowest, more.lowest),
        )
    return replace(solution, residual=residual)
