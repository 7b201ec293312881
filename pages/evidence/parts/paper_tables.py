"""Every number of the paper's Tables 1 and 2 beside ours: pure functions from rates to tables."""

from collections.abc import Mapping
from html import escape

import pandas as pd

from pages.attack.parts import ablation
from pages.common.frames import row_of
from pages.common.keeping import shelf
from pages.common.words import paper
from pages.evidence.parts.best_rates import at_best, baseline_at_best
from pages.evidence.parts.comparisons import NOT_COMPARABLE

INTERVALS = {"high_accuracy": "95%, accuracy kept", "best": "95%, best"}  # columns by regime


def cells(rates: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return by k the two rows (regimes) that make a cell of the paper's tables."""
    return {int(k): rates[rates["k"] == k] for k in sorted(rates["k"].unique())}


def table_1(
    attacks: Mapping[str, pd.DataFrame], baselines: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return every cell of Table 1 beside ours: attacks, baselines: sweeps and baselines by the
    paper's data set. Its smaller k stands beside our smallest, its larger beside our largest."""
    rows = []
    for name in paper.DATASETS:
        found: dict[str, dict[int, pd.DataFrame]] = {"attack": {}, "baseline": {}}
        if name in attacks:
            ks = sorted(int(k) for k in attacks[name]["k"].unique())
            found["attack"] = cells(at_best(attacks[name]))
            if name in baselines:
                found["baseline"] = cells(baseline_at_best(baselines[name], ks))
        for (method, which), published in paper.TABLE_1.items():
            mine = found[method]
            k = (min(mine) if which == "smaller k" else max(mine)) if mine else None
            cell = published[paper.DATASETS.index(name)]
            rows.append(cell_row(f"{method}, {which}", name, cell, k, mine.get(k or 0)))
    return pd.DataFrame(rows)


def table_2(best: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return every cell of Table 2 beside ours; best: rates of the variants at their best radius
    and the smallest k (`ablation.best_of`), by the paper's data set."""
    rows = []
    for name in paper.DATASETS:
        for variant, published in paper.TABLE_2.items():
            cell, mine = published[paper.DATASETS.index(name)], None
            if name in best:
                mine = best[name][best[name]["variant"] == variant]
            k = None if mine is None else int(mine["k"].iloc[0])
            rows.append(cell_row(ablation.VARIANTS[variant], name, cell, k, mine))
    return pd.DataFrame(rows)


def cell_row(
    method: str, data: str, cell: paper.Rate, k: int | None, mine: pd.DataFrame | None
) -> dict[str, object]:
    """Return one cell of the paper, ours beside it with the 95% intervals, and the verdict."""
    row: dict[str, object] = {"method": method, "data": data, "paper": paper.cell(cell)}
    if mine is None:
        nothing = dict.fromkeys(("here", "k", "targets", *INTERVALS.values()), "–")
        return (
            row
            | nothing
            | {
                "verdict": NOT_COMPARABLE,
                "why": "nothing published here stands in for it",
            }
        )
    by = mine.set_index("regime")
    return row | {
        "here": paper.cell(paper.of_regimes(mine)),
        "k": str(k),
        "targets": str(int(by["attacks"].iloc[0])),
        **{name: interval(row_of(by, regime)) for regime, name in INTERVALS.items()},
        "verdict": NOT_COMPARABLE,
        "why": "other features, another split, and the paper's k is unknown",
    }


HERE = "here"  # the column whose cells are HTML


@shelf.kept
def to_read(both: pd.DataFrame) -> pd.DataFrame:
    """Return the cells in the few columns that fit a screen; `HERE` holds HTML."""
    intervals = list(INTERVALS.values())
    rows = []
    for row in both.to_dict("records"):
        here = escape(str(row["here"]))
        if row["here"] != "–":
            spans = " and ".join(str(row[name]) for name in intervals)
            note = f"k = {row['k']}, {row['targets']} targets; {spans}"
            here += f'<div class="note">{escape(note)}</div>'
        rows.append(
            {
                "table": f"{row['table']}: {row['method']}",
                "data": row["data"],
                "paper": row["paper"],
                HERE: here,
                "verdict": f"{row['verdict']}: {row['why']}",
            }
        )
    return pd.DataFrame(rows)


def interval(rate: pd.Series) -> str:
    return f"{rate['low']:.2f} to {rate['high']:.2f}"


@shelf.kept
def title(both: pd.DataFrame) -> str:
    """Say what the two tables side by side show: where the paper's rates lie from ours."""
    known = both[both["here"] != "–"]
    return f"{len(known)} of the {len(both)} cells have a stand-in here; no level can be compared"
