"""Who gets the money: what vendors earn before and after somebody rigs the valuation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.checks import check_choice, check_integer, check_positive, order_sign
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.base import Context, Experiment, OnDataset, chosen_or_there, honest_model
from engine.experiments.files import read_parts, write_parts
from engine.market.payments import Payments, payments
from engine.market.vendors import Vendors, make_vendors
from engine.models.linear import LinearModel
from engine.options import (
    Check,
    OneOf,
    any_text,
    ascending,
    at_least,
    one_or_each,
    option,
    taken_from,
)
from engine.statistics import bootstrap_interval
from engine.vocabulary import DAMPING, DTYPES, L2, ORDERS, PAY, PAY_RULES, VENDORS

OFFERED = ("random", "class", "cluster")  # schemes that every data set has
MOVING = ("several_k", "several_all")  # multi-target attacks: into the top k, and as many as owned
DAMPINGS = (0.001, 0.01, 0.1, 0.25, 1.0, 10.0)  # that a valuator tries
ATTACKERS = {
    "pay": "trainer, for the share of positive scores",
    "pay_top_k": "trainer, for the share of the top k",
    "pay_rank": "trainer, for the share by rank",
    "several_k": "trainer who moves the vendor's samples into the top k",
    "several_all": "trainer who moves all of the vendor's samples to the top",
    "copies": "vendor who delivers its best samples twice",
    "outliers": "vendor who delivers outliers",
    "split": "vendor who sells harmful samples under other names",
    "test": "valuator who picks half of the test set",
    "damping": "valuator who picks the damping",
}


SUMMED = (
    "attack", "budget", "draws", "before", "after", "gain", "low", "high", "accuracy_drop"
)  # fmt: skip


counts: Check[tuple[int, ...]] = ascending(at_least(1))


@dataclass(frozen=True)
class PaymentsRequest(OnDataset):
    """Vendors, who of them somebody favours, and how far the attackers go.

    vendors, count, column: as in `make_vendors`. vendor: the number of the favoured one. k: of the
    rule 'top_k' and of the attack that moves samples. radius, restarts, learning_rates, steps: of
    the trainer's attacks, as in `AttackOptions`. order: 'lowest_first' pays samples that pull the
    test loss down. draws: how often everything is repeated, with other vendors at random (of the
    other schemes, with the next vendor). bought: samples that a vendor delivers more. names: under
    how many it sells. tried: halves of the test set that a valuator tries.
    """

    vendors: str = option("random", OneOf(VENDORS))
    count: int = option(10, at_least(2))
    column: str = option("", any_text)
    vendor: int = option(0, at_least(0))
    k: int = option(30, at_least(1))
    radius: float = option(0.3, check_positive)
    restarts: int = option(1, at_least(0))
    learning_rates: Sequence[float] = option((0.01, 0.1), one_or_each(check_positive))
    steps: int = option(100, at_least(1))
    order: str = option("lowest_first", OneOf(ORDERS))
    draws: int = option(20, at_least(1))
    bought: Sequence[int] = option((5, 20, 60), counts)
    names: Sequence[int] = option((2, 3), ascending(at_least(2)))
    tried: Sequence[int] = option((10, 100, 1000), counts)
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    seed: int = option(0, at_least(0))
    dtype: str = option("float32", OneOf(DTYPES))


@dataclass(frozen=True, eq=False)
class PaymentsResult:
    """scheme, vendor, k, order: as asked. schemes: the vendors by scheme, that of the request and
    those that every data set has.

    test, holdout: scores (n,), as Definition 1 has them, by model: 'honest', the trainer's
        objectives and MOVING, of the first draw.
    accuracy: on holdout, of the same models.
    table: one row per draw, attack, budget, score and rule of PAY_RULES: attack (of ATTACKERS),
        budget (samples bought, names, halves or dampings tried; the radius of a trainer), score
        ('influence' or 'knn_shapley'), rule, before and after (the favoured vendor's share),
        holdout_before and holdout_after (the same on the unknown test set; missing but for
        trainers), accuracy_drop (on holdout, as a share).
        A share is missing where the rule pays nobody.
    """

    scheme: str
    vendor: int
    k: int
    order: str
    schemes: dict[str, Vendors]
    test: dict[str, NDArray[np.floating]]
    holdout: dict[str, NDArray[np.floating]]
    accuracy: dict[str, float]
    table: pd.DataFrame

    @property
    def vendors(self) -> Vendors:
        """Return the vendors that the first draw's attacks are about."""
        return self.schemes[self.scheme]

    def paid(
        self, model: str, rule: str, budget: float = 1.0, scheme: str = "", split: str = "test"
    ) -> Payments:
        """Share a budget out by the scores of one model. Raises InvalidInput where the rule pays
        nobody."""
        scores = (self.test if split == "test" else self.holdout)[model]
        vendors = self.schemes[scheme or self.scheme]
        return payments(scores, vendors, rule, budget, k=self.k, order=self.order)

    def summary(self, rule: str, score: str = "influence") -> pd.DataFrame:
        """Sum the draws up, a row an attack and budget: attack, budget, draws, before, after, gain
        (means, in shares of the money), low, high (95% interval of the gain), accuracy_drop. Draws
        in which the rule pays nobody are left out."""
        rows = []
        part = self.table[(self.table["rule"] == rule) & (self.table["score"] == score)]
        for (attack, budget), some in part.groupby(["attack", "budget"], sort=False):
            gains = (some["after"] - some["before"]).dropna()
            if gains.empty:
                continue
            kept = some.loc[gains.index]
            low, high = bootstrap_interval(gains)
            rows.append(
                {
                    "attack": attack,
                    "budget": budget,
                    "draws": len(gains),
                    **{name: kept[name].mean() for name in ("before", "after")},
                    "gain": gains.mean(),
                    "low": low,
                    "high": high,
                    "accuracy_drop": kept["accuracy_drop"].mean(),
                }
            )
        return pd.DataFrame(rows, columns=SUMMED)

    def unpaid(self, rule: str) -> int:
        """Count the rows of `table` in which a rule paid nobody, before the attack or after it."""
        part = self.table[self.table["rule"] == check_choice("rule", rule, PAY_RULES)]
        return int(part[["before", "after"]].isna().any(axis=1).sum())

    def against_moving(self, attack: str) -> pd.DataFrame:
        """Pair a trainer's attack for pay with the better multi-target attack of the same draw: a
        row a draw: draw, pay, moving (shares after, under the attack's own rule), pay_drop,
        moving_drop (of accuracy). Draws that lack one of the two, as where the rule pays nobody,
        are left out."""
        table = self.table[self.table["rule"] == PAY[check_choice("attack", attack, PAY)]]
        own = table[table["attack"] == attack].set_index("draw")
        moving = table[table["attack"].isin(MOVING)].sort_values("after").groupby("draw").tail(1)
        moving = moving.set_index("draw").reindex(own.index)
        found = {
            "pay": own["after"],
            "moving": moving["after"],
            "pay_drop": own["accuracy_drop"],
            "moving_drop": moving["accuracy_drop"],
        }
        return pd.DataFrame(found).dropna().reset_index()


class Repetition(NamedTuple):
    """One repetition: its number, the vendors, the favoured one, and the seed of what is drawn."""

    number: int
    vendors: Vendors
    vendor: int
    seed: int


class Favoured:
    """Rows of a result's table for one draw."""

    def __init__(self, request: PaymentsRequest, draw: Repetition) -> None:
        self.request, self.draw = request, draw
        self.rows: list[dict[str, object]] = []

    def shares(
        self, scores: NDArray, vendors: Vendors | None = None, whose: Sequence[int] = ()
    ) -> dict[str, float]:
        """Return what the favoured vendor earns by rule, all its names together; NaN where a rule
        pays nobody."""
        vendors, k = vendors or self.draw.vendors, self.request.k
        mine = [self.draw.vendor, *whose]
        found = {}
        for rule in PAY_RULES:
            try:
                paid = payments(scores, vendors, rule, k=k, order=self.request.order)
                found[rule] = float(paid.shares[mine].sum())
            except InvalidInput:  # the rule pays nobody: there is no share
                found[rule] = np.nan
        return found

    def add(
        self,
        attack: str,
        budget: float,
        before: dict[str, float],
        after: dict[str, float],
        accuracy_drop: float = 0.0,
        score: str = "influence",
        holdout: tuple[dict[str, float], dict[str, float]] | None = None,
    ) -> None:
        unknown = dict.fromkeys(PAY_RULES, np.nan)
        hidden = holdout or (unknown, unknown)
        for rule in PAY_RULES:
            self.rows.append(
                {
                    "draw": self.draw.number,
                    "attack": attack,
                    "budget": float(budget),
                    "score": score,
                    "rule": rule,
                    "before": before[rule],
                    "after": after[rule],
                    "holdout_before": hidden[0][rule],
                    "holdout_after": hidden[1][rule],
                    "accuracy_drop": accuracy_drop,
                }
            )


def draws_of(request: PaymentsRequest, dataset: Dataset, first: Vendors) -> Iterator[Repetition]:
    """Draw vendors, and who of them is favoured: other vendors at random each time, or the next
    vendor of a scheme that is not drawn."""
    for number in range(request.draws):
        seed = request.seed + number
        if request.vendors == "random":
            vendors = make_vendors(dataset, "random", request.count, seed)
            yield Repetition(number, vendors, request.vendor, seed)
        else:
            yield Repetition(number, first, (request.vendor + number) % len(first), seed)


def fitted(request: PaymentsRequest, n: int, fewest: int) -> PaymentsRequest:
    """Return a request whose k and `bought`, where they are the defaults, which nobody chose, are
    possible with n samples, of which some vendor owns only `fewest`."""
    bought: Sequence[int] = request.bought
    if bought == PaymentsRequest.bought:
        bought = [count for count in bought if count <= fewest] or [fewest]
    return replace(request, k=chosen_or_there(request, "k", n), bought=bought)


def run_payments(request: PaymentsRequest, dataset: Dataset, context: Context) -> PaymentsResult:
    given = (request.count, request.seed)
    asked = {request.vendors: make_vendors(dataset, request.vendors, *given, request.column)}
    schemes = asked | {s: make_vendors(dataset, s, *given) for s in OFFERED if s not in asked}
    vendors = schemes[request.vendors]
    request = fitted(request, dataset.n_train, int(vendors.counts.min()))
    check_integer("vendor", request.vendor, 0, len(vendors) - 1)
    check_integer("k", request.k, 1, dataset.n_train)
    check_integer("bought", max(request.bought), 1, int(vendors.counts.min()))
    model = honest_model(dataset, request.l2, context)
    rows: list[dict[str, object]] = []
    first: dict[str, AttackResult] = {}
    total = request.draws * (len(PAY) + len(MOVING) + 1)
    report = context.counter(total)
    matrix = single_scores(request, model, dataset, context)
    for draw in draws_of(request, dataset, vendors):
        found = Favoured(request, draw)
        results = trainers(request, draw, model, dataset, context, report)
        for name, result in results.items():
            sides = [found.shares(r.scores) for r in (result.before, result.after)]
            hidden = (result.before_holdout, result.after_holdout)
            unseen = (found.shares(hidden[0].scores), found.shares(hidden[1].scores))
            found.add(
                name, request.radius, sides[0], sides[1], result.accuracy_drop, holdout=unseen
            )
        first = first or results
        by_delivery(found, model, dataset, context)
        by_measure(found, model, dataset, matrix, context)
        rows += found.rows
        report(1)
    honest = next(iter(first.values()))
    return PaymentsResult(
        scheme=request.vendors,
        vendor=request.vendor,
        k=request.k,
        order=request.order,
        schemes=schemes,
        test={"honest": honest.before.scores} | {n: r.after.scores for n, r in first.items()},
        holdout={"honest": honest.before_holdout.scores}
        | {n: r.after_holdout.scores for n, r in first.items()},
        accuracy={"honest": honest.accuracy_before}
        | {n: r.accuracy_after for n, r in first.items()},
        table=pd.DataFrame(rows),
    )


def single_scores(
    request: PaymentsRequest, model: LinearModel, dataset: Dataset, context: Context
) -> NDArray[np.floating]:
    """Return the honest model's scores on single test points, (n, m)."""
    from engine.scrutiny.queries import influence_matrix

    return influence_matrix(
        model, dataset, *dataset.split("test"), damping=request.damping, tolerance=1e-6,
        dtype=request.dtype, device=context.device,
    )  # fmt: skip


def scored(
    request: PaymentsRequest, model: LinearModel, dataset: Dataset, context: Context
) -> NDArray[np.floating]:
    """Return the scores (n,) of a model on the test set, as Definition 1 has them."""
    from engine.influence.scores import influence_scores

    return influence_scores(
        model, dataset, damping=request.damping, dtype=request.dtype, device=context.device
    ).scores


def trainers(
    request: PaymentsRequest,
    draw: Repetition,
    model: LinearModel,
    dataset: Dataset,
    context: Context,
    report: Callable[[int], None],
) -> dict[str, AttackResult]:
    """Make the trainer's attacks for one vendor, by name: for pay under each rule, and those that
    move its samples into the top. Of the latter there is none where they are there already."""
    from engine.attacks.attack import attack_with
    from engine.influence.problem import ranks

    own = draw.vendors.samples(draw.vendor)
    places = ranks(order_sign(request.order) * scored(request, model, dataset, context))
    k = min(request.k, dataset.n_train)
    asked = {name: (name, k) for name in PAY}
    for name, top in zip(MOVING, (k, len(own)), strict=True):
        if (places[own] <= top).sum() < min(top, len(own)):
            asked[name] = ("higher_ranked", top)
    found = {}
    for name, (objective, top) in asked.items():
        options = taken_from(AttackOptions, request, objective=objective, k=top, seed=draw.seed)
        found[name] = attack_with(
            options, model, dataset, own.tolist(), device=context.device,
            on_step=lambda info: report(0),  # which may raise Cancelled
        )  # fmt: skip
        report(1)
    return found


def by_delivery(found: Favoured, model: LinearModel, dataset: Dataset, context: Context) -> None:
    """Add what a vendor brings about that cannot touch the model: each delivery is trained on,
    honestly. Copies are also paid by kNN-Shapley, in which no model enters."""
    from engine.market.tricks import copies, names_of, outliers
    from engine.models.fit import fit
    from engine.scrutiny.attributions import knn_shapley

    request, (_, vendors, vendor, seed) = found.request, found.draw
    X, y = dataset.split("holdout")
    accuracy, sign = model.accuracy(X, y), order_sign(request.order)
    honest = scored(request, model, dataset, context)
    before, worth = found.shares(honest), sign * honest
    near = np.asarray(-knn_shapley(dataset.X_train, dataset.y_train, *dataset.split("test")))
    near_before = found.shares(near)
    for count in request.bought:
        doubled = copies(dataset, vendors, vendor, worth, count)
        strange = outliers(dataset, vendors, vendor, model, count, seed)
        for name, (more, owners) in (("copies", doubled), ("outliers", strange)):
            trained = fit(more, l2=request.l2, device=context.device)
            after = found.shares(scored(request, trained, more, context), owners)
            found.add(name, count, before, after, accuracy - trained.accuracy(X, y))
        more, owners = copies(dataset, vendors, vendor, sign * near, count)
        after = found.shares(-knn_shapley(more.X_train, more.y_train, *more.split("test")), owners)
        found.add("copies", count, near_before, after, score="knn_shapley")
    for names in request.names:
        try:
            owners = names_of(vendors, vendor, worth, names)
        except InvalidInput:  # it owns too few harmful samples for so many names
            continue
        others = range(len(vendors), len(owners))
        found.add("split", names, before, found.shares(honest, owners, list(others)))


def by_measure(
    found: Favoured, model: LinearModel, dataset: Dataset, matrix: NDArray, context: Context
) -> None:
    """Add what a valuator brings about who picks what the same honest model is measured by. For
    each rule it reports what is best for the vendor of all that it has tried."""
    from engine.market.tricks import halves

    request = found.request
    before = found.shares(matrix.mean(1, dtype=np.float64))
    best = dict(before)
    for number, half in enumerate(halves(matrix.shape[1], max(request.tried), found.draw.seed), 1):
        best = better(best, found.shares(matrix[:, half].mean(1, dtype=np.float64)))
        if number in request.tried:
            found.add("test", number, before, best)
    best = dict(before)
    for damping in DAMPINGS:
        asked = replace(request, damping=damping)
        best = better(best, found.shares(scored(asked, model, dataset, context)))
    found.add("damping", len(DAMPINGS), before, best)


def better(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Return the larger share under each rule; a missing one loses."""
    return {rule: float(np.fmax(one[rule], other[rule])) for rule in one}


def save_payments(result: PaymentsResult, folder: Path) -> None:
    arrays = {f"owner_{name}": vendors.owner for name, vendors in result.schemes.items()}
    for split in ("test", "holdout"):
        arrays |= {f"{split}_{name}": scores for name, scores in getattr(result, split).items()}
    scalars = {name: getattr(result, name) for name in ("scheme", "vendor", "k", "order")}
    named = {name: list(vendors.names) for name, vendors in result.schemes.items()}
    rest: dict[str, object] = {"names": named, "accuracy": result.accuracy}
    write_parts(folder, arrays, scalars | rest, {"table": result.table})


def load_payments(folder: Path) -> PaymentsResult:
    arrays, scalars = read_parts(folder)
    named, accuracy = scalars.pop("names"), scalars.pop("accuracy")
    schemes = {n: Vendors(tuple(names), arrays[f"owner_{n}"]) for n, names in named.items()}
    test, holdout = (
        {name: arrays[f"{split}_{name}"] for name in accuracy} for split in ("test", "holdout")
    )
    table = pd.read_parquet(folder / "table.parquet")
    return PaymentsResult(
        **scalars, schemes=schemes, test=test, holdout=holdout, accuracy=accuracy, table=table
    )


def compared_words(result: PaymentsResult) -> list[str]:
    """Say what each attack for pay brings beside those that move samples."""
    lines = []
    for attack, rule in PAY.items():
        pairs = result.against_moving(attack)
        if pairs.empty:
            continue
        ahead = int((pairs["pay"] >= pairs["moving"]).sum())
        lines.append(
            f"Rule '{rule}': objective '{attack}' brings the vendor {pairs['pay'].mean():.1%} of "
            f"the money on average, moving its samples {pairs['moving'].mean():.1%}; at least as "
            f"much in {ahead} of {len(pairs)} draws; accuracy lost {pairs['pay_drop'].mean():.1%} "
            f"and {pairs['moving_drop'].mean():.1%}"
        )
    return lines


def unpaid_words(result: PaymentsResult) -> list[str]:
    """Say which rules pay nobody, how often, and which always pay."""
    return [
        f"Rule '{rule}' pays nobody in {missing} of {(result.table['rule'] == rule).sum()} cases: "
        f"nothing has a positive worth there in the order '{result.order}'. These are left out of "
        "the means. The rules 'rank' and 'top_k' always pay"
        for rule in PAY_RULES
        if (missing := result.unpaid(rule))
    ]


def describe_payments(result: PaymentsResult) -> str:
    shown = result.summary("positive").drop(columns="draws")
    table = shown.to_string(index=False, float_format=lambda value: f"{value:.3g}")
    return "\n".join(
        [
            f"{len(result.vendors)} vendors by '{result.scheme}', "
            f"'{result.vendors.names[result.vendor]}' is favoured",
            *compared_words(result),
            *unpaid_words(result),
            *([] if shown.empty else [table]),
        ]
    )


PAYMENTS = Experiment(
    "payments",
    "Pay vendors by their samples' scores, before and after somebody rigs them",
    PaymentsRequest,
    run_payments,
    save_payments,
    load_payments,
    describe_payments,
)
