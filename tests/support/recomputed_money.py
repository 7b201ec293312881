"""More numbers of pages' sentences, recomputed: who gets the money, one multiplication."""

import numpy as np
from scipy.stats import spearmanr

from tests.support.recomputed import Numbers, fairness, gap_row, only
from tests.support.recomputed_targets import Row

BUDGET = 10_000


# Money.


def paid(dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Each vendor's share by the honest and by the attacked model: what its samples with a positive
    worth are worth together, a low score being worth much."""
    result = only("payments", dataset)
    assert result.order == "lowest_first"
    owner = result.schemes[result.scheme].owner
    shares = []
    for model in ("honest", "pay"):
        worth = np.clip(-result.test[model].astype(np.float64), 0, None)
        earned = np.array([worth[owner == vendor].sum() for vendor in range(owner.max() + 1)])
        shares.append(earned / earned.sum())
    return shares[0], shares[1]


def who_gains(dataset: str) -> Row:
    before, after = paid(dataset)
    result = only("payments", dataset)
    most = int(np.argmax(after - before))
    losers = int((after < before).sum())
    gain: Row = [(after / before)[most], result.schemes[result.scheme].names[most]]
    return [*gain, "every other vendor"] if losers == len(before) - 1 else [*gain, losers]


def concentrated(dataset: str) -> Numbers:
    """The sum of squared shares, and the mean difference of two vendors over twice the mean."""
    told = [
        (float((share**2).sum()), float(np.abs(np.subtract.outer(share, share)).mean() * v / 2))
        for share in paid(dataset)
        for v in [len(share)]
    ]
    (herfindahl, gini), (herfindahl_after, gini_after) = told
    return [herfindahl, herfindahl_after, 1 / len(paid(dataset)[0]), 1, gini, gini_after]


def copies_pay(dataset: str) -> Row:
    """What most copies bring where kNN-Shapley is paid for; selling under other names brings
    nothing."""
    table = only("payments", dataset).table
    table = table[table["rule"] == "positive"]
    rows = table[(table["score"] == "knn_shapley") & (table["attack"] == "copies")]
    rows = rows[rows["budget"] == rows["budget"].max()].dropna(subset=["before", "after"])
    gain = (rows["after"] - rows["before"]).to_numpy()
    drawn = np.random.default_rng(0).integers(len(gain), size=(2000, len(gain)))
    ends = np.quantile(gain[drawn].mean(axis=1), (0.025, 0.975))
    names = table[table["attack"] == "split"]
    assert len(names)
    same = bool(np.allclose(names["before"], names["after"], atol=1e-9))
    return [
        *("Other names bring nothing" if same else "Other names pay", rows["budget"].iloc[0]),
        *(100 * rows["before"].mean(), 100 * rows["after"].mean(), 95, *(100 * ends)),
    ]


# Fairness.


def slope_along(dataset: str) -> Row:
    row = fairness(dataset).table.sort_values("scale").iloc[0]
    return [row["slope"], row["scale"], "lengthen" if row["slope"] < 0 else "shorten"]


def none_changed(dataset: str) -> Row:
    _honest, worst = gap_row(dataset)
    assert worst["base_predictions_changed"] == 0
    return [worst["scale"], fairness(dataset).about.n_test, "none"]


def step_multiply(dataset: str) -> Numbers:
    _honest, worst = gap_row(dataset)
    return [*(2, worst["scale"], worst["base_predictions_changed"], fairness(dataset).about.n_test)]


def step_train(dataset: str) -> Numbers:
    about = fairness(dataset).about
    return [1, about.n_train, 100 * about.accuracy_before, 100 * about.gap_before]


def of_scales(values: np.ndarray, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows of an array (scales, n) of scale 1 and of the largest effect."""
    scales = list(fairness(dataset).table["scale"])
    honest, worst = gap_row(dataset)
    first, second = (values[scales.index(row["scale"])] for row in (honest, worst))
    return first.astype(np.float64), second.astype(np.float64)


def step_influence(dataset: str) -> Numbers:
    sides = of_scales(fairness(dataset).on_gap, dataset)
    return [3, gap_row(dataset)[1]["scale"], spearmanr(*sides).statistic]


def step_programme(dataset: str) -> Row:
    programme = {"least_removal": "Remove as little as does the job"}
    return [4, programme[gap_row(dataset)[1]["programme"]]]


def removed_where(dataset: str) -> Numbers:
    honest, scaled = of_scales(fairness(dataset).removed, dataset)
    return [
        *(np.clip(honest - scaled, 0, None).sum(), 1),
        *(np.clip(scaled - honest, 0, None).sum(), gap_row(dataset)[1]["scale"]),
        (honest + scaled - np.abs(honest - scaled)).sum() / 2,
    ]


def can_be_chance(dataset: str) -> Numbers:
    """Nothing but the 0 that the effect's interval contains."""
    _honest, worst = gap_row(dataset)
    assert worst["effect_low"] <= 0 <= worst["effect_high"]
    return [0]


def too_few_rows(dataset: str) -> Numbers:
    return [*can_be_chance(dataset), fairness(dataset).about.n_test]


def worse_than_majority(dataset: str) -> Numbers:
    """The more frequent label's share of the test rows, from its share in both groups, and the two
    models that are right less often."""
    about, (honest, _worst) = fairness(dataset).about, gap_row(dataset)
    share = np.average(about.rates_test, weights=[1 - about.share_group_1, about.share_group_1])
    models = [about.accuracy_before, honest["accuracy_test"]]
    assert max(models) < max(share, 1 - share)
    return [100 * max(share, 1 - share), 100 * models[0], 1, 100 * models[1]]
