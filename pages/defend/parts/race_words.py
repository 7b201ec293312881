"""The state of the race: attacks against checks, from one experiment, as a table to read."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from engine.experiments import DeniableResult, PolishRequest
from engine.experiments.polish import honest_of, steps_of
from engine.statistics import detection
from pages.common.figures.axes import number
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
SHORT = {  # by a check's heading: what it looks at, and what it asks
    "gradient norm": ("Slope", "is it near zero?"),
    "Newton decrement": ("Distance", "is a minimum near?"),
    "rank after one Newton step": ("1 Newton step", "does the target fall far?"),
}
POLISHES = "{} Newton steps", f"does the target leave the top {rates.TOP}?"
ROUNDING = 6e-8  # half the spacing of float32 at 1: so short a step is lost in rounding
CAUGHT, MISSED = 0.9, 0.1  # shares of the models that arrived
OWN_LOSS = "declares a loss of its own choice"
FAMILIES: Mapping[str, tuple[str, ...]] = {  # blocks of the figure: the attacks in each
    "Aims only for the top": ("higher_ranked", "top_k", "target"),
    "Changes little else": ("accurate", "quiet", "minimal"),
    "Hides from the checks": (
        *("stealth", "through", "hides norm", "hides decrement", "other l2", "declares"),
    ),
    "Chooses the loss": (OWN_LOSS,),
}


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
def matrix(table: pd.DataFrame, deniable: DeniableResult | None = None) -> pd.DataFrame:
    """Return the race in long form: family (of `FAMILIES`), attack, check, stopped and of how many,
    a row a cell. A check stops a model that it flags; the Newton steps stop one whose target they
    bring out of the top ten. The deniable attack comes last; what was not asked of an attack is
    left out."""
    polished = polishing(table)
    cells = []
    for row in race(table).to_dict("records"):
        if not row["arrived"]:
            continue
        attack = family_of(row["kind"]), KINDS[row["kind"]]
        for check, (name, _) in CHECKS.items():
            flagged = round(row[check] * row["arrived"])
            cells.append((*attack, name, flagged, row["arrived"]))
        cells.append((*attack, polished, row["outside"] - row["kept"], row["outside"]))
    if deniable is not None and not deniable.arrived.empty:
        found = deniable.arrived
        flagged = round(declared_share(table, deniable) * len(found))
        own = family_of(OWN_LOSS), OWN_LOSS
        cells.append((*own, CHECKS["gradient_norm"][0], flagged, len(found)))
        for check, flags in bounded(table, deniable).items():
            cells.append((*own, CHECKS[check][0], flags, len(found)))
        cells.append((*own, polished, len(found) - kept_of(deniable), len(found)))
    return pd.DataFrame(cells, columns=["family", "attack", "check", "stopped", "of"])


def family_of(kind: str) -> str:
    """Return the block in which a kind of attack stands. Raises KeyError where there is none."""
    for family, kinds in FAMILIES.items():
        if kind in kinds:
            return family
    raise KeyError(f"The attack {kind!r} is in no block of the race: add it to FAMILIES.")


def polishing(table: pd.DataFrame) -> str:
    """'5 Newton steps'"""
    return count(steps_of(table), "Newton step")


def kept_of(result: DeniableResult) -> int:
    """Count the deniable models that are polished on their declared loss and still have their
    target in the top ten."""
    return int((result.arrived["declared_after"] <= rates.TOP).sum())


@shelf.kept
def strongest(cells: pd.DataFrame) -> pd.DataFrame:
    """Return for each block and check the attack that the check stops least often: family, check,
    attack, stopped, of, every (all of them in words, a line each). cells: of `matrix`."""
    rows = []
    for (family, check), part in cells.groupby(["family", "check"], sort=False):
        shares = (part["stopped"] / part["of"]).to_numpy()
        least = part.iloc[int(shares.argmin())]
        every = "<br>".join(
            f"{one['attack']}: {one['stopped']} of {one['of']}" for one in part.to_dict("records")
        )
        rows.append(
            {"family": family, "check": check}
            | least[["attack", "stopped", "of"]].to_dict()
            | {"every": every}
        )
    columns = ["family", "check", "attack", "stopped", "of", "every"]
    return pd.DataFrame(rows, columns=columns)


def within(request: PolishRequest) -> str:
    """Say when the search for the smallest radius counts, with a space before it; nothing where
    it was not made."""
    if not request.minimal:
        return ""
    return f" The search counts where its radius is at most {request.radius:g}, as the others' is."


@shelf.kept
def bounded(table: pd.DataFrame, result: DeniableResult) -> dict[str, int]:
    """Return how many deniable models two checks on the declared loss flag, by check, as far as
    that follows from how small its gradient g is.

    The loss is L2-strongly convex. So the Newton decrement is at most ‖g‖/√L2: flagged are no more
    models than have so large a bound. A step moves the model by at most ‖g‖/L2. Where that is
    rounding, one step ranks the target as NEWTON_STEPS steps do.
    """
    found = result.arrived
    limit = rates.threshold(table, rates.DECREMENT)
    decrement = found["gradient_norm"] / np.sqrt(found["l2"])
    flags = {rates.DECREMENT: int((decrement > limit).sum())}
    if longest_step(result) < ROUNDING:
        ranks = found["declared_after"]
        flags[rates.RANK] = int((ranks > rates.threshold(table, rates.RANK)).sum())
    return flags


def longest_step(result: DeniableResult) -> float:
    """Return how far a Newton step on the declared loss moves a deniable model at most."""
    return float((result.arrived["gradient_norm"] / result.arrived["l2"]).max())


def declared_share(table: pd.DataFrame, result: DeniableResult) -> float:
    """Return the share of deniable models that the gradient norm of the declared loss flags."""
    limit = np.quantile(honest_of(table)["gradient_norm"], 0.95, method="higher")
    return float((result.arrived["gradient_norm"] > limit).mean())


@shelf.kept
def beside_other_pages(table: pd.DataFrame) -> str:
    """Say why pages that count several attacks together show other shares, as a list; empty where
    neither the attack that differentiates through the step nor Algorithm 3 arrived."""

    def flagged(kind: str) -> tuple[int, int]:
        """Return how many models that succeeded are flagged by their slope, and how many did."""
        norms = table.loc[(table["kind"] == kind) & table["success"], "gradient_norm"]
        limit = rates.threshold(table, "gradient_norm") if len(norms) else 0.0
        return int((norms > limit).sum()), len(norms)

    lines = []
    through = rates.outside(table)
    through = through[through["kind"] == "through"]
    if len(through):
        stay = int((through["rank_1"] <= rates.TOP).sum())
        lines.append(
            f"- **One step.** {stay} of the {len(through)} models that are trained through the "
            "step stay. *Undo it in a few steps* counts them among all whose attacker knows the "
            "check, and most of those fall."
        )
    found, every = flagged("higher_ranked")
    if every:
        lines.append(
            f"- **Slope, in the first row.** {found} of {every} models by Algorithm 3 are "
            "flagged, all made within one radius. *Is it a minimum?* tries smaller radii as well, "
            "which leave a smaller slope."
        )
    found, every = flagged("stealth")
    if every:
        lines.append(
            f"- **Slope, of those who hide.** {found} of {every} are flagged. *Is it a "
            "minimum?* has another limit, set on other honest models, and other weights of the "
            "check."
        )
    return "\n".join(lines)


@shelf.kept
def finding(table: pd.DataFrame, deniable: DeniableResult | None = None) -> str:
    """Say how many attacks the Newton steps stop."""
    reached = race(table).query("arrived > 0")
    undone, attacks = int((reached["kept"] == 0).sum()), len(reached)
    if attacks == 0:
        return "No attack reached the top."
    steps = polishing(table)
    if deniable is not None and not deniable.arrived.empty and kept_of(deniable):
        if undone == attacks:
            return (
                f"**{steps} stop every attack but one: choosing the training loss.** These steps "
                "train the model on, towards the minimum."
            )
        attacks += 1
    if undone == attacks:
        return f"**{steps} stop every attack.**"
    return f"**{steps} stop {undone} of {count(attacks, 'attack')}.**"


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
    said = {
        "attack": OWN_LOSS,
        "reaches the top": f"{len(found)} of {len(result.table)}",
    }
    areas = {"gradient_norm": (share, seen.auc)}
    areas |= {c: (flags / len(found), np.nan) for c, flags in bounded(table, result).items()}
    for check, (name, _) in CHECKS.items():
        there = check in areas
        said[name] = cell(*areas[check], len(found), "deniable") if there else "–"
    return said | {
        f"in the top ten after {steps_of(table)} steps": f"{kept_of(result)} of {len(found)}"
    }


@shelf.kept
def beyond(result: DeniableResult) -> str:
    """Say what the deniable attack escapes, and what ends it."""
    found = result.arrived
    kept = int((found["declared_after"] <= result.k).sum())
    return (
        f"The last attacker declares a loss of its own: of {count(len(found), 'such model')}, "
        f"{kept} keep their target in the top {result.k} after polishing on that loss. Averaging "
        f"over honest choices leaves {int((found['averaged'] <= result.k).sum())}. Its Newton "
        "decrement and its rank after one step are not measured, but follow: each model is a "
        f"minimum of its own loss, from which a step leads no farther than "
        f"{number(longest_step(result))}."
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
