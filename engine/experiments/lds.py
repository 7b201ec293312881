"""Do the scores predict retraining? The linear datamodelling score of each attribution."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.attack import OnOneAttack, find_or_attack
from engine.experiments.base import Context, Experiment
from engine.experiments.cost import Size, attack_seconds, refits_seconds
from engine.experiments.files import load_fields, save_fields
from engine.experiments.scored import ATTACKED, HONEST, INFLUENCE, score_both, some_scores
from engine.options import at_least, option
from engine.vocabulary import SCORES

MATCHING = "influence, damping = l2"  # beside the names of attributions
RERUN = 10  # halves that are trained a second time


def even(name: str, value: object) -> int:
    """Check for an even whole number >= 4. Raises InvalidInput."""
    number = check_integer(name, value, 4)
    if number % 2:
        raise InvalidInput(name, value, "an even number: halves come with their complements")
    return number


@dataclass(frozen=True)
class LdsRequest(OnOneAttack):
    """The scores of an honest and of an attacked model against models that are trained on `subsets`
    halves of the samples, drawn by the seed. neighbours: of kNN-Shapley. attributions: whose
    scores. queries: test samples that are looked at each by itself, the first of them; 0 for all.
    """

    subsets: int = option(200, even)
    neighbours: int = option(5, at_least(1))
    attributions: tuple[str, ...] = option(tuple(SCORES), some_scores, added=True)
    queries: int = option(0, at_least(0), added=True)


@dataclass(frozen=True, eq=False)
class LdsResult:
    """outcomes: (subsets,), the mean test loss of the model trained on each half; neighbours 2j and
    2j + 1 are complements. sums: (rows, subsets), the sums of the scores of the samples in each.
    table: a row per row of `sums`: attribution (a name of `SCORES`, or `MATCHING`), model
    ('honest', 'attacked', or 'either' where none enters), lds, low, high (95%). ceiling: of
    additive scores.
    each_lds, each_ceiling: of honest influence with damping = l2, as the mean over test samples.
    rerun_difference: the largest between test losses of two trainings on the same half, from the
    model of all samples and from zero. missing: why an attribution is not here, by its name.
    """

    outcomes: NDArray[np.float64]
    sums: NDArray[np.float64]
    table: pd.DataFrame
    ceiling: float
    each_lds: float
    each_ceiling: float
    rerun_difference: float
    missing: dict[str, str] = field(default_factory=dict)

    def row(self, attribution: str, model: str) -> pd.Series:
        """Return the row of an attribution under a model, or under either where none enters."""
        return self.table.iloc[self.place(attribution, model)]

    def place(self, attribution: str, model: str) -> int:
        """Return which row of `sums` that is."""
        rows = (self.table["attribution"] == attribution) & (
            self.table["model"].isin((model, "either"))
        )
        return int(np.flatnonzero(rows)[0])


def run_lds(request: LdsRequest, dataset: Dataset, context: Context) -> LdsResult:
    from engine.models.linear import LinearModel, as_linear
    from engine.scrutiny.attributions import attribution
    from engine.scrutiny.datamodelling import compare, draw_halves
    from engine.scrutiny.queries import influence_matrix
    from engine.scrutiny.retraining import retrain_on

    check_integer("neighbours", request.neighbours, 1, dataset.n_train)
    total = request.subsets + 2 * len(request.attributions) + 3
    report = context.counter(total)
    attacked = find_or_attack(request.attack, dataset, context)
    report(1)
    honest, l2, device = as_linear(attacked.honest), request.l2, context.device
    halves = draw_halves(dataset.n_train, request.subsets, request.seed)
    trained = retrain_on(
        dataset, halves, l2, device, honest, lambda now, of: context.report(1 + now, total)
    )
    report(request.subsets)
    nowhere = LinearModel(np.zeros_like(honest.weight), np.zeros_like(honest.bias), l2)
    again = retrain_on(dataset, halves[:RERUN], l2, device, nowhere).mean_losses("test")
    outcomes = trained.mean_losses("test")
    near, names = request.neighbours, request.attributions
    scored = score_both(request, attacked, dataset, device, near, report, names)
    scores = {row: ranking.scores for row, ranking in scored.rankings.items()}
    for which, model in ((HONEST, honest), (ATTACKED, as_linear(attacked.model))):
        scores[MATCHING, which] = attribution(
            INFLUENCE, model, dataset, damping=l2, dtype=request.dtype, device=device
        ).scores
    rows, found = [], None
    for (name, which), values in scores.items():
        found = compare(values, halves, outcomes)
        low, high = found.interval
        rows.append(
            {"attribution": name, "model": which, "lds": found.score, "low": low, "high": high}
        )
    assert found is not None
    X, y = (part[: request.queries or None] for part in dataset.split("test"))
    queries = influence_matrix(honest, dataset, X, y, damping=l2, device=device)
    each = compare(queries, halves, trained.losses["test"][: len(y)])
    return LdsResult(
        outcomes=outcomes,
        sums=np.stack([halves @ values.astype(np.float64) for values in scores.values()]),
        table=pd.DataFrame(rows),
        ceiling=found.ceiling,
        each_lds=each.score,
        each_ceiling=each.ceiling,
        rerun_difference=float(np.abs(again - outcomes[:RERUN]).max()),
        missing=scored.missing,
    )


def describe_lds(result: LdsResult) -> str:
    lines = [
        f"Linear datamodelling score over {len(result.outcomes)} halves; additive scores reach at "
        f"most {result.ceiling:.3f}:"
    ]
    lines += [
        f"  {row['attribution']}, {row['model']} model: {row['lds']:.3f} ({row['low']:.3f} to "
        f"{row['high']:.3f})"
        for row in result.table.to_dict("records")
    ]
    lines.append(
        f"  {MATCHING}, each test sample by itself: {result.each_lds:.3f} of at most "
        f"{result.each_ceiling:.3f}"
    )
    lines.append(f"  a second training differs by {result.rerun_difference:.1e}")
    lines += [f"  without {name}: {why}" for name, why in result.missing.items()]
    return "\n".join(lines)


def lds_cost(request: LdsRequest, size: Size) -> float:
    """Estimate the attack, the halves, what Data Banzhaf trains, and the n solves of two scores."""
    attack = request.attack
    halves = request.subsets + RERUN + 400
    return attack_seconds(size, attack.runs, attack.steps) + refits_seconds(size, 2 * halves)


LDS = Experiment(
    "lds",
    "Do sums of scores predict models that are trained on halves of the samples?",
    LdsRequest,
    run_lds,
    save_fields,
    partial(load_fields, LdsResult),
    describe_lds,
    seconds=lds_cost,
)
