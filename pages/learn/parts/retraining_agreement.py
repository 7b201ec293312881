"""How well scores agree with retraining, and how that depends on the choice of samples."""

import numpy as np
import pandas as pd

from engine.experiments import LeaveOneOutResult
from engine.statistics import rank_correlation
from pages.common.keeping import shelf

DRAWN, DRAWS = 60, 500  # samples of a draw, draws
MANY = 200  # retrained models, of which parts are compared


@shelf.kept
def slope(table: pd.DataFrame) -> float:
    """Fit the factor by which the measured changes exceed the estimated ones: least squares through
    the origin."""
    return float((table["estimate"] * table["change"]).sum() / (table["estimate"] ** 2).sum())


@shelf.kept
def correlations(table: pd.DataFrame) -> tuple[float, float]:
    """Correlate estimated and measured changes: Pearson, Spearman."""
    estimate, change = table["estimate"], table["change"]
    return float(estimate.corr(change)), float(rank_correlation(estimate, change))


def draws(table: pd.DataFrame, seed: int = 0) -> tuple[float, float, float]:
    """Draw DRAWN samples DRAWS times; the 5%, 50% and 95% quantiles of their Spearman
    correlations."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((DRAWS, len(table))).argpartition(DRAWN, axis=1)[:, :DRAWN]
    found = rank_correlation(table["estimate"].to_numpy()[drawn], table["change"].to_numpy()[drawn])
    low, middle, high = np.quantile(found, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


@shelf.kept
def by_choice(result: LeaveOneOutResult) -> pd.DataFrame:
    """Tabulate both correlations and the factor for several choices of samples; empty where fewer
    than MANY were retrained."""
    table = result.table.sort_values("rank", ignore_index=True)
    n = len(table)
    if n < MANY:
        return pd.DataFrame()
    spread = table.iloc[np.linspace(0, n - 1, DRAWN).round().astype(int)]
    parts = {
        f"all {n:,}": table,
        f"{DRAWN} spread evenly over the ranking": spread,
        "the half in the middle of the ranking": table.iloc[n // 4 : n - n // 4],
        f"the first {DRAWN} (highest scores)": table.head(DRAWN),
        f"the last {DRAWN} (lowest scores)": table.tail(DRAWN),
    }
    rows = []
    for name, part in parts.items():
        pearson, spearman = correlations(part)
        rows.append(
            {
                "samples": name,
                "Spearman": decimal_3(spearman),
                "Pearson": decimal_3(pearson),
                "retraining ÷ estimate": f"{slope(part):.2f}",
            }
        )
    low, middle, high = draws(table)
    rows.insert(
        2,
        {
            "samples": f"{DRAWN} at random, {DRAWS} draws: median (90% of draws)",
            "Spearman": f"{decimal_3(middle)} ({decimal_3(low)} to {decimal_3(high)})",
            "Pearson": "",
            "retraining ÷ estimate": "",
        },
    )
    return pd.DataFrame(rows)


def decimal_3(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
