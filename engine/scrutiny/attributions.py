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
from engine.influence.linear import LinearProblem, LinearState
from engine.influence.problem import Forward, order_sign, ranks
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.scrutiny.gradient_scores import evaluate, score_function
from engine.scrutiny.model_free import data_banzhaf, data_oob
from engine.scrutiny.sensitivity import at_once
from engine.vocabulary import DAMPING, MODEL_FREE, SCORES

SOLVED = ("influence", "self_influence", "relative")  # scores that need (H + λI)⁻¹
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
    seed: int = 0,
) -> Ranking:
    """Score the training samples (n,) by the method `name`, and rank them in `order`.

    influence       −gᵀ(H + λI)⁻¹g_i (Definition 1), g the gradient of the mean loss of `split`
    gradient_dot    −gᵀg_i: influence without curvature
    cosine          −cos(g, g_i): without the sample's own size either
    self_influence  g_iᵀ(H + λI)⁻¹g_i: how much the sample explains itself; >= 0
    relative        I_i / ‖(H + λI)⁻¹g_i‖ (RelatIF, Barshan et al. 2020): influence per change of θ
    knn_shapley     minus the exact Shapley value of a nearest-neighbour classifier on the features
                    (Jia et al. 2019): the model does not enter
    kfac, ekfac, trak, tracin: as `engine.scrutiny.gradient_scores` says
    data_oob, banzhaf: as `engine.scrutiny.model_free` says; the model does not enter

    neighbours: of knn_shapley. seed: of the projections, bootstrap samples and subsets of trak,
    data_oob and banzhaf. Raises InvalidInput, InvalidDataset, DeviceUnavailable, NotConverged.
    """
    check_choice("name", name, SCORES)
    check_choice("split", split, ("test", "holdout"))
    sign = order_sign(order)
    check_pair(as_linear(model), dataset)
    if name in MODEL_FREE:
        scores = without_a_model(name, dataset, split, neighbours, model.l2, seed, device)
        return Ranking(scores, ranks(sign * scores))
    problem = LinearProblem.build(
        dataset, check_positive("damping", damping), "highest_first", dtype, device
    )
    theta = problem.encode(model)
    if name in SOLVED:
        forward = problem.forward(theta, 1e-6, split=split)
        check_converged(forward.solution, 1e-6)
        found = score(name, problem, forward)
    else:
        scored = score_function(name, problem, dataset, model.l2, seed)
        found = scored(problem, evaluate(problem, problem.shape(theta)[0], split))
    scores = found.double().cpu().numpy()
    return Ranking(scores, ranks(sign * scores))


def without_a_model(
    name: str, dataset: Dataset, split: str, neighbours: int, l2: float, seed: int, device: str
) -> NDArray[np.float64]:
    """Return the scores (n,) of one of `MODEL_FREE`; l2: of the models that Data Banzhaf trains."""
    if name == "data_oob":
        return data_oob(dataset, seed=seed)
    if name == "banzhaf":
        return data_banzhaf(dataset, l2=l2, split=split, seed=seed, device=device)
    return -knn_shapley(*dataset.split("train"), *dataset.split(split), neighbours)


def score(name: str, problem: LinearProblem, forward: Forward) -> Tensor:
    """Return the scores (n,), one of `SOLVED`, of the model that `forward` evaluated."""
    if name == "influence":
        return forward.scores[0]
    assert isinstance(forward.state, LinearState)
    own, size = solved_gradients(problem, forward.state)
    return own if name == "self_influence" else forward.scores[0] / size.clamp(min=1e-30)


def solved_gradients(problem: LinearProblem, state: LinearState) -> tuple[Tensor, Tensor]:
    """Return g_iᵀ(H + λI)⁻¹g_i and ‖(H + λI)⁻¹g_i‖ of every training sample, (n,) each, by n
    solves."""
    E, X = state.E[0].T, problem.train.X
    own, sizes = [], []
    for rows in torch.arange(len(X), device=X.device).split(at_once(*E.shape)):
        g = E[rows].unsqueeze(2) * X[rows].unsqueeze(1)  # B, K, D
        solution = problem.solve(state.curvature, g, EACH_TOLERANCE)
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
