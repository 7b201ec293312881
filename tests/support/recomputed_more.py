"""More numbers of pages' sentences, recomputed: checks, money, fairness, what is kept of data."""

import re

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from engine.statistics import detection
from tests.support.recomputed import (
    LIMIT,
    Numbers,
    fairness,
    first_radius,
    gap_row,
    hits,
    only,
    polish_groups,
    results,
    took,
)


def area(honest: pd.Series, others: pd.Series) -> float:
    """The share of pairs in which the other has the larger number, ties half."""
    pairs = others.to_numpy()[:, None] - honest.to_numpy()[None, :]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def defence() -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """All models, the honest ones' gradient norms, the attacked ones."""
    table = only("defence", "digits")
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    return table, honest, table[table["kind"] == "attacked"]


def area_of_moved(_: str) -> Numbers:
    _table, honest, attacked = defence()
    moved = attacked.loc[attacked["success"], "gradient_norm"]
    ends = detection(honest, moved).interval
    return [len(moved), len(honest), area(honest, moved), 95, ends.low, ends.high]


def area_of_failed(_: str) -> Numbers:
    _table, honest, attacked = defence()
    failed = attacked[~attacked["success"]]
    areas = [area(honest, part["gradient_norm"]) for part in (failed, attacked)]
    return [len(failed), *areas]


def limit() -> float:
    """The gradient norm that the page opens with: what 5% of the honest models exceed, on the
    slider's steps of a twentieth of a power of ten, downwards."""
    power = np.log10(np.quantile(defence()[1], 0.95))
    return float(10 ** (np.floor(power * 20) / 20))


def attacked_flagged(_: str) -> Numbers:
    attacked = defence()[2]
    moved = attacked.loc[attacked["success"], "gradient_norm"]
    return [limit(), (moved >= limit()).sum(), len(moved)]


def knowing_flagged(_: str) -> Numbers:
    """Targets that an attacker who knows the check brings to the top with flagged models alone, and
    all that such an attacker brings to the top."""
    rows = defence()[0].query("kind == 'adaptive' and stealth > 0 and success")
    passed = rows.loc[rows["gradient_norm"] < limit(), "target"]
    return [rows["target"].nunique() - passed.nunique(), rows["target"].nunique()]


def honest_flagged(_: str) -> Numbers:
    """Honest models that the check flags, and all of them."""
    norms = defence()[0].query("kind == 'honest'")["gradient_norm"]
    return [(norms >= limit()).sum(), len(norms)]


def attacked_elsewhere(_: str) -> Numbers:
    return attacked_flagged("")[2:]


def best_weight(_: str) -> Numbers:
    rows = defence()[0].query("kind == 'adaptive' and stealth > 0")
    passed = rows["success"] & (rows["gradient_norm"] < limit())
    by = passed.groupby(rows["stealth"]).sum()
    return [by.index[int(by.argmax())], by.max(), rows["target"].nunique()]


def scaled_flagged(_: str) -> Numbers:
    rows = defence()[0].query("kind == 'scaled'")
    return [(rows["gradient_norm"] >= limit()).sum(), len(rows), 1]


# Polishing and certificates.


def polish_costs(_: str) -> Numbers:
    table = only("polish", "digits")
    rows = table[~table["kind"].isin(("honest", "held back"))]
    first, every = rows["iterations_first"].median(), rows["iterations"].median()
    return [1, first, every, 5]


def training_costs(_: str) -> Numbers:
    return [only("polish", "digits")["training_iterations"].dropna().median()]


def share_of_training(_: str) -> Numbers:
    return [100 * polish_costs("")[1] / training_costs("")[0]]


def race_undone(_: str) -> list[float | str]:
    """How many Newton steps were made, and how many attacks, the deniable one among them, still
    have a target in the top ten that was not there before."""
    table = only("polish", "digits")
    there = table[~table["kind"].isin(("honest", "held back")) & table["success"]]
    steps = max(int(name[5:]) for name in table.columns if re.fullmatch(r"rank_\d+", name))
    back = there[(there["rank_before"] > 10) & (there[f"rank_{steps}"] <= 10)]
    declared = only("deniable", "digits").table.query("arrived and declared_after <= 10")
    left = back["kind"].nunique() + (len(declared) > 0)
    return [steps, {0: "every attack.", 1: "every attack but one:"}.get(left, str(left))]


def least_norm(_: str) -> Numbers:
    """The smallest gradient norm of a published attack that succeeded."""
    norms = []
    for role in ("defence", "kept defence"):
        for _request, table in results(role, "digits"):
            rows = table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]
            norms.append(rows["gradient_norm"].min())
    return [min(norms)]


def pushed(_: str) -> Numbers:
    rows = only("certificates", "digits").samples.query("k == 1 and was_pushed")
    there = rows[rows["pushed"].notna()]
    return [len(rows), len(there), 1, (there["pushed"] / there["gradient_norm"]).median()]


def whole_ranking(_: str) -> Numbers:
    depths = only("certificates", "digits").depths
    return [depths.loc[depths["depth"] == depths["depth"].max(), "step"].min()]


def last_norm(_: str) -> Numbers:
    row = only("certificates", "digits").depths.iloc[-1]
    return [row["step"], row["gradient_norm"]]


def settled(_: str) -> Numbers:
    """How many scores a sample has, and how many settle the rest: the rank of the queries'
    gradients."""
    result = only("audit", "digits")
    return [result.queries, result.gradient_ranks[0]]


def more_than_parameters(_: str) -> Numbers:
    """The parameters of the audited model, and how many scores of each sample are audited."""
    result = only("audit", "digits")
    return [result.parameters, result.queries]


def knowing_gone(_: str) -> Numbers:
    """The first step that leaves no model of an attacker who knows the check in the top."""
    knows = polish_groups()[1]
    stay = [int((knows[f"rank_{step}"] <= 10).sum()) for step in range(6)]
    return [stay.index(0)]


def honest_lost(_: str) -> Numbers:
    """Honest models whose first sample one step brings out of the top ten, and all of them."""
    honest = polish_groups()[2]
    return [(honest["rank_1"] > 10).sum(), len(honest)]


def knowing_kept(_: str) -> Numbers:
    """Targets of attackers who know the check that one step leaves in the top ten, and all."""
    knows = polish_groups()[1]
    return [(knows["rank_1"] <= 10).sum(), len(knows)]


def through_the_step(_: str) -> Numbers:
    knows = polish_groups()[1]
    through = knows[knows["kind"] == "through"]
    return [(through["rank_1"] <= 10).sum(), len(through)]


def over_the_slope(kind: str) -> Numbers:
    """How many models of an attack that reached the top have a larger gradient norm than one honest
    model in twenty, and of how many."""
    norms = polish_groups()[2]["gradient_norm"].sort_values().to_numpy()
    limit = norms[int(np.ceil(0.95 * (len(norms) - 1)))]
    table = only("polish", "digits")
    moved = table[(table["kind"] == kind) & table["success"]]
    return [(moved["gradient_norm"] > limit).sum(), len(moved)]


def by_algorithm_3(_: str) -> Numbers:
    return [*over_the_slope("higher_ranked"), 3]


def hidden_flagged(_: str) -> Numbers:
    return over_the_slope("stealth")


# The deniable attack.


def deniable_within(_: str, epsilon: float) -> list[tuple[int, int]]:
    table = only("deniable", "digits").table
    rows = table[table["means"] == "together"]
    return [
        (int((part["arrived"] & (part["epsilon"] <= epsilon + 1e-9)).sum()), len(part))
        for part in (rows[rows["crowd"] == "random"], rows[rows["crowd"] == "near"])
    ]


def deniable_headline(_: str) -> Numbers:
    (a, n), _near = deniable_within("", 0.5)
    return [a, n, 1]


def deniable_least(_: str) -> Numbers:
    """The random target that needs the least ε: how often samples count, and L2 then and usually,
    the middle of its line."""
    result = only("deniable", "digits")
    rows = result.table.query("means == 'together' and crowd == 'random' and arrived")
    target, epsilon, l2 = rows.sort_values("epsilon").iloc[0][["target", "epsilon", "l2"]]
    usual = float(np.sqrt(result.line["l2"].min() * result.line["l2"].max()))
    return [target, 1 - epsilon, 1 + epsilon, l2, usual]


def deniable_at_limit(_: str) -> Numbers:
    limit = only("deniable", "digits").limit
    (a, n), _near = deniable_within("", limit)
    return [100 * limit, a, n, 1]


def deniable_arrived(_: str) -> Numbers:
    table = only("deniable", "digits").table
    means = list(table.loc[table["arrived"], "means"])
    return [len(means), means.count("together"), means.count("weights")]


def longest_step(_: str) -> Numbers:
    """How far a Newton step on an L2-strongly convex loss leads from so small a gradient."""
    rows = only("deniable", "digits").table.query("arrived")
    return [max(norm / l2 for norm, l2 in zip(rows["gradient_norm"], rows["l2"], strict=True))]


def averaged_in_race(_: str) -> Numbers:
    return deniable_averaged("")[:1]


def deniable_averaged(_: str) -> Numbers:
    rows = only("deniable", "digits").table.query("arrived")
    return [(rows["averaged"] == 1).sum(), len(rows)]


def l2_firsts(_: str) -> Numbers:
    result = only("deniable", "digits")
    best = result.samples["best_by_l2"]
    ends = [result.line["l2"].min(), result.line["l2"].max()]
    return [*ends, (best == 1).sum(), len(best), (best <= 10).sum(), 10]


def l2_correlation(_: str) -> Numbers:
    return [only("deniable", "digits").line["correlation"].min()]


def l2_accuracy(_: str) -> Numbers:
    line = only("deniable", "digits").line["accuracy"]
    return [100 * line.min(), 100 * line.max()]


# Other scores.


def along_of(role: str) -> Numbers:
    """How many of the other scores move the target at least half as far as influence, on the log
    scale, of how many. role: whose scores."""
    result = only(role, "digits")
    t = result.target

    def climb(name: str) -> float:
        return float(np.log(result.before[name].ranks[t] / result.after[name].ranks[t]))

    others = [name for name in result.before if name != "influence"]
    along = [name for name in others if climb(name) >= climb("influence") / 2]
    return [len(along), len(others)]


def moved_along(_: str) -> Numbers:
    along, others = along_of("other scores")
    return [others - along, others, *took("")]


def searched(dataset: str) -> Numbers:
    """How many targets the search for the smallest radius moves, and of how many."""
    result = only("minimal", dataset)
    return [np.isfinite(result.radius).sum(), len(result.targets), result.k]


def by_retraining(_: str) -> Numbers:
    """The sample's place among those left out, by what leaving each out adds to the test loss: the
    first lowers it most."""
    result = only("other scores", "digits")
    changes = result.retrained.set_index("sample")["change"]
    return [rankdata(changes, "min")[list(changes.index).index(result.target)], len(changes)]


def along(_: str) -> Numbers:
    return along_of("every score")


def best_alarm(_: str) -> Numbers:
    """The area under the best alarm's curve, and how many are no better than chance."""
    alarms = only("other scores", "digits").alarms
    return [len(alarms), alarms["auc"].max(), (alarms["auc_low"] <= 0.5).sum()]


# Money.


def pay(dataset: str) -> pd.DataFrame:
    table = only("payments", dataset).table
    return table[(table["rule"] == "positive") & (table["score"] == "influence")]


def aiming_at_pay(dataset: str) -> Numbers:
    rows = pay(dataset).pivot_table("after", "draw", "attack", aggfunc="first")
    moving = rows[["several_k", "several_all"]].max(axis=1)
    return [
        (rows["pay"] >= moving - 1e-12).sum(),
        len(rows),
        100 * rows["pay"].mean(),
        100 * moving.mean(),
    ]


def pay_on_holdout(dataset: str) -> Numbers:
    rows = pay(dataset)
    rows = rows[rows["attack"] == "pay"]
    return [100 * rows["holdout_after"].mean(), 100 * rows["holdout_before"].mean()]


# Fairness.


def by_validation(dataset: str) -> Numbers:
    result = fairness(dataset)
    honest = result.table[result.table["scale"] == 1].iloc[0]
    tried = result.searched
    chosen = tried[tried["chosen"].astype(bool)].iloc[0]
    effect = 100 * (abs(chosen["dp_test"]) - abs(honest["dp_test"]))
    ends = [100 * chosen["effect_low"], 100 * chosen["effect_high"]]
    return [
        len(tried), tried["scale"].min(), tried["scale"].max(), chosen["scale"],
        effect, 95, *ends, 100 * chosen["accuracy_test"],
    ]  # fmt: skip


def ranking_left(dataset: str) -> Numbers:
    """The influences of the honest base model beside those of the scaled one."""
    result = fairness(dataset)
    scales = list(result.table["scale"])
    honest, worst = gap_row(dataset)
    a, b = (result.on_gap[scales.index(row["scale"])] for row in (honest, worst))
    first = [set(np.argsort(side)[:100]) for side in (a, b)]
    return [spearmanr(a, b).statistic, len(first[0] & first[1]), 100]


def retrained(dataset: str) -> Numbers:
    honest, worst = gap_row(dataset)
    gaps = [100 * worst["dp_test"], 1, 100 * honest["dp_test"]]
    return [5, *gaps, 100 * worst["accuracy_test"], 1, 100 * honest["accuracy_test"]]


# Rankings, and what moves.


def few_matter(_: str) -> Numbers:
    """The share of all influence on test sample 202 that a hundredth of the samples has."""
    result = next(r for q, r in results("explain", "digits") if q.image == 202)
    sizes = np.sort(np.abs(result.ranking.scores))[::-1]
    count = len(sizes) // 100
    return [count, len(sizes), 100 * float(sizes[:count].sum() / sizes.sum())]


def strict(_: str) -> Numbers:
    table = only("sizes", "digits")
    k = int(table["k"].max())
    table = table[table["k"] == k]
    kept = [
        any(
            n >= min(k, size) and before - a <= LIMIT
            for n, a in zip(runs, accuracies, strict=True)
        )
        for runs, accuracies, before, size in zip(
            table["runs_in_top"], table["runs_accuracy"], table["accuracy_before"],
            table["set_size"], strict=True,
        )
    ]  # fmt: skip
    by = table.assign(kept=kept).groupby("set_size")["kept"].agg(["sum", "size"])
    (few, few_of), (many, many_of) = by.iloc[0], by.iloc[-1]
    return [k, few, few_of, by.index[0], many, many_of, by.index[-1]]


def every_variant(dataset: str) -> pd.DataFrame:
    """Whether each of the four variants moves each target at radius 0.3 (0.1, 0.3: the largest)."""
    cost, single = only("cost", dataset), only("ablation", dataset)
    radius = 0.3
    found = {}
    for name in ("target", "top_k", "higher_ranked"):
        rows = single[
            (single["objective"] == name) & (single["radius"] == radius) & (single["k"] == 1)
        ]
        found[name] = pd.Series(hits(rows).to_numpy(), rows["target"].to_numpy())
    rows = cost[(cost["radius"] == radius) & (cost["k"] == 1)]
    found["restarts"] = pd.Series(hits(rows).to_numpy(), rows["target"].to_numpy())
    for _request, table in results("frontier", dataset):
        rows = table[
            (table["objective"] == "accurate") & (table["radius"] == radius) & (table["k"] == 1)
        ]
        if len(rows):
            found["accurate"] = pd.Series(hits(rows).to_numpy(), rows["target"].to_numpy())
    return pd.DataFrame(found)


def not_contained(dataset: str) -> Numbers:
    table = every_variant(dataset)
    return [(table["higher_ranked"] & ~table["restarts"]).sum()]


def under_every(dataset: str) -> Numbers:
    """Targets that every variant moves, that none does, and that only one with random starts does.
    None where a count is said in words."""
    table = every_variant(dataset)
    others = table.drop(columns="restarts").any(axis=1)
    every, none = table.all(axis=1).sum(), (~table.any(axis=1)).sum()
    alone = (table["restarts"] & ~others).sum()
    return [every, len(table), *([none] if none else []), *([alone] if alone else [])]


def radius_and_norm(dataset: str) -> Numbers:
    """Spearman of the gradient norm with the radius that the search finds."""
    result = only("minimal", dataset)
    norms = only("sensitivity", dataset).norms[result.targets]
    radius = np.where(result.arrived, result.radius, np.inf)
    return [spearmanr(norms, rankdata(radius)).statistic]


def moved_at_all(dataset: str) -> Numbers:
    table = only("cost", dataset)
    radius = first_radius(dataset)
    rows = table[(table["k"] == 1) & (table["radius"] == radius)]
    some = [any(runs) for runs in rows["runs_in_top"]]
    return [len(rows), radius, sum(some), 1]


def baseline_one(_: str) -> Numbers:
    table = next(t for q, t in results("baseline") if tuple(q.targets or ()) == (16,))
    best = table.sort_values(["rank_test", "accuracy_holdout"], ascending=[True, False]).iloc[0]
    drop = 100 * (best["accuracy_before"] - best["accuracy_holdout"])
    return [best["rank_test"], abs(drop)]


def plane_moved(_: str) -> Numbers:
    result = only("playground")
    ranks = [side.ranks[result.target] for side in (result.before, result.after)]
    accuracy = [100 * result.accuracy_before, 100 * result.accuracy_after]
    return [*ranks, len(result.y), *accuracy]


def as_their_scores_say(dataset: str) -> Numbers:
    check = only("candidates", dataset).check
    worst = (check["measured"] - check["predicted"]).abs().max()
    return [len(check), 100 * float(worst / check["measured"].abs().max())]


# Fig. 4 and 7, and retraining.


def selection(dataset: str) -> Numbers:
    table = only("selection", dataset).table
    rows = table[(table["share"] == 0.5) & (table["attribution"] == "influence")]
    rows = rows[rows["model"] == "honest"].set_index("end")["accuracy_holdout"]
    at_random = table[(table["share"] == 0.5) & (table["attribution"] == "random")]
    shares = [rows["last"], rows["first"], at_random["accuracy_holdout"].mean()]
    return [50, *(100 * share for share in shares)]


def better_half(dataset: str) -> Numbers:
    """Accuracy at random and of the better of the halves that influence picks, the larger first."""
    _, *picked, at_random = selection(dataset)
    return sorted((max(picked), at_random), reverse=True)


def lost_classes(dataset: str) -> Numbers:
    table = only("selection", dataset).table
    gone = table[table["lost"] >= 0]
    return [len(gone), len(table), 100 * gone["share"].iloc[0], gone["lost"].iloc[0]]


def same_again(dataset: str) -> Numbers:
    return [only("lds", dataset).rerun_difference]


def conditioned(dataset: str) -> Numbers:
    """Stable rank, effective dimension and condition number of both models."""
    values = np.clip(only("conditioning", dataset).eigenvalues, 0, None)
    told: Numbers = [0.25]
    for side in values:
        told += [
            float((side**2).sum() / side.max() ** 2),
            float((side / (side + 0.25)).sum()),
            float((side.max() + 0.25) / (side.min() + 0.25)),
        ]
    return told


def ranks_along(_: str, far: bool) -> Numbers:
    """Ranks before and after by the other scores that moved at least half as far, or less."""
    result = only("other scores", "digits")
    t = result.target
    order = ("gradient_dot", "cosine", "relative", "self_influence", "knn_shapley")

    def ranks(name: str) -> tuple[int, int]:
        return int(result.before[name].ranks[t]), int(result.after[name].ranks[t])

    def climb(name: str) -> float:
        before, after = ranks(name)
        return float(np.log(before / after))

    chosen = [name for name in order if (climb(name) >= climb("influence") / 2) is far]
    return [float(rank) for name in chosen for rank in ranks(name)]


def moved_ranks(dataset: str) -> Numbers:
    return ranks_along(dataset, far=True)


def unmoved_ranks(dataset: str) -> Numbers:
    return ranks_along(dataset, far=False)


def crowd(_: str) -> Numbers:
    roles = only("other scores", "digits").models["role"]
    return [roles.isin(("attacked", "failed")).sum(), (roles == "failed").sum()]


def removed_rows(dataset: str) -> Numbers:
    result = fairness(dataset)
    rows = result.removed.shape[1]
    honest = result.removed[list(result.table["scale"]).index(1.0)]
    return [rows, float(honest.sum()), 1]


def deniable_medians(_: str) -> Numbers:
    rows = only("deniable", "digits").table.query("arrived")
    return [100 * rows["lost_holdout"].median(), rows["correlation"].median()]


def whole_depth(_: str) -> Numbers:
    return [only("certificates", "digits").depths["depth"].max()]


def fewest_flagged(_: str) -> Numbers:
    """Of the objectives at radius 0.3, the one of which the check flags the fewest models."""
    counts = []
    for role in ("defence", "kept defence"):
        for _request, table in results(role, "digits"):
            rows = table[(table["kind"] == "attacked") & (table["radius"] == 0.3)]
            rows = rows[rows["k"] == 1]
            counts.append((int((rows["gradient_norm"] >= limit()).sum()), len(rows)))
    return [*min(counts), 0.3]


def accuracy_of_pay(dataset: str) -> Numbers:
    rows = pay(dataset).pivot_table("after", "draw", "attack", aggfunc="first")
    drops = pay(dataset).pivot_table("accuracy_drop", "draw", "attack", aggfunc="first")
    better = rows["several_k"] >= rows["several_all"]
    moving = drops["several_k"].where(better, drops["several_all"])
    return [100 * drops["pay"].mean(), 100 * moving.mean()]
