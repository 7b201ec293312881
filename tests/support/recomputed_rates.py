"""The rows of more tables on pages, recomputed: rates, clues, money, scores and alarms."""

import numpy as np
import pandas as pd
from scipy.stats import pearsonr, spearmanr

from pages.common.words.objective_words import NAMES
from tests.support import recomputed_paper as paper
from tests.support import recomputed_targets as targets
from tests.support.recomputed import LIMIT, Numbers, first_radius, lost, only, results
from tests.support.recomputed_checks import (
    on_fresh_targets,
    on_other_attackers,
    on_own_score,
    tuned,
)
from tests.support.recomputed_tables import named, with_ends
from tests.support.recomputed_targets import Row, wilson


def mean_ends(values: pd.Series) -> Numbers:
    """The 95% bootstrap interval of a mean, 2,000 draws of seed 0."""
    array = values.to_numpy(np.float64)
    drawn = np.random.default_rng(0).integers(len(array), size=(2000, len(array)))
    return [*np.quantile(array[drawn].mean(axis=1), (0.025, 0.975))]


# What it costs.


def quiet_counts(rows: pd.DataFrame) -> Numbers:
    """Of the models handed out: how many have the target first, of those how many lose at most a
    point, how many keep a rank correlation of 0.8, and how many do both."""
    there = rows["rank_test"] == 1
    accurate, ordered = lost(rows) <= 0.01 + 1e-9, rows["rank_correlation"] >= 0.8
    parts = (there, there & accurate, there & ordered, there & accurate & ordered)
    return [float(part.sum()) for part in parts]


def accuracy_or_ranking(dataset: str) -> list[Row]:
    """By objective and radius, on the targets that all sweeps have."""
    tables = [only("cost", dataset), *(table for _request, table in results("frontier", dataset))]
    shared = set.intersection(*(set(table["target"]) for table in tables))
    rows = pd.concat(tables).query("k == 1 and rank_before > 1")
    rows = rows[rows["target"].isin(shared)]
    found: list[Row] = []
    for objective, name in NAMES.items():
        for radius, part in rows[rows["objective"] == objective].groupby("radius"):
            moved, accurate, ordered, both = quiet_counts(part)
            label = named(f"{name}, {float(str(radius)):g}")
            ends = wilson(int(both), len(part))
            found.append([*label, moved, len(part), accurate, ordered, both, *ends])
    return found


def fresh_targets(_: str) -> list[Row]:
    """The rates of the sentence, with how many keep the ranking as well."""
    quiet: list[Row] = []
    for dataset in dict.fromkeys(request.dataset for request, _ in results("fresh")):
        for request, table in results("fresh", dataset):
            (objective,) = request.objectives
            rows = table[~table["target"].isin(tuned(dataset))].query("k == 1 and rank_before > 1")
            label = named(f"{NAMES[objective]}, {request.radii[0]:g}")
            quiet.append([*label, quiet_counts(rows)[3]])
    return [
        [*row[:-1], *rates, row[-1]] for row, rates in zip(quiet, on_fresh_targets(""), strict=True)
    ]


# The recipe, and the paper's rates beside ours.


def of_recipe(dataset: str) -> list[Row]:
    """Success with accuracy kept / at best, and what the models that succeed at best lose on
    average, each variant at its best radius; on the radii that all variants have."""
    single, cost = only("ablation", dataset), only("cost", dataset)
    found: list[Row] = []
    for name in (*targets.NAMES, "accurate"):
        if name == "accurate":
            parts = [t for q, t in results("frontier", dataset) if name in q.objectives]
            table = pd.concat(parts) if parts else cost.head(0)
        else:
            table = cost if name == "restarts" else single[single["objective"] == name]
        rows = table[table["radius"].isin(single["radius"]) & (table["k"] == 1)]
        rows = rows[rows["rank_before"] > 1]
        kept, every = (paper.best(paper.by_radius(rows, limit)) for limit in (LIMIT, np.inf))
        found.append([kept["hit"] / kept["n"], every["hit"] / every["n"], 100 * every["paid"]])
    return found


def beside_the_recipe(dataset: str) -> list[Row]:
    theirs = (
        (0.44, 0.64, 15.9, 0.64, 0.70, 15.2, 0.52, 0.72, 11.7),
        (0.60, 0.72, 20.0, 0.74, 0.74, 1.6, 0.68, 0.68, 3.6),
        (0.60, 0.80, 6.0, 0.88, 0.88, 2.1, 0.74, 0.77, 8.3),
        (0.64, 0.90, 5.5, 0.88, 0.94, 5.3, 0.74, 0.85, 7.1),
        (),
    )  # the paper's Table 2
    return [[*ours, *paper] for ours, paper in zip(of_recipe(dataset), theirs, strict=True)]


# Easy or hard, influence.


def auc_with_ends(clue: np.ndarray, moved: np.ndarray) -> Numbers:
    """How often a moved target has more of a clue, with the bootstrap interval over targets; no
    numbers where all or none were moved."""
    if moved.all() or not moved.any():
        return []

    def one(values: np.ndarray, hit: np.ndarray) -> float:
        pairs = values[hit][:, None] - values[~hit][None, :]
        return float((pairs > 0).mean() + (pairs == 0).mean() / 2) if pairs.size else np.nan

    drawn = np.random.default_rng(0).integers(len(clue), size=(2000, len(clue)))
    areas = np.array([one(clue[i], moved[i]) for i in drawn])
    return [one(clue, moved), *np.nanquantile(areas, (0.025, 0.975))]


def clues(dataset: str) -> list[Row]:
    """What is known of a target beforehand: the size of its gradient, its place; against the least
    radius, and against whether it is moved at the radius with which the page opens."""
    least, result = targets.least_radii(dataset), only("sensitivity", dataset)
    ranks, n = result.ranking.ranks[least.index], len(result.norms)
    swept = only("cost", dataset)
    at = swept[(swept["k"] == 1) & (swept["radius"] == first_radius(dataset))].set_index("target")
    moved = np.array([any(runs) for runs in at.loc[least.index, "runs_in_top"]])
    found: list[Row] = []
    for clue in (result.norms[least.index], np.abs(ranks - (n + 1) / 2), -ranks.astype(float)):
        value, _95, *ends = targets.with_interval(clue, least.to_numpy())
        found.append([value, *ends, *auc_with_ends(clue, moved)])
    return found


def choices_of_samples(_: str) -> list[Row]:
    """How well retraining agrees on all samples, on some spread evenly, drawn, of the middle and of
    both ends: Spearman, Pearson and the slope through the origin."""
    table = only("matching", "digits").table.sort_values("rank", ignore_index=True)
    n = len(table)

    def of(part: pd.DataFrame) -> Numbers:
        x, y = part["estimate"].to_numpy(), part["change"].to_numpy()
        return [spearmanr(x, y).statistic, pearsonr(x, y).statistic, (x @ y) / (x @ x)]

    even = table.iloc[np.rint(np.linspace(0, n - 1, 60)).astype(int)]
    places = np.random.default_rng(0).random((500, n)).argpartition(60, axis=1)[:, :60]
    drawn = [spearmanr(*table.iloc[i][["estimate", "change"]].to_numpy().T).statistic
             for i in places]  # fmt: skip
    low, middle, high = np.quantile(drawn, (0.05, 0.5, 0.95))
    return [
        [n, *of(table)],
        [60, *of(even)],
        [60, 500, 90, middle, low, high],
        [*of(table.iloc[n // 4 : n - n // 4])],
        [60, *of(table.head(60))],
        [60, *of(table.tail(60))],
    ]


# Money and wrong labels.


def attackers(dataset: str) -> list[Row]:
    """What each attacker spends, what it costs in accuracy and what it brings, means over draws."""
    table = only("payments", dataset).table
    table = table[(table["rule"] == "positive") & (table["score"] == "influence")]
    order = ("pay", "pay_top_k", "pay_rank", "several_k", "several_all", "copies", "outliers",
             "split", "test", "damping")  # fmt: skip
    found: list[Row] = []
    for attack in order:
        for budget, part in table[table["attack"] == attack].groupby("budget"):
            part = part.dropna(subset=["before", "after"])
            gain = 10_000 * (part["after"] - part["before"])
            drop = 100 * part["accuracy_drop"].mean()
            paid = [10_000 * part[side].mean() for side in ("before", "after")]
            brings = round(paid[1]) - round(paid[0])  # as a reader subtracts them
            lost_points: Row = [drop] if abs(drop) >= 0.05 else ["none"]
            found.append([float(str(budget)), *lost_points, *paid, brings, *mean_ends(gain)])
    return found


def wrong_labels(dataset: str) -> list[Row]:
    table = only("cleaning", dataset).table
    found: list[Row] = []
    for model in ("honest", "hide", "protect"):
        for detector in ("influence", "self_influence", "loss"):
            rows = table[(table["model"] == model) & (table["detector"] == detector)]
            if rows.empty:
                continue
            shares = [100 * rows[name].mean() for name in ("precision", "recall")]
            hidden = [rows[name].mean() for name in ("hidden_found", "hidden")]
            area = [rows["average_precision"].mean(), *mean_ends(rows["average_precision"]), 95]
            found.append([*area[:-1], *shares, *hidden, 100 * rows["accuracy"].mean()])
    return found


# Other scores.


def honest_of(by_role: pd.Series) -> pd.Series:
    return pd.concat([by_role["known"], by_role["unknown"]])


def main_alarm(_: str) -> list[Row]:
    """With the area against all honest models, of known trainers and of unknown ones."""
    names = (
        NAMES["accurate"],
        NAMES["quiet"],
        f"{NAMES['higher_ranked']} that hides its gradient (weight 1)",
    )
    found: list[Row] = []
    shares = on_other_attackers("")
    for name, row, (_q, result) in zip(
        names, shares, results("other attackers", "digits"), strict=True
    ):
        models = result.models.set_index("role")["whole_knn_shapley"]
        found.append([*named(name), *row, *with_ends(honest_of(models), models["attacked"])])
    return found


def every_alarm(_: str) -> list[Row]:
    models = only("other scores", "digits").models.set_index("role")
    found: list[Row] = []
    for kind in ("whole", "top"):
        for score in ("gradient_dot", "cosine", "knn_shapley"):
            values = models[f"{kind}_{score}"]
            known = np.sort(values["known"])[::-1]
            over = known[int(0.05 * len(known))]
            reached, honest = values["attacked"], values["unknown"]
            counts = [(reached > over).sum(), len(reached), (honest > over).sum(), len(honest)]
            found.append([*counts, *with_ends(honest_of(values), reached)])
    return found


def every_score(dataset: str) -> list[Row]:
    """Success by the attacked score, its price, how many move along by the score that moves most,
    and how much of its own ranking is left."""
    result = only("score matrix", dataset)
    moves = result.moves.assign(there=result.moves["rank_after"] <= 10)
    counts = moves.pivot_table("there", "attacked", "observed", aggfunc="sum")
    found: dict[str, Row] = {}
    own = dict(zip(counts.index, on_own_score(dataset), strict=True))
    for name in counts.index:
        drops = 100 * result.attacks.loc[result.attacks["attacked"] == name, "accuracy_drop"]
        seen = [other for other in counts.index if other != name]
        pairs = moves[(moves["attacked"] == name) & (moves["observed"] == name)]
        price = [drops.mean(), *mean_ends(drops)]
        along = counts.loc[name, seen].max()
        found[str(name)] = [*own[name], *price, along, pairs["correlation"].mean()]
    order = ("influence", "gradient_dot", "cosine", "self_influence", "relative", "kfac", "ekfac",
             "trak", "tracin")  # fmt: skip
    return [found[name] for name in order if name in found]


def datamodelling(dataset: str) -> list[Row]:
    """Each score, its interval, and its share of the ceiling."""
    result = only("lds", dataset)
    table = result.table
    columns = (table["lds"], table["low"], table["high"])
    return [
        [value, low, high, 100 * value / result.ceiling]
        for value, low, high in zip(*columns, strict=True)
    ]


# Certificates, the deniable attack.


def tried_models(_: str) -> list[Row]:
    result = only("certificates", "digits")
    found: list[Row] = []
    for row in result.tried.to_dict("records"):
        samples = result.samples[result.samples["k"] == row["k"]]
        used = 100 * samples[f"used_{row['kind']}"].dropna()
        found.append([row["k"], row["models"], row["violations"], used.median(), used.max()])
    return found


def certified_shares(_: str) -> list[Row]:
    samples = only("certificates", "digits").samples
    by = [samples.loc[samples["k"] == k, "gradient_norm"] for k in (1, 10)]
    return [
        [norm, *(100 * float((part >= norm).mean()) for part in by)]
        for norm in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
    ]


def stopped(_: str) -> list[Row]:
    """Of the deniable models, those that each check stops: what is not among the first by it, or
    has a number over its limit."""
    result = only("deniable", "digits")
    there = result.table[result.table["arrived"]]
    last = ("rank_declared_hessian", "usual_after", "averaged", "around")
    stops = {name: (there[name] > 1).sum() for name in (*last, "declared_after")}
    counts = [
        *((there["audit"] > 1e-6).sum(), (there["gradient_norm"] >= 1e-6).sum()),
        *(stops["declared_after"], stops["rank_declared_hessian"]),
        *((there["usual_norm"] > 1e-6).sum(), stops["usual_after"]),
        *(stops["averaged"], stops["around"]),
    ]
    return [[count, len(there)] for count in counts]
