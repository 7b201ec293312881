"""Which samples are easy to move: gradient norms of all scores beside the ranking (Figs. 4, 7)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.attacks.result import Ranking
from engine.checks import check_positive
from engine.data.dataset import Dataset
from engine.experiments.base import Context, Experiment, OnDataset, honest_model
from engine.experiments.cost import Size, sensitivity_seconds
from engine.experiments.files import Parts, ranking_arrays, read_parts, read_ranking, write_parts
from engine.options import OneOf, at_least, option
from engine.vocabulary import DAMPING, DTYPES, L2


@dataclass(frozen=True)
class SensitivityRequest(OnDataset):
    """Fields as in `fit` and `sensitivity`. n_exact: samples whose norm is also computed exactly,
    spread evenly over the ranking; 0 for none."""

    probes: int = option(256, at_least(2))
    n_exact: int = option(24, at_least(0))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


@dataclass(frozen=True, eq=False)
class SensitivityResult:
    """‖∇θ I_i‖ of every training sample with its standard error, beside the honest ranking;
    exact_norms are those of the samples `exact_indices`."""

    ranking: Ranking
    norms: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    exact_indices: NDArray[np.int64]
    exact_norms: NDArray[np.float64]
    probes: int

    @property
    def error(self) -> float:
        """Return the RMS of the estimates' relative errors, where exact norms are known."""
        ratio = self.norms[self.exact_indices] / self.exact_norms
        return float(np.sqrt(np.mean((ratio - 1) ** 2))) if len(ratio) else float("nan")

    @property
    def at_ends(self) -> tuple[float, float, float]:
        """Return the median norms of the first twentieth of the ranking, of the middle and of the
        last twentieth."""
        n = len(self.norms)
        order, part = self.ranking.top(n), max(n // 20, 1)
        parts = (order[:part], order[part:-part], order[-part:])
        first, middle, last = (float(np.median(self.norms[some])) for some in parts)
        return first, middle, last


ARRAYS = ("norms", "standard_errors", "exact_indices", "exact_norms")


def spread(ranking: Ranking, count: int) -> NDArray[np.int64]:
    """Pick `count` samples (at most all), evenly from the first to the last of a ranking."""
    n = len(ranking.ranks)
    places = np.linspace(0, n - 1, min(count, n)).round().astype(np.int64)
    return ranking.top(n)[places]


def run_sensitivity(
    request: SensitivityRequest, dataset: Dataset, context: Context
) -> SensitivityResult:
    from engine.influence.scores import influence_scores
    from engine.scrutiny.sensitivity import exact_sensitivity, sensitivity

    model = honest_model(dataset, request.l2, context)
    damping, dtype, device = request.damping, request.dtype, context.device
    scored = influence_scores(model, dataset, damping=damping, dtype=dtype, device=device)
    ranking = Ranking(scored.scores, scored.ranks)

    found = sensitivity(
        model,
        dataset,
        request.probes,
        request.seed,
        damping=damping,
        dtype=dtype,
        device=device,
        on_step=context.report,
    )
    some = spread(ranking, request.n_exact)
    exact = np.empty(0)
    if len(some):
        exact = exact_sensitivity(
            model, dataset, some.tolist(), damping=damping, dtype=dtype, device=device
        )
    return SensitivityResult(ranking, found.norms, found.standard_errors, some, exact, found.probes)


def save_sensitivity(result: SensitivityResult, folder: Path) -> None:
    arrays = {name: getattr(result, name) for name in ARRAYS}
    arrays |= ranking_arrays("test", result.ranking)
    write_parts(folder, arrays, {"probes": result.probes}, {})


def load_sensitivity(folder: Path) -> SensitivityResult:
    arrays, scalars = read_parts(folder)
    named: Parts = {name: arrays[name] for name in ARRAYS}
    return SensitivityResult(ranking=read_ranking("test", arrays), **named, **scalars)


def describe_sensitivity(result: SensitivityResult) -> str:
    first, middle, last = result.at_ends
    return (
        f"Gradient norms of {len(result.norms):,} scores from {result.probes} probes: median "
        f"{first:.3g} in the first twentieth of the ranking, {last:.3g} in the last, {middle:.3g} "
        "between\n"
        f"  error against {len(result.exact_norms)} exact norms: {result.error:.1%} RMS"
    )


def sensitivity_cost(request: SensitivityRequest, size: Size) -> float:
    return sensitivity_seconds(size, request.probes)


SENSITIVITY = Experiment(
    "sensitivity",
    "Which samples are easy to move: how strongly each score depends on the model",
    SensitivityRequest,
    run_sensitivity,
    save_sensitivity,
    load_sensitivity,
    describe_sensitivity,
    seconds=sensitivity_cost,
)
