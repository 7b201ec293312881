"""The market's experiments on small data, tricks of vendors and valuators, and wrong labels against
scikit-learn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_score, recall_score

from engine.data.dataset import SPLITS, Dataset
from engine.data.load import load_dataset
from engine.errors import InvalidDataset, InvalidInput
from engine.experiments import CleaningRequest, Context, PaymentsRequest, experiment, values_of
from engine.experiments.cleaning import DETECTORS, MODELS, run_cleaning
from engine.experiments.payments import ATTACKERS, MOVING, Favoured, Repetition, run_payments
from engine.influence.scores import influence_scores
from engine.market.cleaning import finding, flip_labels, known_labels, label_columns
from engine.market.tricks import best_of, copies, halves, misread, names_of, outliers
from engine.market.vendors import Vendors, vendors_at_random
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.attributions import knn_shapley
from engine.scrutiny.queries import influence_matrix
from engine.vocabulary import PAY, PAY_RULES
from tests.support.command import run_here
from tests.support.problems import random_problem
from tests.support.vendors import vendor_share

FEW: dict[str, Any] = {"steps": 4, "learning_rates": (0.1,), "draws": 2}


@pytest.fixture(scope="module")
def small() -> Dataset:
    return random_problem(5, n=48, d=4)[0]


# Tricks


def test_copies_are_the_best_samples_and_come_last(small):
    vendors, worth = vendors_at_random(48, 4), np.arange(48.0)
    more, owners = copies(small, vendors, 2, worth, 3)
    chosen = best_of(vendors, 2, worth, 3)
    assert chosen.tolist() == sorted(vendors.samples(2).tolist(), reverse=True)[:3]
    np.testing.assert_array_equal(more.X_train[48:], small.X_train[chosen])
    np.testing.assert_array_equal(more.y_train[48:], small.y_train[chosen])
    assert owners.owner[48:].tolist() == [2, 2, 2]
    assert (owners.counts - vendors.counts).tolist() == [0, 0, 3, 0]


def test_copies_bring_money_by_influence_and_by_nearest_neighbours(small):
    """The direction that is known for Shapley values: whoever copies good samples gains."""
    vendors, model = vendors_at_random(48, 4), fit(small)
    scores = influence_scores(model, small).scores
    near = -knn_shapley(small.X_train, small.y_train, small.X_test, small.y_test)
    for method, worth in (("influence", -scores), ("knn", -near)):
        gains = []
        for vendor in range(4):
            more, owners = copies(small, vendors, vendor, worth, 6)
            after = (
                influence_scores(fit(more), more).scores
                if method == "influence"
                else -knn_shapley(more.X_train, more.y_train, more.X_test, more.y_test)
            )
            before = vendor_share(-worth, vendors, vendor, order="lowest_first")
            gains.append(vendor_share(after, owners, vendor, order="lowest_first") - before)
        assert np.mean(gains) > 0, method


def test_outliers_keep_their_label_and_the_model_takes_them_for_another_class(small):
    """By the smallest change: nine tenths of it would not do."""
    model, vendors = fit(small), vendors_at_random(48, 4)
    right = np.flatnonzero(model.predict(small.X_train) == small.y_train)
    X, y = small.X_train[right], small.y_train[right]
    moved = misread(model, X, y)
    assert (model.predict(moved) != y).all()
    nearly = X + 0.9 / 1.1 * (moved - X)
    logits = nearly @ model.weight.T + model.bias
    rival = (X @ model.weight.T + model.bias).copy()
    rival[np.arange(len(y)), y] = -np.inf
    rows = np.arange(len(y))
    assert (logits[rows, y] > logits[rows, rival.argmax(1)]).all()
    wrong = np.flatnonzero(model.predict(small.X_train) != small.y_train)
    same = misread(model, small.X_train[wrong], small.y_train[wrong])
    np.testing.assert_array_equal(same, small.X_train[wrong].astype(np.float64))
    more, owners = outliers(small, vendors, 1, model, 5, seed=3)
    assert more.n_train == 53 and owners.owner[48:].tolist() == [1] * 5
    assert (model.predict(more.X_train[48:]) != more.y_train[48:]).all()


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, LinearModel, NDArray[np.floating]]:
    """With its honest model, and the worth of every sample, high where it lowers the test loss."""
    dataset = load_dataset("digits")
    model = fit(dataset, device="cpu")
    return dataset, model, -influence_scores(model, dataset, device="cpu").scores


def test_outliers_do_what_their_source_reports_by_its_own_measure(digits):
    """In place of the delivery, counting the vendor's among the ten best samples of each test
    point, as the Outlier Attack's authors do: its share rises at least threefold."""
    dataset, model, _ = digits
    own = vendors_at_random(dataset.n_train, 10, 0).samples(0)
    X = dataset.X_train.astype(np.float64)
    X[own] = misread(model, X[own], dataset.y_train[own])
    replaced = replace(dataset, X_train=X.astype(np.float32), images=None)
    shares = []
    for data, trained in ((dataset, model), (replaced, fit(replaced, device="cpu"))):
        X_test, y_test = data.split("test")
        worth = -influence_matrix(trained, data, X_test, y_test, tolerance=1e-4, device="cpu")
        best = np.argsort(-worth, axis=0, kind="stable")[:10]
        shares.append(np.isin(best, own).mean())
    assert 0.05 < shares[0] < 0.2, "a tenth of the samples"
    assert shares[1] > 3 * shares[0]


def test_outliers_bring_money_but_where_those_of_negative_worth_count(digits):
    """What the page says of the rules, for money and with the outliers on top of the delivery."""
    dataset, model, worth = digits
    gains: dict[str, list[float]] = {rule: [] for rule in ("positive", "rank", "net")}
    for seed in range(3):
        vendors = vendors_at_random(dataset.n_train, 10, seed)
        more, owners = outliers(dataset, vendors, 0, model, 60, seed)
        after = -influence_scores(fit(more, device="cpu"), more, device="cpu").scores
        assert after[dataset.n_train :].sum() < 0
        for rule, found in gains.items():
            found.append(
                vendor_share(after, owners, 0, rule) - vendor_share(worth, vendors, 0, rule)
            )
    assert min(gains["positive"]) > 0 and min(gains["rank"]) > 0
    assert max(gains["net"]) < 0


def test_a_copied_sample_is_worth_less_than_it_was_alone(digits):
    """Why copies may bring nothing where only the top k are paid."""
    dataset, _, worth = digits
    vendors = vendors_at_random(dataset.n_train, 10, 0)
    more, _ = copies(dataset, vendors, 0, worth, 60)
    after = -influence_scores(fit(more, device="cpu"), more, device="cpu").scores
    alone = worth[best_of(vendors, 0, worth, 60)]
    twice = after[dataset.n_train :]
    assert (twice < alone).mean() > 0.8
    assert twice.mean() < 0.9 * alone.mean() < 2 * twice.mean(), "but both together are worth more"


def test_harmful_samples_go_to_other_names():
    vendors = Vendors(("a", "b"), np.array([0, 0, 0, 0, 1]))
    worth = np.array([3.0, -1.0, 2.0, -5.0, -1.0])
    assert names_of(vendors, 0, worth, 2).owner.tolist() == [0, 2, 0, 2, 1]
    assert names_of(vendors, 0, worth, 3).owner.tolist() == [0, 2, 0, 3, 1]
    for vendor, names in ((0, 4), (1, 2)):  # too few, and nothing left under its own name
        with pytest.raises(InvalidInput, match="names"):
            names_of(vendors, vendor, worth, names)


def test_more_tries_begin_with_the_fewer():
    first, more = (list(halves(11, tries, 4)) for tries in (3, 8))
    for one, other in zip(first, more, strict=False):
        np.testing.assert_array_equal(one, other)
    assert all(len(np.unique(half)) == 5 for half in more)


def test_more_copies_than_samples_are_refused(small):
    vendors = vendors_at_random(48, 4)
    for count in (0, 13):
        with pytest.raises(InvalidInput, match=r"count must be a whole number in \[1, 12\]"):
            copies(small, vendors, 0, np.zeros(48), count)


# Wrong labels


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(-3, 3), min_size=n, max_size=n),
            st.sets(st.integers(0, n - 1), min_size=1),
        )
    )
)
@settings(max_examples=25, derandomize=True, deadline=None)
def test_precision_and_recall_are_those_of_scikit_learn(case):
    """Of scores many of which tie."""
    scores, wrong = np.asarray(case[0], float), np.asarray(sorted(case[1]))
    is_wrong = np.isin(np.arange(len(scores)), wrong)
    found = finding(scores, wrong)
    expected = average_precision_score(is_wrong, scores)
    assert found.average_precision == pytest.approx(expected, abs=1e-12)
    order = np.argsort(-scores, kind="stable")
    for inspected in {1, (len(scores) + 1) // 2, len(scores)}:
        flagged = np.isin(np.arange(len(scores)), order[:inspected])
        precision, recall = found.after(inspected)
        assert precision == pytest.approx(precision_score(is_wrong, flagged))
        assert recall == pytest.approx(recall_score(is_wrong, flagged))


def test_flips_change_so_many_labels_and_nothing_else(small):
    noisy, wrong = flip_labels(small, 9, seed=2)
    assert np.flatnonzero(noisy.y_train != small.y_train).tolist() == wrong.tolist()
    assert len(wrong) == 9
    assert noisy.X_train is small.X_train and noisy.y_test is small.y_test
    assert flip_labels(small, 9, seed=2)[1].tolist() == wrong.tolist()
    assert flip_labels(small, 9, seed=3)[1].tolist() != wrong.tolist()


def test_flips_and_findings_that_cannot_be_are_refused(small):
    with pytest.raises(InvalidInput, match="at most 48: there are no more training samples"):
        flip_labels(small, 49)
    with pytest.raises(InvalidInput, match=r"in \[1, 48\]"):
        flip_labels(small, 0)
    with pytest.raises(InvalidInput, match="no more labels can be flipped"):
        CleaningRequest(flipped=101)
    with pytest.raises(InvalidInput, match="at least one sample"):
        finding([1.0, 2.0], [])
    with pytest.raises(InvalidInput, match="finite"):
        finding([1.0, float("nan")], [0])
    one = replace(small, y_train=np.where(np.arange(48) == 0, 0, small.y_train.clip(1)))
    draws = (np.random.default_rng(s).choice(48, 1, replace=False)[0] for s in range(1000))
    seed = next(s for s, chosen in enumerate(draws) if chosen == 0)
    with pytest.raises(InvalidDataset, match="No training sample has class 0"):
        flip_labels(one, 1, seed)


def noisy_table(path: Path, numbers: bool = False, classes: int = 3) -> tuple[Path, pd.DataFrame]:
    """A table whose label differs from the column `truth` in every eleventh row."""
    rng = np.random.default_rng(4)
    truth = np.arange(120) % classes
    given = np.where(np.arange(120) % 11 == 0, (truth + 1) % classes, truth)
    names = np.arange(classes) if numbers else np.array(["ant", "bee", "cat"])[:classes]
    columns = {"label": names[given], "truth": names[truth], "shop": ["a", "b", "c", "d"] * 30}
    sizes = {f"size {i}": rng.normal(size=120) + (truth == i) for i in range(classes)}
    table = pd.DataFrame(columns | sizes)
    table.to_csv(path, index=False)
    return path, table


@pytest.mark.parametrize("numbers", [False, True], ids=["texts", "numbers"])
@pytest.mark.parametrize("classes", [2, 3])
def test_right_labels_come_from_a_column_of_ones_own_table(tmp_path, numbers, classes):
    """Every row has a size of its own, by which it is found again."""
    path, table = noisy_table(tmp_path / "noisy.csv", numbers, classes)
    dataset = load_dataset(path)
    assert label_columns(dataset) == ["truth"]
    noisy, wrong = known_labels(dataset, "truth")
    assert noisy.feature_names is not None
    assert not any(name.startswith("truth") for name in noisy.feature_names)
    np.testing.assert_array_equal(noisy.y_train, dataset.y_train)
    order = np.argsort(table["size 0"].to_numpy())
    place = noisy.feature_names.index("size 0")
    sizes = np.concatenate([noisy.split(s)[0][:, place] for s in SPLITS])
    rows = np.empty(120, np.int64)
    rows[np.argsort(sizes)] = order  # standardised: the order stays
    right = np.unique(table["truth"], return_inverse=True)[1][rows]
    given = np.unique(table["label"], return_inverse=True)[1][rows]
    n = noisy.n_train
    np.testing.assert_array_equal(noisy.y_train, given[:n])
    assert wrong.tolist() == np.flatnonzero(given[:n] != right[:n]).tolist() != []
    tests = np.concatenate([noisy.y_test, noisy.y_holdout])
    np.testing.assert_array_equal(tests, right[n:])


def test_columns_that_are_no_right_labels_are_refused(tmp_path):
    path, table = noisy_table(tmp_path / "noisy.csv")
    dataset = load_dataset(path)
    for column in ("shop", "size 1"):
        with pytest.raises(InvalidInput, match="a column whose values are the classes"):
            known_labels(dataset, column)
    with pytest.raises(InvalidInput, match="truth must be one of 'truth', 'shop'"):
        known_labels(dataset, "right")
    table["truth"] = table["label"]
    table.to_csv(path, index=False)
    with pytest.raises(InvalidInput, match="none is wrong"):
        known_labels(load_dataset(path), "truth")
    table[["label", "truth"]].to_csv(path, index=False)
    table.loc[::11, "truth"] = "ant"
    table[["label", "truth"]].to_csv(path, index=False)
    with pytest.raises(InvalidInput, match="the model needs features"):
        known_labels(load_dataset(path), "truth")


def test_cleaning_finds_real_noise(tmp_path: Path):
    """Against scikit-learn, and the same on the command line."""
    path, _ = noisy_table(tmp_path / "noisy.csv")
    dataset = load_dataset(path)
    request = CleaningRequest(str(path), truth="truth", vendors=2, **FEW)
    assert "truth" not in values_of(CleaningRequest()), "earlier results keep their keys"
    result = run_cleaning(request, dataset, Context())
    noisy, wrong = known_labels(dataset, "truth")
    assert (result.n, result.wrong) == (noisy.n_train, len(wrong))
    model = fit(noisy)
    is_wrong = np.isin(np.arange(noisy.n_train), wrong)
    expected = average_precision_score(is_wrong, influence_scores(model, noisy).scores)
    for draw in (0, 1):
        row = value(result.table, draw=draw, model="honest", detector="influence")
        assert row["average_precision"] == pytest.approx(expected, rel=1e-4)
        assert row["accuracy"] == pytest.approx(model.accuracy(*noisy.split("holdout")))
    options = ("--vendors", "2", "--draws", "2", "--steps", "4", "--learning-rates", "0.1")
    asked = ("cleaning", "--dataset", str(path), "--truth", "truth", *options)
    done = run_here(asked, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert f"{len(wrong)} of {noisy.n_train} labels are wrong" in done.stdout
    done = run_here(("cleaning", "--dataset", str(path), "--truth", "shop"), tmp_path / "cache")
    assert done.returncode != 0 and "a column whose values are the classes" in done.stderr


# Experiments


def value(table: pd.DataFrame, **named: object) -> dict[str, float]:
    """The one row of a table with these values."""
    rows = [
        {str(name): cell for name, cell in row.items()}
        for row in table.to_dict("records")
        if all(row[name] == wanted for name, wanted in named.items())
    ]
    assert len(rows) == 1
    return rows[0]


def test_payments_of_a_small_market(small, tmp_path: Path):
    """What the table says is what its parts give; what is stored is what was computed."""
    request = PaymentsRequest(
        count=4, k=6, bought=(2, 4), names=(2,), tried=(2, 5), dtype="float64", **FEW
    )
    result = run_payments(request, small, Context())
    table = result.table
    assert set(table["attack"]) <= set(ATTACKERS)
    assert set(PAY) | {"copies", "outliers", "test", "damping"} <= set(table["attack"])
    assert table.groupby(["draw", "attack", "budget", "score"]).size().eq(len(PAY_RULES)).all()
    first = table[(table["draw"] == 0) & (table["score"] == "influence")]
    model = fit(small)
    honest = influence_scores(model, small, dtype="float64").scores
    np.testing.assert_allclose(result.test["honest"], honest, rtol=1e-5)
    own = vendors_at_random(48, 4, 0)
    for rule in ("positive", "top_k", "rank"):
        before = vendor_share(honest, own, 0, rule, k=6, order="lowest_first")
        rows = first[first["rule"] == rule]
        np.testing.assert_allclose(rows["before"], before, rtol=1e-5)
        for name in PAY:
            after = vendor_share(result.test[name], own, 0, rule, k=6, order="lowest_first")
            assert value(rows, attack=name)["after"] == pytest.approx(after)
            assert result.paid(name, rule, 100).money[0] == pytest.approx(100 * after)
        split = rows[rows["attack"] == "split"]
        np.testing.assert_allclose(split["after"], split["before"], rtol=1e-12)
        tried = rows[rows["attack"] == "test"].sort_values("budget")["after"].to_numpy()
        assert (np.diff(tried) >= 0).all() and tried[0] >= before - 1e-9
    for name in PAY:
        pairs = result.against_moving(name)
        assert len(pairs) == 2
        own_rows = table[(table["rule"] == PAY[name]) & table["attack"].isin(MOVING)]
        best = own_rows.groupby("draw")["after"].max()
        np.testing.assert_array_equal(pairs["moving"], best.reindex(pairs["draw"]))
    gain = value(result.summary("positive"), attack="copies", budget=4.0)["gain"]
    copied = table.query("attack == 'copies' and budget == 4 and score == 'influence'")
    copied = copied[copied["rule"] == "positive"]
    expected = (copied["after"] - copied["before"]).mean()
    assert gain == pytest.approx(expected)
    kind = experiment("payments")
    kind.save(result, tmp_path)
    again = kind.load(tmp_path)
    pd.testing.assert_frame_equal(again.table, table)
    for scheme, vendors in result.schemes.items():
        assert again.schemes[scheme].names == vendors.names
        np.testing.assert_array_equal(again.schemes[scheme].owner, vendors.owner)
    np.testing.assert_array_equal(again.holdout["pay"], result.holdout["pay"])
    assert (again.accuracy, again.k, again.order) == (result.accuracy, 6, "lowest_first")
    assert "at least as much" in kind.describe(again)


def test_a_rule_that_pays_nobody_is_said_to_and_left_out_of_the_means(small):
    """The command line prints what `describe` says."""
    request = PaymentsRequest(count=4, k=6, bought=(2,), names=(2,), tried=(2,), **FEW)
    result = run_payments(request, small, Context())
    assert result.unpaid("positive") == 0
    assert "pays nobody" not in experiment("payments").describe(result)
    table = result.table.copy()
    rows = (table["rule"] == "positive") & (table["draw"] == 1)
    table.loc[rows, "after"] = np.nan
    some = replace(result, table=table)
    assert some.unpaid("positive") == rows.sum() > 0
    assert some.summary("positive")["draws"].eq(1).all()
    assert some.against_moving("pay")["draw"].tolist() == [0]
    said = experiment("payments").describe(some)
    total = (table["rule"] == "positive").sum()
    assert f"Rule 'positive' pays nobody in {rows.sum()} of {total} cases" in said
    assert "The rules 'rank' and 'top_k' always pay" in said
    table.loc[table["rule"] == "positive", ["before", "after"]] = np.nan
    none = replace(result, table=table)
    assert none.summary("positive").empty and none.against_moving("pay").empty
    said = experiment("payments").describe(none)
    assert f"pays nobody in {total} of {total} cases" in said
    assert "nan" not in said and "objective 'pay_rank'" in said


def test_scores_of_one_sign_pay_nobody_by_score_and_the_experiment_says_so(small):
    """A model whose every sample pulls the test loss up has no positive worth to pay for."""
    request = PaymentsRequest(count=4, k=6, bought=(2,), names=(2,), tried=(2,), **FEW)
    honest = Favoured(request, Repetition(0, vendors_at_random(48, 4), 0, 0)).shares(np.ones(48))
    assert np.isnan(honest["positive"]) and np.isnan(honest["net"])
    assert honest["rank"] == pytest.approx(0.25) and honest["top_k"] == pytest.approx(0.25)


def test_other_schemes_favour_the_next_vendor(small):
    request = PaymentsRequest(
        vendors="class", vendor=1, k=6, bought=(1,), names=(2,), tried=(1,), **FEW
    )
    result = run_payments(request, small, Context())
    assert result.vendors.names == small.class_names
    rows = result.table.query("attack == 'copies' and rule == 'rank' and score == 'influence'")
    worth = result.test["honest"]
    for draw, vendor in ((0, 1), (1, 2)):
        share = vendor_share(worth, result.vendors, vendor, "rank", order="lowest_first")
        assert value(rows, draw=draw)["before"] == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"vendor": 4}, r"vendor must be a whole number in \[0, 3\]"),
        ({"bought": (13,)}, r"bought must be a whole number in \[1, 12\]"),
        ({"k": 49}, r"k must be a whole number in \[1, 48\]"),
        ({"vendors": "column", "column": "age"}, "column must be one of"),
        ({"count": 49}, "count"),
    ],
)
def test_a_market_that_cannot_be_is_refused_before_it_computes(small, asked, said):
    request = PaymentsRequest(**{"count": 4, "bought": (1,)} | asked)
    with pytest.raises(InvalidInput, match=said):
        run_payments(request, small, Context())


def test_cleaning_of_small_data(small, tmp_path: Path):
    request = CleaningRequest(flipped=15, vendors=2, **FEW)
    result = run_cleaning(request, small, Context())
    assert (result.n, result.wrong) == (48, 7)
    table = result.table
    assert set(table["model"]) == set(MODELS) and set(table["detector"]) == set(DETECTORS)
    noisy, wrong = flip_labels(small, 7, 0)
    scores = influence_scores(fit(noisy), noisy).scores
    row = value(table, draw=0, model="honest", detector="influence")
    is_wrong = np.isin(np.arange(48), wrong)
    assert row["average_precision"] == pytest.approx(average_precision_score(is_wrong, scores))
    assert row["recall"] == pytest.approx(is_wrong[np.argsort(-scores)[:7]].mean())
    hidden, shown = (
        value(table, draw=0, model=model, detector="influence")["hidden_rank"]
        for model in ("hide", "honest")
    )
    assert hidden > shown
    part = table.query("model == 'hide' and detector == 'loss'")["average_precision"]
    mean = value(result.summary(), model="hide", detector="loss")["average_precision"]
    assert mean == pytest.approx(part.mean())
    kind = experiment("cleaning")
    kind.save(result, tmp_path)
    again = kind.load(tmp_path)
    pd.testing.assert_frame_equal(again.table, table)
    pd.testing.assert_frame_equal(again.curves, result.curves)
    assert "7 of 48 labels are wrong" in kind.describe(again)
