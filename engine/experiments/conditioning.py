"""Look before you trust: do the data determine the scores, and where do two models differ?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_positive, order_sign
from engine.data.dataset import Dataset
from engine.experiments.attack import OnOneAttack, find_or_attack
from engine.experiments.base import Context, Experiment
from engine.experiments.cost import Size, attack_seconds
from engine.experiments.files import load_fields, save_fields
from engine.models.linear import as_linear
from engine.options import ascending, option
from engine.statistics import rank_correlation

FIRST = 10  # samples of a ranking
DECOMPOSED = 2e-9  # seconds of a decomposition, times the cube of the parameters
MODELS = ("honest", "attacked")


@dataclass(frozen=True)
class ConditioningRequest(OnOneAttack):
    """The spectrum of H at an honest and an attacked model, and scores at several `dampings`."""

    dampings: tuple[float, ...] = option(
        (0.0001, 0.001, 0.01, 0.1, 0.25, 1.0, 10.0), ascending(check_positive)
    )


@dataclass(frozen=True, eq=False)
class ConditioningResult:
    """eigenvalues: (2, P), of H at the honest and at the attacked model, the largest first. stable,
    flat: of each, its stable rank and how many directions have no curvature. below, slopes: (2, n),
    at the request's damping, as in `Spectrum`. scores: (2, n), at the same damping.
    by_damping: a row per model and damping: model, damping, dimension (effective), condition,
    correlation (Spearman's, of the scores with those at the request's damping), kept (share of the
    first ten), below (mean over samples). differences: the table of `model_differences`, the honest
    model first.
    """

    damping: float
    target: int
    eigenvalues: NDArray[np.float64]
    stable: tuple[float, ...]
    flat: tuple[int, ...]
    scores: NDArray[np.float64]
    below: NDArray[np.float64]
    slopes: NDArray[np.float64]
    by_damping: pd.DataFrame
    differences: pd.DataFrame

    def at(self, model: str, damping: float | None = None) -> pd.Series:
        """Return the row of a model at a damping, by default that of the request or the one that is
        nearest to it."""
        rows = self.by_damping[self.by_damping["model"] == model]
        asked = self.damping if damping is None else damping
        return rows.loc[(np.log(rows["damping"] / asked)).abs().idxmin()]


def run_conditioning(
    request: ConditioningRequest, dataset: Dataset, context: Context
) -> ConditioningResult:
    from engine.scrutiny.conditioning import check_decomposable, spectrum
    from engine.scrutiny.differences import model_differences

    check_decomposable(dataset.n_classes * (dataset.n_features + 1))  # before the attack
    context.report(0, 3)
    found = find_or_attack(request.attack, dataset, context)
    context.report(1, 3)
    spectra, rows = [], []
    for place, model in enumerate((found.honest, found.model)):
        spectra.append(spectrum(as_linear(model), dataset, device=context.device))
        usual = spectra[-1].scores(request.damping)
        for damping in request.dampings:
            scores = spectra[-1].scores(damping)
            rows.append(
                {
                    "model": MODELS[place],
                    "damping": damping,
                    "dimension": spectra[-1].effective_dimension(damping),
                    "condition": spectra[-1].condition(damping),
                    "correlation": float(rank_correlation(scores, usual)),
                    "kept": kept(scores, usual, request.order),
                    "below": float(spectra[-1].below(damping).mean()),
                }
            )
        context.report(2 + place, 3)
    return ConditioningResult(
        damping=request.damping,
        target=request.target,
        eigenvalues=np.stack([one.eigenvalues for one in spectra]),
        stable=tuple(one.stable_rank for one in spectra),
        flat=tuple(one.flat for one in spectra),
        scores=np.stack([one.scores(request.damping) for one in spectra]),
        below=np.stack([one.below(request.damping) for one in spectra]),
        slopes=np.stack([one.slopes(request.damping) for one in spectra]),
        by_damping=pd.DataFrame(rows),
        differences=model_differences(
            found.honest, found.model, dataset, (found.before, found.after)
        ),
    )


def kept(scores: NDArray, usual: NDArray, order: str) -> float:
    """Return the share of the first ten by `usual` that are among the first ten by `scores`."""
    sign, few = order_sign(order), min(FIRST, len(scores))
    first, then = (np.argsort(-sign * one, kind="stable")[:few] for one in (usual, scores))
    return len(np.intersect1d(first, then)) / few


def describe_conditioning(result: ConditioningResult) -> str:
    lines = [f"{result.eigenvalues.shape[1]} parameters, damping {result.damping:g}:"]
    for place, name in enumerate(MODELS):
        row = result.at(name)
        lines.append(
            f"  {name} model: stable rank {result.stable[place]:.1f}, {result.flat[place]} "
            f"directions without curvature; at damping {row['damping']:g} effective dimension "
            f"{row['dimension']:.1f}, and directions with less curvature than that carry "
            f"{row['below']:.0%} of a score on average"
        )
    lines += [
        f"  damping {one['damping']:g}: Spearman {one['correlation']:.2f} with the ranking at "
        f"{result.damping:g}, {one['kept']:.0%} of its first ten"
        for one in result.by_damping.to_dict("records")
        if one["model"] == "honest"
    ]
    changed = result.differences[
        result.differences["said_first"] != result.differences["said_second"]
    ]
    lines.append(f"  the models predict otherwise for {len(changed)} samples")
    return "\n".join(lines)


def conditioning_cost(request: ConditioningRequest, size: Size) -> float:
    attack, parameters = request.attack, size.n_classes * (size.n_features + 1)
    return attack_seconds(size, attack.runs, attack.steps) + 2 * DECOMPOSED * parameters**3


CONDITIONING = Experiment(
    "conditioning",
    "Look before you trust: the spectrum of H, scores at other dampings, where models differ",
    ConditioningRequest,
    run_conditioning,
    save_fields,
    partial(load_fields, ConditioningResult),
    describe_conditioning,
    seconds=conditioning_cost,
)
