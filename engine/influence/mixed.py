"""Solves in mixed precision: products in bfloat16, and the residual that counts in float32.

    x ← 0;   until ‖b − A x‖ <= tolerance·‖b‖, in float32:   x ← x + solve(A₁₆, b − A x)

A = H + λI, and A₁₆ has features, probabilities and directions rounded to bfloat16 (8 bits) in its
products, which add up in float32. That is iterative refinement (Wilkinson). One round nearly always
does, because an attack asks for a few hundredths of accuracy; where rounds do not help, as for a
small damping, conjugate gradients in float32 go on. CPUs with AVX512-BF16 or AMX multiply bfloat16
at least twice as fast (`python -m tests.benchmarks half`).
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.checks import check_choice
from engine.errors import InvalidInput
from engine.influence.estimators import Fixed, TrainingCurvature, cg
from engine.influence.linear import COARSE, LinearCurvature, LinearProblem, LinearState
from engine.influence.problem import Forward, InfluenceProblem
from engine.influence.products import curve, image, pull_back
from engine.influence.solve import (
    Solution,
    WarmStart,
    conjugate_gradients,
    constants_of,
    dot,
    norm,
    weigh,
)
from engine.rows import Halved, has_half_product
from engine.vocabulary import PRECISIONS

MIXED_TOLERANCE = 1e-2  # relative residual, in float32, of a solve in mixed precision
# Of the gradients of a step on large data: their cosine to exact ones stays above 0.999. On digits
# it fell to 0.998 (`python -m tests.benchmarks half`).
COARSE_GRADIENT, MIXED_GRADIENT = 1e-2, 2e-2
FIXED = 4  # iterations of each solve of a step with precision 'fixed'
INNER = 0.5  # of the tolerance that the solve in bfloat16 goes to: the rest is for its rounding
CORRECTION = 0.2  # relative residual of the solve for what a round has left
ROUNDS = 2  # of corrections before float32 takes over
PAYS_FROM, FEATURES_FROM = 5_000_000, 512  # n·D·K and D from which products take most of a step


@dataclass(frozen=True)
class HalfCurvature(LinearCurvature):
    """H + λI with P (B, K, n), directions and features (`half`) rounded to bfloat16."""

    half: Halved | None = None

    @classmethod
    def of(cls, full: LinearCurvature, half: Halved) -> "HalfCurvature":
        parts = {item.name: getattr(full, item.name) for item in fields(full)}
        rounded = cls(**parts | {"P": full.P.bfloat16(), "half": half})
        rounded.__dict__["preconditioner"] = full.preconditioner  # made of P before it is rounded
        return rounded

    def image(self, V: Tensor) -> Tensor:
        assert self.half is not None
        return image(self.half, V.bfloat16())

    def curved(self, image: Tensor) -> Tensor:
        return curve(self.P, image.bfloat16())

    def pull(self, curved: Tensor, V: Tensor) -> Tensor:
        assert self.half is not None
        return pull_back(curved, self.half, 1 / self.n_samples, V, self.damping)

    def energy(self, V: Tensor, image: Tensor, curved: Tensor) -> Tensor:
        summed = (image * curved).sum((1, 2), dtype=V.dtype)
        return summed / self.n_samples + self.damping * dot(V, V)

    def sketched_norm(
        self, r: Tensor, V: Tensor, curved: Tensor, alpha: Tensor | None = None
    ) -> Tensor:
        return super().sketched_norm(r, V, curved.to(V.dtype), alpha)


@dataclass(frozen=True, eq=False)
class Mixed:
    """The estimator that solves in mixed precision from tolerances of `COARSE` on, and as `cg` does
    below. Curvature that is negative by rounding counts for nothing: float32 goes on from there.
    half: the training features, rounded. checked: whether the residual is computed anew in
    float32; where not, it is that of the solve in bfloat16."""

    half: Halved
    checked: bool = True

    def __call__(
        self,
        curvature: TrainingCurvature,
        b: Tensor,
        zeros: Tensor,
        tolerance: float,
        warm: WarmStart | None,
    ) -> Solution:
        if tolerance < COARSE:
            return cg(curvature, b, zeros, tolerance, warm)
        assert isinstance(curvature, LinearCurvature)
        if self.checked:
            found = refined(curvature, self.half, b, tolerance, warm)
        else:
            rounded = HalfCurvature.of(curvature, self.half)
            found = conjugate_gradients(rounded, b, zeros, INNER * tolerance, warm)
        done = bool((found.residual <= tolerance).all())
        found = replace(found, lowest=torch.full_like(found.lowest, torch.inf))
        if done:
            return found
        more = cg(curvature, b, zeros, tolerance, warm)
        return replace(more, iterations=more.iterations + found.iterations, corrected=True)


def refined(
    full: LinearCurvature, half: Halved, b: Tensor, tolerance: float, warm: WarmStart | None
) -> Solution:
    """Solve (H + λI) x = b by iterative refinement, in at most `ROUNDS` corrections; the residual
    that is returned is that of x in float32, by a sketch where the operator has one."""
    rounded, no_image = HalfCurvature.of(full, half), b.new_zeros(*b.shape[:2], 0)
    scale = norm(b)
    scale = scale.masked_fill(scale == 0, 1)
    found = conjugate_gradients(rounded, b, no_image, INNER * tolerance, warm)
    for round_ in range(ROUNDS + 1):
        there = full.image(found.x)
        curved = full.curved(there)
        r = None if full.sketches else b - full.pull(curved, found.x)
        length = full.sketched_norm(b, found.x, curved) if r is None else norm(r)
        found = replace(found, image=there, residual=length / scale, energy=dot(found.x, b))
        left = ~(found.residual <= tolerance)
        if round_ == ROUNDS or not bool(left.any()):
            break
        r = weigh(left.to(b.dtype), b - full.pull(curved, found.x) if r is None else r)
        more = conjugate_gradients(rounded, r, no_image, CORRECTION)
        found = replace(
            found,
            x=found.x + more.x,
            corrected=True,
            iterations=found.iterations + more.iterations,
        )
    return found


def in_precision(
    problem: InfluenceProblem, precision: str, honest: Forward | None = None
) -> tuple[InfluenceProblem, str]:
    """Return the problem whose coarse solves are made in a precision of
    `engine.vocabulary.PRECISIONS`, and which one that is: 'full', 'coarse', 'fixed' or 'mixed'.

    honest: the honest model's scores. In 'fixed' a diagonal preconditioner of that model serves all
    models of an attack: on digits solves end at the same residual, and none is decomposed.
    'auto' is what `fastest` says. A problem in float64 stays in 'full', and for 'coarse' one that
    is not `large` too.
    Raises InvalidInput for 'coarse', 'fixed' and 'mixed' with a network, and for 'mixed' with
    weights or features on disk.
    """
    check_choice("precision", precision, PRECISIONS)
    if precision == "auto":
        precision = fastest(problem, has_half_product())
    if precision == "full":
        return problem, "full"
    if not isinstance(problem, LinearProblem):
        raise InvalidInput("precision", precision, "'full' or 'auto' for a network")
    if problem.train.X.dtype is not torch.float32:
        return problem, "full"
    if precision == "coarse":
        return problem, "coarse" if large(problem) else "full"
    if precision == "fixed":
        fixed = Fixed(FIXED, constants_of(problem.eigenvalues, FIXED))
        state = None if honest is None else honest.state
        curvature = state.curvature if isinstance(state, LinearState) else None
        shared = None if curvature is None else curvature.diagonal_preconditioner()
        return replace(problem, estimator=fixed, diagonal=shared), "fixed"
    if not able(problem):
        wanted = "'full', 'coarse' or 'auto' for weights or features on disk"
        raise InvalidInput("precision", precision, wanted)
    # Products with features in float32 are few: their own order would take more than it saves.
    train, test = replace(problem.train, packed=None).halved(), problem.splits["test"].halved()
    assert train.half is not None
    made = replace(
        problem,
        train=train,
        splits=problem.splits | {"test": test},
        estimator=Mixed(train.half),
        gradient_estimator=Mixed(train.half, checked=False),
    )
    return made, "mixed"


def able(problem: LinearProblem) -> bool:
    """Return whether there is a solve in mixed precision: unweighted features in memory."""
    return problem.weights is None and isinstance(problem.train.X, Tensor)


def fastest(problem: InfluenceProblem, half: bool) -> str:
    """Return the precision in which a step is fastest: 'mixed' or 'coarse' on a CPU, where products
    are most of a step, else 'full'. half: whether the CPU is fast at bfloat16. On a GPU it has not
    been measured."""
    if not isinstance(problem, LinearProblem) or not large(problem):
        return "full"
    X = problem.train.X
    if X.device.type != "cpu" or X.dtype is not torch.float32:
        return "full"
    return "mixed" if half and able(problem) else "coarse"


def large(problem: LinearProblem) -> bool:
    """Return whether products are most of an attack's step."""
    X = problem.train.X
    return len(X) * X.shape[1] * problem.n_classes >= PAYS_FROM and X.shape[1] >= FEATURES_FROM


def step_tolerances(
    problem: InfluenceProblem, precision: str, tolerance: float
) -> tuple[float, float]:
    """Return to what an attack's steps solve for scores and for gradients in a precision that
    `in_precision` has given; tolerance: of both in 'full'."""
    wide = isinstance(problem, LinearProblem) and large(problem)
    if precision == "mixed":
        return MIXED_TOLERANCE, MIXED_GRADIENT if wide else MIXED_TOLERANCE
    return tolerance, COARSE_GRADIENT if precision == "coarse" and wide else tolerance
