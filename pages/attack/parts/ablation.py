"""The paper's ablation (Table 2): four variants of the attack on the same targets, beside them one
of our own, and what the comparison says; pure functions from sweep tables to tables and sentences.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from engine.attacks.rates import attempted, highest, outcomes
from engine.attacks.result import AttackResult
from engine.statistics import holm, sign_test
from pages.attack.parts.frontier import MEANINGS
from pages.common.asking.rate_view import RateView
from pages.common.frames import named_rows, row_of
from pages.common.keeping import shelf
from pages.common.words import rate_words as words
from pages.common.words.wording import count, listed

RESTARTS = "restarts"  # the variant that is not an objective of its own
ACCURATE = "accurate"  # ours
VARIANTS = {  # the paper's, each named as a whole attack
    "target": "Raise the target alone",
    "top_k": "Raise the target, push down the top",
    "higher_ranked": "Raise the target, push down all above it",
    RESTARTS: "The paper's attack: the same, random starts",
}
LABELS = {**VARIANTS, ACCURATE: "This lab's attack: also keeps accuracy"}
NAMES = {  # in sentences
    "target": "raising the target alone",
    "top_k": "pushing down the top",
    "higher_ranked": "pushing down all above the target",
    RESTARTS: "starting at random",
    ACCURATE: "keeping the model accurate",
}
BY = ("variant", "radius", "k")
ATTACK = ["target", "radius", "k"]  # what tells a variant's attacks apart
ALPHA = 0.05
TESTS = "paired sign tests, Holm-corrected"


@shelf.kept
def variants(single: pd.DataFrame, restarted: pd.DataFrame) -> pd.DataFrame:
    """Return the four variants as one table with a column `variant`: what both sweeps have of
    targets, radii and k. single: the three objectives, started once; restarted: the paper's
    attack."""
    tables = [single.assign(variant=single["objective"]), restarted.assign(variant=RESTARTS)]
    for name in ATTACK:
        first, second = (table[name].unique() for table in tables)
        both = np.intersect1d(first, second)
        tables = [table[table[name].isin(both)] for table in tables]
    return pd.concat(tables, ignore_index=True)


@shelf.kept
def with_ours(table: pd.DataFrame, sweeps: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the four variants and, where the sweeps have it for each of their attacks, the
    objective `accurate` as a fifth: at fewer radii or targets it would not be compared on the same
    terms."""
    found = [sweep[sweep["objective"] == ACCURATE] for sweep in sweeps]
    if not found:
        return table
    asked = table[ATTACK].drop_duplicates()
    own = pd.concat(found, ignore_index=True).drop_duplicates(ATTACK).merge(asked, on=ATTACK)
    if len(own) < len(asked):
        return table
    return pd.concat([table, own.assign(variant=ACCURATE)], ignore_index=True)


@shelf.kept
def best_of(rates: pd.DataFrame) -> pd.DataFrame:
    """Return each variant and regime at its best radius, on the attacker's own test set, in the
    order of the paper, ours last; rates: of one k and form, by variant and radius."""
    best = highest(rates[rates["split"] == "test"])
    order = {name: place for place, name in enumerate(LABELS)}
    return best.sort_values("variant", key=lambda v: v.map(order), kind="stable", ignore_index=True)


@shelf.kept
def best_at(table: pd.DataFrame, view: RateView) -> pd.DataFrame:
    """Return each variant and regime at its best radius, at the view's k; table: attacks by
    variant."""
    return best_of(view.both(table, BY).query("k == @view.k"))


@shelf.kept
def at_one_radius(table: pd.DataFrame, view: RateView) -> pd.DataFrame:
    """Return the rates of both regimes for each variant at one radius, at the view's k: where the
    variant does best with accuracy kept. table: attacks by variant."""
    rates = view.both(table, BY).query("k == @view.k and split == 'test'")
    chosen = with_accuracy(best_of(rates))[["variant", "radius"]].reset_index(drop=True)
    return rates.merge(chosen, on=["variant", "radius"])


@shelf.kept
def with_accuracy(best: pd.DataFrame) -> pd.DataFrame:
    """Return the rates with accuracy kept, indexed by variant."""
    return best[best["regime"] == "high_accuracy"].set_index("variant", drop=False)


@shelf.kept
def radii_of(rates: pd.DataFrame) -> dict[str, float]:
    """Return each variant's radius, of rates with one row a variant."""
    return {str(name): float(r) for name, r in zip(rates["variant"], rates["radius"], strict=True)}


@shelf.kept
def moved(table: pd.DataFrame, view: RateView, radii: Mapping[str, float]) -> pd.DataFrame:
    """Return for each target and variant, at that variant's radius: kept (moved with accuracy kept)
    and moved (at any cost), with the target's honest rank; sorted by it."""
    parts = []
    for variant, radius in radii.items():
        mine = (table["variant"] == variant) & (table["k"] == view.k) & (table["radius"] == radius)
        rows = attempted(table[mine])
        kept, any_cost = (
            outcomes(rows, regime, view.form, "test", view.limit)["success"]
            for regime in ("high_accuracy", "best")
        )
        columns = ["target", "rank_before", "variant", "radius", "rank_test"]
        parts.append(rows[columns].assign(kept=kept, moved=any_cost))
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["rank_before", "target"], kind="stable", ignore_index=True)


@shelf.kept
def wide(found: pd.DataFrame, column: str = "kept") -> pd.DataFrame:
    """Tabulate whether each attack moved its target: a row a target (in the order of honest ranks),
    a column a variant."""
    table = found.pivot_table(column, "target", "variant", aggfunc="first").astype(bool)
    return table.loc[found["target"].unique(), [v for v in LABELS if v in table.columns]]


def leads(hits: pd.DataFrame) -> pd.DataFrame:
    """Return how many targets the row's variant moves that the column's does not."""
    values = hits.to_numpy()
    lead = [[int((a & ~b).sum()) for b in values.T] for a in values.T]
    return pd.DataFrame(lead, index=hits.columns, columns=hits.columns)


@shelf.kept
def of_paper(table: pd.DataFrame) -> pd.DataFrame:
    """Return the paper's columns of a table with one column a variant."""
    return table.filter(items=list(VARIANTS))


@shelf.kept
def steps(best: pd.DataFrame, hits: pd.DataFrame) -> pd.DataFrame:
    """Return the steps from each variant to the next one, in the paper from the simplest to its
    attack: rate before and after, and the p of an exact sign test on the targets that only one of
    the two moves, corrected by Holm for the number of steps.

    best: rates in one regime, a row a variant. hits: as `wide`, each at the radius of its rate.
    """
    lead, rate = leads(hits), best.set_index("variant")["rate"]
    rows = []
    for before, after in pairwise(hits.columns):
        gained, lost = int(lead[before][after]), int(lead[after][before])
        p = sign_test(gained, lost)
        rows.append((after, before, rate[before], rate[after], gained, lost, p))
    names = ["step", "before", "rate_before", "rate_after", "gained", "lost", "p"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(p=holm(found["p"]))


@shelf.kept
def at_equal_radius(table: pd.DataFrame, view: RateView) -> pd.DataFrame:
    """Return our variant beside the paper's attack, a row for each radius: how many targets only
    ours moves (gained) and only the paper's (lost), with accuracy kept, and the p of an exact sign
    test, corrected by Holm for the number of radii."""
    both = table[table["variant"].isin((RESTARTS, ACCURATE))]
    rows = []
    for radius in sorted(float(r) for r in both["radius"].unique()):
        hits = wide(moved(both, view, dict.fromkeys((RESTARTS, ACCURATE), radius)))
        lead = leads(hits)
        gained, lost = int(lead[RESTARTS][ACCURATE]), int(lead[ACCURATE][RESTARTS])
        rows.append((radius, gained, lost, sign_test(gained, lost)))
    found = pd.DataFrame(rows, columns=["radius", "gained", "lost", "p"])
    return found.assign(p=holm(found["p"]))


@shelf.kept
def finding(best: pd.DataFrame, view: RateView) -> str:
    """Ask, and answer with the part of the paper's attack that adds most to the rate."""
    by = best.set_index("variant")
    rows = {name: row_of(by, name) for name in VARIANTS if name in by.index}
    before, after = max(
        pairwise(rows), key=lambda step: rows[step[1]]["rate"] - rows[step[0]]["rate"]
    )
    top = "rank 1" if view.k == 1 else words.top(view.k)
    last = list(rows)[-1]
    whole = f" The paper's whole attack brings {rows[last]['successes']}." if after != last else ""
    said = (
        f"The largest step is {NAMES[after]}: {words.hits(rows[after])} samples reach {top}, "
        f"instead of {rows[before]['successes']}.{whole}"
    )
    if rows[after]["rate"] <= rows[before]["rate"]:
        said = "No part of the attack helps here."
    return f"Which parts of the attack matter? **{said}**"


@shelf.kept
def order(taken: pd.DataFrame, targets: int) -> str:
    """Say whether every step helps, as in the paper, and which could be chance."""
    wrong = [
        f"{NAMES[s.step]} does {'worse than' if s.rate_after < s.rate_before else 'no better than'}"
        f" {NAMES[s.before]}"
        for s in named_rows(taken)
        if s.rate_after <= s.rate_before
    ]
    said = (
        f"The paper's Table 2 has every step help; here {listed(wrong)}."
        if wrong
        else "Every step helps, as in the paper's Table 2."
    )
    sure = [NAMES[s.step] for s in named_rows(taken) if s.p < ALPHA]
    on = f"on these {count(targets, 'target')}"
    tests = f"(each variant at its own best radius; {TESTS})"
    if not sure:
        return f"{said} No single step is more than chance {on} {tests}."
    some = listed(sure)
    if len(sure) == len(taken):
        return f"{said} No step is mere chance {on} {tests}."
    return f"{said} More than chance {on}: only {some} {tests}."


@shelf.kept
def ours(table: pd.DataFrame, view: RateView, longest: int) -> str:
    """Say what our variant does beside the paper's attack at the same radius, and on how many runs;
    empty where it is not there. table: all attacks; longest: the steps that a run may take."""
    if ACCURATE not in set(table["variant"]):
        return ""
    rows = at_equal_radius(table, view)
    runs = table.groupby("variant")["runs"].max()
    told = [
        f"at radius {row.radius:g} it moves {row.gained or 'none'} that the paper's attack does "
        f"not and loses {row.lost or 'none'} that it does (p = {row.p:.2g})"
        for row in named_rows(rows[rows["p"] < ALPHA])
    ]
    alike = [f"{radius:g}" for radius in rows.loc[rows["p"] >= ALPHA, "radius"]]
    if alike:
        told.append(f"at radius {listed(alike)} the two differ by no more than chance")
    return (
        "An objective of ours that also keeps the model accurate, on "
        f"{count(int(runs[ACCURATE]), 'run')} of at most {longest} steps an attack to its "
        f"{runs[RESTARTS]}, with accuracy kept and at the same radius: {'; '.join(told)} "
        f"({TESTS})."
    )


def budget(own: float | None, paper: float | None) -> str:
    """Say what our objective is and what it takes, for a caption; empty where it is not there. own,
    paper: recorded seconds of an attack."""
    if own is None or paper is None:
        return ""
    return (
        f" The last is ours, not the paper's: {MEANINGS[ACCURATE]}, which the paper's runs do not. "
        f"As recorded, not on an idle machine: {own:.1f} seconds an attack, {paper:.1f} for the "
        "paper's."
    )


def parts_title(taken: pd.DataFrame) -> str:
    """Say whether every part of the attack adds to the rate."""
    more = (taken["rate_after"] > taken["rate_before"]).all()
    return f"{'Each' if more else 'Not every'} part brings more samples to the top"


def strip_title(hits: pd.DataFrame) -> str:
    """Say who moves what."""
    n, by = len(hits), hits.sum(axis=1)
    return f"{int((by == hits.shape[1]).sum())} of {n} targets move under every variant"


def strip_counts(hits: pd.DataFrame) -> str:
    """Say how many targets no variant moves, and how many a single one."""
    by = hits.sum(axis=1)
    text = f"{int((by == 0).sum()) or 'No target'} under none"
    only = int((hits.get(RESTARTS, pd.Series(False, hits.index)) & (by == 1)).sum())
    text = f"{text}; {only or 'none'} only with random starts"
    if ACCURATE not in hits:
        return f"{text}."
    return f"{text}, {int((hits[ACCURATE] & (by == 1)).sum()) or 'none'} only with our objective."


def lead_title(lead: pd.DataFrame) -> str:
    """Say whether the paper's attack loses targets that a simpler variant moves."""
    if RESTARTS not in lead:
        return "What each variant moves that another does not"
    lost = row_of(of_paper(lead.T), RESTARTS).drop(RESTARTS)
    if not lost.any():
        return "The paper's attack loses no target that a simpler variant moves"
    return f"The paper's attack misses {int(lost.max())} that {NAMES[str(lost.idxmax())]} moves"


def runs_title(attacks: Mapping[str, AttackResult]) -> str:
    """Say under which variants a target arrives, and under which every run gets stuck."""
    target, before = next((a.targets[0], a.before) for a in attacks.values())
    arrives = [NAMES[v] for v, a in attacks.items() if a.any_run_success]
    stuck = [v for v, a in attacks.items() if not a.any_run_success]
    who = f"Sample {target}, honest rank {int(before.ranks[target]):,},"
    if not stuck:
        return f"{who} arrives under every variant"
    if not arrives:
        return f"{who} arrives under none: every run gets stuck"
    others = count(len(stuck), "other variant")
    return f"{who} arrives by {listed(arrives)}; under the {others} every run gets stuck"


def runs_table(attacks: Mapping[str, AttackResult]) -> pd.DataFrame:
    """Return the trajectories of the variants' attacks on one target, one below the other."""
    parts = [result.trajectory.assign(variant=variant) for variant, result in attacks.items()]
    return pd.concat(parts, ignore_index=True)


@shelf.kept
def telling_target(found: pd.DataFrame) -> int:
    """Return a target that some variants fail on, the more the better, and the paper's attack
    moves."""
    hits = of_paper(wide(found, "moved"))
    fails = (~hits).sum(axis=1)
    some = fails.between(1, hits.shape[1] - 1)
    own = hits.get(RESTARTS, some)
    ordered = pd.DataFrame({"some": ~some, "own": ~own, "fails": -fails})
    return int(ordered.sort_values(["some", "own", "fails"], kind="stable").index[0])
