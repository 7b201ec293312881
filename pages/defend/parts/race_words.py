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
from pages.defend.parts import race_elsewhere
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
def matrix(
    table: pd.DataFrame,
    deniable: DeniableResult | None = None,
    elsewhere: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the race in long form: attack, check, stopped and of how many, a row a cell. A check
    stops a model that it flags; the Newton steps and the other half of the test data stop one whose
    target they bring out of the top ten. The deniable attack comes last; what was not asked of an
    attack is left out. elsewhere: cells of other experiments, as in `race_elsewhere.table_of`."""
    polished = count(steps_of(table), "Newton step")
    cells = []
    for row in race(table).to_dict("records"):
        if not row["arrived"]:
            continue
        attack = KINDS[row["kind"]]
        for check, (name, _) in CHECKS.items():
            flagged = round(row[check] * row["arrived"])
            cells.append((attack, name, flagged, row["arrived"]))
        cells.append((attack, polished, row["outside"] - row["kept"], row["outside"]))
    if deniable is not None and not deniable.arrived.empty:
        found = deniable.arrived
        flagged = round(declared_share(table, deniable) * len(found))
        kept = int((found["declared_after"] <= rates.TOP).sum())
        cells.append((OWN_LOSS, CHECKS["gradient_norm"][0], flagged, len(found)))
        cells.append((OWN_LOSS, polished, len(found) - kept, len(found)))
    if elsewhere is not None:
        reached = {attack for attack, *_ in cells}
        there = elsewhere[elsewhere["attack"].isin(reached)]
        cells += there[["attack", "check", "stopped", "of"]].itertuples(index=False, name=None)
    return pd.DataFrame(cells, columns=["attack", "check", "stopped", "of"])


OWN_LOSS = "declares a loss of its own choice"


def declared_share(table: pd.DataFrame, result: DeniableResult) -> float:
    """Return the share of deniable models that the gradient norm of the declared loss flags."""
    limit = np.quantile(honest_of(table)["gradient_norm"], 0.95, method="higher")
    return float((result.arrived["gradient_norm"] > limit).mean())


@shelf.kept
def finding(table: pd.DataFrame, deniable: DeniableResult | None = None) -> str:
    """Say which check alone is not enough, and whether any attack is left. The deniable attack is
    one of the attacks that the gradient norm misses or not."""
    rows = race(table)
    reached = rows[rows["arrived"] > 0]
    missed, attacks = int((reached["gradient_norm"] <= MISSED).sum()), len(reached)
    if deniable is not None and not deniable.arrived.empty:
        missed, attacks = missed + (declared_share(table, deniable) <= MISSED), attacks + 1
    passing = int((reached[list(CHECKS)].max(axis=1) < CAUGHT).sum())
    most, left = count(steps_of(table), "Newton step"), int(reached["kept"].sum())
    last = (
        f"**{most} bring every target out of the top ten**"
        if left == 0
        else f"{most} leave {count(left, 'target')} in the top ten"
    )
    every = "" if passing == 0 else f" {passing} of them pass all three checks."
    return (
        f"The gradient norm alone misses {missed} of the {count(attacks, 'attack')} that "
        f"reach the top.{every} {last}"
    )


def cell(share: float, auc: float, arrived: int, page: str) -> str:
    """Return a check's cell as HTML: how many it flags, its AUC (NaN where there is none), in a
    colour, linked to its evidence."""
    if not arrived:
        return "–"
    look = "caught" if share >= CAUGHT else "missed" if share <= MISSED else "partly"
    said = f"{round(share * arrived)} of {arrived}"
    return f'<a class="ial-race {look}" href="{escape(page)}" target="_self">{look}: {said}</a>' + (
        "" if np.isnan(auc) else f'<div class="note">AUC {auc:.2f}</div>'
    )


def deniable_row(table: pd.DataFrame, result: DeniableResult) -> dict[str, str]:
    """Return the deniable attack as a row of `as_table`, against the honest models of the same
    table. Its gradient norm is that of the loss which it declares, and so are the Newton steps."""
    found, norms = result.arrived, honest_of(table)["gradient_norm"]
    seen = detection(norms, found["gradient_norm"])
    share = declared_share(table, result)
    ten = int((found["declared_after"] <= rates.TOP).sum())
    said = {
        "attack": OWN_LOSS,
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
        f"The last attacker declares a loss of its own: of {count(len(found), 'such model')}, "
        f"{kept} keep their target in the top {result.k} after polishing on that loss. Averaging "
        f"over honest choices leaves {int((found['averaged'] <= result.k).sum())}."
    )


@shelf.kept
def as_table(
    table: pd.DataFrame,
    deniable: DeniableResult | None = None,
    elsewhere: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the race as a table whose cells are HTML; the deniable attack comes last. elsewhere:
    cells of other experiments, as in `race_elsewhere.table_of`, in columns of their own."""
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
    shown = pd.DataFrame(rows)
    if elsewhere is None:
        return shown
    for check in dict.fromkeys(elsewhere["check"]):
        cells = {
            escape(one["attack"]): cell(
                one["stopped"] / one["of"], one["auc"], one["of"], race_elsewhere.PAGES[check]
            )
            for one in elsewhere[elsewhere["check"] == check].to_dict("records")
        }
        shown[check] = shown["attack"].map(cells).fillna("–")
    return shown
