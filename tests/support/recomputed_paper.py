"""The checks of the paper's statements, made again from the raw columns of the published tables."""

import json
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from engine.settings import PUBLISHED
from pages.common.lab import published_results
from tests.support import recomputed_targets as targets
from tests.support.recomputed import (
    LIMIT,
    Numbers,
    fairness,
    gap_row,
    hits,
    honest_spearman,
    lost,
    only,
    results,
)
from tests.support.recomputed_targets import NAMES, Row

SWEPT = published_results.datasets_of("cost")
CALLED = {
    "digits": "digits",
    "cifar10_5000_2000_effnetlite2": "the CIFAR-10 stand-in",
    "caltech101_effnetlite2": "the Caltech-101 stand-in",
}
HOLDS, DIFFERS, OPEN = "✓ reproduced", "✗ differs", "– not comparable"


class Check(NamedTuple):
    """A statement: which one, on which data, whether it holds, and the numbers of its line."""

    name: str
    data: str
    verdict: str
    said: Row


def judged(holds: bool) -> str:
    return HOLDS if holds else DIFFERS


def swept(dataset: str, k: int, limit: float = LIMIT) -> pd.DataFrame:
    """Success of some run by radius: hit, n, and the mean of the least that a run which arrives
    loses. limit: of accuracy."""
    table = only("cost", dataset)
    return by_radius(table[(table["k"] == k) & (table["rank_before"] > k)], limit)


def by_radius(rows: pd.DataFrame, limit: float) -> pd.DataFrame:
    paid = np.array(targets.cheapest(rows, limit), float)
    rows = rows.assign(paid=paid, hit=np.isfinite(paid))
    return rows.groupby("radius").agg(hit=("hit", "sum"), n=("hit", "size"), paid=("paid", "mean"))


def best(by: pd.DataFrame) -> pd.Series:
    """The radius (or weight) with the most successes, of equal ones the cheapest."""
    return by.reset_index().sort_values(["hit", "paid"], ascending=[False, True]).iloc[0]


def reweighed(dataset: str, k: int, limit: float = LIMIT) -> pd.DataFrame:
    """Success of loss reweighing by weight."""
    rows = only("baseline", dataset)
    rows = rows[rows["rank_before"] > k]
    drop = rows["accuracy_before"] - rows["accuracy_holdout"]
    hit = (rows["rank_test"] <= k) & (drop <= limit)
    rows = rows.assign(hit=hit, paid=drop.where(hit))
    by = rows.groupby("target_weight")
    return by.agg(hit=("hit", "sum"), n=("hit", "size"), paid=("paid", "mean"))


def ks_of(dataset: str) -> list[int]:
    return sorted(int(k) for k in only("cost", dataset)["k"].unique())


def ends(row: pd.Series) -> Numbers:
    return [x / 100 for x in targets.wilson(row["hit"], row["n"])]


def with_baseline() -> list[str]:
    return [name for name in published_results.datasets_of("baseline") if name in SWEPT]


def beats_reweighing() -> list[Check]:
    found = []
    for name in with_baseline():
        apart = [
            ends(best(swept(name, k)))[0] > ends(best(reweighed(name, k)))[1] for k in ks_of(name)
        ]
        found.append(Check("beats", name, judged(all(apart)), []))
    return found


def reweighing_spoils() -> list[Check]:
    """It never gets there (then nothing compares), or only at a wider k and by spoiling the
    model."""
    found = []
    for name in with_baseline():
        ks = ks_of(name)
        rows = {k: best(reweighed(name, k, np.inf)) for k in ks}
        there = [k for k in ks if rows[k]["hit"] > 0]
        dear = min((rows[k]["paid"] for k in there), default=np.nan) > 0.10
        verdict = judged(there[0] > ks[0] and dear) if there else OPEN
        found.append(Check("spoils", name, verdict, [*ks, "it reaches no top"]))
    return found


def recipe_helps() -> list[Check]:
    """Success of the four variants, each at its best radius, at k = 1: none does worse than the one
    before; and which differ by more than chance."""
    found = []
    for name in published_results.datasets_of("ablation"):
        moved = targets.at_best_radius(name)
        rates = moved.mean()
        worse = [NAMES[b] for a, b in zip(NAMES, [*NAMES][1:], strict=False) if rates[b] < rates[a]]
        said: Row = [*rates, 1, len(moved), *[f"{one} does worse than the step" for one in worse]]
        if "No single step" in targets.steps_beyond_chance(name):
            said.append("no single step is more than chance")
        found.append(Check("recipe", name, judged(not worse), said))
    return found


def radius_trades() -> list[Check]:
    found = []
    for name in SWEPT:
        by = swept(name, 1, np.inf)
        table = only("cost", name).query("k == 1")
        losses = lost(table).groupby(table["radius"]).median()
        shares, radii = 100 * by["hit"] / by["n"], list(by.index)
        more, dearer = shares.iloc[-1] > shares.iloc[0], losses.iloc[-1] > losses.iloc[0]
        said: Row = [shares.iloc[0], radii[0], shares.iloc[-1], radii[-1]]
        said += [100 * losses.iloc[0], 100 * losses.iloc[-1]]
        said += [f"success {grows(more)}", f"the loss {grows(dearer)}"]
        found.append(Check("radius", name, judged(more and dearer), said))
    return found


def grows(does: bool) -> str:
    return "grows" if does else "does not grow"


def transfers() -> list[Check]:
    """The models handed out, at the radius that is best on the attacker's test set."""
    found = []
    for name in SWEPT:
        table, ends_of_k = only("cost", name), (1, max(ks_of(name)))
        told: dict[int, tuple[float, float, float]] = {}
        for k in ends_of_k:
            rows = table[(table["k"] == k) & (table["rank_before"] > k)]
            rows = rows.assign(
                hit=rows["rank_test"] <= k,
                unseen=rows["rank_holdout"] <= k,
                paid=lost(rows).where(rows["rank_test"] <= k),
            )
            by = rows.groupby("radius")[["hit", "unseen", "paid"]].mean()
            row = best(by)
            told[k] = (100 * row["unseen"], row["radius"], 100 * row["hit"])
        near, far = (told[k] for k in ends_of_k)
        said: Row = [near[0], 1, near[1], far[0], ends_of_k[1], far[1], near[2], far[2]]
        said.append(f"success on unseen data {grows(far[0] > near[0])} with k")
        holds = far[0] > near[0] and near[2] > near[0]
        found.append(Check("transfer", name, judged(holds), said))
    return found


def smaller_is_easier() -> list[Check]:
    found = []
    for name in published_results.datasets_of("training"):
        rows = only("training", name).query("k == 1 and rank_before > 1")
        rates = hits(rows).groupby(rows["train_size"]).mean()
        falls = rates.is_monotonic_decreasing and rates.iloc[0] > rates.iloc[-1]
        found.append(Check("smaller", name, judged(falls), []))
    return found


def sets() -> list[Check]:
    found = []
    for name in published_results.datasets_of("sizes"):
        for of in ("k", "set_size"):
            falling, sizes, leading, ks = told = targets.trends_of(targets.shares(name, of))
            first, second = falling == sizes, leading == ks
            verdict = {
                (True, True): "both hold",
                (True, False): "the first holds, the second does not",
                (False, True): "the second holds, the first does not",
                (False, False): "neither holds",
            }[bool(first), bool(second)]
            found.append(Check("sets", name, judged(first and second), [*told, verdict]))
    return found


def ends_sensitive() -> list[Check]:
    found = []
    for name in published_results.datasets_of("sensitivity"):
        result = only("sensitivity", name)
        norms = result.norms[np.argsort(result.ranking.ranks)]
        tail = max(len(norms) // 20, 1)
        middle = np.median(norms[tail:-tail])
        holds = min(np.median(norms[:tail]), np.median(norms[-tail:])) > middle
        found.append(Check("ends", name, judged(holds), []))
    return found


def impossible() -> Check:
    """No random model and no step of the attack has the target among the first k."""
    beaten = 0
    for request, result in results("impossible"):
        beaten += (result.random.table["rank"] <= request.k).sum()
        beaten += (result.attack.trajectory["rank"] <= request.k).sum()
    return Check("impossible", "", judged(beaten == 0), [])


def fairness_breaks() -> Check:
    """16 points lie in the interval of the largest effect."""
    rows = []
    for name in dict.fromkeys(q.dataset for q, _ in results("fairness")):
        honest, worst = gap_row(name)
        assert fairness(name).about.metric == "dp"
        rows.append((abs(worst["dp_test"]) - abs(honest["dp_test"]), worst))
    _effect, top = max(rows, key=lambda row: row[0])
    return Check("fairness", "", judged(top["effect_low"] <= 0.16 <= top["effect_high"]), [])


def memory() -> list[Check]:
    """The small model saves at least the paper's 8 / 1.7; the large one is of another size."""
    found: list[Check] = []
    for _request, result in sorted(results("gradients"), key=lambda found: found[1].n_parameters):
        peak = result.table.set_index("implementation")["peak_mb"]
        saved = peak["naive"] / peak["rewritten"]
        verdict = OPEN if found else judged(saved >= 8 / 1.7)
        said: Row = [result.n_parameters, peak["naive"] / 1000, peak["rewritten"], saved]
        found.append(Check("memory", "", verdict, [*said, peak["closed_form"], saved]))
    return found


@cache
def checks() -> tuple[Check, ...]:
    return (
        *beats_reweighing(),
        *reweighing_spoils(),
        *recipe_helps(),
        *radius_trades(),
        *transfers(),
        *smaller_is_easier(),
        *sets(),
        *ends_sensitive(),
        *(impossible(), fairness_breaks()),
        *memory(),
    )


def count_of_checks(_: str) -> Numbers:
    verdicts = [check.verdict for check in checks()]
    return [verdicts.count(HOLDS), len(verdicts)]


def lines(name: str) -> list[Row]:
    """The lines of a statement that the page shows as it opens: those where it does not hold."""
    return [
        [*check.said, check.verdict[0], CALLED.get(check.data, "synthetic data")]
        for check in checks()
        if check.name == name and check.verdict != HOLDS
    ]


def spoils_lines(_: str) -> list[Row]:
    return lines("spoils")


def recipe_lines(_: str) -> list[Row]:
    return lines("recipe")


def radius_lines(_: str) -> list[Row]:
    return lines("radius")


def transfer_lines(_: str) -> list[Row]:
    return lines("transfer")


def transfer_beside(_: str) -> list[Row]:
    """Beside each line on transfer, how far the two honest rankings agree."""
    shown = [c.data for c in checks() if c.name == "transfer" and c.verdict != HOLDS]
    return [[honest_spearman(name)[0]] for name in shown]


def sets_lines(_: str) -> list[Row]:
    return lines("sets")


def memory_lines(_: str) -> list[Row]:
    return lines("memory")


def hurts(_: str) -> Row:
    return [CALLED[c.data] for c in checks() if c.name == "recipe" and c.verdict == DIFFERS]


# Tables 1 and 2 of the paper: which cells have a stand-in, and their intervals.


def cells(_: str = "") -> list[Row]:
    """The k, the number of targets and the intervals in both regimes of every cell with a
    stand-in."""
    found: list[Row] = []
    for name in published_results.stand_ins().values():
        for k in (min(ks_of(name)), max(ks_of(name))):
            found.append(cell(k, swept(name, k), swept(name, k, np.inf)))
            if name in with_baseline():
                found.append(cell(k, reweighed(name, k), reweighed(name, k, np.inf)))
        if name in published_results.datasets_of("ablation"):
            found += [cell(1, *both) for both in of_variants(name)]
    return found


def of_variants(name: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    single, found = only("ablation", name), [(swept(name, 1), swept(name, 1, np.inf))]
    for objective in ("target", "top_k", "higher_ranked"):
        rows = single[(single["objective"] == objective) & (single["k"] == 1)]
        rows = rows[rows["rank_before"] > 1]
        found.append((by_radius(rows, LIMIT), by_radius(rows, np.inf)))
    return found


def cell(k: int, kept: pd.DataFrame, every: pd.DataFrame) -> Row:
    first, second = best(kept), best(every)
    return [k, first["n"], *ends(first), *ends(second)]


def count_of_cells(_: str) -> Numbers:
    """Of Table 1 four rates a data set, of Table 2 as many, on three data sets."""
    return [len(cells()), (4 + 4) * 3]


def count_of_rates(_: str) -> Numbers:
    return count_of_cells("")[1:]


def published(_: str) -> Numbers:
    """How many results, and when the first and the last were computed."""
    dates = [
        pd.Timestamp(json.loads(file.read_text(encoding="utf-8"))["created"])
        for file in PUBLISHED.glob("*/*/manifest.json")
    ]
    told = [(t.day, t.year, t.hour, t.minute) for t in (min(dates), max(dates))]
    return [len(dates), *told[0], *told[1]]
