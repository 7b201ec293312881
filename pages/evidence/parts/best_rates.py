"""Success rates as the paper counts them, each at the radius or weight that serves it best."""

from collections.abc import Sequence

import pandas as pd

from engine.attacks.rates import highest
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.attack.parts import ablation
from pages.common.asking.rate_view import reweighing_rates, success_rates


def own(rates: pd.DataFrame) -> pd.DataFrame:
    """Return rates as the paper counts them: some run, on the attacker's own test set."""
    return rates[(rates["split"] == "test") & (rates["form"] == "any_run")]


def at_best(table: pd.DataFrame) -> pd.DataFrame:
    """Return a sweep's rates at the best radius, by k and regime, as in the paper's Table 1."""
    return highest(own(success_rates(table, ACCURACY_TOLERANCE)))


def baseline_at_best(table: pd.DataFrame, ks: Sequence[int]) -> pd.DataFrame:
    """Return the baseline's rates at the best weight, by k and regime."""
    rates = reweighing_rates(table, ks, ACCURACY_TOLERANCE)
    return highest(rates[rates["split"] == "test"], over="target_weight")


def variants_at_best(table: pd.DataFrame) -> pd.DataFrame:
    """Return rates of the four variants in both regimes, each at its best radius and the smallest
    k."""
    rates = own(success_rates(table, ACCURACY_TOLERANCE, ablation.BY))
    return ablation.best_of(rates[rates["k"] == table["k"].min()])
