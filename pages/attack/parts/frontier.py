"""What success costs under each objective, in accuracy and in the ranking: pure functions from
sweep tables to tables and sentences."""

from collections.abc import Sequence

import pandas as pd

from engine.attacks.rates import quiet_rates
from engine.experiments import SweepRequest
from engine.vocabulary import QUIET_CORRELATION, QUIET_TOLERANCE
from pages.common.asking.rate_view import RateView
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words.objective_words import MEANINGS, NAMES, quoted
from pages.common.words.wording import count, listed

BY = ("objective", "radius", "k")
COUNTED = (
    "By objective and radius, of the models that are handed out: how many have the target in the "
    f"top; how many of those lose at most {100 * QUIET_TOLERANCE:g} point of accuracy on data that "
    "the attacker never saw; how many keep a rank correlation of at least "
    f"{QUIET_CORRELATION:g} with the honest ranking; and how many do all three, with the 95% "
    "interval of that share."
)


@shelf.kept
def on_the_same(table: pd.DataFrame, others: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return all tables as one, of the targets and k that all of them have; `table` alone where
    they have none in common."""
    tables = [table, *others]
    for name in ("target", "k"):
        shared = set.intersection(*(set(part[name]) for part in tables))
        tables = [part[part[name].isin(shared)] for part in tables]
    found = pd.concat(tables, ignore_index=True)
    return table if found.empty else found


def points(table: pd.DataFrame, view: RateView) -> pd.DataFrame:
    """Return for each objective and radius, at the view's k: rate, low and high of success, and of
    the returned models the median accuracy lost (`drop`, points) and rank correlation."""
    rates = view.rates(table, BY).query("k == @view.k and split == 'test'")
    rows = table[table["k"] == view.k]
    medians = (
        rows.assign(drop=100 * (rows["accuracy_before"] - rows["accuracy_after"]))
        .groupby(["objective", "radius"])
        .agg(drop=("drop", "median"), correlation=("rank_correlation", "median"))
    )
    columns = rates.set_index(["objective", "radius"])[["rate", "low", "high"]]
    return medians.join(columns, how="inner").reset_index()


TITLE = "The biggest cost: the rest of the ranking is scrambled"


def left(points: pd.DataFrame) -> str:
    """Say what is left of the ranking, under each objective where it succeeds most often."""
    if len(set(points["objective"])) == 1:
        ordered = points.sort_values("radius")
        first, last = ordered.iloc[0], ordered.iloc[-1]
        text = (
            f"Its rank correlation with the honest one is {first['correlation']:.2f} at radius "
            f"{first['radius']:g} and {last['correlation']:.2f} at {last['radius']:g}."
        )
    else:
        best = points.sort_values(["rate", "drop"], ascending=[False, True])
        best = best.groupby("objective").first()
        said = [
            f"{quoted(o)} moves {best['rate'][o]:.0%} for {best['drop'][o]:.1f} points and "
            f"leaves Spearman {best['correlation'][o]:.2f}"
            for o in NAMES
            if o in best.index
        ]
        text = f"{'; '.join(said)}."
    return text.replace("-", "−")


def meaning(rows: pd.DataFrame, requests: Sequence[SweepRequest]) -> str:
    """Say what the objectives beside the paper's are, and of how many runs and steps their attacks
    are, for a caption; empty where the paper's is alone. requests: of the sweeps that the rows are
    of.
    """
    runs = rows.groupby("objective")["runs"].max()
    said = [text for objective, text in MEANINGS.items() if objective in runs.index]
    if not said:
        return ""
    steps = {o: max(r.steps for r in requests if o in r.objectives) for o in runs.index}
    each = listed(
        [f"{runs[o]} of at most {steps[o]} steps of {quoted(o)}" for o in NAMES if o in runs.index]
    )
    return (
        f" Beside the paper's attack: {'; '.join(said)}. All on the same "
        f"{count(int(rows['target'].nunique()), 'target')}; runs an attack: {each}."
    )


@shelf.kept
def counts(table: pd.DataFrame, k: int) -> pd.DataFrame:
    """`quiet_rates` by objective and radius at one k, in the order of the figure."""
    found = quiet_rates(table, by=BY).query("k == @k")
    order = {name: place for place, name in enumerate(NAMES)}
    found = found[found["objective"].isin(order)]
    return found.sort_values(
        ["objective", "radius"],
        key=lambda c: c.map(order) if c.name == "objective" else c,
        ignore_index=True,
    )


def shown(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts as a table to read."""
    of = counts["attacks"].astype(str)
    return pd.DataFrame(
        {
            "attack": [f"{NAMES[row.objective]}, {row.radius:g}" for row in named_rows(counts)],
            "moved": counts["success"].astype(str) + " of " + of,
            "accuracy kept": counts["accurate"],
            "ranks kept": counts["ordered"],
            "all three": [
                f"{row.quiet} ({row.low:.0%} to {row.high:.0%})" for row in named_rows(counts)
            ],
        }
    )
