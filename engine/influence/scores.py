"""The public calls: influence scores of a trained model, and the gradient of a sum of them."""

import functools
import inspect
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput, NotConverged, NotPositiveDefinite
from engine.influence.build import build_problem
from engine.influence.estimators import Lissa, check_dense, named, products
from engine.influence.exactness import score_error
from engine.influence.problem import Forward, InfluenceProblem, order_sign, ranks
from engine.influence.solve import Solution
from engine.models.model import Model, check_pair
from engine.vocabulary import DAMPING

TO_TOLERANCE = ("cg", "exact")  # held to it; LiSSA ends when its samples are used up
# `Dataset.size` (n·d·K) below which bringing the features into the eigenbasis takes no time worth
# saving; where features differ hugely in size, the basis takes some of the rounding.
ROTATED_BELOW = 5_000_000
P = ParamSpec("P")
R = TypeVar("R")


def in_float64_if_needed(computed: Callable[P, R]) -> Callable[P, R]:
    """Return a function with a parameter `dtype`, or with `options` that have one, that computes
    again in float64 where float32 was asked for and its rounding keeps a solve above its tolerance:
    few features and many rows, features of very different or very large sizes, a small damping. The
    dtype of what it returns says so."""
    parameters = inspect.signature(computed)

    @functools.wraps(computed)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return computed(*args, **kwargs)
        except NotConverged:
            asked = parameters.bind(*args, **kwargs)
            asked.apply_defaults()
            by_samples = asked.arguments.get("estimator", "cg") not in TO_TOLERANCE
            options = asked.arguments.get("options")
            dtype = asked.arguments["dtype"] if options is None else options.dtype
            if dtype != "float32" or by_samples:
                raise
        wider = {"dtype": "float64"}
        asked.arguments |= wider if options is None else {"options": replace(options, **wider)}
        return computed(*asked.args, **asked.kwargs)

    return call


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """scores (n,) as Definition 1 has them, ranks (n,) in the order asked, and what they cost.

    estimator: its name. residual: relative residual ‖(H + λI)s − g‖/‖g‖ reached. iterations: of
    conjugate gradients or LiSSA's recursion, 0 for exact.
    error: distance from exact scores I, ‖scores − I‖/‖I‖, rounding included, itself known to about
    1% (`exactness`). products: Hessian-vector products over the whole training set; the iterations
    of cg, samples drawn / n for lissa, K·D (all columns of H) for exact. seconds: from the model's
    parameters to the scores; preparing the data and measuring the error come on top.
    """

    scores: NDArray[np.floating]
    ranks: NDArray[np.int64]
    residual: float
    iterations: int
    estimator: str
    error: float
    products: float
    seconds: float


def check_converged(solution: Solution, tolerance: float) -> None:
    """Raise NotConverged where a solve ended above its tolerance, NotPositiveDefinite where that is
    because it met a direction of no positive curvature."""
    check_definite(float(solution.lowest.min()))
    worst = float(solution.residual.max())
    if not worst <= tolerance:
        kind = str(solution.x.dtype).removeprefix("torch.")
        raise NotConverged(
            f"The solve reached a relative residual of {worst:.1e} in {kind}, not tolerance="
            f"{tolerance:.1e}. Ask for a larger damping or a larger tolerance, or standardise the "
            "features."
        )


def check_definite(lowest: float) -> None:
    """Raise NotPositiveDefinite for a lowest curvature, as in `Solution`, that is not positive."""
    if lowest <= 0:
        by = f" by at least {-lowest:.2g}" if math.isfinite(lowest) else ""
        raise NotPositiveDefinite(
            f"H + λI is not positive definite at this model: along one direction its curvature is "
            f"{lowest:.2g}, damping included, so that its influence scores mean nothing. Ask for a "
            f"damping that is larger{by}. A linear model's curvature is never negative: there, "
            "standardise features whose size lets rounding say so."
        )


@in_float64_if_needed
def influence_scores(
    model: Model,
    dataset: Dataset,
    split: str = "test",
    damping: float = DAMPING,
    estimator: str = "cg",
    order: str = "highest_first",
    tolerance: float = 1e-6,
    dtype: str = "float32",
    device: str = "auto",
    lissa: Lissa | None = None,
) -> InfluenceScores:
    """Score each training sample by its influence on the mean loss of `split` (Definition 1; Eq. 3
    over m).

    Agrees to rounding with dattri's explicit Hessian (tests/outside/test_other_libraries.py).
    A positive score means that up-weighting the sample raises that loss. `order` changes the ranks
    only. damping: λ > 0, added to the Hessian of the mean training loss. estimator: a name in
    `engine.vocabulary`; `lissa` are the options of that one, the paper's where left out. tolerance:
    relative residual that cg and exact must reach, in float64 where float32 cannot; LiSSA stops at
    its number of samples instead, so read its `error`.
    Raises InvalidInput (also for exact with too many parameters), DeviceUnavailable, NotConverged
    (also where LiSSA diverges).
    """
    problem, forward, seconds = _forward(
        model, dataset, split, damping, estimator, order, tolerance, dtype, device, lissa
    )
    ranked = forward.scores[0].cpu().numpy()
    return InfluenceScores(
        scores=ranked * problem.sign,
        ranks=ranks(ranked),
        residual=float(forward.solution.residual.max()),
        iterations=int(forward.solution.iterations.max()),
        estimator=estimator,
        error=score_error(problem, forward, model, dataset, split),
        products=products(estimator, forward.solution, lissa, dataset.n_train),
        seconds=seconds,
    )


@in_float64_if_needed
def influence_gradient(
    model: Model,
    dataset: Dataset,
    coefficients: ArrayLike,
    split: str = "test",
    damping: float = DAMPING,
    estimator: str = "cg",
    order: str = "highest_first",
    tolerance: float = 1e-6,
    dtype: str = "float32",
    device: str = "auto",
    lissa: Lissa | None = None,
) -> NDArray[np.floating]:
    """∇θ Σ_i c_i I_i with the coefficients (n,) held fixed, (K, d+1), bias last (Algorithm 1).

    With order 'lowest_first' the coefficients multiply −I. The rest is as in `influence_scores`.
    Raises InvalidInput.
    """
    check_pair(model, dataset)
    tolerance = check_positive("tolerance", tolerance)
    c = check_array("coefficients", coefficients)
    if c.shape != (dataset.n_train,) or not np.isfinite(c).all():
        raise InvalidInput(
            "coefficients",
            c if c.ndim == 0 else c.shape,
            f"{dataset.n_train} finite numbers",
        )
    problem, forward, _ = _forward(
        model, dataset, split, damping, estimator, order, tolerance, dtype, device, lissa
    )
    weights = torch.as_tensor(np.array(c), dtype=forward.scores.dtype, device=forward.scores.device)
    gradient, solution = problem.gradient(forward, weights.unsqueeze(0), tolerance)
    if estimator in TO_TOLERANCE:
        check_converged(solution, tolerance)
    return problem.decode(gradient[0])


def _forward(
    model: Model,
    dataset: Dataset,
    split: str,
    damping: float,
    estimator: str,
    order: str,
    tolerance: float,
    dtype: str,
    device: str,
    lissa: Lissa | None,
) -> tuple[InfluenceProblem, Forward, float]:
    """Check the parameters; return the problem of one model, its scores, and the seconds spent."""
    check_choice("split", split, ("test", "holdout"))
    solver = named(estimator, lissa)
    order_sign(order)
    tolerance = check_positive("tolerance", tolerance)
    check_pair(model, dataset)
    if estimator == "exact":
        check_dense(model.parameters.size)  # before time goes into preparing the data
    rotated = dataset.size < ROTATED_BELOW
    problem = build_problem(model, dataset, damping, order, dtype, device, solver, rotated)
    theta = problem.encode(model)
    start = _clock(theta)
    forward = problem.forward(theta, tolerance, split=split)
    seconds = _clock(theta) - start
    if estimator in TO_TOLERANCE:
        check_converged(forward.solution, tolerance)
    return problem, forward, seconds


def _clock(theta: torch.Tensor) -> float:
    """Return the time in seconds once the device of θ has finished its pending work."""
    if theta.is_cuda:
        torch.cuda.synchronize(theta.device)
    return time.perf_counter()
