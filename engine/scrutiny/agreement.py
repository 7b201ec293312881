"""How far two honest rankings agree: those of one model on two halves of the test data.

A score is an influence on the loss of some test points; other points of the same kind give other
scores. Whether an attack carries over to data that the attacker never saw can only be judged beside
how far the honest model's own ranking does.
"""

from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks.result import Ranking
from engine.checks import check_choice, check_integer
from engine.data.dataset import Dataset
from engine.data.preparation import halve_test
from engine.errors import InvalidInput
from engine.influence.linear import LinearProblem
from engine.influence.problem import ranks
from engine.influence.products import CLASSES, pull_back, residuals
from engine.influence.scores import check_converged, in_float64_if_needed
from engine.models.linear import LinearModel, as_linear
from engine.models.model import check_pair
from engine.options import entries
from engine.progress import OnStep, ignore_step
from engine.scrutiny.sensitivity import at_once
from engine.statistics import rank_correlation
from engine.vocabulary import DAMPING

FIRST = 10  # of a ranking, whose overlap is counted
SEEDS = 2**32  # that scikit-learn takes
SPLITS = ("train", "test", "holdout")
SOLVE_TOLERANCE = 1e-6  # relative residual of the solves


@in_float64_if_needed
def ranking_agreement(
    model: LinearModel,
    dataset: Dataset,
    splits: tuple[str, str] = ("test", "holdout"),
    draws: int = 50,
    seed: int = 0,
    damping: float = DAMPING,
    order: str = "highest_first",
    dtype: str = "float32",
    device: str = "auto",
    on_step: OnStep = ignore_step,
) -> pd.DataFrame:
    """Compare the rankings of one model on two halves of its test data: a row for each pair.

    Row 0 compares the two `splits` as they are; each of `draws` further rows two stratified halves
    that are drawn anew from both together, by `seed`. One solve a half.

    Columns: draw; spearman, of the two rankings; spearman_absolute, of the scores' absolute values;
    shared_first, how many samples are among the first 10 of both; first_on_second, the rank on the
    second half of the first half's first sample, and second_on_first, the other way round; n_half,
    the test points of the smaller half; n_train, the number of ranks.
    Raises InvalidInput, DeviceUnavailable, NotConverged.
    """
    check_pair(as_linear(model), dataset)
    draws = check_integer("draws", draws, 0)
    seed = check_integer("seed", seed, 0, SEEDS - 1 - draws)
    named = [check_choice("split", name, SPLITS) for name in entries("splits", splits)]
    if len(named) != 2:
        raise InvalidInput("splits", splits, "the names of two splits")
    y = np.concatenate([dataset.split(name)[1] for name in named])
    both, first = np.arange(len(y)), len(dataset.split(named[0])[1])
    halves = [(both[:first], both[first:])]
    halves += [halve_test(y, dataset.class_names, seed + draw) for draw in range(draws)]
    problem = LinearProblem.build(dataset, damping, order, dtype, device)
    theta = problem.encode(model)
    curvature = problem.curvature(theta)
    E = residuals(curvature.P, problem.train.y)
    asked = torch.cat([cast(Tensor, problem.splits[name].X) for name in named])  # train streams
    errors = residuals(problem.probabilities(theta, asked), torch.as_tensor(y, device=E.device))
    rows = []
    step = max(at_once(dataset.n_train, dataset.n_classes) // 2, 1)
    for done in range(0, len(halves), step):
        some = halves[done : done + step]
        weights = torch.as_tensor(np.concatenate([weights_of(pair, len(y)) for pair in some]))
        g = pull_back(errors * weights.to(errors).unsqueeze(1), asked)  # a mean gradient a half
        solution = problem.solve(curvature, g, SOLVE_TOLERANCE)
        check_converged(solution, SOLVE_TOLERANCE)
        scores = ((E * solution.image).sum(CLASSES) * -problem.sign).cpu().numpy()
        pairs = scores.reshape(len(some), 2, -1)
        rows += [
            compare(*pair) | {"n_half": min(len(half) for half in halves_of)}
            for pair, halves_of in zip(pairs, some, strict=True)
        ]
        on_step(len(rows), len(halves))
    table = pd.DataFrame(rows).assign(n_train=dataset.n_train)
    table.insert(0, "draw", np.arange(len(table)))
    return table


def weights_of(halves: tuple[NDArray, NDArray], m: int) -> NDArray[np.float64]:
    """Return the weight of each of m test points in the means over two halves, (2, m)."""
    weights = np.zeros((2, m))
    for row, half in zip(weights, halves, strict=True):
        row[half] = 1 / len(half)
    return weights


def compare(one: NDArray[np.floating], other: NDArray[np.floating]) -> dict[str, float]:
    """Compare two vectors of ranked scores (n,): the columns of `ranking_agreement`."""
    first, second = Ranking(one, ranks(one)), Ranking(other, ranks(other))
    return {
        "spearman": float(rank_correlation(first.ranks, second.ranks)),
        "spearman_absolute": float(rank_correlation(np.abs(one), np.abs(other))),
        "shared_first": len(np.intersect1d(first.top(FIRST), second.top(FIRST))),
        "first_on_second": int(second.ranks[first.top(1)[0]]),
        "second_on_first": int(first.ranks[second.top(1)[0]]),
    }
