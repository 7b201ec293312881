"""What polishing undoes and which number gives attackers away: pure functions from its table."""

import pandas as pd

from engine.experiments.polish import DETECTORS, HONEST, honest_of, steps_of
from engine.statistics import Detection, detection
from pages.common.keeping import shelf

RANK, DECREMENT = "first_after_one", "decrement_0"
ALARMS = 0.05  # share of honest models that a threshold may flag
TOP = 10


def arrived(table: pd.DataFrame) -> pd.DataFrame:
    """Return the malicious models whose target is in the top before polishing."""
    return table[table["success"]]


def threshold(table: pd.DataFrame, column: str) -> float:
    """Return the number above which at most one honest model in twenty lies."""
    return float(honest_of(table)[column].quantile(1 - ALARMS, interpolation="higher"))


def outside(table: pd.DataFrame) -> pd.DataFrame:
    """Return the models that arrived with a target from outside the honest top ten: polishing may
    well leave the others there."""
    return table[table["success"] & (table["rank_before"] > TOP)]


@shelf.kept
def curves(table: pd.DataFrame, column: str) -> dict[str, Detection]:
    """Return a detector's curve by attack, of those that arrived, against all honest models."""
    honest = honest_of(table)[column]
    return {
        str(kind): detection(honest, part[column])
        for kind, part in arrived(table).groupby("kind", sort=False)
    }


@shelf.kept
def areas(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per attack that arrived and detector: kind, detector, arrived, auc, low, high,
    and flagged: how many arrived models lie above the threshold that flags at most one honest model
    in twenty."""
    rows = []
    for column in DETECTORS:
        limit = threshold(table, column)
        for kind, curve in curves(table, column).items():
            part = arrived(table)
            part = part[part["kind"] == kind]
            rows.append(
                {
                    "kind": kind,
                    "detector": column,
                    "arrived": len(part),
                    "auc": curve.auc,
                    "low": curve.interval.low,
                    "high": curve.interval.high,
                    "flagged": int((part[column] > limit).sum()),
                }
            )
    return pd.DataFrame(rows)


@shelf.kept
def staying(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per attack: kind, made, arrived, and after j steps top_j (how many of the
    arrived have the target in the first rank) and ten_j (how many of those from outside the honest
    top ten have it in the top ten, of `outside`)."""
    rows = []
    for kind, part in table[~table["kind"].isin(HONEST)].groupby("kind", sort=False):
        inside = part[part["success"]]
        row: dict[str, object] = {"kind": kind, "made": len(part), "arrived": len(inside)}
        from_outside = outside(part)
        row["outside"] = len(from_outside)
        for j in range(steps_of(table) + 1):
            row[f"top_{j}"] = int((inside[f"rank_{j}"] <= 1).sum())
            row[f"ten_{j}"] = int((from_outside[f"rank_{j}"] <= TOP).sum())
        rows.append(row)
    return pd.DataFrame(rows)
