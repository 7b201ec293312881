"""Finding wrong labels by scores, before and after an attack hides some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.base import Context, Experiment, OnDataset, honest_model
from engine.experiments.files import load_fields, save_fields
from engine.market.cleaning import Finding, finding, flip_labels, known_labels
from engine.market.vendors import vendors_at_random
from engine.models.linear import LinearModel, as_linear
from engine.options import OneOf, any_text, at_least, distinct, one_or_each, option, taken_from
from engine.statistics import bootstrap_interval
from engine.vocabulary import DAMPING, DTYPES, L2

POINTS = 60  # of a curve
MODELS = {
    "honest": "nobody interferes",
    "hide": "one wrong sample is hidden",
    "protect": "a vendor's wrong samples are hidden",
}
DETECTORS = {
    "influence": "influence on the test loss, the highest first",
    "self_influence": "self-influence: how much a sample explains itself",
    "loss": "the sample's own loss",
}


def percent(name: str, value: object) -> float:
    """Check for a percentage in (0, 100]. Raises InvalidInput."""
    number = check_positive(name, value)
    if number > 100:
        raise InvalidInput(
            name,
            value,
            "a number in (0, 100]: no more labels can be flipped than samples are there",
        )
    return number


@dataclass(frozen=True)
class CleaningRequest(OnDataset):
    """How many labels are flipped, and how the attacks go about it.

    flipped: per cent of the training labels. draws: of flips and vendors. vendors: how many own the
    samples, at random; the first of them is protected. radius, restarts, learning_rates, steps: as
    in `AttackOptions`. detectors: the scores that look for wrong labels.
    """

    flipped: float = option(5.0, percent)
    draws: int = option(10, at_least(1))
    vendors: int = option(10, at_least(1))
    radius: float = option(0.3, check_positive)
    restarts: int = option(1, at_least(0))
    learning_rates: Sequence[float] = option((0.01, 0.1), one_or_each(check_positive))
    steps: int = option(100, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))
    detectors: Sequence[str] = option(tuple(DETECTORS), distinct(OneOf(DETECTORS)), added=True)
    truth: str = option("", any_text, added=True)


@dataclass(frozen=True, eq=False)
class CleaningResult:
    """table: one row per draw, model (of MODELS) and detector (of DETECTORS): average_precision;
        precision and recall after as many samples were inspected as are wrong; hidden, how many
        wrong samples the attack hides, and hidden_found, how many of those are among the inspected;
        hidden_rank, the best place of one of them; accuracy (on holdout) of the model. Without an
        attack the hidden ones are those that `hide` would hide.
    curves: draw, model, detector, inspected (share of the samples), precision, recall.
    n: training samples; wrong: how many have a wrong label.
    """

    n: int
    wrong: int
    table: pd.DataFrame
    curves: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Sum the draws up, a row a model and detector: the means of average_precision, precision,
        recall, hidden, hidden_found, hidden_rank and accuracy; low and high, the 95% interval of
        average_precision over draws."""
        rows = []
        for (model, detector), part in self.table.groupby(["model", "detector"], sort=False):
            low, high = bootstrap_interval(part["average_precision"])
            means = part.drop(columns=["draw", "model", "detector"]).mean()
            rows.append(
                {"model": model, "detector": detector, **means.to_dict(), "low": low, "high": high}
            )
        return pd.DataFrame(rows)


def run_cleaning(request: CleaningRequest, dataset: Dataset, context: Context) -> CleaningResult:
    check_integer("vendors", request.vendors, 1, dataset.n_train)
    known = known_labels(dataset, request.truth) if request.truth else None
    flips = (
        max(1, round(dataset.n_train * request.flipped / 100)) if known is None else len(known[1])
    )
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    places = np.unique(np.linspace(1, dataset.n_train, POINTS).round().astype(np.int64))
    context.report(0, request.draws)
    for draw in range(request.draws):
        seed = request.seed + draw
        noisy, wrong = known or flip_labels(dataset, flips, seed)
        owner = vendors_at_random(dataset.n_train, request.vendors, seed).owner
        own = wrong[owner[wrong] == 0]
        for name, (model, hidden) in models(request, noisy, wrong, own, seed, context).items():
            accuracy = model.accuracy(*noisy.split("holdout"))
            for detector in request.detectors:
                suspicion = suspicions(detector, model, noisy, request, context)
                found = finding(suspicion, wrong)
                row = {"draw": draw, "model": name, "detector": detector}
                rows.append(
                    {**row, **measures(found, suspicion, flips, hidden), "accuracy": accuracy}
                )
                part = {"inspected": places / dataset.n_train}
                part |= {n: getattr(found, n)[places - 1] for n in ("precision", "recall")}
                curves.append(pd.DataFrame(row | part))
        context.report(draw + 1, request.draws)
    return CleaningResult(
        n=dataset.n_train,
        wrong=flips,
        table=pd.DataFrame(rows),
        curves=pd.concat(curves, ignore_index=True),
    )


def models(
    request: CleaningRequest,
    noisy: Dataset,
    wrong: NDArray[np.int64],
    own: NDArray[np.int64],
    seed: int,
    context: Context,
) -> dict[str, tuple[LinearModel, NDArray[np.int64]]]:
    """Return the model trained on the wrong labels, and what two attacks make of it, each with the
    samples that are hidden: the wrong one that influence finds first, and `own`, where there are
    any. Hidden is what counts as pulling the test loss down most: the other end of the ranking."""
    honest = honest_model(noisy, request.l2, context)
    scores = suspicions("influence", honest, noisy, request, context)
    first = wrong[[int(scores[wrong].argmax())]]
    found = {"honest": (honest, first)}
    for name, targets in (("hide", first), ("protect", own)):
        if len(targets):
            result = hidden_by_attack(request, honest, noisy, targets, seed, context)
            found[name] = (as_linear(result.model), targets)
    return found


def hidden_by_attack(
    request: CleaningRequest,
    honest: LinearModel,
    noisy: Dataset,
    targets: NDArray[np.int64],
    seed: int,
    context: Context,
) -> AttackResult:
    from engine.attacks.attack import attack_with

    options = taken_from(AttackOptions, request, k=len(targets), order="lowest_first", seed=seed)
    return attack_with(options, honest, noisy, targets.tolist(), device=context.device)


def suspicions(
    detector: str,
    model: LinearModel,
    dataset: Dataset,
    request: CleaningRequest,
    context: Context,
) -> NDArray[np.floating]:
    """Return how suspicious a detector finds each training sample, (n,): high is suspicious."""
    from engine.scrutiny.attributions import attribution

    if detector == "loss":
        p = model.probabilities(dataset.X_train)[np.arange(dataset.n_train), dataset.y_train]
        return -np.log(np.maximum(p, np.finfo(np.float64).tiny))
    return attribution(
        detector, model, dataset, damping=request.damping, dtype=request.dtype,
        device=context.device,
    ).scores  # fmt: skip


def measures(
    found: Finding, suspicion: NDArray, inspected: int, hidden: NDArray[np.int64]
) -> dict[str, float]:
    """Return the numbers of one row of the table."""
    place = np.empty(len(suspicion), dtype=np.int64)
    place[np.argsort(-suspicion, kind="stable")] = np.arange(1, len(suspicion) + 1)
    precision, recall = found.after(inspected)
    return {
        "average_precision": found.average_precision,
        "precision": precision,
        "recall": recall,
        "hidden": len(hidden),
        "hidden_found": int((place[hidden] <= inspected).sum()),
        "hidden_rank": int(place[hidden].min()),
    }


def describe_cleaning(result: CleaningResult) -> str:
    shown = result.summary()
    return (
        f"{result.wrong} of {result.n:,} labels are wrong; means over "
        f"{result.table['draw'].nunique()} draws, inspecting {result.wrong} samples:\n"
        + shown.to_string(index=False, float_format=lambda value: f"{value:.3g}")
    )


CLEANING = Experiment(
    "cleaning",
    "Find wrong labels by scores, before and after an attack hides some of them",
    CleaningRequest,
    run_cleaning,
    save_fields,
    partial(load_fields, CleaningResult),
    describe_cleaning,
)
