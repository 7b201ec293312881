"""What the measurements return: NumPy and pandas only, so that a page opens them without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

IMPLEMENTATIONS = {
    "naive": "autograd straight through Definition 1: per-sample gradients and every iteration of "
    "the solve stay in memory for the backward pass",
    "rewritten": "the paper's Algorithm 1: both solves without a graph, then autograd on an "
    "objective in which no solve is left",
    "closed_form": "ours: gradient and Hessian products of the linear model as matrix products, "
    "the solves preconditioned in the eigenbasis of the features",
}
AXES = {
    "n": "training samples",
    "d": "features",
    "classes": "classes",
    "batch": "runs at once",
}
SOLVERS = {
    "closed_form": "closed form, ours",
    "preconditioned": "the paper's rewriting with a good solver",
    "conjugate_gradients": "plain conjugate gradients, as in torch-influence",
    "arnoldi": "Arnoldi, as in dattri",
    "lissa": "LiSSA, as in dattri and the paper",
    "explicit": "explicit Hessian, as pyDVL's direct",
}
QUANTITIES = {"seconds": "seconds_min", "peak_mb": "peak_mb"}  # and the column that is fitted
OK = "ok"


@dataclass(frozen=True, eq=False)
class GradientComparison:
    """One forward and backward pass of an attack step by each implementation, one run at a time.

    table, a row for each of IMPLEMENTATIONS:
        implementation, status ('ok', or what went wrong; the numbers are then NaN),
        seconds (median), seconds_min, seconds_max: of one pass;
        peak_mb: the most memory that a pass had beyond what was there before it;
        preparation_seconds, preparation_mb, prepared_mb: what is done once per data set, its peak
            above the loaded data, and what of it stays (features with a column of ones; for
            'closed_form' rotated, with their basis);
        iterations: of conjugate gradients, in all solves of the pass;
        relative_difference ‖g − ref‖/‖ref‖ and cosine: to a float64 gradient, 'rewritten' solved to
            `REFERENCE_TOLERANCE`; `reference_difference` is the closed form's distance to that in
            float64.
    memory_limit_mb: what a process might have above its loaded data; memory_by: how memory was
    read.
    """

    n_parameters: int
    n_train: int
    n_test: int
    n_features: int
    n_classes: int
    damping: float
    tolerance: float
    dtype: str
    seed: int
    repeats: int
    device: str
    memory_limit_mb: float
    memory_by: str
    reference_difference: float
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Scaling:
    """Time and memory of one attack step as one size grows and the others stay at `base`.

    table: axis (one of AXES), value, n, m, d, classes, batch, seconds (median), seconds_min,
        seconds_max, peak_mb (above features and θ, which are there before).
    exponents: axis, quantity, exponent, standard_error, from_value, points: the slope of
        log(quantity) in log(value) over the larger half of the sizes, `from_value` and above; of
        time the fastest repeat, to which other work on the machine has added least.
    iterations: of conjugate gradients in each of the two solves, the same at every size.
    """

    base: dict[str, int]
    iterations: int
    seed: int
    repeats: int
    device: str
    memory_by: str
    table: pd.DataFrame
    exponents: pd.DataFrame


@dataclass(frozen=True, eq=False)
class SolverComparison:
    """Scores of all training samples, no gradient, by each of SOLVERS on the same problems.

    at_large, a row a solver at the sizes `large`: solver, seconds (of the processor, one thread,
        the least of `repeats`; LiSSA and the explicit Hessian run once), preparation_seconds (of
        what is made once per data set), peak_mb (above features, model and that), products (of the
        Hessian with a vector over all training samples), error (relative, to exact scores in
        float64).
    table: the same, without peak_mb, along each axis: axis ('n', 'd' or 'classes'), value, solver,
        …, the other sizes as in `base`.
    exponents: axis, solver, exponent of seconds over the larger half of the sizes.
    tolerance: relative residual of the solvers that have one.
    """

    base: dict[str, int]
    large: dict[str, int]
    tolerance: float
    damping: float
    seed: int
    repeats: int
    device: str
    memory_by: str
    at_large: pd.DataFrame
    table: pd.DataFrame
    exponents: pd.DataFrame


def growth(values: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """Fit the slope of log(cost) in log(value), with its standard error (NaN below 3 points).

    NaN twice where there are fewer than two points or a cost is not above zero.
    """
    x, y = np.asarray(values, np.float64), np.asarray(costs, np.float64)
    if len(x) < 2 or not (y > 0).all():
        return float("nan"), float("nan")
    x, y = np.log(x) - np.log(x).mean(), np.log(y) - np.log(y).mean()
    slope = float(x @ y / (x @ x))
    rest = y - slope * x
    error = (rest @ rest / (len(x) - 2) / (x @ x)) ** 0.5 if len(x) > 2 else np.nan
    return slope, float(error)


def growth_exponents(table: pd.DataFrame) -> pd.DataFrame:
    """`Scaling.exponents` of a `Scaling.table`: small sizes cost what any step costs, so that the
    larger half is fitted."""
    rows = []
    for axis, group in table.groupby("axis", sort=False):
        larger = group.sort_values("value").iloc[len(group) // 2 :]
        for quantity, column in QUANTITIES.items():
            exponent, error = growth(larger["value"].tolist(), larger[column].tolist())
            rows.append((axis, quantity, exponent, error, larger["value"].iloc[0], len(larger)))
    names = ["axis", "quantity", "exponent", "standard_error", "from_value", "points"]
    return pd.DataFrame(rows, columns=names)
