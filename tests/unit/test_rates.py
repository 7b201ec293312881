"""Success rates: tables made by hand with answers worked out by hand, and what holds for any."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attacks.rates import (
    CELL,
    COUNTED,
    KIND,
    highest,
    reweighing_rates,
    share_rates,
    success_rates,
)
from engine.attacks.sweep import sweep
from engine.errors import InvalidInput
from engine.statistics import wilson_interval
from tests.support.problems import random_problem
from tests.support.sweep_rows import attack

KINDS = {
    (regime, form, split)
    for regime in ("high_accuracy", "best")
    for form, split in (("any_run", "test"), ("returned", "test"), ("returned", "holdout"))
}


def by_kind(rates: pd.DataFrame) -> pd.DataFrame:
    return rates.set_index(list(KIND)).sort_index()


def test_rates_of_four_attacks_by_hand():
    table = pd.DataFrame(
        [
            # succeeds at a fall of 0.02, also on holdout, and is handed out
            attack([(1, 1, 0.88), (0, 0, 0.9)], returned=0),
            # its run that succeeds costs 0.2; the one handed out is that one
            attack([(0, 0, 0.9), (1, 0, 0.7)], returned=1),
            # succeeds dearly (0.4) on test, at a fall of 0.01 on holdout only
            attack([(1, 0, 0.5), (0, 1, 0.89)], returned=0),
            # never
            attack([(0, 0, 0.9), (0, 0, 0.2)], returned=0),
        ]
    )
    rates = by_kind(success_rates(table))
    assert set(rates.index) == KINDS
    assert (rates["attacks"] == 4).all()
    expected = {
        ("high_accuracy", "any_run", "test"): (1, 0.02),
        ("high_accuracy", "returned", "test"): (1, 0.02),
        ("high_accuracy", "returned", "holdout"): (1, 0.02),
        ("best", "any_run", "test"): (3, (0.02 + 0.2 + 0.4) / 3),
        ("best", "returned", "test"): (3, (0.02 + 0.2 + 0.4) / 3),
        ("best", "returned", "holdout"): (1, 0.02),
    }
    for kind, (successes, drop) in expected.items():
        row = rates.xs(kind)
        assert row["successes"] == successes
        assert row["rate"] == successes / 4
        assert row["accuracy_drop"] == pytest.approx(drop, abs=1e-12)
        assert (row["low"], row["high"]) == wilson_interval(successes, 4)


@pytest.mark.parametrize(
    ("accuracy", "tolerance", "counts"),
    [
        (0.87, 0.03, True),  # 0.9 − 0.87 is above 0.03 in floating point
        (0.8699, 0.03, False),
        (0.9, 0.0, True),
        (0.8999, 0.0, False),
        (0.95, 0.0, True),  # better than before
        (0.1, 0.8, True),
    ],
)
def test_a_fall_of_exactly_the_tolerance_counts(accuracy, tolerance, counts):
    rates = by_kind(success_rates(pd.DataFrame([attack([(1, 1, accuracy)])]), tolerance))
    for form in ("any_run", "returned"):
        row = rates.xs(("high_accuracy", form, "test"))
        assert row["successes"] == counts
        assert np.isnan(row["accuracy_drop"]) == (not counts)
        assert rates.loc[("best", form, "test"), "successes"] == 1


def test_the_cheapest_of_the_runs_that_succeed_counts():
    table = pd.DataFrame([attack([(1, 0, 0.5), (1, 0, 0.86), (0, 0, 0.9)], returned=0)])
    rates = by_kind(success_rates(table))
    assert rates.loc[("best", "any_run", "test"), "accuracy_drop"] == pytest.approx(0.04)
    assert rates.loc[("best", "returned", "test"), "accuracy_drop"] == pytest.approx(0.4)
    assert rates.loc[("high_accuracy", "any_run", "test"), "successes"] == 0


def test_attacks_that_were_in_the_top_before_are_left_out():
    won = [(1, 1, 0.9)]
    table = pd.DataFrame(
        [attack(won, k=3, rank_before=3), attack(won, k=3, rank_before=4), attack(won, k=10)]
    )
    rates = success_rates(table)
    assert rates.groupby("k")["attacks"].unique().map(list).to_dict() == {3: [1], 10: [1]}
    table["rank_before"] = 1
    for empty in (success_rates(table), share_rates(table)):
        assert empty.empty
        assert list(empty.columns[: len(CELL)]) == list(CELL)


def test_a_set_needs_as_many_targets_as_fit_into_the_top():
    """t = 4: all of the top 2, and all targets in the top 10."""
    runs = [(2, 1, 0.89), (4, 3, 0.7)]
    table = pd.DataFrame([attack(runs, t=4, k=2, returned=1), attack(runs, t=4, k=10, returned=1)])
    rates = success_rates(table).set_index(["k", *KIND])["successes"]
    assert rates[2, "high_accuracy", "any_run", "test"] == 1
    assert rates[10, "high_accuracy", "any_run", "test"] == 0
    assert rates[10, "best", "any_run", "test"] == 1
    assert rates[10, "best", "returned", "holdout"] == 0
    assert rates[2, "best", "returned", "holdout"] == 1


def test_shares_of_sets_by_hand():
    table = pd.DataFrame(
        [
            # the most targets within the tolerance, and with none
            attack([(1, 0, 0.9), (2, 1, 0.88), (4, 2, 0.4)], t=4, k=8, returned=2),
            attack([(0, 0, 0.9), (3, 3, 0.3), (0, 0, 0.1)], t=4, k=8, returned=1),
        ]
    )
    shares = by_kind(share_rates(table))
    assert set(shares.index) == KINDS
    expected = {  # targets in the top, of both attacks
        ("high_accuracy", "any_run", "test"): 2 + 0,
        ("high_accuracy", "returned", "test"): 0,
        ("high_accuracy", "returned", "holdout"): 0,
        ("best", "any_run", "test"): 4 + 3,
        ("best", "returned", "test"): 4 + 3,
        ("best", "returned", "holdout"): 2 + 3,
    }
    for kind, inside in expected.items():
        row = shares.xs(kind)
        assert row["attacks"] == 2
        assert row["share_of_targets"] == pytest.approx(inside / 2 / 4)
        assert row["share_of_topk"] == pytest.approx(inside / 2 / 8)
        for name in ("share_of_targets", "share_of_topk"):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    row = shares.xs(("best", "any_run", "test"))  # of two values, one is drawn twice half the time
    assert (row["share_of_targets_low"], row["share_of_targets_high"]) == (3 / 4, 1)


def test_the_highest_rate_over_radii_is_the_papers_reading():
    def at(radius: float, k: int, successes: int, accuracy: float) -> list[dict[str, Any]]:
        runs = [[(int(i < successes), 0, accuracy)] for i in range(4)]
        return [attack(one, radius=radius, k=k) for one in runs]

    table = pd.DataFrame(
        [
            *at(0.1, 1, 1, 0.9), *at(0.3, 1, 3, 0.89), *at(0.5, 1, 4, 0.6),
            # equal rates: the cheaper one; equal too: the smaller radius; none: the smallest
            *at(0.1, 3, 2, 0.7), *at(0.3, 3, 2, 0.89), *at(0.5, 3, 2, 0.89),
            *at(0.5, 10, 0, 0.5), *at(0.3, 10, 0, 0.5), *at(0.1, 10, 0, 0.5),
        ]
    )  # fmt: skip
    rates = success_rates(table)
    chosen = highest(rates)
    assert list(chosen.columns) == list(rates.columns)
    assert len(chosen) == 3 * len(KINDS)
    paper = chosen.query("form == 'any_run' and split == 'test'").set_index(["regime", "k"])
    assert paper["radius"].to_dict() == {
        ("high_accuracy", 1): 0.3, ("best", 1): 0.5,
        ("high_accuracy", 3): 0.3, ("best", 3): 0.3,
        ("high_accuracy", 10): 0.1, ("best", 10): 0.1,
    }  # fmt: skip
    assert paper["rate"].to_dict() == {
        ("high_accuracy", 1): 0.75, ("best", 1): 1.0,
        ("high_accuracy", 3): 0.5, ("best", 3): 0.5,
        ("high_accuracy", 10): 0.0, ("best", 10): 0.0,
    }  # fmt: skip


def test_cells_are_those_asked_for():
    table = pd.DataFrame(
        [attack([(i % 2, 0, 0.9)], radius=r, seed=i) for r in (0.1, 0.3) for i in range(3)]
    )
    rates = success_rates(table, by=("radius",))
    assert list(rates.columns) == ["radius", *KIND, *COUNTED]
    assert rates["radius"].unique().tolist() == [0.1, 0.3]
    assert (rates["attacks"] == 3).all()
    assert (success_rates(table)["attacks"] == 3).all()  # seeds are attacks of one cell
    seeds = success_rates(table, by=("seed", "k"))
    assert seeds.groupby("seed")["successes"].max().to_dict() == {0: 0, 1: 2, 2: 0}


def test_the_index_of_a_table_plays_no_part():
    table = pd.DataFrame([attack([(i, 0, 0.9)]) for i in (0, 1)])
    twice = pd.concat([table, table])
    assert (success_rates(twice)["attacks"] == 4).all()
    assert by_kind(success_rates(twice)).loc[("best", "any_run", "test"), "successes"] == 2
    assert list(twice.index) == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tolerance": -0.1}, "tolerance must be a finite number >= 0. Got -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"by": ()}, "by must be a sequence with at least one entry"),
        ({"by": "radius"}, "by must be a sequence"),
        ({"by": ("colour",)}, "table must be what `sweep` returns. Got 'a table without colour'"),
    ],
)
def test_bad_input_is_named(options, words):
    table = pd.DataFrame([attack([(1, 1, 0.9)])])
    for summary in (success_rates, share_rates):
        with pytest.raises(InvalidInput, match=words):
            summary(table, **options)
        with pytest.raises(InvalidInput, match="Got 'an empty table'"):
            summary(table[:0])
        with pytest.raises(InvalidInput, match="a table without accuracy_after, runs_in_top'"):
            summary(table.drop(columns=["accuracy_after", "runs_in_top"]))


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Attacks of 3 runs whose final ranks, the same for every k, are counted at k = 1, 3 and 10;
    the model handed out is one of theirs."""
    ranks = st.integers(1, 12)
    accuracy = st.integers(60, 100).map(lambda percent: percent / 100)
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        runs = draw(st.lists(st.tuples(ranks, ranks, accuracy), min_size=3, max_size=3))
        chosen = min(range(3), key=lambda i: (runs[i][0], i))
        for k in (1, 3, 10):
            counted = [(int(test <= k), int(holdout <= k), a) for test, holdout, a in runs]
            rows.append(attack(counted, returned=chosen, k=k))
    return pd.DataFrame(rows)


def rate(rates: pd.DataFrame, name: str, value: Any) -> np.ndarray:
    """The rates of all cells with that value of one column, in one order of the others."""
    mine = rates[rates[name] == value]
    others = [c for c in ("radius", "k", *KIND) if c != name]
    return mine.sort_values(others)["rate"].to_numpy()


@settings(max_examples=25)
@given(tables(), st.floats(0, 0.4), st.floats(0, 0.4))
def test_what_holds_for_any_table(table, one, other):
    strict, lax = sorted((one, other))
    rates, more = success_rates(table, strict), success_rates(table, lax)
    own = rates[rates["split"] == "test"]
    assert (rate(own, "form", "any_run") >= rate(own, "form", "returned")).all()
    assert (rate(rates, "regime", "best") >= rate(rates, "regime", "high_accuracy")).all()
    assert (more["rate"] >= rates["rate"]).all()
    np.testing.assert_array_equal(rate(more, "regime", "best"), rate(rates, "regime", "best"))
    for narrow, wide in ((1, 3), (3, 10)):
        assert (rate(rates, "k", narrow) <= rate(rates, "k", wide)).all()


def test_what_holds_for_a_sweep():
    dataset, _ = random_problem(7, n=60, d=4)
    table = sweep(
        dataset, targets=10, radii=(0.5, 1.5), ks=(1, 5, 20), restarts=(2,), steps=12,
        device="cpu", jobs=1,
    )  # fmt: skip
    rates = success_rates(table)
    assert (rates["low"] <= rates["rate"]).all() and (rates["rate"] <= rates["high"]).all()
    assert (rates["attacks"] == 10).all()
    own = rates[rates["split"] == "test"]
    assert (rate(own, "form", "any_run") >= rate(own, "form", "returned")).all()
    paper = rates.query("regime == 'best' and form == 'any_run' and split == 'test'")
    for narrow, wide in ((1, 5), (5, 20)):  # who is in the top 1 is in the top 5
        assert (rate(paper, "k", narrow) <= rate(paper, "k", wide)).all()
    assert paper["rate"].max() > 0
    for form, split, column in (
        ("returned", "test", "success"),
        ("any_run", "test", "any_run_success"),
        ("returned", "holdout", "success_holdout"),
    ):
        mine = rates.query(f"regime == 'best' and form == '{form}' and split == '{split}'")
        counted = table.groupby(["radius", "k"])[column].sum()
        assert mine.set_index(["radius", "k"])["successes"].to_dict() == counted.to_dict()
    # of single targets both readings are the rate itself, or it over k
    shares = share_rates(table).set_index(["radius", "k", *KIND])
    flat = rates.set_index(["radius", "k", *KIND])
    np.testing.assert_allclose(shares["share_of_targets"], flat["rate"])
    np.testing.assert_allclose(
        shares["share_of_topk"], flat["rate"] / flat.index.get_level_values("k")
    )


def test_rates_of_reweighing_are_those_counted_row_by_row() -> None:
    rng = np.random.default_rng(3)
    n = 60
    table = pd.DataFrame(
        {
            "target_weight": np.repeat([2.0, 8.0, 32.0], n // 3),
            "rank_before": rng.integers(1, 40, n),
            "rank_test": rng.integers(1, 12, n),
            "rank_holdout": rng.integers(1, 12, n),
            "accuracy_drop": rng.integers(-2, 8, n) / 100,
        }
    )
    rates = reweighing_rates(table, (1, 10), tolerance=0.03)
    assert len(rates) == 3 * 2 * 2 * 2  # weights, ks, regimes and halves
    for row in rates.to_dict("records"):
        limit = 0.03 + 1e-9 if row["regime"] == "high_accuracy" else 1.0
        drops, attacks = [], 0
        for one in table.to_dict("records"):
            if one["target_weight"] != row["target_weight"] or one["rank_before"] <= row["k"]:
                continue
            attacks += 1
            if one[f"rank_{row['split']}"] <= row["k"] and one["accuracy_drop"] <= limit:
                drops.append(one["accuracy_drop"])
        assert (row["attacks"], row["successes"]) == (attacks, len(drops))
        assert row["rate"] == pytest.approx(len(drops) / attacks, abs=1e-12)
        assert (row["low"], row["high"]) == wilson_interval(len(drops), attacks)
        mean = sum(drops) / len(drops) if drops else np.nan
        assert row["accuracy_drop"] == pytest.approx(mean, abs=1e-12, nan_ok=True)
    assert rates["accuracy_drop"].isna().any()  # a cell in which nothing succeeds
