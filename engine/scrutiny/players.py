"""Who may stand before the auditor: an honest calculator, two liars, and an attacker (A.0.1).

All but the honest one put the target first in the ranking by the mean over the test points' own
labels, which is Definition 1's influence on the test loss.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.models.linear import LinearModel
from engine.scrutiny.audit import audit_scores
from engine.scrutiny.queries import Labelled, influence_matrix, query_gradients

AHEAD = 0.1  # of the range of honest scores: how far before the best a liar puts the target
COUNTS = 12  # numbers of queries at which the audit is looked at


@dataclass(frozen=True)
class Queries:
    """Query points (q, d) with a label each; the `own` first have the test points' own labels."""

    X: NDArray[np.floating]
    y: NDArray[np.int64]
    own: int


def draw_queries(dataset: Dataset, count: int, seed: int = 0) -> Queries:
    """Draw test points in random order, first with their own labels, then with all others. Raises
    InvalidInput."""
    X, y = dataset.split("test")
    m, K = len(y), dataset.n_classes
    if check_integer("queries", count, 1) > m * K:
        raise InvalidInput(
            "queries", count, f"at most {m * K}: {m} test points with each of {K} labels"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(m)
    rows, labels = np.nonzero(np.arange(K) != y[:, None])  # every other label of every point
    rest = rng.permutation(len(rows))
    rows, labels = np.append(order, rows[rest])[:count], np.append(y[order], labels[rest])[:count]
    return Queries(X[rows], labels, min(m, count))


def answers(
    model: LinearModel, dataset: Dataset, queries: Queries, damping: float, device: str
) -> tuple[NDArray, NDArray]:
    """Compute an honest calculator's scores (n, q) for this model, and the gradients (P, q) of the
    queries. Raises InvalidInput before the solves where the queries prove nothing."""
    asked: Labelled = (queries.X, queries.y)
    T = query_gradients(model, *asked)
    audit_scores(np.zeros((1, T.shape[1])), T)
    return influence_matrix(model, dataset, *asked, damping=damping, device=device), T


def wished_score(scores: NDArray, own: int, sign: int) -> float:
    """Return a mean score above all honest ones."""
    means = sign * scores[:, :own].mean(1)
    return sign * float(means.max() + AHEAD * np.ptp(means))


def invent(scores: NDArray, target: int, own: int, sign: int, seed: int) -> NDArray:
    """Lie crudely: put Gaussian numbers, as large as honest ones, in the target's row."""
    rng = np.random.default_rng(seed)
    row = scores.std() * rng.standard_normal(scores.shape[1])
    lie = scores.copy()
    lie[target] = row - row[:own].mean() + wished_score(scores, own, sign)
    return lie


def lie_within(scores: NDArray, T: NDArray, target: int, own: int, sign: int) -> NDArray:
    """Lie carefully: put vᵀT in the target's row, v = c·ḡ / ‖ḡ‖² with ḡ the mean gradient of the
    own queries and c the score that is wished for: the row's mean over them is c."""
    g = T[:, :own].mean(1)
    lie = scores.copy()
    lie[target] = wished_score(scores, own, sign) / (g @ g) * g @ T
    return lie


def by_queries(row: NDArray, T: NDArray) -> pd.DataFrame:
    """Return what the first queries alone make of a row: queries, refused (as many queries as
    rank), and residual and expected (the residual of Gaussian numbers), NaN where refused.

    At evenly spaced numbers of queries, at the last that is refused and the first that is not:
    what is a combination of earlier gradients remains one, so that bisection finds them.
    """
    found: dict[int, tuple[float, float]] = {}

    def refused(count: int) -> bool:
        try:
            audit = audit_scores(row[None, :count], T[:, :count])
            found[count] = float(audit.residuals[0]), audit.expected_of_invented
        except InvalidInput:
            found[count] = np.nan, np.nan
        return bool(np.isnan(found[count][0]))

    total = T.shape[1]
    counts = np.linspace(total / COUNTS, total, COUNTS).round().astype(int)
    passes = [int(count) for count in np.unique(counts) if refused(int(count))]
    low, high = max(passes, default=0), min(count for count in found if count not in passes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if refused(middle) else (low, middle)
    rows = [(count, bool(np.isnan(value[0])), *value) for count, value in sorted(found.items())]
    return pd.DataFrame(rows, columns=["queries", "refused", "residual", "expected"])
