"""More numbers of pages' sentences, recomputed: which targets move, and what tells beforehand."""

import numpy as np
import pandas as pd
from scipy.special import softmax
from scipy.stats import binomtest, rankdata, spearmanr

from engine.data.load import load_dataset
from pages.common.lab import published_results
from tests.support import recomputed as r
from tests.support.recomputed import LIMIT, Numbers, hits, only, results

Row = list[float | str]  # numbers of a sentence in their order, and words that stand in it
NAMES = {
    "target": "raising the target alone",
    "top_k": "pushing down the top",
    "higher_ranked": "pushing down all above the target",
    "restarts": "starting at random",
}


def wilson(hit: int, n: int) -> Numbers:
    """The 95% Wilson interval, in percent."""
    ends = binomtest(int(hit), int(n)).proportion_ci(method="wilson")
    return [100 * ends.low, 100 * ends.high]


def holm(p: list[float]) -> list[float]:
    """Holm's correction, from the smallest p on."""
    found, worst = dict.fromkeys(range(len(p)), 1.0), 0.0
    for place, i in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, min(1.0, p[i] * (len(p) - place)))
        found[int(i)] = worst
    return list(found.values())


# Learn: one test sample, retraining, the plane.


def most_of_class(_: str) -> list[Row]:
    """Of the first and the last eight samples for test sample 202, the class that most have."""
    result = next(found for q, found in results("explain", "digits") if q.image == 202)
    labels, ranks = load_dataset("digits").y_train, result.ranking.ranks
    rows: list[Row] = []
    for part in (ranks <= 8, ranks > len(labels) - 8):
        counts = np.bincount(labels[part])
        rows.append([float(counts.max()), 8, float(counts.argmax())])
    return rows


def times_as_much(_: str) -> Numbers:
    """The slope of the line through the origin that fits retraining's changes best."""
    table = only("usual", "digits").table
    (slope,), *_rest = np.linalg.lstsq(table[["estimate"]].to_numpy(), table["change"], rcond=None)
    return [slope]


def disagree(_: str) -> Numbers:
    """The share of the square around the points, with either label, where the signs of the two
    models' scores differ: minus (p − y) times (x, 1) · s, for each class."""
    result = only("playground")
    side = np.linspace(-1, 1, 101) * (np.abs(result.X).max() + 0.4)
    places = np.array([(x, y, 1.0) for x in side for y in side])
    signs = []
    for model, direction in (
        (result.honest, result.honest_direction),
        (result.attacked, result.attacked_direction),
    ):
        weights = np.column_stack([model.weight, model.bias])
        error = softmax(places @ weights.T, axis=1)[:, None, :] - np.eye(2)  # place, label, class
        signs.append(-(error * (places @ direction.T)[:, None, :]).sum(2) > 0)
    return [100 * float((signs[0] != signs[1]).mean())]


# Attack: what works.


def steps_beyond_chance(dataset: str) -> Row:
    """The steps of the recipe that help by more than chance: each variant at its best radius, on
    the targets that only one of two neighbours moves."""
    kept = at_best_radius(dataset)
    pairs = list(zip(kept.columns, kept.columns[1:], strict=False))
    p = []
    for before, after in pairs:
        gained, gone = (kept[after] & ~kept[before]).sum(), (kept[before] & ~kept[after]).sum()
        p.append(binomtest(gained, gained + gone).pvalue if gained + gone else 1.0)
    sure = [
        NAMES[after] for (_before, after), one in zip(pairs, holm(p), strict=True) if one < 0.05
    ]
    return [len(kept), *(["only", *sure] if sure else ["No single step"])]


def at_best_radius(dataset: str) -> pd.DataFrame:
    """Whether each of the paper's variants moves each target with accuracy kept, at the radius at
    which it moves most (of equal ones, that at which its best runs lose least)."""
    cost, single = only("cost", dataset), only("ablation", dataset)
    found = {}
    for name in NAMES:
        table = cost if name == "restarts" else single[single["objective"] == name]
        table = table[table["radius"].isin(single["radius"]) & (table["k"] == 1)]
        table = table[table["rank_before"] > 1]
        moved = table.assign(hit=hits(table), paid=cheapest(table)).sort_values("target")
        by = moved.groupby("radius").agg(hit=("hit", "sum"), paid=("paid", "mean")).reset_index()
        radius = by.sort_values(["hit", "paid"], ascending=[False, True])["radius"].iloc[0]
        rows = moved[moved["radius"] == radius]
        found[name] = pd.Series(rows["hit"].to_numpy(), rows["target"].to_numpy())
    return pd.DataFrame(found)


def cheapest(rows: pd.DataFrame, limit: float = LIMIT) -> list[float]:
    """The least that a run with the target first loses, of those that lose no more than `limit`."""
    found = []
    columns = (rows["runs_in_top"], rows["runs_accuracy"], rows["accuracy_before"])
    for tops, accuracies, before in zip(*columns, strict=True):
        drops = [before - accuracy for top, accuracy in zip(tops, accuracies, strict=True) if top]
        found.append(min((drop for drop in drops if drop <= limit), default=np.nan))
    return found


def telling_runs(_: str) -> Row:
    """The published attacks on sample 433: which of the four variants arrive."""
    arrived, before = {}, 0
    for request, result in results("attack", "digits"):
        if request.targets == (433,):
            name = "restarts" if request.restarts else request.objective
            arrived[name] = bool(result.runs["reached"].any())
            before = int(result.before.ranks[433])
    assert set(arrived) == set(NAMES)
    return [433, before, len(arrived) - sum(arrived.values()),
            *(NAMES[name] for name, does in arrived.items() if does)]  # fmt: skip


# Attack: many targets.


def shares(dataset: str, of: str, split: str = "test") -> pd.DataFrame:
    """The mean share by set size and k, as the page opens: on the attacker's test set of the run
    that has most in the top and keeps accuracy, on the unknown one of the returned model."""
    table = only("sizes", dataset)
    table = table[table["rank_before"] > table["k"]]
    if split == "test":
        columns = (table["runs_in_top"], table["runs_accuracy"], table["accuracy_before"])
        most = [
            max(
                (n for n, a in zip(tops, accuracies, strict=True) if before - a <= LIMIT), default=0
            )
            for tops, accuracies, before in zip(*columns, strict=True)
        ]
        share = np.array(most) / table[of]
    else:
        name = "share_of_topk_holdout" if of == "k" else "share_of_targets_holdout"
        share = table[name].where(r.lost(table) <= LIMIT, 0)
    return table.assign(share=share).pivot_table("share", "set_size", "k", aggfunc="mean")


def trends_of(table: pd.DataFrame) -> Numbers:
    """For how many sizes the share falls from the first k to the last, at how many k the largest
    sets do best (and not all alike), of how many each."""
    falls = (table.iloc[:, -1] < table.iloc[:, 0]).sum()
    leads = ((table.iloc[-1] == table.max()) & (table.max() > table.min())).sum()
    return [falls, len(table), leads, table.shape[1]]


def trends_in_places(dataset: str) -> Numbers:
    return trends_of(shares(dataset, "k"))


def trends_in_targets(dataset: str) -> Numbers:
    return trends_of(shares(dataset, "set_size"))


def arrivals(dataset: str, split: str = "test") -> pd.DataFrame:
    """Targets that arrive, over all sets, by set size and k."""
    table = only("sizes", dataset)
    sets = table.pivot_table("target", "set_size", "k", aggfunc="count")
    return (shares(dataset, "set_size", split) * sets).mul(sets.index, axis=0)


def largest_sets(dataset: str) -> Row:
    """At the largest k: what arrives, on average, of one of the largest sets that fit into it."""
    hits, table = arrivals(dataset), only("sizes", dataset)
    k, sets = hits.columns[-1], len(set(table["target"]))
    fitting = [size for size in hits.index if size <= k]
    few, many = hits.index[0], fitting[-1] if len(fitting) > 1 else hits.index[-1]
    word = "Hardly" if hits[k][many] / many < hits[k][few] / few else "Yes"
    return [word, many, hits[k][many] / sets, k]


def alone_and_on_costs(dataset: str, k: int | None = None) -> tuple[pd.Series, pd.Series]:
    """Which single targets arrive in the top k (the largest of the sets) here, and which of those
    of the sweep over radii at the same radius; both by target."""
    sizes = only("sizes", dataset)
    sizes = sizes[sizes["set_size"] == 1]
    k, radius = k or sizes["k"].max(), sizes["radius"].iloc[0]
    found = []
    for table in (sizes, only("cost", dataset)):
        rows = table[(table["k"] == k) & (table["radius"] == radius) & (table["rank_before"] > k)]
        found.append(pd.Series(np.asarray(hits(rows, k)), index=rows["target"]))
    return found[0], found[1]


def moved_on_costs(dataset: str) -> Numbers:
    _, there = alone_and_on_costs(dataset)
    return [there.sum(), len(there)]


def behind_on_both(dataset: str) -> Numbers:
    here, there = alone_and_on_costs(dataset)
    assert (there[here.index] == here).all()
    return [(~there).sum(), (~here).sum(), len(here)]


def goals_reached_alike(dataset: str) -> Numbers:
    sizes = only("sizes", dataset)
    (easy, _), (hard, _) = (
        alone_and_on_costs(dataset, k) for k in (sizes["k"].max(), sizes["k"].min())
    )
    assert easy.equals(hard)
    return [sizes["k"].max()]


def radius_of_sets(dataset: str) -> Numbers:
    return [100 * only("sizes", dataset)["radius"].iloc[0], 3]


def possible(dataset: str, split: str) -> Numbers:
    """All arrivals, of the possible: of t targets at most k are among the first k."""
    table = arrivals(dataset, split)
    sets = len(set(only("sizes", dataset)["target"]))
    most = [[min(size, k) * sets for k in table.columns] for size in table.index]
    return [table.to_numpy().sum(), np.sum(most)]


def possible_own(dataset: str) -> Numbers:
    return possible(dataset, "test")


def possible_unknown(dataset: str) -> Numbers:
    return possible(dataset, "holdout")


# Attack: easy or hard.


def least_radii(dataset: str) -> pd.Series:
    """The least radius of the sweep at which some run has the target first; infinite where none."""
    table = only("cost", dataset).query("k == 1 and rank_before > 1")
    there = table[[any(runs) for runs in table["runs_in_top"]]]
    least = there.groupby("target")["radius"].min()
    return least.reindex(sorted(set(table["target"])), fill_value=np.inf)


def with_interval(clue: np.ndarray, least: np.ndarray) -> Numbers:
    """Spearman's correlation with its 95% bootstrap interval over pairs, 2,000 draws of seed 0."""
    order = rankdata(least)  # the infinite ones are the largest and tie
    drawn = np.random.default_rng(0).integers(len(clue), size=(2000, len(clue)))
    ranks = [rankdata(values[drawn], axis=1) for values in (clue, order)]
    a, b = (part - part.mean(1, keepdims=True) for part in ranks)
    with np.errstate(invalid="ignore"):
        values = (a * b).mean(1) / (a.std(1) * b.std(1))
    ends = np.quantile(values[np.isfinite(values)], (0.025, 0.975))
    return [spearmanr(clue, order).statistic, 95, *ends]


def ease_correlation(dataset: str) -> Numbers:
    """How many targets there are, and Spearman's correlation of norm and radius, as above."""
    least = least_radii(dataset)
    norms = only("sensitivity", dataset).norms[least.index]
    return [len(least), *with_interval(norms, least.to_numpy())]


def norm_tells(dataset: str) -> Numbers:
    many, *told = ease_correlation(dataset)
    return [*told, 1, many]


def place_tells(dataset: str) -> Row:
    least = least_radii(dataset)
    result = only("sensitivity", dataset)
    ranks = result.ranking.ranks[least.index]
    nearness = np.abs(ranks - (len(result.norms) + 1) / 2)
    told = with_interval(nearness, least.to_numpy())
    better = abs(told[0]) >= abs(norm_tells(dataset)[0])
    return [*told, "at least as well" if better else "less well"]


def marked_besides(_: str) -> Numbers:
    """Other single targets of published attacks by Algorithm 3, at the radius with which the page
    opens: the one at which the sweep moves most over all k."""
    swept = only("cost", "digits")
    rows = swept[swept["rank_before"] > swept["k"]]
    by = hits(rows).groupby(rows["radius"]).mean()
    radius = by.index.to_numpy()[by.argmax()]
    known, more = set(swept["target"]), set()
    for _role, experiment, request in published_results.listed():
        if getattr(request, "dataset", "") != "digits":
            continue
        if experiment == "sweep" and "higher_ranked" in request.objectives:
            for _request, table in results(_role, "digits"):
                rows = table[(table["objective"] == "higher_ranked") & (table["set_size"] == 1)]
                rows = rows[(rows["train_size"] == swept["train_size"].max()) & (rows["k"] == 1)]
                rows = rows[(rows["radius"] == radius) & (rows["rank_before"] > 1)]
                more |= set(rows["target"])
    for request, result in results("attack", "digits"):
        one = request.targets[0]
        asked = (request.radius, request.objective, request.k, len(request.targets))
        if asked == (radius, "higher_ranked", 1, 1) and result.before.ranks[one] > 1:
            more.add(one)
    return [len(more - known)]


# Attack: the impossible sample, as the page opens it.


def impossible_scores(
    W: np.ndarray, X: np.ndarray, y: np.ndarray, damping: float
) -> tuple[np.ndarray, float]:
    """Every sample's score on the loss of sample 0, Definition 1 with the Hessian written out, and
    the probability of sample 0's label."""
    X = np.column_stack([X, np.ones(len(X))])
    P = softmax(X @ W.T, axis=1)
    gradients = ((P - np.eye(2)[y])[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    hessian = np.zeros((W.size, W.size))
    for p, x in zip(P, X, strict=True):
        hessian += np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x)) / len(X)
    step = np.linalg.solve(hessian + damping * np.eye(W.size), gradients[0])
    return -gradients @ step, float(P[0, y[0]])


def page_opens_with() -> tuple[np.ndarray, float]:
    from engine.scrutiny.impossibility import impossible_instance
    from pages.attack.parts import impossible_hands

    request = next(q for q, _ in results("impossible") if q.k == 1)
    data = impossible_instance(
        request.k, request.n_train, request.n_features, seed=request.seed
    ).dataset
    half = np.array([start for _label, start in impossible_hands.WEIGHTS.values()]) / 2
    return impossible_scores(np.stack([half, -half]), data.X_train, data.y_train, request.damping)


def target_and_copy(_: str) -> Numbers:
    scores, _p = page_opens_with()
    return [*scores[:2]]


def probability_there(_: str) -> Numbers:
    return [page_opens_with()[1]]
