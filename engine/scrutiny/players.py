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
from engine.scrutiny.audit import TOLERANCE, Audit, audit_scores
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
    """Test points in random order, first with their own labels, then with all others. Raises
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
    """An honest calculator's scores (n, q) for this model, and the queries' gradients (P, q).
    Raises InvalidInput before the solves where the queries prove nothing."""
    asked: Labelled = (queries.X, queries.y)
    T = query_gradients(model, *asked)
    audit_scores(np.zeros((1, T.shape[1])), T)
    return influence_matrix(model, dataset, *asked, damping=damping, device=device), T


def wished_score(scores: NDArray, own: int, sign: int) -> float:
    """A mean score that comes before all honest ones."""
    means = sign * scores[:, :own].mean(1)
    return sign * float(means.max() + AHEAD * np.ptp(means))


def invent(scores: NDArray, target: int, own: int, sign: int, seed: int) -> NDArray:
    """The liar: Gaussian numbers in the target's row, as large as honest ones."""
    rng = np.random.default_rng(seed)
    row = scores.std() * rng.standard_normal(scores.shape[1])
    lie = scores.copy()
    lie[target] = row - row[:own].mean() + wished_score(scores, own, sign)
    return lie


def lie_within(scores: NDArray, T: NDArray, target: int, own: int, sign: int) -> NDArray:
    """The careful liar: vᵀT in the target's row, v = c·ḡ / ‖ḡ‖² with ḡ the mean gradient of the own
    queries and c the score that is wished for: the row's mean over them is c."""
    g = T[:, :own].mean(1)
    lie = scores.copy()
    lie[target] = wished_score(scores, own, sign) / (g @ g) * g @ T
    return lie


def by_queries(row: NDArray, T: NDArray, rank: int) -> pd.DataFrame:
    """What the first queries alone make of a row: queries, refused (as many queries as rank), and
    residual and expected (the residual of Gaussian numbers), NaN where refused."""
    total = T.shape[1]
    counts = np.linspace(total / COUNTS, total, COUNTS).round().astype(int)
    found = []
    for count in np.unique([*counts, rank, rank + 1]):
        try:
            audit: Audit = audit_scores(row[None, :count], T[:, :count], TOLERANCE)
            residual, expected = float(audit.residuals[0]), audit.expected_of_invented
        except InvalidInput:
            residual = expected = np.nan
        found.append((int(count), bool(np.isnan(residual)), residual, expected))
    return pd.DataFrame(found, columns=["queries", "refused", "residual", "expected"])
