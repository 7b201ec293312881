"""The public calls: influence scores of a trained model, and the gradient of a sum of them."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput, NotConverged
from engine.influence.estimators import Lissa, check_dense, named, products
from engine.influence.exactness import score_error
from engine.influence.linear import LinearProblem
from engine.influence.problem import Forward, order_sign, ranks
from engine.influence.solve import Solution
from engine.models.linear import LinearModel

TO_TOLERANCE = ("cg", "exact")  # held to it; LiSSA ends when its samples are used up


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


def check_fits(model: LinearModel, dataset: Dataset) -> None:
    """Raise InvalidInput unless the model's shape is the data set's."""
    expected = (dataset.n_classes, dataset.n_features)
    if model.weight.shape != expected:
        raise InvalidInput(
            "model.weight",
            model.weight.shape,
            f"of shape {expected} for data set '{dataset.name}'",
        )
    if not np.isfinite(model.parameters).all():
        raise InvalidInput("model.weight", "NaN or infinity", "finite")


def check_converged(solution: Solution, tolerance: float) -> None:
    """Raise NotConverged where a solve ended above its tolerance."""
    worst = float(solution.residual.max())
    if not worst <= tolerance:
        raise NotConverged(
            f"The solve reached a relative residual of {worst:.1e}, not tolerance={tolerance:.1e}. "
            "Ask for dtype='float64', a larger damping or a larger tolerance."
        )


def influence_scores(
    model: LinearModel,
    dataset: Dataset,
    split: str = "test",
    damping: float = 0.25,
    estimator: str = "cg",
    order: str = "highest_first",
    tolerance: float = 1e-6,
    dtype: str = "float32",
    device: str = "auto",
    lissa: Lissa | None = None,
) -> InfluenceScores:
    """Influence of each training sample on the mean loss of `split` (Definition 1; Eq. 3 over m).

    A positive score means that up-weighting the sample raises that loss. `order` changes the ranks
    only. damping: λ > 0, added to the Hessian of the mean training loss. estimator: a name in
    `engine.vocabulary`; `lissa` are the options of that one, the paper's where left out. tolerance:
    relative residual that cg and exact must reach; LiSSA stops at its number of samples instead, so
    read its `error`.
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


def influence_gradient(
    model: LinearModel,
    dataset: Dataset,
    coefficients: ArrayLike,
    split: str = "test",
    damping: float = 0.25,
    estimator: str = "cg",
    order: str = "highest_first",
    tolerance: float = 1e-6,
    dtype: str = "float32",
    device: str = "auto",
    lissa: Lissa | None = None,
) -> NDArray[np.floating]:
    """∇θ Σ_i c_i I_i with the coefficients (n,) held fixed, (K, d+1), bias last (Algorithm 1).

    With order 'lowest_first' the coefficients multiply −I. The rest is as in `influence_scores`.
    """
    c = np.asarray(coefficients)
    if c.shape != (dataset.n_train,) or c.dtype.kind not in "fiu" or not np.isfinite(c).all():
        raise InvalidInput(
            "coefficients",
            c if c.ndim == 0 else c.shape,
            f"{dataset.n_train} finite numbers",
        )
    problem, forward, _ = _forward(
        model, dataset, split, damping, estimator, order, tolerance, dtype, device, lissa
    )
    weights = torch.as_tensor(c, dtype=problem.train.X.dtype, device=problem.train.X.device)
    gradient, solution = problem.gradient(forward, weights.unsqueeze(0), tolerance)
    if estimator in TO_TOLERANCE:
        check_converged(solution, tolerance)
    return problem.decode(gradient[0])


def _forward(
    model: LinearModel,
    dataset: Dataset,
    split: str,
    damping: float,
    estimator: str,
    order: str,
    tolerance: float,
    dtype: str,
    device: str,
    lissa: Lissa | None,
) -> tuple[LinearProblem, Forward, float]:
    """The parameters checked: the problem of one model, its scores, and the seconds they took."""
    check_choice("split", split, ("test", "holdout"))
    solver = named(estimator, lissa)
    order_sign(order)
    tolerance = check_positive("tolerance", tolerance)
    check_fits(model, dataset)
    if estimator == "exact":
        check_dense(model.parameters.size)  # before time goes into preparing the data
    problem = LinearProblem.build(dataset, damping, order, dtype, device, solver)
    start = _clock(problem)
    forward = problem.forward(problem.encode(model), tolerance, split=split)
    seconds = _clock(problem) - start
    if estimator in TO_TOLERANCE:
        check_converged(forward.solution, tolerance)
    return problem, forward, seconds


def _clock(problem: LinearProblem) -> float:
    """Seconds, read when the device has done what it was asked so far."""
    if problem.basis.is_cuda:
        torch.cuda.synchronize(problem.basis.device)
    return time.perf_counter()
