"""The rows of the tables on the pages of Defend, recomputed: each row's numbers in their order, and
its name."""

import json
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, rankdata

from engine.settings import PUBLISHED
from pages.common.words.objective_words import NAMES
from pages.defend.parts import polish_words
from tests.support.recomputed import LIMIT, Numbers, only, results
from tests.support.recomputed_more import area, limit
from tests.support.recomputed_targets import Row, holm, wilson

HONEST = ("honest", "held back")
ATTACKS = polish_words.KINDS  # in the order of the page
DETECTORS = ("gradient_norm", "decrement_0", "first_after_one")


def named(name: str) -> Row:
    """A row's name, and the numbers in it."""
    return [name, *(float(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", name))]


def with_ends(honest: pd.Series, others: pd.Series) -> Numbers:
    """The area under a detector's curve with its 95% bootstrap interval: 2,000 draws of both
    groups, by seeds 0 and 1."""
    n, m = len(honest), len(others)
    drawn = [
        group.to_numpy()[np.random.default_rng(seed).integers(len(group), size=(2000, len(group)))]
        for seed, group in enumerate((honest, others))
    ]
    ranks = rankdata(np.concatenate(drawn, axis=1), axis=1)[:, n:]
    areas = (ranks.sum(axis=1) - m * (m + 1) / 2) / (n * m)
    return [area(honest, others), *np.quantile(areas, (0.025, 0.975))]


# Polishing, and the race.


def polished() -> tuple[pd.DataFrame, dict[str, pd.DataFrame], dict[str, float]]:
    """The honest models, those of each attack, and the numbers above which at most one honest model
    in twenty lies."""
    table = only("polish", "digits")
    honest = table[table["kind"].isin(HONEST)]
    at = int(np.ceil(0.95 * (len(honest) - 1)))
    over = {name: float(np.sort(honest[name])[at]) for name in DETECTORS}
    return honest, {kind: table[table["kind"] == kind] for kind in ATTACKS}, over


def in_top_ten(rows: pd.DataFrame, step: int) -> Numbers:
    """Of the models that arrived with a target from outside the honest top ten, those that have it
    among the first ten after a step, of how many."""
    outside = rows[rows["success"] & (rows["rank_before"] > 10)]
    return [(outside[f"rank_{step}"] <= 10).sum(), len(outside)]


def by_knn_shapley(kind: str) -> Row:
    """What disagreement with kNN-Shapley finds, of how many that arrived, and its AUC; nothing for
    attacks that it was not tried on."""
    for role in ("other scores", "other attackers"):
        for request, result in results(role, "digits"):
            if kind == ("stealth" if request.stealth else request.objective):
                models = result.models.groupby("role")["whole_knn_shapley"]
                known, unknown, attacked = map(models.get_group, ("known", "unknown", "attacked"))
                limit = known.nlargest(1 + int(0.05 * len(known))).iloc[-1]
                honest = pd.concat([known, unknown])
                return [(attacked > limit).sum(), len(attacked), area(honest, attacked)]
    return []


def by_other_half(kind: str) -> Row:
    """Targets outside the top ten of the other half, of those first on `test`; nothing for attacks
    without a sweep on fresh targets."""
    roles = ("cost", "frontier", "ablation")
    seen = {target for role in roles for _, one in results(role, "digits") for target in one.target}
    for request, sweep in results("fresh", "digits"):
        if request.objectives == (kind,):
            first = sweep[(sweep["k"] == 1) & (sweep["rank_test"] == 1)]
            first = first[~first["target"].isin(seen) & (first["rank_before_holdout"] > 10)]
            return [(first["rank_holdout"] > 10).sum(), len(first)]
    return []


def race(_: str) -> list[Row]:
    honest, by, over = polished()
    found: list[Row] = []
    for kind, rows in by.items():
        there = rows[rows["success"]]
        row = [*named(ATTACKS[kind]), len(there), len(rows)]
        for name in DETECTORS if len(there) else ():
            flagged = (there[name] > over[name]).sum()
            row += [flagged, len(there), area(honest[name], there[name])]
        elsewhere = [*by_knn_shapley(kind), *by_other_half(kind)]
        found.append([*row, *in_top_ten(rows, 5), *elsewhere] if len(there) else row)
    result = only("deniable", "digits")
    own = result.table[result.table["arrived"]]
    norm, flags = own["gradient_norm"], (own["gradient_norm"] > over["gradient_norm"]).sum()
    stay = (own["declared_after"] <= 10).sum()
    decrements = norm / own["l2"] ** 0.5  # at most: the curvature is at least L2
    found.append(
        [
            *("declares a loss of its own choice", len(own), len(result.table)),
            *(flags, len(own), area(honest["gradient_norm"], norm)),
            *((decrements > over["decrement_0"]).sum(), len(own)),
            *((own["declared_after"] > over["first_after_one"]).sum(), len(own)),
            *(stay, len(own)),
        ]
    )
    return found


def three_detectors(_: str) -> list[Row]:
    honest, by, _over = polished()
    return [
        [*named(ATTACKS[kind]), len(there)]
        + [x for name in DETECTORS for x in with_ends(honest[name], there[name])]
        for kind, rows in by.items()
        for there in [rows[rows["success"]]]
        if len(there)
    ]


def still_in_the_top(_: str) -> list[Row]:
    found: list[Row] = []
    for kind, rows in polished()[1].items():
        there = rows[rows["success"]]
        row = [*named(ATTACKS[kind]), len(there), len(rows)]
        for step in (1, 2, 5):
            row += [(there[f"rank_{step}"] <= 1).sum(), *in_top_ten(rows, step)]
        found.append(row)
    return found


def who_know_of_it(_: str) -> list[Row]:
    _honest, by, over = polished()
    found: list[Row] = []
    for kind in ("through", "hides norm", "hides decrement", "other l2", "declares"):
        for radius, rows in by[kind].groupby("radius", dropna=False):
            there = rows[rows["success"]]
            name = ATTACKS[kind]
            name += "" if pd.isna(radius) else f", radius {float(str(radius)):g}"
            row = [*named(name), len(there), len(rows)]
            if len(there):
                for step in (1, 2, 5):
                    row += in_top_ten(rows, step)
                row += [(there[n] > over[n]).sum() for n in ("first_after_one", "decrement_0")]
                row.append(100 * there["accuracy_drop_0"].median())
            found.append(row)
    return found


# The check for a minimum.


def told_apart(_: str) -> list[Row]:
    table = only("defence", "digits")
    norms = table["gradient_norm"]
    honest = norms[table["kind"] == "honest"]
    found: list[Row] = []
    moved = table[(table["kind"] == "attacked") & table["success"]]
    for (k, radius), rows in moved.groupby(["k", "radius"]):
        name = f"malicious, into the top {k}, radius {radius:g}"
        found.append([*named(name), *with_ends(honest, rows["gradient_norm"])])
    knows = (table["kind"] == "adaptive") & (table["stealth"] > 0) & table["success"]
    found.append(["scaled", *with_ends(honest, norms[table["kind"] == "scaled"])])
    return [*found, ["knows the check", *with_ends(honest, norms[knows])]]


def by_weight(_: str) -> list[Row]:
    rows = only("defence", "digits").query("kind == 'adaptive'")
    found: list[Row] = []
    for weight, part in rows.groupby("stealth"):
        there = part[part["success"]]
        passed, n = int((there["gradient_norm"] < limit()).sum()), len(part)
        row = [float(str(weight)), len(there), n, passed, *wilson(passed, n)]
        found.append([*row, part["gradient_norm"].median(), 100 * there["accuracy_drop"].mean()])
    return found


def by_objective(_: str) -> list[Row]:
    """Flagged models of the three objectives, on the targets that all have; p of an exact sign test
    against Algorithm 3 on the targets of which one model alone is flagged, corrected by Holm; and
    for how many targets one who knows the check passes, with the weights that all have."""
    first = only("defence", "digits")
    ours = NAMES["higher_ranked"]
    tables = {ours: first}
    tables |= {NAMES[request.objective]: t for request, t in results("kept defence", "digits")}
    honest = first.loc[first["kind"] == "honest", "gradient_norm"]
    rows: list[tuple[str, float, Row, Numbers]] = []
    p: list[float] = []
    for radius in (0.1, 0.3, 0.5):
        own: pd.Series | None = None
        for name, table in tables.items():
            part = table[(table["kind"] == "attacked") & (table["radius"] == radius)]
            part = part[part["k"] == 1].set_index("target").sort_index()
            if part.empty:
                continue
            flagged, there = part["gradient_norm"] >= limit(), part["success"]
            hit, n = int(flagged.sum()), len(part)
            counted: Row = [there.sum(), n, (there & ~flagged).sum(), hit, *wilson(hit, n)]
            rows.append((name, radius, counted, with_ends(honest, part["gradient_norm"])))
            if own is None:
                own = flagged
                continue
            more, fewer = (flagged & ~own).sum(), (own & ~flagged).sum()
            p.append(binomtest(more, more + fewer).pvalue if more + fewer else 1.0)
    corrected = iter(holm(p))
    return [
        [*named(f"{name}, {radius:g}"), *counted]
        + ([] if name == ours else [next(corrected)])
        + [*ends, *(knowing(tables)[name] if radius == 0.3 else [])]
        for name, radius, counted, ends in rows
    ]


def knowing(tables: dict[str, pd.DataFrame]) -> dict[str, Numbers]:
    knows = {n: t[(t["kind"] == "adaptive") & (t["stealth"] > 0)] for n, t in tables.items()}
    weights = set.intersection(*(set(part["stealth"]) for part in knows.values()))
    found = {}
    for name, part in knows.items():
        part = part[part["stealth"].isin(weights)]
        passed = part[part["success"] & (part["gradient_norm"] < limit())]
        found[name] = [float(passed["target"].nunique()), float(part["target"].nunique())]
    return found


# The deniable attack.


def every_deniable_target(_: str) -> list[Row]:
    """How each target ends: the least ε, or why it does not count."""
    result = only("deniable", "digits")
    words = {"weights": "weights", "together": "L2, weights and scales"}
    found: list[Row] = []
    for row in result.table.to_dict("records"):
        least: Row = (
            [row["epsilon"]]
            if row["arrived"]
            else ["not moved" if row["rank_after"] > result.k else "costs too much"]
        )
        numbers = [row["rank_after"], 100 * row["lost_holdout"], row["correlation"]]
        last = [row["averaged"]] if row["arrived"] else []
        found.append(
            [
                *(words[row["means"]], row["target"], row["rank_before"]),
                *(*least, *numbers, *last),
            ]
        )
    return found


def honest_choices(_: str) -> list[Row]:
    result = only("deniable", "digits")
    found: list[Row] = []
    for epsilon, part in result.drawn.groupby("epsilon"):
        low, high = (result.samples[f"{end}_{epsilon:g}"] for end in ("lowest", "highest"))
        ends = [f(part["correlation"]) for f in (min, max)]
        ends += [100 * f(part["accuracy"]) for f in (min, max)]
        width = float(np.median(high - low))
        found.append([float(str(epsilon)), len(part), width, (low == 1).sum(), *ends])
    return found


def checks_passed(_: str) -> list[Row]:
    """How many deniable models pass each check, and what is seen."""
    result = only("deniable", "digits")
    there = result.table[result.table["arrived"]]
    n = len(there)

    def first(name: str) -> Numbers:
        return [(there[name] == 1).sum(), n]

    honest = result.trainers["averaged"]
    return [
        ["audit of the reported scores", (there["audit"] <= 1e-6).sum(), n, there["audit"].max()],
        [
            *("gradient norm of the declared loss", (there["gradient_norm"] < 1e-6).sum(), n),
            there["gradient_norm"].max(),
        ],
        [*named("5 Newton steps on the declared loss"), *first("declared_after"), "worst rank",
         there["declared_after"].max()],
        ["declared loss's Hessian", *first("rank_declared_hessian"),
         there["rank_declared_hessian"].median()],
        ["gradient norm of the usual loss", (there["usual_norm"] <= 1e-6).sum(), n,
         there["usual_norm"].min()],
        [*named("5 Newton steps on the usual loss"), *first("usual_after"),
         there["usual_after"].median()],
        ["averaged over honest draws", *first("averaged"), there["averaged"].median(),
         area(honest, there["averaged"])],
        ["averaged around what was declared", *first("around"), there["around"].median()],
    ]  # fmt: skip


# The search for the smallest radius, beside other attacks.


def searched(dataset: str) -> SimpleNamespace:
    """All targets on which the search is compared, whichever lot they came in."""
    lots = [found for _request, found in results("minimal", dataset)]
    columns = ("targets", "radius", "arrived", "lost_holdout")
    return SimpleNamespace(
        lots=lots,
        others=pd.concat([lot.others for lot in lots]),
        **{name: np.concatenate([getattr(lot, name) for lot in lots]) for name in columns},
    )


def beside_the_search(dataset: str) -> list[Row]:
    """Who moves which target at the same radius, with accuracy kept; p of McNemar's exact test,
    times the looks, corrected by Holm; and processor time."""
    result = searched(dataset)
    rows = []
    for (radius, name), counts, p, took in paired(result, looks=len(result.lots)):
        rows.append([radius, *named(NAMES[name]), *counts, p, *clock(took)])
    return rows


def paired(result: Any, looks: int = 1) -> list[tuple[tuple[float, str], Numbers, float, float]]:
    """Radius and objective of each attack; targets that the search moves, that it moves, and that
    only one of them moves; p as it is shown; and the attack's seconds."""
    rows: list[tuple[tuple[float, str], Numbers, float, float]] = []
    for (radius, name), part in result.others.groupby(["radius", "objective"], sort=False):
        at = float(str(radius))
        within = np.nan_to_num(result.radius, nan=9) <= at + 1e-9
        own = result.arrived & within & (result.lost_holdout <= LIMIT)
        asked = np.isin(result.targets, part["target"])  # a lot may be attacked at fewer radii
        own, part = own[asked], part.set_index("target").loc[result.targets[asked]]
        other = (part["arrived"] & (part["lost_holdout"] <= LIMIT)).to_numpy()
        alone, its = int((own & ~other).sum()), int((other & ~own).sum())
        p = binomtest(alone, alone + its).pvalue if alone + its else 1.0
        counts: Numbers = [len(own), own.sum(), other.sum(), alone, its]
        rows.append(((at, str(name)), counts, min(1.0, looks * p), part["seconds"].sum()))
    corrected = holm([p for *_rest, p, _took in rows])
    return [
        (which, counts, max(p, 0.001), took)  # a smaller one is called "below 0.001"
        for (which, counts, _p, took), p in zip(rows, corrected, strict=True)
    ]


def at_equal_time(dataset: str) -> Row:
    """Targets that the search moves and that each attack moves at the smallest radius, with p."""
    (radius, total, first), *_larger = by_radius(dataset)
    return [first[0], total, radius, *first[1:]]


def at_larger_radii(dataset: str) -> list[Row]:
    """The same for each larger radius, which then stands first."""
    _smallest, *larger = by_radius(dataset)
    return [[radius, found[0], total, *found[1:]] for radius, total, found in larger]


def by_radius(dataset: str) -> list[tuple[float, int, Row]]:
    """For each radius, the smallest first: it, the number of targets, and who moves how many."""
    result = searched(dataset)
    told: dict[float, tuple[int, Row]] = {}
    for (radius, name), counts, p, _took in paired(result, looks=len(result.lots)):
        _total, row = told.setdefault(radius, (int(counts[0]), [counts[1]]))
        row += [*named(NAMES[name])[1:], counts[2], p]
    return [(radius, total, row) for radius, (total, row) in sorted(told.items())]


def enough(dataset: str) -> Numbers:
    return [results("minimal", dataset)[-1][0].enough]


def planned(dataset: str) -> list[Row]:
    """How many targets the list of published results says were planned for each lot, by its number
    where there are several."""
    entries = json.loads((PUBLISHED / "requests.json").read_text(encoding="utf-8"))
    found = [e["planned"] for e in entries if "planned" in e and dataset in e["request"].values()]
    several = len(searched(dataset).lots) > 1
    return [[some, number] if several else [some] for number, some in enumerate(found, start=1)]


def finished(dataset: str) -> list[Row]:
    """How many of them there are."""
    return [[len(lot.targets)] for lot in searched(dataset).lots]


def earlier(dataset: str) -> Numbers:
    """How many earlier versions the list of published results says were run on the targets."""
    entries = json.loads((PUBLISHED / "requests.json").read_text(encoding="utf-8"))
    return [e["earlier"] for e in entries if "earlier" in e and dataset in e["request"].values()]


def lots(dataset: str) -> Numbers:
    sizes = [len(lot.targets) for lot in searched(dataset).lots]
    return [len(sizes), *sizes]


def last_lot(dataset: str) -> Row:
    rows = paired(searched(dataset).lots[-1])
    told: Row = [rows[0][1][1]]
    for (_at, name), counts, p, _took in rows:
        told += [*named(NAMES[name])[1:], counts[2], p]
    return told


def last_radii(dataset: str) -> Numbers:
    """The radii that attacks on the last lot were given."""
    return [*results("minimal", dataset)[-1][0].radii]


def clock(seconds: float) -> Numbers:
    """Seconds, minutes apart where there are some."""
    whole = round(seconds)
    return [whole // 60, whole % 60] if whole >= 60 else [seconds]
