"""What the check for a minimum finds, and whom it lets pass: pure functions from its table."""

from collections.abc import Mapping

import pandas as pd

from engine.statistics import Detection, detection, holm, sign_test, wilson_interval
from pages.common.keeping import shelf


def manipulated(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the models that the check is asked to tell from honest ones, by what they are: those
    attacked that reached the top, at each k and radius, scaled ones, those of the attacker who
    knows the check that reached it. An attack that failed manipulated no ranking, and is none to be
    found."""
    groups: dict[str, pd.DataFrame] = {}
    attacked = table[(table["kind"] == "attacked") & table["success"]]
    for (k, radius), part in attacked.groupby(["k", "radius"]):
        groups[f"malicious, into the top {k}, radius {radius:g}"] = part
    groups["scaled"] = table[table["kind"] == "scaled"]
    adaptive = table[(table["kind"] == "adaptive") & (table["stealth"] > 0)]
    groups["knows the check"] = adaptive[adaptive["success"]]
    return {name: part for name, part in groups.items() if len(part)}


@shelf.kept
def by_kind(table: pd.DataFrame) -> dict[str, Detection]:
    """Return a detector's curve for each kind of malicious models: attacked at any k and radius,
    of the attacker who knows the check, and scaled."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    groups = manipulated(table)
    moved = table[(table["kind"] == "attacked") & table["success"]]
    kinds = {"malicious": moved} if len(moved) else {}
    kinds |= {name: groups[name] for name in ("knows the check", "scaled") if name in groups}
    return {name: detection(honest, part["gradient_norm"]) for name, part in kinds.items()}


def passing_norms(table: pd.DataFrame) -> tuple[pd.Series, int]:
    """Return the smallest gradient norm with which the attacker who knows the check reaches the
    top, by target, and how many targets were tried."""
    knowing = table[(table["kind"] == "adaptive") & (table["stealth"] > 0)]
    able = knowing[knowing["success"]].groupby("target")["gradient_norm"].min()
    return able, int(knowing["target"].nunique())


@shelf.kept
def curves(table: pd.DataFrame) -> dict[str, Detection]:
    """Return a detector's curve for each of the `manipulated` groups."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    return {
        name: detection(honest, part["gradient_norm"]) for name, part in manipulated(table).items()
    }


@shelf.kept
def curves_table(curves: Mapping[str, Detection]) -> pd.DataFrame:
    """Return the operating points of all curves, one below the other, each with the name of its
    curve."""
    parts = [
        pd.DataFrame(
            {
                "models": name,
                "threshold": curve.thresholds,
                "honest_flagged": curve.false_alarms,
                "manipulated_found": curve.found,
            }
        )
        for name, curve in curves.items()
    ]
    return pd.concat(parts, ignore_index=True)


@shelf.kept
def kept(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return what the attacker who knows the check keeps, by the weight of the check in the
    objective: attacks, how many reach the top, and how many reach it unflagged, with the Wilson
    interval of these."""
    rows = []
    for weight, part in table[table["kind"] == "adaptive"].groupby("stealth"):
        passed = int((part["success"] & (part["gradient_norm"] < threshold)).sum())
        low, high = wilson_interval(passed, len(part))
        rows.append(
            {
                "weight": weight,
                "attacks": len(part),
                "reached": int(part["success"].sum()),
                "unflagged": passed,
                "share": passed / len(part),
                "low": low,
                "high": high,
                "norm": part["gradient_norm"].median(),
                "accuracy_drop": part.loc[part["success"], "accuracy_drop"].mean(),
            }
        )
    return pd.DataFrame(rows)


@shelf.kept
def by_objective(results: Mapping[str, pd.DataFrame], threshold: float) -> pd.DataFrame:
    """Count the models pulled into the smallest k that the check flags: a row for each objective
    and each radius that the first objective and another have, on the targets that all have.

    Columns: attacks, reached (the top), passed (reached it unflagged), flagged and their share as
    rate with its Wilson interval low, high; auc, auc_low, auc_high against the honest models of the
    first; p of an exact sign test on the targets of which the check flags only one of the two
    models, the first objective's or this one (1 for the first itself), corrected by Holm for the
    number of these comparisons.
    """
    first, *others = results
    honest = results[first].query("kind == 'honest'")["gradient_norm"]
    attacked = {name: table[table["kind"] == "attacked"] for name, table in results.items()}
    k = attacked[first]["k"].min()
    targets = set.intersection(*(set(part["target"]) for part in attacked.values()))
    radii = {radius for name in others for radius in attacked[name]["radius"]}
    rows = []
    for radius in sorted(radii & set(attacked[first]["radius"])):
        caught: dict[str, pd.Series] = {}
        for name, part in attacked.items():
            chosen = (part["k"] == k) & (part["radius"] == radius) & part["target"].isin(targets)
            part = part[chosen].set_index("target").sort_index()
            if part.empty:
                continue
            flagged = caught[name] = part["gradient_norm"] >= threshold
            low, high = wilson_interval(int(flagged.sum()), len(part))
            curve = detection(honest, part["gradient_norm"])
            more, fewer = (flagged & ~caught[first]), (caught[first] & ~flagged)
            rows.append(
                {
                    "objective": name,
                    "radius": radius,
                    "k": k,
                    "attacks": len(part),
                    "reached": int(part["success"].sum()),
                    "passed": int((part["success"] & ~flagged).sum()),
                    "flagged": int(flagged.sum()),
                    "rate": float(flagged.mean()),
                    "low": low,
                    "high": high,
                    "auc": curve.auc,
                    "auc_low": curve.interval.low,
                    "auc_high": curve.interval.high,
                    "p": sign_test(int(more.sum()), int(fewer.sum())),
                }
            )
    found = pd.DataFrame(rows)
    if len(found):
        compared = found["objective"] != first
        found.loc[compared, "p"] = holm(found.loc[compared, "p"])
    return found


@shelf.kept
def passing(results: Mapping[str, pd.DataFrame], threshold: float) -> dict[str, tuple[int, int]]:
    """For how many targets the attacker who knows the check reaches the top unflagged with some
    weight, and of how many, under each objective; on the targets and weights that all have."""
    knowing = {n: t[(t["kind"] == "adaptive") & (t["stealth"] > 0)] for n, t in results.items()}
    for column in ("target", "stealth", "radius"):
        shared = set.intersection(*(set(part[column]) for part in knowing.values()))
        knowing = {name: part[part[column].isin(shared)] for name, part in knowing.items()}
    found = {}
    for name, part in knowing.items():
        passed = part[part["success"] & (part["gradient_norm"] < threshold)]
        found[name] = (passed["target"].nunique(), part["target"].nunique())
    return found
