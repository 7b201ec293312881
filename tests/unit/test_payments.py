"""Payments by hand and by their properties, and vendors that cannot be."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.market.payments import payments
from engine.market.vendors import (
    Vendors,
    make_vendors,
    numbered,
    vendor_columns,
    vendors_at_random,
    vendors_by_class,
    vendors_by_cluster,
    vendors_by_column,
    vendors_of_sets,
)
from engine.vocabulary import PAY_RULES
from tests.support.problems import random_problem
from tests.support.vendors import vendor_share

SCORES = [3.0, -1.0, 1.0, -4.0, 0.0, 2.0]
TWO = Vendors(("Ada", "Ben"), np.array([0, 0, 1, 1, 0, 1]))


@pytest.mark.parametrize(
    ("rule", "k", "order", "expected"),
    [
        # worth above zero: Ada 3, Ben 1 + 2
        ("positive", 1, "highest_first", [60.0, 60.0]),
        # turned round: Ada 1, Ben 4
        ("positive", 1, "lowest_first", [24.0, 96.0]),
        # the first three are samples 0 (Ada's), 5 and 2 (Ben's)
        ("top_k", 3, "highest_first", [40.0, 80.0]),
        # 6 for sample 0, 5 for 5, 4 for 2, 3 for 4, 2 for 1, 1 for 3: Ada 11, Ben 10, of 21
        ("rank", 1, "highest_first", [120 * 11 / 21, 120 * 10 / 21]),
        # together Ada's are worth 2, Ben's −1
        ("net", 1, "highest_first", [120.0, 0.0]),
        ("net", 1, "lowest_first", [0.0, 120.0]),
    ],
)
def test_payments_are_those_computed_by_hand(rule, k, order, expected):
    paid = engine.payments(SCORES, TWO, rule, 120, k=k, order=order)
    np.testing.assert_allclose(paid.money, expected, rtol=1e-15)
    assert paid.names == ("Ada", "Ben")
    assert paid.samples.tolist() == [3, 3]


def test_concentration_is_that_of_known_cases():
    """Of four vendors: all alike, one alone, and shares 0.1, 0.2, 0.3, 0.4, for which Gini is
    (1·0.1·(−3) + 0.2·(−1) + 0.3·1 + 0.4·3) / 4 = 0.25."""
    four = Vendors(numbered(4), np.arange(4))
    alike = payments(np.ones(4), four)
    assert (alike.herfindahl, alike.gini) == (0.25, 0.0)
    alone = payments([0, 0, 5, -1], four)
    assert (alone.herfindahl, alone.gini) == (1.0, 0.75)
    mixed = payments([3, 1, 4, 2], four)
    assert mixed.herfindahl == pytest.approx(0.3)
    assert mixed.gini == pytest.approx(0.25)


def test_samples_that_tie_for_the_last_places_share_them():
    each = Vendors(numbered(4), np.arange(4))
    assert payments([2, 1, 1, 0], each, "top_k", k=2).money.tolist() == [0.5, 0.25, 0.25, 0]
    assert payments([1, 1, 0, 0], each, "rank").money.tolist() == [0.35, 0.35, 0.15, 0.15]


def test_a_worth_that_alone_is_positive_is_paid_however_small():
    """Beside sizes that leave nothing of it in a quotient; and the largest add up."""
    each = Vendors(numbered(3), np.arange(3))
    for rule in ("positive", "net"):
        for tiny in (5e-210, 5e-324):
            assert payments([tiny, -2e114, 0.0], each, rule).money.tolist() == [1, 0, 0]
        assert payments([1.5e308, 1.5e308, 0.0], each, rule).money.tolist() == [0.5, 0.5, 0]


CASES = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-1e200, 1e200), min_size=n, max_size=n),
        st.integers(1, n),
        st.integers(1, n),
        st.floats(1e-6, 1e12),
        st.integers(0, 2**32 - 1),
        st.sampled_from(sorted(PAY_RULES)),
        st.sampled_from(["highest_first", "lowest_first"]),
    )
)


@given(CASES)
@settings(max_examples=150, derandomize=True)
def test_money_adds_up_is_not_negative_and_follows_the_samples(case):
    """Whoever numbers the samples otherwise pays every vendor the same."""
    scores, count, k, budget, seed, rule, order = case
    vendors = vendors_at_random(len(scores), count, seed)
    worth = np.asarray(scores) * (1 if order == "highest_first" else -1)
    if rule == "positive" and worth.max() <= 0:
        with pytest.raises(InvalidInput, match="pays somebody"):
            payments(scores, vendors, rule, budget, k=k, order=order)
        return
    if rule == "net" and not any(sum(worth[vendors.samples(v)]) > 0 for v in range(count)):
        return  # refused, unless rounding makes a sum positive
    paid = payments(scores, vendors, rule, budget, k=k, order=order)
    assert paid.money.sum() == pytest.approx(budget, rel=1e-12)
    assert (paid.money >= 0).all()
    assert 1 / count - 1e-12 <= paid.herfindahl <= 1 + 1e-12
    assert -1e-12 <= paid.gini <= 1 - 1 / count + 1e-12
    turned = np.random.default_rng(seed).permutation(len(scores))
    again = payments(
        np.asarray(scores)[turned],
        Vendors(vendors.names, vendors.owner[turned]),
        rule,
        budget,
        k=k,
        order=order,
    )
    # sums in another order round otherwise; `net` may lose all digits where samples cancel
    slack = 1e-9 if rule != "net" else 1e-3
    if rule != "net" or paid.money.min() > 1e-3 * budget:
        np.testing.assert_allclose(again.money, paid.money, rtol=slack, atol=slack * budget)


def test_names_of_vendors_do_not_matter_to_rules_that_pay_samples():
    """Splitting brings nothing, but under `net` it does: bad samples go to another name."""
    split = TWO.split(0, [[1]])
    assert split.names == ("Ada", "Ben", "Ada, name 2")
    for rule in ("positive", "top_k", "rank"):
        before = vendor_share(SCORES, TWO, 0, rule, k=2)
        after = payments(SCORES, split, rule, k=2).shares[[0, 2]].sum()
        assert after == pytest.approx(before, rel=1e-15)
    again = Vendors(("Ada", "Ben"), np.array([0, 0, 1, 1, 0, 0]))
    whole = payments([3, -2, 1, 0, 0, 0], again, "net").shares
    np.testing.assert_allclose(whole, [0.5, 0.5], rtol=1e-15)
    parted = payments([3, -2, 1, 0, 0, 0], again.split(0, [[1]]), "net").shares
    np.testing.assert_allclose(parted, [0.75, 0.25, 0.0], rtol=1e-15)


def test_vendors_come_from_classes_chance_clusters_and_columns():
    dataset, _ = random_problem(4, n=30, d=3)
    assert vendors_by_class(dataset).owner.tolist() == dataset.y_train.tolist()
    drawn = vendors_at_random(30, 4, seed=1)
    assert sorted(drawn.counts.tolist()) == [7, 7, 8, 8]
    assert drawn.owner.tolist() == vendors_at_random(30, 4, seed=1).owner.tolist()
    assert drawn.owner.tolist() != vendors_at_random(30, 4, seed=2).owner.tolist()
    shops = vendors_by_column(["west", "east", "west"])
    assert shops.names == ("east", "west") and shops.owner.tolist() == [1, 0, 1]
    named = replace(dataset, X_train=np.round(dataset.X_train), feature_names=("a", "b", "c"))
    found = make_vendors(named, "column", column="b")
    values, owner = np.unique(named.X_train[:, 1], return_inverse=True)
    assert len(found) == len(values) and (found.owner == owner).all()
    for scheme in ("random", "class", "cluster"):
        assert make_vendors(dataset, scheme, 3).n_samples == 30


@pytest.mark.parametrize("shops", [("west", "east"), ("west", "east", "north = up")])
def test_a_column_of_texts_in_ones_own_table_names_the_vendors(tmp_path, shops):
    """Whichever rows are drawn for training; the columns are 0/1 features by then."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "label": np.arange(90) % 2,
            "size": rng.normal(size=90),
            "shop": rng.choice(shops, 90),
            "boxes": np.arange(90) % 4,
        }
    )
    table["size"] += 100 * table["shop"].map({name: i for i, name in enumerate(shops)})
    table.to_csv(tmp_path / "fruit.csv", index=False)
    dataset = load_dataset(tmp_path / "fruit.csv")
    assert vendor_columns(dataset) == ["shop", "boxes"]
    found = make_vendors(dataset, "column", column="shop")
    assert len(found) == len(shops)
    # The size says which shop it was: apart by a hundred.
    assert dataset.feature_names is not None
    order = np.argsort(dataset.X_train[:, dataset.feature_names.index("size")])
    assert np.count_nonzero(np.diff(found.owner[order])) == len(shops) - 1
    for place, shop in ((0, shops[0]), (-1, shops[-1])):
        # Of two values the first in the alphabet is the other one's absence.
        expected = "not west" if shop == "east" and len(shops) == 2 else shop
        assert found.names[found.owner[order[place]]] == expected
    boxes = make_vendors(dataset, "column", column="boxes")
    assert boxes.names == tuple(f"value {i} of 4" for i in (1, 2, 3, 4))
    with pytest.raises(InvalidInput, match="column must be one of 'shop', 'size'"):
        make_vendors(dataset, "column", column="owner")
    with pytest.raises(InvalidInput, match="at most 50 values"):
        make_vendors(dataset, "column", column="size")


def test_clusters_are_those_that_lie_apart():
    dataset, _ = random_problem(4, n=30, d=3)
    X = dataset.X_train.copy()
    X[:10] += 100
    found = vendors_by_cluster(replace(dataset, X_train=X), 2)
    assert len(set(found.owner[:10])) == 1
    assert set(found.owner[:10]).isdisjoint(found.owner[10:])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Vendors(("a", "b"), np.array([0, 0])), "own at least one sample"),
        (lambda: Vendors(("a", "a"), np.array([0, 1])), "distinct names"),
        (lambda: Vendors(("a",), np.array([0, 1])), r"numbers of vendors in \[0, 0\]"),
        (lambda: Vendors(("a",), np.array([-1, 0])), "numbers of vendors"),
        (lambda: Vendors(("a",), np.array([0.5])), "whole number for each sample"),
        (lambda: vendors_of_sets({"a": [0], "b": []}, 1), "own at least one sample"),
        (lambda: vendors_of_sets({"a": [0, 1], "b": [1]}, 2), "do not overlap"),
        (lambda: vendors_of_sets({"a": [0]}, 2), "hold every training sample"),
        (lambda: vendors_of_sets({"a": [5]}, 2), r"in \[0, 1\]"),
        (lambda: vendors_at_random(3, 4), r"in \[1, 3\]"),
        (lambda: vendors_by_column([1.0, float("nan")]), "without missing values"),
        (lambda: vendors_by_column(np.arange(60)), "at most 50 values"),
        (lambda: TWO.split(0, [[2]]), "samples that the vendor owns"),
        (lambda: TWO.split(0, [[0], [0]]), "apart"),
        (lambda: payments(SCORES[:5], TWO), "6 finite numbers"),
        (lambda: payments([float("nan")] * 6, TWO), "6 finite numbers"),
        (lambda: payments(SCORES, TWO, "most"), "one of 'positive'"),
        (lambda: payments(SCORES, TWO, budget=0), "finite number > 0"),
        (lambda: payments(SCORES, TWO, "top_k", k=7), r"in \[1, 6\]"),
        (lambda: payments([-1.0] * 6, TWO), "pays somebody"),
        (lambda: payments([0.0] * 6, TWO, "net"), "pays somebody"),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
