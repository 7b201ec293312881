"""From scores to money: rules that pay vendors for what their samples are worth.

A sample's worth is its score in the order asked: with 'highest_first' (the paper's) the score
itself, so that samples are paid for pulling the test loss up; with 'lowest_first' its negative, so
that samples are paid for pulling the test loss down. A rule turns worth into weights w >= 0, and
the budget is shared out in proportion:

    positive   w_i = max(worth_i, 0)
    top_k      w_i = 1 for the k most valuable samples, 0 for the others
    rank       w_i = n + 1 − rank_i: the first sample earns n times as much as the last
    net        w_v = max(Σ worth of the vendor's samples, 0): of vendors, not of samples

The first three add up over samples: it does not matter to them under how many names a vendor sells.
"""

from dataclasses import dataclass

import numpy as np
import scipy  # which loads `scipy.stats` when it is first used: a second
from numpy.typing import ArrayLike, NDArray

from engine.checks import check_array, check_choice, check_integer, check_positive, order_sign
from engine.errors import InvalidInput
from engine.market.vendors import Vendors
from engine.vocabulary import PAY_RULES

TOP_K = 10
LARGEST = 1e290  # of a worth: 10¹⁷ such ones add up to a finite number


@dataclass(frozen=True, eq=False)
class Payments:
    """What each vendor earns.

    names (v,); samples (v,): how many each owns; money (v,): >= 0, adds up to the budget.
    """

    names: tuple[str, ...]
    samples: NDArray[np.int64]
    money: NDArray[np.float64]
    rule: str
    order: str
    budget: float

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return each vendor's share of the budget, (v,)."""
        return self.money / self.budget

    @property
    def herfindahl(self) -> float:
        """Return Σ share²: 1/v where all earn alike, 1 where one vendor earns everything."""
        return float((self.shares**2).sum())

    @property
    def gini(self) -> float:
        """Return Gini's coefficient of the money: 0 where all earn alike, 1 − 1/v where one vendor
        earns everything."""
        place = np.arange(1, len(self.money) + 1)
        v = len(place)
        return float(((2 * place - v - 1) * np.sort(self.shares)).sum() / v)


def payments(
    scores: ArrayLike,
    vendors: Vendors,
    rule: str = "positive",
    budget: float = 1.0,
    *,
    k: int = TOP_K,
    order: str = "highest_first",
) -> Payments:
    """Share a budget out among vendors by the influence scores (n,) of their samples.

    rule: one of `engine.vocabulary.PAY_RULES`, as the head of this module defines them. k: of the
    rule 'top_k'. order: whether a high or a low score is worth money, a name in
    `engine.vocabulary.ORDERS`; scores are given as Definition 1 has them.
    Raises InvalidInput, also where the rule pays nobody.
    """
    if not isinstance(vendors, Vendors):
        raise InvalidInput(
            "vendors", type(vendors).__name__, "Vendors, as make_vendors(…) makes it"
        )
    s = check_array("scores", scores)
    if s.shape != (vendors.n_samples,) or not np.isfinite(s).all():
        given = s.shape if s.shape != (vendors.n_samples,) else "NaN or infinity"
        raise InvalidInput("scores", given, f"{vendors.n_samples} finite numbers, one a sample")
    worth, budget = order_sign(order) * s, check_positive("budget", budget)
    if check_choice("rule", rule, PAY_RULES) == "net":
        weights = np.maximum(vendors.totals(scaled(worth)), 0)
    else:
        weights = vendors.totals(sample_weights(worth, rule, k))
    total = weights.sum()
    if total <= 0:
        raise InvalidInput(
            "rule",
            rule,
            "one that pays somebody: nothing here has a positive worth in the order "
            f"'{order}'. Choose 'rank' or 'top_k', or the other order",
        )
    money = budget * (weights / total)
    return Payments(vendors.names, vendors.counts, money, rule, order, budget)


def scaled(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return worth made smaller where a sum of it could overflow; shares do not depend on it. What
    is small stays as it is: a worth that alone is positive is paid, however small."""
    size = np.abs(worth).max(initial=0)
    return worth * (LARGEST / size) if size > LARGEST else worth


def sample_weights(worth: NDArray[np.float64], rule: str, k: int = TOP_K) -> NDArray[np.float64]:
    """Return the weight of every sample (n,) under a rule that pays samples.

    Samples of equal worth weigh the same: under 'top_k' those that tie for the last places share
    them. Raises InvalidInput.
    """
    n = len(worth)
    if rule == "positive":
        return np.maximum(scaled(worth), 0)
    if rule == "rank":
        return n + 1 - scipy.stats.rankdata(-worth)
    k = check_integer("k", k, 1, n)
    last = -np.partition(-worth, k - 1)[k - 1]
    above, tied = worth > last, worth == last
    return above + tied * ((k - above.sum()) / tied.sum())
