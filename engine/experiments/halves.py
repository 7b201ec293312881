"""How far two honest rankings agree between halves of the test data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, honest_model
from engine.experiments.cost import Size, sensitivity_seconds
from engine.experiments.files import load_table, save_table
from engine.options import OneOf, at_least, option
from engine.statistics import percentiles
from engine.vocabulary import DAMPING, DTYPES, L2, ORDERS


@dataclass(frozen=True)
class HalvesRequest(OnDataset):
    """The honest model's rankings on two halves of the test data; fields as in `fit` and
    `ranking_agreement`."""

    draws: int = option(50, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    order: str = option("highest_first", OneOf(ORDERS))
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


def run_halves(request: HalvesRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Return the table of `ranking_agreement`."""
    from engine.scrutiny.agreement import ranking_agreement

    return ranking_agreement(
        honest_model(dataset, request.l2, context),
        dataset,
        draws=request.draws,
        seed=request.seed,
        damping=request.damping,
        order=request.order,
        dtype=request.dtype,
        device=context.device,
        on_step=context.report,
    )


def describe_halves(result: pd.DataFrame) -> str:
    own, drawn = result.iloc[0], result.iloc[1:]
    low, high = percentiles(drawn["spearman"].to_numpy())
    elsewhere = drawn[["first_on_second", "second_on_first"]].to_numpy()
    return (
        f"Two honest rankings of {own['n_train']:,.0f} samples, on two halves of the test data: "
        f"Spearman {own['spearman']:.3f}\n"
        f"  {len(drawn)} pairs of halves drawn anew: median {drawn['spearman'].median():.3f}, 95% "
        f"of them {low:.3f} to {high:.3f}\n"
        f"  of the first ten of one half {drawn['shared_first'].mean():.1f} are among those of the "
        f"other; its first ranks {np.median(elsewhere):,.0f} there (median)"
    )


def halves_cost(request: HalvesRequest, size: Size) -> float:
    return sensitivity_seconds(size, 2 * request.draws)  # a solve for each half


HALVES = Experiment(
    "halves",
    "How far two honest rankings agree between halves of the test data",
    HalvesRequest,
    run_halves,
    save_table,
    load_table,
    describe_halves,
    seconds=halves_cost,
)
