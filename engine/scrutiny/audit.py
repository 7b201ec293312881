"""Auditing reported scores (A.0.1): do they come from the model at all?

The auditor knows the model, hence the gradient t_j of every query's loss. An honest score is
linear in it: I(z_i, query_j) = v_iᵀ t_j with v_i = −(H + λI)⁻¹ g_i. So every row of the score
matrix lies in the row space of T = (t_1 … t_q), and invented numbers do not, once there are more
queries than T has rank. A report of v'ᵀT for any vector v', or of honest scores of
another model, passes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_positive
from engine.errors import InvalidInput

MOST_PARAMETERS = 4000  # the decomposition of T takes P²·q operations: minutes beyond
CAUGHT_ABOVE = 1e-6  # residual of a row that counts as invented


@dataclass(frozen=True, eq=False)
class Audit:
    """residuals: (n,), the share of each row's norm outside the row space of the query gradients,
    in [0, 1]; rank: of T; queries: q; tolerance: above which a row is caught."""

    residuals: NDArray[np.float64]
    rank: int
    queries: int
    tolerance: float

    @property
    def caught(self) -> NDArray[np.bool_]:
        """Mark the rows that cannot come from this model, (n,)."""
        return self.residuals > self.tolerance

    @property
    def expected_of_invented(self) -> float:
        """Return the residual that invented (Gaussian) scores leave on average: √(1 − rank/q)."""
        return float(np.sqrt(1 - self.rank / self.queries))


def check_auditable(parameters: int) -> None:
    """Raise InvalidInput where a model has more parameters than an audit takes."""
    if parameters > MOST_PARAMETERS:
        raise InvalidInput(
            "P",
            parameters,
            f"at most {MOST_PARAMETERS} parameters: the audit decomposes the whole matrix of the "
            "query gradients",
        )


def audit_scores(
    score_matrix: ArrayLike, query_gradients: ArrayLike, tolerance: float = CAUGHT_ABOVE
) -> Audit:
    """Check each row of the scores (n, q) against the query gradients (P, q), one per column.

    In float64. Honest scores solved to 1e-10 leave residuals below 1e-8, invented ones √(1 −
    rank/q), so that any tolerance between tells them apart. A row of zeros is honest.
    Raises InvalidInput: shapes that do not fit, NaN, more than `MOST_PARAMETERS` parameters, or no
    more queries than T has rank (any numbers would pass).
    """
    scores = check_array("score_matrix", score_matrix)
    T = check_array("query_gradients", query_gradients)
    tolerance = check_positive("tolerance", tolerance)
    for name, array in (("score_matrix", scores), ("query_gradients", T)):
        if array.ndim != 2 or 0 in array.shape:
            raise InvalidInput(name, array.shape, "a matrix with at least one row and column")
        if not np.isfinite(array).all():
            raise InvalidInput(name, "NaN or infinity", "finite")
    parameters, queries = T.shape
    if scores.shape[1] != queries:
        raise InvalidInput(
            "score_matrix", scores.shape, f"of shape (samples, {queries}): one column per query"
        )
    check_auditable(parameters)
    _, values, rows = np.linalg.svd(T, full_matrices=False)
    smallest = values[0] * max(T.shape) * np.finfo(np.float64).eps
    rank = int((values > smallest).sum())
    if rank >= queries:
        raise InvalidInput(
            "query_gradients",
            T.shape,
            f"more queries than their rank: with {queries} queries of rank {rank} any scores pass. "
            f"Ask at least {queries + 1}; {parameters + 1} are always enough",
        )
    basis = rows[:rank]
    outside = scores - (scores @ basis.T) @ basis
    norms = np.linalg.norm(scores, axis=1)
    residuals = np.linalg.norm(outside, axis=1) / np.where(norms > 0, norms, 1)
    return Audit(residuals, rank, queries, tolerance)
