"""Three ways to (H + λI)⁻¹ b behind one signature: what `forward` and `gradient` are given to call.

    cg      conjugate gradients to a relative residual, the only one with a tolerance
    exact   the matrix H + λI in float64 and its Cholesky factor
    lissa   h ← b + (1 − λ/scale) h − H_batch h/scale,  h/scale → (H + λI)⁻¹ b   (Algorithm 2)

LiSSA is here as the paper runs it, to be compared with. Its text says damping 0.01, which the
recursion multiplies by the scale: λ = 0.01 · 25 = 0.25.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from engine.checks import check_choice, check_integer, check_positive
from engine.errors import InvalidInput, NotConverged
from engine.influence.solve import (
    Curvature,
    Solution,
    WarmStart,
    conjugate_gradients,
    dot,
    fixed_iterations,
    looks_often,
    refine,
)
from engine.vocabulary import ESTIMATORS

REFINED_BELOW = 1e-4  # tolerances under this are checked against the true residual, and mended
MOST_PARAMETERS = 12_000  # of a dense solve: 1.2 GB for H, as much again for its factor
MOST_LEFT = 1e-2  # relative residual above which a solve of a fixed number of iterations goes on
CHECK_EVERY = 16  # recursions of LiSSA between two looks at its length: each look waits for a GPU
# A steady recursion keeps ‖h‖ <= 2 scale/λ ‖b‖ (a component of H's largest eigenvalues alternates,
# hence the 2); the rest is room for the noise of the batches.
ROOM = 10
POWER_ITERATIONS = 20
POWER_BATCHES = 32  # small batches vary: the largest eigenvalue is looked for in that many


class TrainingCurvature(Curvature, Protocol):
    """An operator H + λI that also gives its matrix, and itself on a part of the training set."""

    @property
    def damping(self) -> float: ...

    @property
    def models(self) -> int:
        """Return how many operators there are: one per column, or one that all columns share."""
        ...

    @property
    def n_samples(self) -> int:
        """Return how many samples H is the mean over."""
        ...

    def dense(self, model: int) -> Tensor:
        """Return the matrix of one of the operators, (P, P) float64, P parameters in a column's
        order."""
        ...

    def rows(self, chosen: Tensor) -> Self:
        """H + λI with H the mean over these training samples only (repeats count twice)."""
        ...


# (operator, b (B, …), zeros of the image's shape (B, …), tolerance, warm start) → solution and its
# image.
Estimator = Callable[[TrainingCurvature, Tensor, Tensor, float, WarmStart | None], Solution]


@dataclass(frozen=True)
class Lissa:
    """What LiSSA is run with; the defaults are the paper's.

    scale: divides H; above half the largest eigenvalue of H + λI, or the recursion diverges.
    samples: training samples drawn in all, with replacement, in batches of `batch_size` (the last
    batch is filled up). seed: of the draws, which are the same on every device.
    Raises InvalidInput.
    """

    scale: float = 25.0
    samples: int = 1_000_000
    batch_size: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        check_positive("lissa.scale", self.scale)
        check_integer("lissa.samples", self.samples, 1)
        check_integer("lissa.batch_size", self.batch_size, 1)
        check_integer("lissa.seed", self.seed, 0)

    @property
    def recursions(self) -> int:
        return -(-self.samples // self.batch_size)


def named(estimator: str, options: Lissa | None = None) -> Estimator:
    """Return the estimator of that name. Raises InvalidInput; `options` are LiSSA's alone."""
    check_choice("estimator", estimator, ESTIMATORS)
    if options is not None and (estimator != "lissa" or not isinstance(options, Lissa)):
        raise InvalidInput("lissa", options, "a Lissa(…), and left out but for estimator='lissa'")
    by_name: dict[str, Estimator] = {
        "cg": cg,
        "exact": exact,
        "lissa": partial(lissa, options or Lissa()),
    }
    return by_name[estimator]


def check_dense(parameters: int) -> None:
    """Raise InvalidInput where the matrix of K·D parameters would be too large for `exact`."""
    if parameters > MOST_PARAMETERS:
        raise InvalidInput(
            "K·D",
            parameters,
            f"at most {MOST_PARAMETERS} parameters for estimator='exact', whose matrix would take "
            f"{8 * parameters**2 / 1e9:.1f} GB here; estimator='cg' makes none",
        )


def cg(
    curvature: TrainingCurvature, b: Tensor, zeros: Tensor, tolerance: float, warm: WarmStart | None
) -> Solution:
    """Solve by preconditioned conjugate gradients; tight tolerances hold for the true residual."""

    def solve(b: Tensor, warm: WarmStart | None = None) -> Solution:
        return conjugate_gradients(curvature, b, zeros, tolerance, warm)

    found = solve(b, warm)
    if tolerance < REFINED_BELOW:
        return refine(found, solve, curvature, b, tolerance)
    return found


def cg_iterations(iterations: int) -> Estimator:
    """Return the estimator that does exactly that many iterations of conjugate gradients from zero
    and reads no value. Its time does not depend on how well-conditioned the data are, and it runs
    on fake tensors, which cannot branch."""

    def solve(
        curvature: Curvature, b: Tensor, zeros: Tensor, tolerance: float, warm: WarmStart | None
    ) -> Solution:
        return fixed_iterations(curvature, b, zeros, iterations)

    return solve


@dataclass(frozen=True, eq=False)
class Fixed:
    """The estimator that does exactly `iterations` from zero for a tolerance of an attack's steps,
    and solves as `cg` does below `REFINED_BELOW`. It neither looks at a column between two
    iterations nor lets one leave, which takes a quarter of a step on digits. A column that ends
    above `MOST_LEFT` goes on alone to the tolerance. On a GPU, where a look waits, none does, and
    no residual is measured. constants: as in `fixed_iterations`."""

    iterations: int
    constants: Tensor | None = None

    def __call__(
        self,
        curvature: TrainingCurvature,
        b: Tensor,
        zeros: Tensor,
        tolerance: float,
        warm: WarmStart | None,
    ) -> Solution:
        if tolerance < REFINED_BELOW:
            return cg(curvature, b, zeros, tolerance, warm)
        looks = looks_often(b)
        found = fixed_iterations(
            curvature, b, zeros, self.iterations, self.constants, measured=looks
        )
        if not looks or bool((found.residual <= MOST_LEFT).all()):
            return found
        left = torch.nonzero(~(found.residual <= MOST_LEFT)).flatten()
        more = conjugate_gradients(
            curvature.select(left), b[left], zeros[left], tolerance, found.warm.select(left)
        )
        return found.index_copy(left, replace(more, iterations=more.iterations + self.iterations))


def exact(
    curvature: TrainingCurvature, b: Tensor, zeros: Tensor, tolerance: float, warm: WarmStart | None
) -> Solution:
    """Solve by the Cholesky factor of H + λI in float64; x is rounded to b's type, and the residual
    is that x's.

    Takes nothing from tolerance or warm start, and does 0 iterations. Raises InvalidInput above
    `MOST_PARAMETERS`, NotConverged where λ is lost in the rounding of H.
    """
    check_dense(b[0].numel())
    wanted = b.flatten(1).double()
    solved, residual = torch.empty_like(b), torch.empty_like(wanted[:, 0])
    per_model = len(b) // curvature.models
    for model in range(curvature.models):
        some = slice(model * per_model, (model + 1) * per_model)
        A = curvature.dense(model)
        try:
            x = torch.cholesky_solve(wanted[some].T, torch.linalg.cholesky(A)).T
        except torch.linalg.LinAlgError:
            raise NotConverged(
                "H + λI is singular in double precision, or not positive definite, at "
                f"damping={curvature.damping:g}. Ask for a larger damping."
            ) from None
        solved[some] = x.to(b.dtype).view(b[some].shape)
        residual[some] = torch.linalg.vector_norm(
            wanted[some] - solved[some].flatten(1).double() @ A, dim=1
        )
    length = dot(wanted, wanted).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    residual = (residual / length).to(b.dtype)
    nowhere = torch.full_like(residual, torch.inf)
    none = torch.zeros_like(residual)
    return Solution(solved, curvature.image(solved), residual, none, dot(solved, b), nowhere)


def lissa(
    options: Lissa,
    curvature: TrainingCurvature,
    b: Tensor,
    zeros: Tensor,
    tolerance: float,
    warm: WarmStart | None,
    checked: bool = True,
) -> Solution:
    """LiSSA as the paper runs it; it stops when its samples are used up, not at `tolerance`.

    The residual is the true one, on the whole training set. All columns see the same batches.
    checked: whether it looks for divergence; fake tensors have no values to look at.
    Raises NotConverged where the recursion diverges, or ends farther off than x = 0 is.
    """
    draws = np.random.default_rng(options.seed)

    def batch() -> TrainingCurvature:
        chosen = draws.integers(curvature.n_samples, size=options.batch_size)
        return curvature.rows(torch.as_tensor(chosen, device=b.device))

    def diverged(recursion: int, what: str) -> NotConverged:
        operators = [curvature, *(batch() for _ in range(POWER_BATCHES))]
        largest = max(largest_eigenvalue(operator, b) for operator in operators)
        return NotConverged(
            f"LiSSA diverged at scale={options.scale:g}: after {recursion} of {recursions} "
            f"recursions {what}. It needs a scale above half the largest eigenvalue of H + λI, "
            f"which is about {largest:.3g} in its batches: lissa=Lissa(scale={largest:.2g}) has "
            "room; or use estimator='cg'."
        )

    recursions = options.recursions
    limit = ROOM * options.scale / curvature.damping
    length = dot(b, b).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    h = b
    for done in range(1, recursions + 1):
        part = batch()
        h = b + h - part.pull(part.curved(part.image(h)), h) / options.scale
        if checked and done % CHECK_EVERY == 0:
            growth = float((dot(h, h).sqrt() / length).max())
            if not growth <= limit:  # neither is NaN
                raise diverged(
                    done, f"‖h‖/‖b‖ is {growth:.1e}, and below {limit:.1e} if it converges"
                )
    x = h / options.scale
    image = curvature.image(x)
    r = b - curvature.pull(curvature.curved(image), x)
    residual = dot(r, r).sqrt() / length
    if checked and not bool((residual < 1).all()):
        worst = float(residual.max())
        raise diverged(recursions, f"the relative residual is {worst:.1e}, and 1 at x = 0")
    nowhere = torch.full_like(residual, torch.inf)
    count = torch.full_like(residual, recursions)
    return Solution(x, image, residual, count, dot(x, b), nowhere)


def largest_eigenvalue(operator: Curvature, like: Tensor) -> float:
    """Return a lower bound of the largest eigenvalue of H + λI over all columns, by power
    iterations."""
    start = np.random.default_rng(0).standard_normal(like.shape)
    v = torch.as_tensor(start, dtype=like.dtype, device=like.device)
    for _ in range(POWER_ITERATIONS):
        v = operator.pull(operator.curved(operator.image(v)), v)
        length = dot(v, v).sqrt()
        v = v / length.view(-1, *[1] * (v.ndim - 1))
    return float(length.max())


def products(estimator: str, solution: Solution, options: Lissa | None, n_train: int) -> float:
    """Return what a solve cost, in products of H with a vector over the whole training set.

    cg: its iterations. lissa: samples drawn / n. exact: K·D, the products that would give all
    columns of H. Products that only measure a residual are not counted.
    """
    if estimator == "exact":
        return float(solution.x[0].numel())
    iterations = float(solution.iterations.max())
    if estimator == "lissa":
        return iterations * (options or Lissa()).batch_size / n_train
    return iterations
