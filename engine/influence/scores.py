"""The public calls: influence scores of a trained model, and the gradient of a sum of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_choice, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput, NotConverged
from engine.influence.linear import LinearProblem
from engine.influence.problem import Forward, order_sign, ranks
from engine.influence.solve import Solution
from engine.models.linear import LinearModel

ESTIMATORS = ("cg",)


@dataclass(frozen=True, eq=False)
class InfluenceScores:
    """scores (n,) as Definition 1 has them, ranks (n,) in the order asked, and what the solve cost.

    residual: relative residual ‖(H + λI)s − g‖/‖g‖ reached; iterations: of conjugate gradients.
    """

    scores: NDArray[np.floating]
    ranks: NDArray[np.int64]
    residual: float
    iterations: int


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
) -> InfluenceScores:
    """Influence of each training sample on the mean loss of `split` (Definition 1; Eq. 3 over m).

    A positive score means that up-weighting the sample raises that loss. `order` changes the ranks
    only. damping: λ > 0, added to the Hessian of the mean training loss.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    forward, problem = _forward(
        model, dataset, split, damping, estimator, order, tolerance, dtype, device
    )
    ranked = forward.scores[0].cpu().numpy()
    return InfluenceScores(
        scores=ranked * problem.sign,
        ranks=ranks(ranked),
        residual=float(forward.solution.residual.max()),
        iterations=int(forward.solution.iterations.max()),
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
) -> NDArray[np.floating]:
    """∇θ Σ_i c_i I_i with the coefficients (n,) held fixed, (K, d+1), bias last (Algorithm 1).

    With order 'lowest_first' the coefficients multiply −I. Raises as `influence_scores` does.
    """
    c = np.asarray(coefficients)
    if c.shape != (dataset.n_train,) or c.dtype.kind not in "fiu" or not np.isfinite(c).all():
        raise InvalidInput(
            "coefficients",
            c if c.ndim == 0 else c.shape,
            f"{dataset.n_train} finite numbers",
        )
    forward, problem = _forward(
        model, dataset, split, damping, estimator, order, tolerance, dtype, device
    )
    weights = torch.as_tensor(c, dtype=problem.train.X.dtype, device=problem.train.X.device)
    gradient, solution = problem.gradient(forward, weights.unsqueeze(0), tolerance)
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
) -> tuple[Forward, LinearProblem]:
    check_choice("split", split, ("test", "holdout"))
    check_choice("estimator", estimator, ESTIMATORS)
    order_sign(order)
    tolerance = check_positive("tolerance", tolerance)
    check_fits(model, dataset)
    problem = LinearProblem.build(dataset, damping, order, dtype, device)
    forward = problem.forward(problem.encode(model), tolerance, split=split)
    check_converged(forward.solution, tolerance)
    return forward, problem
