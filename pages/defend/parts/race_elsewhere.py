"""What other experiments say of the race: pure functions from their results to cells.

The alarm is that of *Would another score have noticed?*, the other half of the test data that of
the sweeps. Both are of other targets and radii than the attacks of the race.
"""

from collections.abc import Iterable

import pandas as pd

from engine.experiments import AttributionsRequest, AttributionsResult
from pages.common.keeping import shelf
from pages.defend.parts.other_scores_words import MAIN, alarm_row
from pages.defend.parts.polish_rates import TOP
from pages.defend.parts.polish_words import KINDS

ALARM, HALF = "kNN-Shapley alarm", "other test half"
PAGES = {ALARM: "other-scores", HALF: "cost"}  # with the evidence
COLUMNS = ["attack", "check", "stopped", "of", "auc"]
Cells = list[tuple[str, str, int, int, float]]


def alarm_cells(looks: Iterable[tuple[AttributionsRequest, AttributionsResult]]) -> Cells:
    """Return for each crowd of malicious models how many the alarm finds, which accuses at most one
    honest model in twenty, and its AUC."""
    cells: Cells = []
    for request, result in looks:
        if result.alarms.empty:
            continue
        row = alarm_row(result, *MAIN)
        attack = KINDS["stealth" if request.stealth else request.objective]
        attacked = result.count("attacked")
        cells.append((attack, ALARM, int(row["found"]), attacked, float(row["auc"])))
    return cells


def half_cells(sweeps: Iterable[pd.DataFrame]) -> Cells:
    """Return for each objective how many of the targets that the returned model has first on `test`
    are outside the top ten of `holdout`, of those that were outside it before."""
    cells: Cells = []
    for sweep in sweeps:
        first = sweep[(sweep["k"] == 1) & sweep["success"] & (sweep["rank_before_holdout"] > TOP)]
        for objective, rows in first.groupby("objective", sort=False):
            outside = int((rows["rank_holdout"] > TOP).sum())
            cells.append((KINDS[str(objective)], HALF, outside, len(rows), float("nan")))
    return cells


def table_of(*cells: Cells) -> pd.DataFrame:
    """Return the cells as a table: attack, check, stopped, of, auc (NaN where there is none)."""
    return pd.DataFrame([one for some in cells for one in some], columns=COLUMNS)


@shelf.kept
def honest_first(halves: pd.DataFrame) -> str:
    """Say what the other half makes of the honest model."""
    own = halves[halves["draw"] == 0].iloc[0]
    return (
        "On the other test half a target outside the top ten counts as stopped. That is no proof: "
        "there the honest model's own first sample is number "
        f"{own['first_on_second']:,.0f} of {own['n_train']:,.0f}."
    )
