"""More numbers of pages' sentences, recomputed: the checks, and the cells of their tables."""

import numpy as np

from pages.common.lab import published_results
from tests.support.recomputed import LIMIT, Numbers, lost, only, results
from tests.support.recomputed_targets import Row, wilson


def tuned(dataset: str) -> set[int]:
    """The targets of every sweep with seed 0."""
    found: set[int] = set()
    for role in ("cost", "frontier", "ablation"):
        if dataset in published_results.datasets_of(role):
            found |= {int(t) for _request, table in results(role, dataset) for t in table["target"]}
    return found


def on_fresh_targets(_: str) -> list[Row]:
    """Of the models handed out on targets that nothing was tuned on, those with the target first
    and accuracy kept, by data set and objective."""
    rows: list[Row] = []
    for dataset in published_results.datasets_of("fresh"):
        for _request, table in results("fresh", dataset):
            new = table[~table["target"].isin(tuned(dataset))].query("k == 1 and rank_before > 1")
            moved = int(((new["rank_test"] == 1) & (lost(new) <= LIMIT)).sum())
            rows.append([moved, len(new), *wilson(moved, len(new))])
    return rows


def on_other_attackers(_: str) -> list[Row]:
    """Of the models of attackers with other goals that reached the top, those that the alarm of
    kNN-Shapley over the whole ranking finds: above what at most 5% of known honest models have."""
    rows: list[Row] = []
    for _request, result in results("other attackers", "digits"):
        models = result.models.set_index("role")["whole_knn_shapley"]
        known = np.sort(models["known"])[::-1]
        reached = models["attacked"]
        found = int((reached > known[int(0.05 * len(known))]).sum())
        n = len(reached)
        rows.append([found, n, 100 * found / n, 95, *wilson(found, n)])
    return rows


def on_own_score(dataset: str) -> list[Row]:
    """Of the targets of the attack on each score, those in the top 10 by that score."""
    moves = only("score matrix", dataset).moves
    own = moves[moves["attacked"] == moves["observed"]]
    there = (own["rank_after"] <= 10).groupby(own["attacked"]).agg(["sum", "size"])
    return [[hit, n, *wilson(hit, n)] for hit, n in there.to_numpy()]


# Audit.


def caught(_: str) -> Row:
    """Who of the three cheats the audit catches: a row of whose scores is off the tolerance."""
    result = only("audit", "digits")
    off = (result.residuals > result.tolerance).any(axis=1)
    assert list(off) == [False, True, False, False]  # honest, liar, careful liar, attacker
    return [
        *(result.queries, "catch the liar who invents numbers"),
        "neither the careful liar nor the attacker",
    ]


def anything_passes(_: str) -> Numbers:
    growth = only("audit", "digits").growth
    assert not growth[growth["queries"] > 491]["refused"].any()
    return [growth.loc[growth["refused"].astype(bool), "queries"].max()]


def rank_of_queries(_: str) -> Numbers:
    result = only("audit", "digits")
    return [result.queries, result.gradient_ranks[0], result.parameters]


# Certificates, the deniable attack.


def certified_at(column: str) -> dict[int, float]:
    rows = only("certificates", "digits").samples.query("k == 1")
    return dict(zip(rows["sample"], rows[column], strict=True))


def slack(certified: dict[int, float], found: dict[int, float]) -> Numbers:
    """The median over the samples that got in of found over certified."""
    both = [found[s] / value for s, value in certified.items() if s in found and value > 0]
    return [float(np.median(both))]


def slack_of_radius(_: str) -> Numbers:
    result = only("minimal", "digits")
    there = {int(t): x for t, x in zip(result.targets, result.radius, strict=True) if x == x}
    assert set(there) == set(result.targets[result.arrived].tolist())
    return slack(certified_at("radius"), there)


def slack_of_norm(_: str) -> Numbers:
    """Found: the least gradient norm of a straight push or of a published attack that got in."""
    pushed, table = certified_at("pushed"), only("defence", "digits")
    found = {sample: norm for sample, norm in pushed.items() if norm == norm}
    rows = table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]
    for row in rows[rows["k"] <= 1].itertuples():
        found[row.target] = min(found.get(row.target, np.inf), row.gradient_norm)
    return slack(certified_at("gradient_norm"), found)


def honest_draws(_: str) -> Numbers:
    return [float(np.median(only("deniable", "digits").trainers["correlation"]))]
