"""The experiments that judge attributions: computed, kept, read again, and worked out anew."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from engine.errors import Cancelled, InvalidInput
from engine.experiments import (
    Context,
    LdsRequest,
    ScoreMatrixRequest,
    SelectionRequest,
    experiment,
    make_request,
    values_of,
)
from engine.experiments.lds import MATCHING
from engine.models.fit import fit
from engine.scrutiny.attributions import attribution
from engine.scrutiny.datamodelling import draw_halves
from engine.statistics import wilson_interval
from engine.vocabulary import MODEL_FREE, SCORES
from tests.support.problems import random_problem

DATASET, _ = random_problem(41, n=60)
REQUESTS: dict[str, Any] = {
    "lds": LdsRequest("any", target=7, radius=0.5, subsets=12),
    "selection": SelectionRequest("any", target=7, radius=0.5, shares=(0.05, 0.5, 0.9), draws=2),
    "score-matrix": ScoreMatrixRequest("any", n_targets=3, k=5, radius=0.8, steps=15),
}


@pytest.fixture(scope="module")
def results():
    return {
        name: experiment(name).run(request, DATASET, Context(device="cpu"))
        for name, request in REQUESTS.items()
    }


@pytest.mark.parametrize("name", list(REQUESTS))
def test_what_is_kept_is_read_again(results, tmp_path, name):
    entry, result = experiment(name), results[name]
    entry.save(result, tmp_path)
    again = entry.load(tmp_path)
    for item in dataclasses.fields(result):
        was, is_ = getattr(result, item.name), getattr(again, item.name)
        if isinstance(was, pd.DataFrame):
            pd.testing.assert_frame_equal(was, is_)
        else:
            np.testing.assert_array_equal(was, is_)
    assert entry.describe(again) == entry.describe(result)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_it_can_be_stopped(name):
    def stop(progress):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        experiment(name).run(REQUESTS[name], DATASET, Context(device="cpu", progress=stop))


def test_lds_is_the_correlation_of_sums_with_losses(results):
    result = results["lds"]
    halves = draw_halves(60, 12, seed=0)
    scores = attribution("kfac", fit(DATASET, device="cpu"), DATASET, device="cpu").scores
    sums = [scores[half].sum() for half in halves]
    found = result.row("kfac", "honest")
    assert found["lds"] == pytest.approx(spearmanr(sums, result.outcomes).statistic)
    np.testing.assert_allclose(result.sums[result.place("kfac", "honest")], sums, rtol=1e-5)
    pairs = result.outcomes.reshape(-1, 2)
    odd = ((pairs - pairs[:, ::-1]) / 2).ravel()
    assert result.ceiling == pytest.approx(spearmanr(odd, result.outcomes).statistic)
    assert result.rerun_difference < 1e-7
    assert set(result.table["attribution"]) == {*SCORES, MATCHING}
    assert set(result.table.loc[result.table["model"] == "either", "attribution"]) == {*MODEL_FREE}
    assert (result.table["low"] <= result.table["high"]).all()


def test_selection_trains_on_what_it_says_and_names_a_class_that_is_lost(results):
    result = results["selection"]
    table = result.table
    assert result.everything["samples"] == 60
    assert result.everything["accuracy_holdout"] == fit(DATASET, device="cpu").accuracy(
        *DATASET.split("holdout")
    )
    assert set(table.loc[table["share"] == 0.05, "samples"]) == {3}
    trained = table["lost"] < 0
    assert (table["accuracy_holdout"].notna() == trained).all()
    assert 0 < (~trained).sum() < len(table)  # three samples rarely have all three classes
    assert "no class" in experiment("selection").describe(result)
    curve = result.curve("influence", "attacked", "last")
    assert curve["share"].tolist() == [0.05, 0.5, 0.9]
    assert len(result.by_chance()) == 3
    # Keeping what pulls the test loss down gives a lower one than keeping what pulls it up.
    half = [
        result.curve("influence", "honest", end)["loss_test"].iloc[1] for end in ("last", "first")
    ]
    assert half[0] < half[1]


def test_the_matrix_counts_targets_that_all_were_outside(results):
    result = results["score-matrix"]
    assert result.n_targets == 3 and not result.missing
    moves = result.moves
    assert (moves["rank_before"] > 5).all()
    assert set(moves["observed"]) == {*SCORES}
    immune = moves[moves["observed"].isin(MODEL_FREE)]
    assert (immune["rank_before"] == immune["rank_after"]).all()
    assert np.allclose(immune["correlation"], 1)
    for name in result.attacked:
        count, interval = result.arrived(name, name)
        rows = moves[(moves["attacked"] == name) & (moves["observed"] == name)]
        assert count == (rows["rank_after"] <= 5).sum()
        assert interval == wilson_interval(count, 3)
    assert (result.attacks["distance"] <= 0.8 + 1e-6).all()
    own = moves[moves["attacked"] == moves["observed"]]
    assert (own["rank_after"] <= 5).sum() > 0


SOME = ("influence", "knn_shapley", "kfac")


@pytest.mark.parametrize("name", list(REQUESTS))
def test_scores_that_are_too_dear_can_be_left_out(results, tmp_path, name):
    request = dataclasses.replace(REQUESTS[name], attributions=reversed(SOME))
    assert request.attributions == SOME  # in the vocabulary's order: equal requests, one key
    assert "attributions" not in values_of(REQUESTS[name])
    entry = experiment(name)
    result, whole = entry.run(request, DATASET, Context(device="cpu")), results[name]
    assert not result.missing
    if name == "score-matrix":
        assert (result.attacked, result.observed) == (
            ["influence", "kfac"],
            ["influence", "kfac", "knn_shapley"],
        )
        return
    table, everything = (one.table.query("attribution in @SOME") for one in (result, whole))
    pd.testing.assert_frame_equal(
        table.reset_index(drop=True), everything.reset_index(drop=True), rtol=1e-6
    )


def test_single_test_samples_can_be_the_first_ones(results):
    one = dataclasses.replace(REQUESTS["lds"], attributions=("influence",), queries=3)
    few = experiment("lds").run(one, DATASET, Context(device="cpu"))
    every = dataclasses.replace(one, queries=len(DATASET.y_test))
    whole = experiment("lds").run(every, DATASET, Context(device="cpu"))
    assert whole.each_lds == pytest.approx(results["lds"].each_lds)
    assert few.each_lds != pytest.approx(whole.each_lds)
    np.testing.assert_array_equal(few.outcomes, whole.outcomes)


def test_equal_requests_have_equal_values():
    for name, request in REQUESTS.items():
        same = make_request(name, dataclasses.asdict(request))
        assert same == request


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("lds", {"subsets": 7}, "subsets must be an even number"),
        ("lds", {"subsets": 2}, "subsets must be a whole number >= 4"),
        ("selection", {"shares": (0.0,)}, "shares must be"),
        ("selection", {"shares": (1.5,)}, "shares must be a number in"),
        ("score-matrix", {"n_targets": 0}, "n_targets must be"),
        ("lds", {"attributions": ("shap",)}, "attributions must be one of"),
        ("selection", {"attributions": ()}, "attributions must be"),
        ("score-matrix", {"attributions": ("knn_shapley",)}, "at least one that sees the model"),
    ],
)
def test_requests_that_cannot_be(name, values, message):
    with pytest.raises(InvalidInput, match=message):
        make_request(name, values)


def test_more_targets_than_there_are_outside_every_top_is_an_error():
    request = dataclasses.replace(REQUESTS["score-matrix"], n_targets=60)
    with pytest.raises(InvalidInput, match="n_targets must be at most"):
        experiment("score-matrix").run(request, DATASET, Context(device="cpu"))
    request = dataclasses.replace(REQUESTS["selection"], shares=(0.001,))
    with pytest.raises(InvalidInput, match="keep at least one of 60 samples"):
        experiment("selection").run(request, DATASET, Context(device="cpu"))
