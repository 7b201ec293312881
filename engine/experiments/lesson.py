"""A lesson as an experiment: one attack for everybody who took part, and the bet made before it.

The attacks are those of the experiment `attack`, found in the store where they were made during the
lesson; what is missing is computed. So the request alone repeats the whole lesson.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import pandas as pd

from engine.attacks.options import AttackOptions
from engine.attacks.result import AttackResult
from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments.attack import AttackRequest, attack_cost, find_or_attack
from engine.experiments.base import ANY_INDEX, Context, Experiment, OnDataset
from engine.experiments.cost import Size
from engine.experiments.files import load_table, save_table
from engine.options import OneOf, at_least, each, option, taken_from
from engine.statistics import wilson_interval
from engine.vocabulary import L2, LINEAR, MODELS

MOST_ENTRIES = 1000
NICKNAME = 20  # characters at most
# What a bet on the price can be: the accuracy lost on holdout, as a share, from one bound to the
# next; the first class also holds models that gained.
PRICE_BOUNDS = (0.01, 0.02, 0.03)
MOVES = {"yes": "it will move into the top k", "no": "it will not"}


def nickname(name: str, value: object) -> str:
    """Check for a name of at most 20 printable characters; '' for somebody without one.

    Raises InvalidInput.
    """
    if not isinstance(value, str) or len(value) > NICKNAME or not value.isprintable():
        raise InvalidInput(name, value, f"at most {NICKNAME} printable characters")
    return value.strip()


def nicknames(name: str, values: object) -> tuple[str, ...]:
    return each(nickname)(name, values) if values else ()


def price_class(name: str, value: object) -> int:
    return check_integer(name, value, 0, len(PRICE_BOUNDS))


def bets_moved(name: str, values: object) -> tuple[str, ...]:
    return each(OneOf(MOVES))(name, values) if values else ()


def bets_price(name: str, values: object) -> tuple[int, ...]:
    return each(price_class)(name, values) if values else ()


def title(name: str, value: object) -> str:
    """Check for the name of a lesson: it stands in links. Raises InvalidInput."""
    if not isinstance(value, str) or not value.replace("-", "").isalnum() or len(value) > 40:
        raise InvalidInput(name, value, "letters, digits and '-', 40 at most")
    return value


@dataclass(frozen=True)
class LessonRequest(AttackOptions, OnDataset):
    """One attack a target, all alike. lesson: names it in links. targets: a sample for everybody,
    in the order in which they began; one may stand there twice. nicknames, bets_moved, bets_price:
    as many as targets, or none; a bet is on whether the target moves into the top k ('yes', 'no')
    and on the class of the accuracy lost (the number of `PRICE_BOUNDS` at or below it).
    """

    lesson: str = option("lesson", title)
    targets: tuple[int, ...] = option((16,), each(at_least(0, ANY_INDEX - 1)))
    nicknames: tuple[str, ...] = option((), nicknames)
    bets_moved: tuple[str, ...] = option((), bets_moved)
    bets_price: tuple[int, ...] = option((), bets_price)
    l2: float = option(L2, check_positive)
    model: str = option(LINEAR, OneOf(MODELS))

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self.targets)
        if n > MOST_ENTRIES:
            raise InvalidInput("targets", n, f"{MOST_ENTRIES} at most")
        for name in ("nicknames", "bets_moved", "bets_price"):
            if len(getattr(self, name)) not in (0, n):
                raise InvalidInput(name, getattr(self, name), f"{n} entries, or none")

    def attack_on(self, target: int) -> AttackRequest:
        """Return the attack on one of the targets."""
        return taken_from(AttackRequest, self, targets=(target,))


def class_of_price(drop: float) -> int:
    """Return the class of an accuracy lost, a share: 0 for less than the first bound."""
    return sum(drop >= bound - 1e-12 for bound in PRICE_BOUNDS)  # rounding must not decide


def points_of_bet(moves: str, price: int, moved: bool, drop: float) -> int:
    """Return a bet's points: one for whether the target moved, one for the class of the price."""
    return int((moves == "yes") == moved) + int(price == class_of_price(drop))


@dataclass(frozen=True)
class Outcome:
    """What a lesson keeps of an attack: the target's ranks of n under both models, whether it moved
    into the top k, and the accuracy lost on holdout, as a share."""

    sample: int
    rank_before: int
    rank_after: int
    n: int
    moved: bool
    accuracy_drop: float

    @classmethod
    def of(cls, result: AttackResult) -> Outcome:
        target = result.targets[0]
        return cls(
            target,
            int(result.before.ranks[target]),
            int(result.ranks_test[0]),
            len(result.before.ranks),
            bool(result.success),
            float(result.accuracy_drop),
        )


def run_lesson(request: LessonRequest, dataset: Dataset, context: Context) -> pd.DataFrame:
    """Return a row an entry: entry (from 1), nickname, bet_moves, bet_price and points (missing
    without a bet), k, and the fields of `Outcome`."""
    found = []
    for i, target in enumerate(request.targets):
        context.report(i, len(request.targets))
        asked, began = request.attack_on(target), time.perf_counter()
        attacked = find_or_attack(asked, dataset, context)
        context.keep("attack", asked, attacked, time.perf_counter() - began)
        found.append(Outcome.of(attacked))
    context.report(len(request.targets), len(request.targets))
    return lesson_table(request.k, request.nicknames, request.bets_moved, request.bets_price, found)


def lesson_table(
    k: int,
    names: Sequence[str],
    moves: Sequence[str],
    prices: Sequence[int],
    found: Sequence[Outcome],
) -> pd.DataFrame:
    """Return the table of a lesson from what was bet and what came of it; names and bets may be
    empty."""
    n = len(found)
    table = pd.DataFrame([asdict(one) for one in found], columns=[f.name for f in fields(Outcome)])
    table.insert(0, "entry", range(1, n + 1))
    table.insert(1, "nickname", list(names) or [""] * n)
    table["k"] = k
    table["bet_moves"] = list(moves) or [""] * n
    table["bet_price"] = pd.array(list(prices) if prices else [pd.NA] * n, dtype="Int64")
    points = [
        points_of_bet(move, price, one.moved, one.accuracy_drop)
        for move, price, one in zip(moves, prices, found, strict=bool(moves and prices))
    ]
    table["points"] = pd.array(points if points else [pd.NA] * n, dtype="Int64")
    return table


def lesson_cost(request: LessonRequest, size: Size) -> float:
    return len(request.targets) * attack_cost(request.attack_on(request.targets[0]), size)


def describe_lesson(table: pd.DataFrame) -> str:
    moved, n = int(table["moved"].sum()), len(table)
    low, high = wilson_interval(moved, n)
    bets: Sequence[int] = [int(p) for p in table["points"].dropna()]
    said = f"\n  bets: {sum(bets)} of {2 * len(bets)} points" if bets else ""
    return (
        f"{moved} of {n} samples moved into the top {table['k'].iloc[0]} ({moved / n:.0%}, 95% "
        f"interval {low:.0%} to {high:.0%}), for {100 * table['accuracy_drop'].mean():.1f} points "
        f"of accuracy on average{said}"
    )


LESSON = Experiment(
    "lesson",
    "A lesson: everybody moves a sample",
    LessonRequest,
    run_lesson,
    save_table,
    load_table,
    describe_lesson,
    seconds=lesson_cost,
)
