"""What a lesson says: bets, prices, rates, and names that anybody may have typed."""

from dataclasses import dataclass
from html import escape
from itertools import pairwise

import pandas as pd

from engine.experiments.lesson import NICKNAME, PRICE_BOUNDS, class_of_price
from engine.statistics import wilson_interval
from pages.common.words.paper import TABLE_1
from pages.common.words.rate_words import top
from pages.common.words.wording import MINUS, count

THEIRS = [rate.best for rate in TABLE_1["attack", "smaller k"]]
PAPER = (min(THEIRS), max(THEIRS))  # success over its three data sets, at the best radius


def price_names() -> list[str]:
    """Return the classes of prices that can be bet on: 'less than 1 point', '1 to 2 points', …"""
    edges = [f"{100 * bound:g}" for bound in PRICE_BOUNDS]
    between = [f"{low} to {high} points" for low, high in pairwise(edges)]
    return [
        f"less than {edges[0]} point{'' if edges[0] == '1' else 's'}",
        *between,
        f"{edges[-1]} points or more",
    ]


@dataclass(frozen=True)
class LessonRow:
    """A row of a lesson's table. price, points: None without a bet; drop: the accuracy lost, as a
    share."""

    entry: int
    nickname: str
    sample: int
    rank_before: int
    rank_after: int
    k: int
    moved: bool
    drop: float
    moves: str
    price: int | None
    points: int | None

    @property
    def who(self) -> str:
        """Say what somebody is called, as plain text: the nickname, or the number of the entry."""
        return self.nickname[:NICKNAME] or f"No. {self.entry}"


def rows_of(table: pd.DataFrame) -> list[LessonRow]:
    """Return the rows of a lesson's table, in its order."""
    return [
        LessonRow(
            entry=int(row["entry"]),
            nickname=str(row["nickname"]),
            sample=int(row["sample"]),
            rank_before=int(row["rank_before"]),
            rank_after=int(row["rank_after"]),
            k=int(row["k"]),
            moved=bool(row["moved"]),
            drop=float(row["accuracy_drop"]),
            moves=str(row["bet_moves"]),
            price=None if pd.isna(row["bet_price"]) else int(row["bet_price"]),
            points=None if pd.isna(row["points"]) else int(row["points"]),
        )
        for row in table.to_dict("records")
    ]


def price(drop: float) -> str:
    """'−1.3 points', '+0.2 points', '±0.0 points': the change of accuracy."""
    rounded = round(-100 * drop, 1)
    if not rounded:
        return "±0.0 points"
    return f"{rounded:+.1f} points".replace("-", MINUS)


def rate(hits: int, trials: int) -> str:
    """'86%'; '–' where nothing was tried."""
    return f"{hits / trials:.0%}" if trials else "–"


def interval(hits: int, trials: int) -> str:
    """'43 of 50; 95% interval 74% to 93%'"""
    if not trials:
        return "nothing yet"
    low, high = wilson_interval(hits, trials)
    return f"{hits} of {trials}; 95% interval {low:.0%} to {high:.0%}"


def finding(table: pd.DataFrame, published: pd.Series | None) -> str:
    """Return the lesson's finding as a sentence, beside the published rate."""
    moved, n = int(table["moved"].sum()), len(table)
    if not n:
        return "Nobody has finished an attack yet."
    said = f"**{moved} of {count(n, 'sample')} moved into {top(int(table['k'].iloc[0]))}.**"
    if published is None:
        return said
    low, high = wilson_interval(moved, n)
    apart = published["rate"] < low or published["rate"] > high
    verdict = "outside" if apart else "inside"
    theirs = f"This lab's own rate, {published['rate']:.0%}"
    return f"{said} {theirs}, lies {verdict} this lesson's 95% interval."


def expected(hits: int, attacks: int, k: int) -> str:
    """Say what this lab found, before a class has found anything."""
    return f"In this lab, {hits} of {attacks} attacks moved their sample into {top(k)}."


def points(won: int | None) -> str:
    """Return a bet's points as dots: '●●', '●○', '○○'; nothing without a bet."""
    return "" if won is None else "●" * won + "○" * (2 - won)


def bet(moves: str, price: int, k: int) -> str:
    """Return a bet as a sentence."""
    will = "will" if moves == "yes" else "will not"
    return f"You bet that it {will} end in {top(k)}, at a loss of {price_names()[price]}."


def verdict(row: LessonRow) -> str:
    """Say what came of one entry, to whoever made it: Markdown with no text of theirs in it."""
    moved = "moved" if row.moved else "did not move"
    said = (
        f"**Sample {row.sample} {moved} into {top(row.k)}** (rank {row.rank_before:,} → "
        f"{row.rank_after:,}), and accuracy on unseen data changed by **{price(row.drop)}**."
    )
    if row.price is None or row.points is None:
        return said
    names, actual = price_names(), class_of_price(row.drop)
    right = "right" if (row.moves == "yes") == row.moved else "wrong"
    paid = "right" if row.price == actual else f"wrong, it was {names[actual]}"
    return (
        f"{said} You bet that it {'would' if row.moves == 'yes' else 'would not'}: {right}. You "
        f"bet on a loss of {names[row.price]}: {paid}. **{row.points} of 2 points.**"
    )


def caption_of(row: LessonRow) -> list[str]:
    """Return the lines under a thumbnail, as HTML: who, ranks, price, points."""
    return [
        f"<b>{escape(row.who)}</b>",
        f"{row.rank_before:,} → <b>{row.rank_after:,}</b>",
        escape(price(row.drop)),
        f'<span aria-label="points of the bet">{points(row.points)}</span>',
    ]
