"""More numbers of pages' sentences, recomputed: what captions and steps beside the figures say."""

import re

import numpy as np
import pandas as pd

from tests.support import recomputed_targets as targets
from tests.support.recomputed import Numbers, fairness, lost, manifests, only, results
from tests.support.recomputed_targets import NAMES, Row

DRAWN = 600  # samples of a ranking that a figure draws at most


def thinned(n: int) -> Numbers:
    """How many samples a figure draws, of how many: at both ends a quarter of DRAWN, and as many on
    a log scale from there to the middle; nothing where it draws all."""
    if n <= DRAWN:
        return []
    tail = DRAWN // 4
    inwards = {int(tail * ((n - 1) / 2 / tail) ** (i / (tail - 1)) + 1e-9) for i in range(tail)}
    first = {*range(tail), *inwards}
    return [len(first | {n - 1 - place for place in first}), n]


# Learn.


def other_sign(dataset: str) -> Numbers:
    """Of the checked candidates, those whose value turns with the damping, and of these the one
    with the largest value."""
    check = only("candidates", dataset).check
    turned = check[np.sign(check["predicted"]) != np.sign(check["usual"])]
    largest = turned.loc[turned["predicted"].abs().idxmax()]
    return [
        *(len(turned), len(check)),
        *(largest["candidate"], largest["usual"], largest["predicted"]),
    ]


# Attack.


def under_each_objective(dataset: str) -> Row:
    """Of each objective at the radius where it succeeds most often whatever it costs: the share,
    the median accuracy lost and the median rank correlation, on the targets that all have."""
    tables = [only("cost", dataset), *(table for _request, table in results("frontier", dataset))]
    shared = set.intersection(*(set(table["target"]) for table in tables))
    rows = pd.concat(tables).query("k == 1")
    rows = rows[rows["target"].isin(shared)]
    rows = rows.assign(
        hit=[100.0 * any(runs) for runs in rows["runs_in_top"]], drop=100 * lost(rows)
    )
    by = rows.groupby(["objective", "radius"]).agg(
        hit=("hit", "mean"), drop=("drop", "median"), left=("rank_correlation", "median")
    )
    told: Row = []
    for objective, named in (("higher_ranked", [3.0]), ("accurate", []), ("quiet", [])):
        best = by.loc[objective].sort_values(["hit", "drop"], ascending=[False, True]).iloc[0]
        told += [*named, best["hit"], best["drop"], best["left"]]  # Algorithm 3 by its name
    return told


def estimated_norms(dataset: str) -> Numbers:
    """The relative error of a norm from so many directions, 1/√(2 · directions), and what it is
    against the exact norms."""
    result = only("sensitivity", dataset)
    relative = result.norms[result.exact_indices] / result.exact_norms - 1
    return [
        *(result.probes, 100 / np.sqrt(2 * result.probes)),
        *(len(relative), 100 * np.sqrt((relative**2).mean()), 2),
        *thinned(len(result.norms)),
    ]


def searched_for(dataset: str) -> Numbers:
    """Minutes and seconds of all searches."""
    lots = [found for _request, found in results("minimal", dataset)]
    starts = pd.concat([lot.starts for lot in lots])
    took = round(float(starts["start_seconds"].sum() + starts["seconds"].sum()))
    return [took // 60, took % 60] if took >= 60 else [took]


def seconds_an_attack(dataset: str) -> Numbers:
    """As the manifests have it: ours, and the paper's attack."""
    ours = [
        found
        for found in manifests("frontier", dataset)
        if tuple(found[0].objectives) == ("accurate",)
    ]
    return [
        sum(manifest.seconds for _request, manifest, _table in found)
        / sum(len(table[["target", "radius"]].drop_duplicates()) for *_rest, table in found)
        for found in (ours, manifests("cost", dataset))
    ]


def every_step(dataset: str) -> Row:
    """Which steps of the recipe do worse than the one before, or no better."""
    rates = targets.at_best_radius(dataset).mean()
    worse = [
        f"{NAMES[step]} does {'worse than' if rates[step] < rates[before] else 'no better than'}"
        f" {NAMES[before]}"
        for before, step in zip(NAMES, [*NAMES][1:], strict=False)
        if rates[step] <= rates[before]
    ]
    return [2, *(worse or ["Every step helps"])]


def steps_are_models(_: str) -> Numbers:
    result = next(found for q, found in results("impossible") if q.k == 1)
    return [1, len(result.attack.trajectory)]


def first_changed(_: str) -> Numbers:
    return [12, only("attack", "digits").predictions_changed]


# Fairness: the data.


def in_name(name: str) -> Numbers:
    return [float(digits) for digits in re.findall(r"\d+", name)]


def rows_and_features(dataset: str) -> Numbers:
    about = fairness(dataset).about
    return [about.n_train, about.n_val, about.n_test, about.n_features]


def groups(dataset: str) -> Row:
    about = fairness(dataset).about
    zero, one = about.group_names
    share = 100 * about.share_group_1
    return [*in_name(one), 1, share, *in_name(zero), 0, one, zero]


def favourable(dataset: str) -> Row:
    about = fairness(dataset).about
    (zero, one), (bad, good) = about.group_names, about.label_names
    low, high = (100 * rate for rate in about.rates_test)
    return [
        *(*in_name(good), 1, high, *in_name(one), low, *in_name(zero)),
        *(*in_name(bad), 0),
    ]


def strengths(dataset: str) -> Numbers:
    about = fairness(dataset).about
    return [about.beta, about.gamma, about.l2]


# The audit.


def who_answers(_: str) -> list[Row]:
    """The target's rank by what each of the four reports, and how many rows give it away."""
    result = only("audit", "digits")
    t, rows = result.target, (result.residuals > result.tolerance).sum(axis=1)
    found: list[Row] = []
    for place, name in enumerate(("honest calculator", "liar", "careful liar", "attacker")):
        rank = 1 + int((result.scores[place] > result.scores[place][t]).sum())
        named = [t] if name in ("liar", "careful liar") else []
        verdict: Row = [rows[place], "caught"] if rows[place] else ["passes"]
        found.append([*named, rank, result.scores.shape[1], *verdict, f"| {name}"])
    return found


def same_verdict(_: str) -> Numbers:
    """The largest residual that passes, the smallest that is caught."""
    result = only("audit", "digits")
    over = result.residuals > result.tolerance
    return [result.residuals[~over].max(), result.residuals[over].min()]
