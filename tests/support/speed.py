"""Measurements made by hand."""

import numpy as np
import pandas as pd

from engine.speed.result import (
    AXES,
    IMPLEMENTATIONS,
    SOLVERS,
    GradientComparison,
    Scaling,
    SolverComparison,
    growth_exponents,
)


def comparison(n_parameters: int = 5130, naive: str = "ok") -> GradientComparison:
    """Ours takes 0.1 s and 20 MB; each step towards the naive form ten times that."""
    cost = np.array([100.0, 10.0, 1.0])
    table = pd.DataFrame(
        {
            "implementation": list(IMPLEMENTATIONS),
            "status": [naive, "ok", "ok"],
            "seconds": 0.1 * cost,
            "seconds_min": 0.09 * cost,
            "seconds_max": 0.2 * cost,
            "peak_mb": 20.0 * cost,
            "preparation_seconds": 1.0,
            "preparation_mb": 5.0,
            "prepared_mb": 4.0,
            "iterations": 12.0,
            "relative_difference": 1e-4,
            "cosine": 0.999999,
        }
    )
    if naive != "ok":
        table.loc[0, "seconds":] = np.nan
    return GradientComparison(
        n_parameters=n_parameters,
        n_train=5000,
        n_test=1000,
        n_features=512,
        n_classes=10,
        damping=0.25,
        tolerance=1e-3,
        dtype="float32",
        seed=0,
        repeats=5,
        device="cpu",
        memory_limit_mb=12_000.0,
        memory_by="resident set, VmHWM",
        reference_difference=1e-9,
        table=table,
    )


def scaling(slope: float = 1.0) -> Scaling:
    """Four sizes an axis; time grows as size**slope, memory as its root."""
    rows = [
        {
            "axis": axis,
            "value": value,
            **{"n": 100, "m": 50, "d": 10, "classes": 3, "batch": 10},
            **dict.fromkeys(("seconds", "seconds_min", "seconds_max"), 0.01 * value**slope),
            "peak_mb": 2.0 * value**0.5,
        }
        for axis in AXES
        for value in (10, 20, 40, 80)
    ]
    table = pd.DataFrame(rows)
    base = {"n": 100, "d": 10, "classes": 3, "batch": 10}
    return Scaling(base, 6, 0, 5, "cpu", "VmHWM", table, growth_exponents(table))


def solvers() -> SolverComparison:
    """Each of SOLVERS takes twice the time and memory of the one before, the first 10 ms and 5 MB;
    time grows as the size does. An explicit Hessian is not made at the large sizes."""
    cost = dict(zip(SOLVERS, 2.0 ** np.arange(len(SOLVERS)), strict=True))
    rows = [
        {"axis": axis, "value": value, "solver": name, "seconds": 0.01 * value * cost[name]}
        | {"preparation_seconds": 0.1, "products": 5.0, "error": 1e-4}
        for axis in ("n", "d", "classes")
        for value in (10, 20, 40, 80)
        for name in SOLVERS
    ]
    made = [name for name in SOLVERS if name != "explicit"]
    large = pd.DataFrame(
        {
            "solver": made,
            "seconds": [0.01 * cost[name] for name in made],
            "preparation_seconds": 0.1,
            "peak_mb": [5.0 * cost[name] for name in made],
            "products": 5.0,
            "error": 1e-4,
        }
    )
    exponents = pd.DataFrame(
        [(axis, name, 1.0) for axis in ("n", "d", "classes") for name in SOLVERS],
        columns=["axis", "solver", "exponent"],
    )
    return SolverComparison(
        base={"n": 1000, "d": 64, "classes": 10},
        large={"n": 5000, "d": 512, "classes": 10},
        tolerance=1e-3,
        damping=0.25,
        seed=0,
        repeats=3,
        device="cpu (1 thread)",
        memory_by="resident set, VmHWM",
        at_large=large,
        table=pd.DataFrame(rows),
        exponents=exponents,
    )
