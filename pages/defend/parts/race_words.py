"""The state of the race: attacks against checks, from one experiment, as a table to read."""

from html import escape

import numpy as np
import pandas as pd

from engine.experiments import DeniableResult
from engine.experiments.polish import honest_of, steps_of
from engine.statistics import detection
from pages.common.keeping import shelf
from pages.common.words.wording import count
from pages.defend.parts import polish_rates as rates
from pages.defend.parts.polish_words import KINDS

CHECKS = {  # column: its heading and the page with the evidence
    "gradient_norm": ("gradient norm", "minimum"),
    "decrement_0": ("Newton decrement", "undo-it"),
    "first_after_one": ("rank after one Newton step", "undo-it"),
}
CAUGHT, MISSED = 0.9, 0.1  # shares of the models that arrived


@shelf.kept
def race(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per attack: kind, made, arrived; for each check the share of arrived models
    that it flags at one honest model in twenty, `<check>`, and its AUC, `<check>_auc` (NaN where
    nothing arrived); kept: how many targets stay in the top ten after all steps, of `outside`."""
    found = rates.areas(table).set_index(["kind", "detector"])
    rows = []
    for one in rates.staying(table).to_dict("records"):
        row = {name: one[name] for name in ("kind", "made", "arrived", "outside")}
        row["kept"] = one[f"ten_{steps_of(table)}"]
        for check in CHECKS:
            there = (one["kind"], check) in found.index
            flagged = found.loc[one["kind"], check] if there else None
            row[check] = float("nan") if flagged is None else flagged["flagged"] / one["arrived"]
            row[f"{check}_auc"] = float("nan") if flagged is None else flagged["auc"]
        rows.append(row)
    return pd.DataFrame(rows)


@shelf.kept
def finding(table: pd.DataFrame) -> str:
    """Say which check alone is not enough, and whether any attack is left."""
    rows = race(table)
    reached = rows[rows["arrived"] > 0]
    missed = int((reached["gradient_norm"] <= MISSED).sum())
    passing = int((reached[list(CHECKS)].max(axis=1) < CAUGHT).sum())
    most, left = count(steps_of(table), "Newton step"), int(reached["kept"].sum())
    last = (
        f"**After {most} no target is left in the top ten.**"
        if left == 0
        else f"After {most} {count(left, 'target')} are left in the top ten."
    )
    every = (
        "each of them is caught by at least one of three checks"
        if passing == 0
        else f"{passing} of them pass all three checks"
    )
    return (
        f"{count(len(reached), 'attack')} of {len(rows)} reach the top. The gradient norm alone "
        f"misses {missed} of them; {every}. {last}"
    )


def cell(share: float, auc: float, arrived: int, page: str) -> str:
    """Return a check's cell as HTML: how many it flags, its AUC, in a colour, linked to its
    evidence."""
    if not arrived:
        return "–"
    look = "caught" if share >= CAUGHT else "missed" if share <= MISSED else "partly"
    said = f"{round(share * arrived)} of {arrived}"
    return (
        f'<a class="ial-race {look}" href="{escape(page)}" target="_self">{look}: {said}</a>'
        f'<div class="note">AUC {auc:.2f}</div>'
    )


def deniable_row(table: pd.DataFrame, result: DeniableResult) -> dict[str, str]:
    """Return the deniable attack as a row of `as_table`, against the honest models of the same
    table. Its gradient norm is that of the loss which it declares, and so are the Newton steps."""
    found, norms = result.arrived, honest_of(table)["gradient_norm"]
    seen = detection(norms, found["gradient_norm"])
    limit = np.quantile(norms, 0.95, method="higher")
    share = float((found["gradient_norm"] > limit).mean())
    ten = int((found["declared_after"] <= rates.TOP).sum())
    said = {
        "attack": "declares a loss of its own choice",
        "reaches the top": f"{len(found)} of {len(result.table)}",
    }
    for check, (name, _) in CHECKS.items():
        there = check == "gradient_norm" and len(found)
        said[name] = cell(share, seen.auc, len(found), "deniable") if there else "–"
    return said | {f"in the top ten after {steps_of(table)} steps": f"{ten} of {len(found)}"}


@shelf.kept
def beyond(result: DeniableResult) -> str:
    """Say what the deniable attack escapes, and what ends it."""
    found = result.arrived
    kept = int((found["declared_after"] <= result.k).sum())
    return (
        f"An attacker who declares the loss escapes: of {count(len(found), 'deniable model')}, "
        f"{kept} keep their target in the top {result.k} after polishing on the declared loss. "
        f"Averaging over honest choices leaves {int((found['averaged'] <= result.k).sum())}."
    )


@shelf.kept
def as_table(table: pd.DataFrame, deniable: DeniableResult | None = None) -> pd.DataFrame:
    """Return the race as a table whose cells are HTML; the deniable attack comes last."""
    rows = []
    for row in race(table).to_dict("records"):
        said = {
            "attack": escape(KINDS[row["kind"]]),
            "reaches the top": f"{row['arrived']} of {row['made']}",
        }
        for check, (name, page) in CHECKS.items():
            said[name] = cell(row[check], row[f"{check}_auc"], row["arrived"], page)
        kept = f"{row['kept']} of {row['outside']}"
        said[f"in the top ten after {steps_of(table)} steps"] = kept if row["arrived"] else "–"
        rows.append(said)
    if deniable is not None and not deniable.arrived.empty:
        rows.append(deniable_row(table, deniable))
    return pd.DataFrame(rows)
