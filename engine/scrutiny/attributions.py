"""Other scores of the same training samples: would one of them have noticed the attack?

All follow Definition 1's sign: positive where more weight on the sample raises the test loss.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from torch import Tensor

from engine.attacks.result import Ranking
from engine.checks import check_choice, check_integer, check_positive
from engine.data.dataset import Dataset
from engine.influence.linear import (
    ROWS_PER_CHUNK,
    LinearProblem,
    LinearState,
    image,
    pull_back,
    residuals,
)
from engine.influence.problem import Forward, order_sign, ranks
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.scrutiny.sensitivity import at_once
from engine.vocabulary import ATTRIBUTIONS, DAMPING

EACH_TOLERANCE = 1e-5  # of the n solves of self-influence and relative influence
NEIGHBOURS = 5
TEST_ROWS_AT_ONCE = 512  # whose distances to every training sample are held together


@in_float64_if_needed
def attribution(
    name: str,
    model: LinearModel,
    dataset: Dataset,
    split: str = "test",
    damping: float = DAMPING,
    order: str = "highest_first",
    neighbours: int = NEIGHBOURS,
    dtype: str = "float32",
    device: str = "auto",
) -> Ranking:
    """Score the training samples (n,) by the method `name`, and rank them in `order`.

    influence       −gᵀ(H + λI)⁻¹g_i (Definition 1), g the gradient of the mean loss of `split`
    gradient_dot    −gᵀg_i: influence without curvature
    cosine          −cos(g, g_i): without the sample's own size either
    self_influence  g_iᵀ(H + λI)⁻¹g_i: how much the sample explains itself; >= 0
    relative        I_i / ‖(H + λI)⁻¹g_i‖ (RelatIF, Barshan et al. 2020): influence per change of θ
    knn_shapley     minus the exact Shapley value of a nearest-neighbour classifier on the features
                    (Jia et al. 2019): the model does not enter

    neighbours: of knn_shapley. Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_choice("name", name, ATTRIBUTIONS)
    check_choice("split", split, ("test", "holdout"))
    sign = order_sign(order)
    check_pair(as_linear(model), dataset)
    if name == "knn_shapley":
        X, y = dataset.split(split)
        scores = -knn_shapley(dataset.X_train, dataset.y_train, X, y, neighbours)
    else:
        problem = LinearProblem.build(
            dataset, check_positive("damping", damping), "highest_first", dtype, device
        )
        forward = problem.forward(problem.encode(model), 1e-6, split=split)
        check_converged(forward.solution, 1e-6)
        scores = score(name, problem, forward).double().cpu().numpy()
    return Ranking(scores, ranks(sign * scores))


def score(name: str, problem: LinearProblem, forward: Forward) -> Tensor:
    """Return the scores (n,) of the model that `forward` evaluated."""
    if name == "influence":
        return forward.scores[0]
    state = forward.state
    assert isinstance(state, LinearState)
    E, X = state.E[0], problem.train.X  # g_i = E_i ⊗ X_i, E (K, n)
    if name in ("self_influence", "relative"):
        own, size = solved_gradients(problem, state)
        return own if name == "self_influence" else forward.scores[0] / size.clamp(min=1e-30)
    test = state.test
    g = pull_back(residuals(state.P_test, test.y), test.X) / len(test.y)
    dots = -(E * image(X, g)[0]).sum(0)
    if name == "gradient_dot":
        return dots
    lengths = torch.cat([rows.norm(dim=1) for rows in X.split(ROWS_PER_CHUNK)])
    norms = E.norm(dim=0) * lengths * g.norm()
    return dots / norms.clamp(min=1e-30)


def solved_gradients(problem: LinearProblem, state: LinearState) -> tuple[Tensor, Tensor]:
    """Return g_iᵀ(H + λI)⁻¹g_i and ‖(H + λI)⁻¹g_i‖ of every training sample, (n,) each, by n
    solves."""
    E, X = state.E[0].T, problem.train.X
    own, sizes = [], []
    for rows in torch.arange(len(X), device=X.device).split(at_once(*E.shape)):
        g = E[rows].unsqueeze(2) * X[rows].unsqueeze(1)  # B, K, D
        solution = problem.solve(state.curvature, g, EACH_TOLERANCE, None, None)
        check_converged(solution, EACH_TOLERANCE)
        own.append((g * solution.x).sum((1, 2)))
        sizes.append(solution.x.flatten(1).norm(dim=1))
    return torch.cat(own), torch.cat(sizes)


def knn_shapley(
    X: ArrayLike,
    y: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    neighbours: int = NEIGHBOURS,
    rows_at_once: int = TEST_ROWS_AT_ONCE,
) -> NDArray[np.float64]:
    """Compute exact Shapley values (n,) of training samples in a k-nearest-neighbour classifier.

    The game: v(S) is the share of the k nearest of S, by Euclidean distance, that have the test
    point's label (over k, however few are in S), averaged over the test points. The recursion of
    Jia et al. (2019), Theorem 1, goes from the farthest sample to the nearest; pyDVL's values to
    rounding (tests/outside/test_other_libraries.py). `rows_at_once` test points are held together,
    which changes no value. Raises InvalidInput.
    """
    X, X_test = np.asarray(X, np.float64), np.asarray(X_test, np.float64)
    y, y_test = np.asarray(y), np.asarray(y_test)
    n = len(X)
    k = check_integer("neighbours", neighbours, 1, n)
    place = np.arange(1, n)  # of the nearer of two neighbours in the order of distance
    weight = np.minimum(k, place) / (k * place)
    values = np.zeros(n)
    for first in range(0, len(X_test), rows_at_once):
        rows = slice(first, first + rows_at_once)
        nearest = np.argsort(cdist(X_test[rows], X), axis=1, kind="stable")
        hit = (y[nearest] == y_test[rows, None]).astype(np.float64)  # (m, n), nearest first
        farthest = hit[:, -1:] * min(k, n) / (k * n)
        gains = (hit[:, :-1] - hit[:, 1:]) * weight
        climbed = np.cumsum(gains[:, ::-1], axis=1)[:, ::-1] + farthest
        shares = np.concatenate([climbed, farthest], axis=1)
        np.add.at(values, nearest, shares)
    return values / len(X_test)
