"""The numbers of pages' sentences, recomputed from the raw columns of the published tables.

Each function takes a data set and returns every number of its sentence, in order, without rounding;
none uses the page's own functions.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, rankdata, spearmanr

from engine.results.store import Manifest, Store
from engine.settings import PUBLISHED
from engine.statistics import wilson_interval
from pages.common.lab import published_results

Numbers = list[float]
LIMIT = 0.03 + 1e-9  # of accuracy: what an attack may cost


def results(role: str, dataset: str = "") -> tuple[tuple[Any, Any], ...]:
    """The published requests in a role, and their results."""
    return tuple((request, result) for request, _, result in manifests(role, dataset))


@cache
def manifests(role: str, dataset: str = "") -> tuple[tuple[Any, Manifest, Any], ...]:
    """The same with what is recorded of each."""
    store = Store(PUBLISHED, PUBLISHED)
    found = []
    for name, experiment, request in published_results.listed():
        if role in (name, "" if name else experiment) and (
            not dataset or getattr(request, "dataset", dataset) == dataset
        ):
            stored = store.find_published(experiment, request)
            assert stored is not None, (role, request)
            found.append((request, stored.manifest, stored.result))
    assert found, (role, dataset)
    return tuple(found)


def only(role: str, dataset: str = "") -> Any:
    """The first published result in a role on a data set."""
    return results(role, dataset)[0][1]


def lost(rows: pd.DataFrame) -> pd.Series:
    return rows["accuracy_before"] - rows["accuracy_after"]


def hits(rows: pd.DataFrame, k: int = 1) -> pd.Series:
    """Whether some run reaches the top and keeps accuracy, by row."""
    return pd.Series(
        [
            any(
                top and before - accuracy <= LIMIT
                for top, accuracy in zip(runs, accuracies, strict=True)
            )
            for runs, accuracies, before in zip(
                rows["runs_in_top"], rows["runs_accuracy"], rows["accuracy_before"], strict=True
            )
        ],
        index=rows.index,
        dtype=bool,
    )


def rates(table: pd.DataFrame, by: str, k: int = 1) -> pd.DataFrame:
    """Successes, attacks and the median of the points lost by a column."""
    rows = table[(table["k"] == k) & (table["rank_before"] > k)]
    rows = rows.assign(hit=hits(rows, k), lost=100 * lost(rows))
    found = rows.groupby(by).agg(hit=("hit", "sum"), n=("hit", "size"), lost=("lost", "median"))
    return found.assign(rate=found["hit"] / found["n"])


def cost_headline(dataset: str) -> Numbers:
    by = rates(only("cost", dataset), "radius")
    return [*success_of_attack(dataset), 100 * by.index[int(by["rate"].argmax())], 3]


def success_of_attack(dataset: str) -> Numbers:
    """The most attacks that succeed, of how many."""
    by = rates(only("cost", dataset), "radius")
    return [*by.iloc[by["rate"].argmax()][["hit", "n"]]]


def interval_of_attack(dataset: str) -> Numbers:
    """The same with the ends of its Wilson interval, in percent."""
    hit, n = success_of_attack(dataset)
    ends = wilson_interval(int(hit), int(n))
    return [95, hit, n, 100 * ends.low, 100 * ends.high]


def cost_by_radius(dataset: str) -> Numbers:
    by = rates(only("cost", dataset), "radius")
    shown = dict.fromkeys([by.index[0], by["rate"].idxmax(), by.index[-1]])
    told = [n for radius in shown for n in (100 * by.loc[radius, "rate"], radius)]
    return [*told, by["lost"].iloc[0], by["lost"].iloc[-1]]


def without_influence(dataset: str) -> Numbers:
    """The attack's least rate over k, each at its best radius (the baseline moves no target)."""
    table, base = only("cost", dataset), only("baseline", dataset)
    kept = base[base["accuracy_before"] - base["accuracy_holdout"] <= LIMIT]
    ks = sorted(table["k"].unique())
    least = min(rates(table, "radius", k)["rate"].max() for k in ks)
    reached = []
    for k in ks:
        outside = base[base["rank_before"] > k]
        best = kept[(kept["rank_before"] > k) & (kept["rank_test"] <= k)]
        totals = outside.groupby("target_weight").size()
        reached.append((best.groupby("target_weight").size() / totals).max())
    most = np.nanmax([0.0, *reached])
    return [*([100 * most] if most else []), 100 * least]


def by_training_size(dataset: str) -> Numbers:
    by = rates(only("training", dataset), "train_size")
    return [100 * by["rate"].iloc[0], by.index[0], 100 * by["rate"].iloc[-1], by.index[-1]]


def started_once(dataset: str) -> Numbers:
    """What the three variants that start once move, each at its best radius, of how many."""
    table = only("ablation", dataset)
    told = []
    for name in ("target", "top_k", "higher_ranked"):
        by = rates(table[table["objective"] == name], "radius")
        told += [*by.iloc[by["rate"].argmax()][["hit", "n"]]]
    return told


def largest_step(dataset: str) -> Numbers:
    """What the part that adds most moves, of how many, and what moved without it."""
    told = [*started_once(dataset), *success_of_attack(dataset)]
    hits, of = told[::2], told[1::2]
    best = int(np.argmax(np.diff(np.divide(hits, of)))) + 1
    return [hits[best], of[best], hits[best - 1]]


def sizes_course(dataset: str, column: str) -> Numbers:
    """The mean share at the smallest and the largest k, of the smallest and the largest sets: in an
    attack the best of the runs that keep accuracy counts. column: of what a share is."""
    table = only("sizes", dataset)
    ks, sizes = (sorted(table[name].unique()) for name in ("k", "set_size"))
    kept = [
        max((n for n, a in zip(row.runs_in_top, row.runs_accuracy, strict=True)
             if row.accuracy_before - a <= LIMIT), default=0) / getattr(row, column)
        for row in table.itertuples()
    ]  # fmt: skip
    means = table.assign(share=kept).groupby(["set_size", "k"])["share"].mean()
    ends = (sizes[0], sizes[-1])
    told = [[100 * means[size, ks[0]], 100 * means[size, ks[-1]], size] for size in ends]
    return [ks[0], ks[-1], *told[0], *told[1]]


def honest_spearman(dataset: str) -> tuple[float, np.ndarray]:
    table = only("halves", dataset)
    return float(table.loc[table["draw"] == 0, "spearman"].iloc[0]), np.sort(
        table.loc[table["draw"] > 0, "spearman"]
    )


def honest_agree(dataset: str) -> Numbers:
    own, drawn = honest_spearman(dataset)
    return [own, len(drawn), float(np.median(drawn))]


def depends_on_test(dataset: str) -> Numbers:
    own, drawn = honest_spearman(dataset)
    return [own, *np.quantile(drawn, (0.025, 0.975)), 95, len(drawn)]


def medians_of_halves(_: str) -> Numbers:
    found = [
        np.median(honest_spearman(name)[1]) for name in published_results.datasets_of("halves")
    ]
    return [min(found), max(found)]


def first_by_halves(dataset: str) -> Numbers:
    table = only("halves", dataset)
    own, drawn = table[table["draw"] == 0].iloc[0], table[table["draw"] > 0]
    elsewhere = [*drawn["first_on_second"], *drawn["second_on_first"]]  # either half may ask
    first = [own["first_on_second"], own["n_train"], float(np.median(elsewhere))]
    return [*first, own["shared_first"], drawn["shared_first"].mean()]


def first_on_other_half(dataset: str) -> Numbers:
    return first_by_halves(dataset)[:2]


# One attack: the example.


def example(_: str) -> Numbers:
    result = only("attack", "digits")
    t = result.targets[0]
    before, after = result.before.ranks, result.after.ranks
    drop = float(f"{100 * result.accuracy_before:.1f}") - float(
        f"{100 * result.accuracy_after:.1f}"
    )
    return [t, before[t], after[t], len(before), abs(drop)]


def example_jump(_: str) -> Numbers:
    _t, before, after, *_rest = example("")
    return [before, after]


def example_elsewhere(_: str) -> Numbers:
    result = only("attack", "digits")
    t = result.targets[0]
    both = (result.before_holdout.scores, result.after_holdout.scores)
    return [rankdata(-scores, "min")[t] for scores in both]


def example_turnover(_: str) -> Numbers:
    result = only("attack", "digits")
    stayed = int(((result.before.ranks <= 10) & (result.after.ranks <= 10)).sum())
    return [stayed, 10, spearmanr(result.before.scores, result.after.scores).statistic]


def example_runs(_: str) -> Numbers:
    runs = only("attack", "digits").runs
    return [len(runs), 1]


def example_moved(_: str) -> Numbers:
    result = only("attack", "digits")
    n = len(result.before.ranks)
    moves = rankdata(-result.after.scores, "min") - rankdata(-result.before.scores, "min")
    return [100 * float((np.abs(moves) > n / 10).mean()), n // 10]


def example_price(_: str) -> Numbers:
    result = only("attack", "digits")
    return [100 * result.accuracy_before, 100 * result.accuracy_after, 299, 95]


def example_changed(_: str) -> Numbers:
    return [only("attack", "digits").predictions_changed, 299]


# Leave-one-out.


def retraining_agrees(_: str) -> Numbers:
    return both_agree("matching")


def retraining_headline(_: str) -> Numbers:
    return [*both_agree("matching"), *both_agree("usual")]


def both_agree(role: str) -> Numbers:
    table = only(role, "digits").table
    return [spearmanr(table["estimate"], table["change"]).statistic]


def retraining_numbers(_: str) -> Numbers:
    request, result = results("matching", "digits")[0]
    table = result.table
    return [
        len(table),
        request.l2,
        request.damping,
        pearsonr(table["estimate"], table["change"]).statistic,
        spearmanr(table["estimate"], table["change"]).statistic,
    ]


# Sensitivity.


def ends_of_ranking(dataset: str) -> Numbers:
    result = only("sensitivity", dataset)
    order = np.argsort(result.ranking.ranks)
    norms = result.norms[order]
    n, tail = len(norms), max(len(norms) // 20, 1)
    middle = np.median(norms[tail : n - tail])
    return [min(np.median(norms[:tail]), np.median(norms[n - tail :])) / middle]


def attacked(dataset: str) -> pd.DataFrame:
    """The targets of the published sweep: norm, and the smallest radius that was enough."""
    table, result = only("cost", dataset), only("sensitivity", dataset)
    rows = table[(table["k"] == 1) & (table["rank_before"] > 1) & table["any_run_success"]]
    least = rows.groupby("target")["radius"].min()
    targets = np.unique(table.loc[(table["k"] == 1) & (table["rank_before"] > 1), "target"])
    return pd.DataFrame(
        {"norm": result.norms[targets], "least": least.reindex(targets).fillna(np.inf).to_numpy()}
    )


def first_radius(dataset: str) -> float:
    """That of the highest rate over all k."""
    table = only("cost", dataset)
    radii = sorted(table["radius"].unique())
    hit = [
        np.mean(np.concatenate([
            hits(table[(table["radius"] == radius) & (table["k"] == k)], k).to_numpy()
            for k in sorted(table["k"].unique())
        ]))
        for radius in radii
    ]  # fmt: skip
    return radii[int(np.argmax(hit))]


def most_and_least(dataset: str) -> Numbers:
    """How many targets the fifth with the largest norms has, the radius, in percent, that is enough
    for all of them, and how many of how many others need more."""
    found = attacked(dataset)
    fifths = np.array_split(np.argsort(found["norm"].to_numpy(), kind="stable"), 5)
    least = found["least"].to_numpy()
    most, others = fifths[-1], np.concatenate(fifths[:-1])
    more = int((least[others] > least[most].max()).sum())
    return [len(most), 100 * least[most].max(), more, len(others)]


# The smallest radius.


def enough_for(dataset: str) -> Numbers:
    """Of a search that ended at a radius: the percent, and how many of all it was enough for."""
    request, result = results("minimal", dataset)[0]
    radius = np.where(result.arrived, result.radius, np.inf)
    return [100 * request.enough, (radius <= request.enough + 1e-9).sum(), len(radius)]


def can_be_moved(dataset: str) -> Numbers:
    result = only("minimal", dataset)
    found = result.radius[result.arrived]
    return [result.arrived.sum(), len(result.radius), found.min(), found.max()]


def some_moved(dataset: str) -> Numbers:
    result = only("minimal", dataset)
    return [result.arrived.sum(), len(result.radius)]


def within_radius(dataset: str) -> Numbers:
    """Of all lots: the radius, the points, who moves how many, the search first."""
    lots = [found for _request, found in results("minimal", dataset)]
    others = pd.concat([lot.others for lot in lots])
    tried = np.unique(others["radius"])
    at = 0.2 if 0.2 in tried else tried[len(tried) // 2]
    kept = [
        lot.arrived & (np.nan_to_num(lot.radius, nan=9) <= at) & (lot.lost_holdout <= LIMIT)
        for lot in lots
    ]
    moved = np.concatenate(kept)
    told: Numbers = [at, 3, moved.sum(), len(moved)]
    for name, named in (("higher_ranked", [3.0]), ("accurate", [])):
        rows = others[(others["objective"] == name) & (others["radius"] == at)]
        theirs = (rows["arrived"] & (rows["lost_holdout"] <= LIMIT)).sum()
        told += [*named, theirs]  # Algorithm 3 has its number in its name
    return told


def end_tells(dataset: str) -> Numbers:
    result = only("minimal", dataset)
    there, n = result.arrived, len(result.honest_ranks)
    from_middle = np.abs(result.rank_before[there] - (n + 1) / 2)
    return [-spearmanr(from_middle, result.radius[there]).statistic]


# The impossible sample.


def impossible(_: str) -> Numbers:
    result = next(r for q, r in results("impossible") if q.k == 1)
    table = result.random.table
    runs = result.attack.runs
    return [len(table), (table["rank"] <= 1).sum(), 1, len(runs), runs["reached"].sum()]


def best_impossible(_: str) -> Numbers:
    result = next(r for q, r in results("impossible") if q.k == 1)
    ranks = min(result.random.table["rank"].min(), result.attack.trajectory["rank"].min())
    return [ranks]


# Fairness.


def fairness(dataset: str, metric: str = "dp") -> Any:
    return next(r for q, r in results("fairness", dataset) if q.metric == metric)


def gap_row(dataset: str) -> tuple[pd.Series, pd.Series]:
    """The honest row, and that of the largest effect within 3 points of accuracy."""
    table = fairness(dataset).table
    honest = table[table["scale"] == 1].iloc[0]
    fits = table[table["feasible"] & (honest["accuracy_test"] - table["accuracy_test"] <= LIMIT)]
    effect = fits["dp_test"].abs() - abs(honest["dp_test"])
    return honest, fits.loc[effect.idxmax()]


def fairness_headline(dataset: str) -> Numbers:
    honest, worst = gap_row(dataset)
    before, after = 100 * abs(honest["dp_test"]), 100 * abs(worst["dp_test"])
    rows = {"adult": 15060, "compas": 1233, "german": 200}[dataset]
    ends = [100 * worst["effect_low"], 100 * worst["effect_high"]]
    return [worst["scale"], rows, before, after, after - before, 95, *ends, 16]


def fairness_accuracy(dataset: str) -> Numbers:
    honest, worst = gap_row(dataset)
    return [100 * honest["accuracy_test"], 100 * worst["accuracy_test"]]


def fairness_gap(dataset: str) -> Numbers:
    honest, worst = gap_row(dataset)
    return [100 * honest["dp_test"], 1, 100 * worst["dp_test"], worst["scale"]]


def fairness_check(dataset: str) -> Numbers:
    """The gradient norm of the trained base model, and of that at the smallest scale."""
    table = fairness(dataset).table.sort_values("scale")
    return [table["gradient_norm"].iloc[-1], 1, table["gradient_norm"].iloc[0], 0.001]


def fairness_removed(dataset: str) -> Numbers:
    honest, worst = gap_row(dataset)
    rows = {"adult": 22622, "compas": 3700, "german": 600}[dataset]
    return [worst["removed"], rows, 1, honest["removed"]]


# Checks.


def minimum_headline(_: str) -> Numbers:
    """A limit that at most 1 of 20 of the settings exceeds is not used here: the raw shares."""
    table = only("defence", "digits")
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    moved = table[(table["kind"] == "attacked") & table["success"]]["gradient_norm"]
    limits = np.unique(table["gradient_norm"])
    best = max(limits, key=lambda t: (moved >= t).mean() - (honest >= t).mean())
    return [100 * (honest >= best).mean(), 100 * (moved >= best).mean()]


def as_large(_: str) -> Numbers:
    table = only("defence", "digits")
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    moved = table[(table["kind"] == "attacked") & table["success"]]["gradient_norm"]
    return [100 * float((honest >= moved.min()).mean())]


def converged(_: str) -> Numbers:
    table = only("defence", "digits")
    moved = table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]
    least = moved["gradient_norm"].min()
    honest = table[table["kind"] == "honest"]
    noisy = honest["trained"].str.startswith("sgd")
    above = honest["gradient_norm"] >= least
    return [least, (noisy & above).sum(), noisy.sum(), (~noisy & above).sum(), (~noisy).sum()]


def pairs_share(_: str) -> Numbers:
    table = only("defence", "digits")
    honest = table.loc[table["kind"] == "honest", "gradient_norm"].to_numpy()
    moved = table[(table["kind"] == "attacked") & table["success"]]["gradient_norm"].to_numpy()
    above = moved[:, None] > honest[None, :]
    return [100 * float(above.mean())]


def polish_groups() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Successful models of attackers who do not know of it, of those who do, and honest ones."""
    table = only("polish", "digits")
    simple = ("higher_ranked", "top_k", "target", "accurate", "quiet", "minimal", "stealth")
    knowing = ("through", "hides norm", "hides decrement", "declares")
    return (
        table[table["kind"].isin(simple) & table["success"]],
        table[table["kind"].isin(knowing) & table["success"]],
        table[table["kind"].isin(("honest", "held back"))],
    )


def undone(_: str) -> Numbers:
    attacked = polish_groups()[0]
    return [1, (attacked["rank_1"] <= 10).sum(), len(attacked)]


def undone_correlation(_: str) -> Numbers:
    attacked = polish_groups()[0]
    medians = [float(attacked[f"correlation_{i}"].median()) for i in (0, 1, 5)]
    return [*medians, 5]


def attacks_drawn(_: str) -> Numbers:
    """Attacked models, of how many kinds of attack, on how many samples."""
    attacked = polish_groups()[0]
    return [len(attacked), len(set(attacked["kind"])), len(set(attacked["target"]))]


def shortened(_: str) -> Numbers:
    table = only("polish", "digits")
    rose, shifted = table["rose"].astype(bool).sum(), table["shifted"].astype(bool).sum()
    return [len(table), table["shortened"].astype(bool).sum(), shifted, rose]


# Certificates.


def certified(_: str) -> Numbers:
    result = only("certificates", "digits")
    rows = result.samples[result.samples["k"] == 1]
    return [100 * float((rows["gradient_norm"] >= 1e-4).mean()), 1, 1e-4]


def violations(_: str) -> Numbers:
    tried = only("certificates", "digits").tried
    assert tried["violations"].sum() == 0
    return [tried["models"].sum()]


# Other scores.


def alarm(_: str) -> Numbers:
    result = only("other scores", "digits")
    models, column = result.models, "whole_knn_shapley"
    known = np.sort(models.loc[models["role"] == "known", column])[::-1]
    threshold = known[int(0.05 * len(known))]
    reached = models.loc[models["role"] == "attacked", column] > threshold
    honest = models.loc[models["role"] == "unknown", column] > threshold
    ends = wilson_interval(int(reached.sum()), len(reached))
    share = [100 * reached.mean(), 95, 100 * ends.low, 100 * ends.high]
    return [reached.sum(), len(reached), *share, honest.sum(), len(honest)]


def against_alarm(_: str) -> Numbers:
    return alarm("")[:2]


def took(_: str) -> Numbers:
    result = only("other scores", "digits")
    t = result.target
    ranks = [float(side["influence"].ranks[t]) for side in (result.before, result.after)]
    return [float(t), *ranks]


def also_moves(dataset: str) -> Numbers:
    moves = only("score matrix", dataset).moves
    rows = moves[(moves["attacked"] == "influence") & (moves["observed"] != "influence")]
    free = ("knn_shapley", "data_oob", "banzhaf")
    rows = rows[~rows["observed"].isin(free)]
    counts = (rows["rank_after"] <= 10).groupby(rows["observed"]).sum()
    return [counts.max(), rows["target"].nunique()]


def lds_of(dataset: str, attribution: str, model: str) -> float:
    """The rank correlation of one attribution's sums with the losses, by scipy."""
    result = only("lds", dataset)
    (row,) = np.flatnonzero(
        (result.table["attribution"] == attribution) & (result.table["model"] == model)
    )
    return float(spearmanr(result.sums[row], result.outcomes).statistic)


def lds_halves(dataset: str) -> Numbers:
    return [len(only("lds", dataset).outcomes)]


def lds_correlation(dataset: str) -> Numbers:
    return [lds_of(dataset, "influence", "honest"), 1, 0]


def lds_attacked(dataset: str) -> Numbers:
    return [lds_of(dataset, "influence", "attacked")]


def lds_best(dataset: str) -> Numbers:
    return [
        lds_of(dataset, "influence, damping = l2", "honest"),
        only("lds", dataset).ceiling,
    ]


def lds_better(dataset: str) -> Numbers:
    table = only("lds", dataset).table.query("model != 'attacked'")
    return [(table["low"] > 0).sum(), len(table)]


def lds_each(dataset: str) -> Numbers:
    result = only("lds", dataset)
    queries = [40.0] if dataset.startswith("cifar10") else []  # there of the first 40
    return [*queries, result.each_lds, result.each_ceiling]


def eigenvalues(dataset: str) -> np.ndarray:
    return np.clip(only("conditioning", dataset).eigenvalues[0], 0, None)


def below_damping(dataset: str) -> Numbers:
    """The mean share of a score from directions curved less than the damping."""
    return [100 * float(only("conditioning", dataset).below[0].mean())]


def below_and_flat(dataset: str) -> Numbers:
    return [*below_damping(dataset), only("conditioning", dataset).flat[0]]


def directions(dataset: str) -> Numbers:
    values = eigenvalues(dataset)
    return [0.25, float((values < 0.25).sum()), len(values)]


def other_damping(dataset: str, damping: float = 0.01) -> Numbers:
    rows = only("conditioning", dataset).by_damping
    row = rows[(rows["model"] == "honest") & (rows["damping"] == damping)].iloc[0]
    return [damping, row["correlation"]]


def other_kept(dataset: str) -> Numbers:
    """The damping nearest to the paper's that keeps the fewest, and how many it keeps."""
    rows = only("conditioning", dataset).by_damping
    rows = rows[(rows["model"] == "honest") & (rows["damping"] != 0.25)]
    rows = rows.assign(far=(np.log(rows["damping"]) - np.log(0.25)).abs())
    row = rows.sort_values(["kept", "far"]).iloc[0]
    return [row["damping"], 10 * row["kept"]]


def dampings_kept(dataset: str) -> Numbers:
    rows = only("conditioning", dataset).by_damping
    kept = rows[(rows["model"] == "honest") & (rows["damping"] != 0.25)]["kept"]
    return [other_kept(dataset)[0], 0.25, 10 * kept.min()]


def least_damping(dataset: str) -> Numbers:
    rows = only("conditioning", dataset).by_damping
    row = rows[rows["model"] == "honest"].sort_values("damping").iloc[0]
    return [row["correlation"]]


def predict_otherwise(dataset: str) -> Numbers:
    rows = only("conditioning", dataset).differences
    unseen = rows[rows["split"] == "holdout"]
    less = unseen["confidence_second"] < unseen["confidence_first"]
    changed = unseen["said_first"] != unseen["said_second"]
    return [changed.sum(), len(unseen), 100 * float(less.mean())]


def sides(dataset: str) -> Numbers:
    result = only("candidates", dataset)
    n = np.arange(len(result.labels))
    honest, attacked = (
        side[n, result.labels] if side.ndim > 1 else side
        for side in (result.honest, result.attacked)
    )
    return [
        (np.sign(honest) != np.sign(attacked)).sum(),
        len(n),
        (honest < 0).sum(),
        (attacked < 0).sum(),
    ]


def candidates_agree(dataset: str) -> Numbers:
    result = only("candidates", dataset)
    n = np.arange(len(result.labels))
    return [spearmanr(result.honest[n, result.labels], result.attacked[n, result.labels]).statistic]


def found_of_wrong(dataset: str) -> Numbers:
    result = only("cleaning", dataset)
    rows = result.table[result.table["detector"] == "influence"]
    honest = rows[rows["model"] == "honest"]
    protected = rows[rows["model"] == "protect"]
    return [100 * honest["recall"].mean(), 100 * protected["recall"].mean()]


def looked_at(dataset: str) -> Numbers:
    result = only("cleaning", dataset)
    return [result.wrong, result.n]


def protected_own(dataset: str) -> Numbers:
    rows = only("cleaning", dataset).table
    rows = rows[(rows["detector"] == "influence") & (rows["model"] == "protect")]
    return [rows["hidden"].mean(), rows["hidden_found"].mean()]


def average_precision(dataset: str) -> Numbers:
    rows = only("cleaning", dataset).table
    by = rows[rows["detector"] == "influence"].groupby("model")["average_precision"].mean()
    return [by["honest"], by["hide"], by["protect"]]


def over_the_formula(name: str) -> Numbers:
    """How much more time and memory another way takes than the closed form."""
    result = next(r for q, r in results("gradients") if q.n_parameters == 75813)
    table = result.table.set_index("implementation")
    other, ours = table.loc[name], table.loc["closed_form"]
    return [other["seconds"] / ours["seconds"], other["peak_mb"] / ours["peak_mb"]]


def gradients(_: str) -> Numbers:
    return over_the_formula("naive")


def knowing(_: str) -> Numbers:
    knows = polish_groups()[1]
    stay = [(knows[f"rank_{step}"] <= 10).sum() for step in (1, 5)]
    return [stay[0], len(knows), stay[1], 5]


def honest_moved(_: str) -> Numbers:
    honest = polish_groups()[2]
    out = honest["first_after_one"] > 10
    held = honest["kind"] == "held back"
    return [out.sum(), len(honest), (out & held).sum(), held.sum()]


def trainer_earns(dataset: str) -> Numbers:
    table = only("payments", dataset).table
    row = table[(table["draw"] == 0) & (table["attack"] == "pay")]
    row = row[(row["rule"] == "positive") & (row["score"] == "influence")].iloc[0]
    return [10_000 * row["after"], 10_000 * row["before"], 10_000]


def trainer_loses(dataset: str) -> Numbers:
    table = only("payments", dataset).table
    row = table[(table["draw"] == 0) & (table["attack"] == "pay")].iloc[0]
    return [100 * row["accuracy_drop"]]


def safe_costs(dataset: str) -> Numbers:
    mean = only("score matrix", dataset).attacks.groupby("attacked")["accuracy_drop"].mean()
    return [100 * mean.max()]


def deniable_race(_: str) -> Numbers:
    """Deniable models that arrived, how many stay after polishing on the declared loss."""
    table = only("deniable", "digits").table
    there = table[table["arrived"]]
    return [len(there), (there["declared_after"] == 1).sum(), 1]


def audit_queries(_: str) -> Numbers:
    """The most queries whose residual was measured: all that were asked."""
    return [only("audit", "digits").growth["queries"].max()]


def audit_rank_deficit(_: str) -> Numbers:
    result = only("audit", "digits")
    return [result.queries, result.gradient_ranks[0], result.parameters]


def growth_exponents(_: str) -> Numbers:
    table = only("scaling").exponents
    told: Numbers = []
    for name in ("seconds", "peak_mb"):
        values = table.loc[table["quantity"] == name, "exponent"]
        told += [values.min(), values.max()]
    return told


def solver_gains(_: str) -> Numbers:
    seconds = only("solvers").at_large.set_index("solver")["seconds"]
    good = seconds["preconditioned"]
    return [seconds["lissa"] / good, good / seconds["closed_form"]]


def good_solver(_: str) -> Numbers:
    large = only("solvers").at_large.set_index("solver")[["seconds", "peak_mb"]]
    return (large.loc["preconditioned"] / large.loc["closed_form"]).tolist()


def gradient_differs(_: str) -> Numbers:
    worst = max(result.table["relative_difference"].max() for _, result in results("gradients"))
    return [100 * worst]
