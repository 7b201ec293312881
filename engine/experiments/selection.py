"""Selection by scores: removal and addition curves of honest, attacked and random rankings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks import check_integer
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.attack import OnOneAttack, find_or_attack
from engine.experiments.attributions import share
from engine.experiments.base import Context, Experiment
from engine.experiments.cost import Size, attack_seconds, refits_seconds
from engine.experiments.files import load_fields, save_fields
from engine.experiments.scored import score_both, some_scores
from engine.options import ascending, at_least, option
from engine.vocabulary import SCORES

RANDOM, ALL = "random", "all"  # beside the names of attributions
NEVER = -1  # no class is lost


@dataclass(frozen=True)
class SelectionRequest(OnOneAttack):
    """Training on the `shares` of the samples that each attribution puts first, and last, under the
    honest and the attacked model, and on as many random ones, `draws` times. neighbours: of
    kNN-Shapley. attributions: whose rankings."""

    shares: tuple[float, ...] = option((0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95), ascending(share))
    draws: int = option(5, at_least(1))
    neighbours: int = option(5, at_least(1))
    attributions: tuple[str, ...] = option(tuple(SCORES), some_scores, added=True)


@dataclass(frozen=True, eq=False)
class SelectionResult:
    """table: a row per selection: attribution (a name of `SCORES`, 'random' or 'all'), model
    ('honest', 'attacked', 'either'), draw (of a random one, else 0), end ('first' or 'last': what
    is kept), share, samples, lost (a class without a sample in it: then nothing is trained; else
    −1), loss_test, accuracy_test, loss_holdout, accuracy_holdout. missing: why an attribution is
    not here, by its name.
    """

    table: pd.DataFrame
    order: str
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def everything(self) -> pd.Series:
        """Return the row of the model that is trained on all samples."""
        return self.table[self.table["attribution"] == ALL].iloc[0]

    def curve(self, attribution: str, model: str, end: str) -> pd.DataFrame:
        """Return the rows of a ranking by share; those of an attribution that sees no model are the
        same for both."""
        rows = self.table[(self.table["attribution"] == attribution) & (self.table["end"] == end)]
        return rows[rows["model"].isin((model, "either"))].sort_values("share")

    def by_chance(self) -> pd.DataFrame:
        """Return mean, least and greatest of every number over the random draws, by share."""
        rows = self.table[self.table["attribution"] == RANDOM]
        numbers = ["loss_test", "accuracy_test", "loss_holdout", "accuracy_holdout"]
        return rows.groupby("share")[numbers].agg(["mean", "min", "max"])


def run_selection(request: SelectionRequest, dataset: Dataset, context: Context) -> SelectionResult:
    """Keep shares of the training samples by each score, and train on them. Raises InvalidInput."""
    from engine.scrutiny.selection import ENDS, kept

    n = dataset.n_train
    check_integer("neighbours", request.neighbours, 1, n)
    for part in request.shares:
        if round(part * n) < 1:
            raise InvalidInput("shares", part, f"shares that keep at least one of {n} samples")
    scores = 2 * len(request.attributions)  # under both models
    total = 1 + scores + len(request.shares) * (2 * scores + request.draws)
    report = context.counter(total)
    attacked = find_or_attack(request.attack, dataset, context)
    report(1)
    near, names = request.neighbours, request.attributions
    scored = score_both(request, attacked, dataset, context.device, near, report, names)
    rows: list[dict[str, object]] = [
        {"attribution": ALL, "model": "either", "draw": 0, "end": "first", "share": 1.0}
    ]
    masks = [np.ones(n, dtype=bool)]
    for part in request.shares:
        for (name, which), ranking in scored.rankings.items():
            for end in ENDS:
                rows.append({"attribution": name, "model": which, "draw": 0, "end": end})
                rows[-1]["share"] = part
                masks.append(kept(ranking.ranks, part, end))
        for draw in range(request.draws):
            order = np.random.default_rng([request.seed, draw]).permutation(n)
            rows.append({"attribution": RANDOM, "model": "either", "draw": draw, "end": "first"})
            rows[-1]["share"] = part
            masks.append(kept(order, part, "first"))
    numbers = train_on(np.stack(masks), dataset, request.l2, context, report)
    table = pd.concat([pd.DataFrame(rows), numbers], axis=1)
    return SelectionResult(table, request.order, scored.missing)


def train_on(
    masks: NDArray[np.bool_],
    dataset: Dataset,
    l2: float,
    context: Context,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Train on every selection that has a sample of each class, and say of the others which class
    they lose."""
    from engine.scrutiny.retraining import classes_lost, retrain_on

    lost = [next(iter(classes_lost(dataset, mask)), NEVER) for mask in masks]
    able = np.flatnonzero(np.array(lost) == NEVER)
    found = retrain_on(dataset, masks[able], l2, context.device, on_step=lambda now, of: report(0))
    report(len(masks))
    columns: dict[str, object] = {"samples": masks.sum(1), "lost": lost}
    for split in ("test", "holdout"):
        for what, values in (
            ("loss", found.mean_losses(split)),
            ("accuracy", found.accuracies[split]),
        ):
            column = np.full(len(masks), np.nan)
            column[able] = values
            columns[f"{what}_{split}"] = column
    return pd.DataFrame(columns)


def describe_selection(result: SelectionResult) -> str:
    whole, chance = result.everything, result.by_chance()["accuracy_holdout", "mean"]
    lines = [f"All samples: accuracy {whole['accuracy_holdout']:.1%} on holdout"]
    named = result.table[["attribution", "model"]].drop_duplicates().to_dict("records")
    for share_kept in chance.index:
        lines.append(f"  {share_kept:.0%} kept: at random {chance[share_kept]:.1%}")
        for one in named:
            if one["attribution"] in (ALL, RANDOM):
                continue
            ends = []
            for end in ("first", "last"):
                curve = result.curve(one["attribution"], one["model"], end)
                row = curve[curve["share"] == share_kept].iloc[0]
                lost = f"no class {row['lost']}" if row["lost"] != NEVER else ""
                ends.append(f"{end} {lost or format(row['accuracy_holdout'], '.1%')}")
            lines.append(f"    {one['attribution']}, {one['model']}: {', '.join(ends)}")
    lines += [f"  without {name}: {why}" for name, why in result.missing.items()]
    return "\n".join(lines)


def selection_cost(request: SelectionRequest, size: Size) -> float:
    """Attack, selections, and what Data Banzhaf trains."""
    attack = request.attack
    models = len(request.shares) * (4 * len(request.attributions) + request.draws) + 400
    return attack_seconds(size, attack.runs, attack.steps) + refits_seconds(size, models)


SELECTION = Experiment(
    "selection",
    "Train on what scores put first, or last: removal and addition curves",
    SelectionRequest,
    run_selection,
    save_fields,
    partial(load_fields, SelectionResult),
    describe_selection,
    seconds=selection_cost,
)
