"""Disagreement as an alarm, its experiment, and what is drawn and said of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import engine
from engine.errors import InvalidInput
from engine.experiments import (
    EXPERIMENTS,
    AttributionsRequest,
    Context,
    make_request,
    values_of,
)
from engine.scrutiny.attributions import attribution
from engine.scrutiny.disagreement import KINDS, OTHERS, alarm, alarms, disagreements, honest_models
from engine.statistics import wilson_interval
from engine.vocabulary import ATTRIBUTIONS, SCORES
from pages.defend.parts import other_scores_figures, other_scores_words
from tests.support.problems import random_problem

REQUEST = AttributionsRequest(
    "random", target=7, radius=0.8, retrained=20, n_honest=10, n_attacked=6, false_alarms=0.2
)
EXPERIMENT = EXPERIMENTS["attributions"]


@pytest.fixture(scope="module")
def dataset():
    return random_problem(3, n=60, d=4)[0]


@pytest.fixture(scope="module")
def result(dataset):
    return EXPERIMENT.run(REQUEST, dataset, Context(device="cpu"))


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_disagreements_are_those_of_the_rankings(dataset, order):
    _, model = random_problem(3, n=60, d=4)
    options = {"order": order, "device": "cpu"}
    by = {name: attribution(name, model, dataset, **options) for name in ("influence", *OTHERS)}
    found = disagreements(model, dataset, by["knn_shapley"], **options)
    for name in OTHERS:
        expected = 1 - spearmanr(by["influence"].ranks, by[name].ranks)[0]
        assert found[f"whole_{name}"] == pytest.approx(expected)
        first = np.argsort(by["influence"].ranks)[:10]
        expected = np.log10(by[name].ranks[first]).mean()
        assert found[f"top_{name}"] == pytest.approx(expected)


def test_honest_trainers_differ_and_are_drawn_by_the_seed(dataset):
    first, again, other = (
        [(one.how, one.model.parameters) for one in honest_models(dataset, 4, 0.01, seed)]
        for seed in (0, 0, 1)
    )
    assert len({how for how, _ in first}) == 4
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert [how for how, _ in first] != [how for how, _ in other]


def test_the_threshold_accuses_no_more_than_allowed():
    known = np.arange(40.0)
    found = alarm(known, [36.5, 37.5, 5.0], [50.0, 37.0, 38.0], 0.05)
    assert found["threshold"] == 37  # 38 and 39, two of 40, are above
    assert (found["flagged"], found["found"]) == (1, 2)
    assert alarm(known, [1.0], [39.0], 0.01)["threshold"] == 39  # none of 40 may be
    assert alarm([0.0, 0.0], [0.0], [1.0], 0.5)["auc"] == 1


def test_failed_attacks_are_no_part_of_the_alarms():
    numbers = {f"{kind}_{name}": [0.0, 1.0, 2.0, 99.0] for kind in KINDS for name in OTHERS}
    models = pd.DataFrame({"role": ["known", "unknown", "attacked", "failed"], **numbers})
    found = alarms(models, 0.05)
    assert len(found) == len(KINDS) * len(OTHERS)
    assert (found["found"] == 1).all()
    assert (found["flagged"] == 1).all()


def test_rankings_are_those_of_both_models(result, dataset):
    assert list(result.before) == list(result.after) == list(ATTRIBUTIONS)
    model = engine.fit(dataset, device="cpu")
    for name in ATTRIBUTIONS:
        expected = attribution(name, model, dataset, device="cpu")
        np.testing.assert_allclose(result.before[name].scores, expected.scores, rtol=1e-4)
    assert result.after["influence"].ranks[7] < result.before["influence"].ranks[7]
    np.testing.assert_array_equal(
        result.before["knn_shapley"].ranks, result.after["knn_shapley"].ranks
    )


def test_the_crowd_is_counted_by_role(result):
    assert result.count("known") == result.count("unknown") == 5
    assert result.count("attacked") + result.count("failed") == 6
    assert result.models["accuracy"].between(0, 1).all()


def test_retraining_ranks_the_target_among_those_left_out(result):
    assert len(result.retrained) == 20
    changes = result.retrained.set_index("sample")["change"]
    assert result.rank_retrained() == 1 + int((-changes > -changes[7]).sum())
    lowest = replace(result, order="lowest_first")
    assert lowest.rank_retrained() == 1 + int((changes > changes[7]).sum())
    assert replace(result, retrained=result.retrained.iloc[:0]).rank_retrained() is None


def test_the_result_is_kept_and_opened_again(result, tmp_path):
    EXPERIMENT.save(result, tmp_path)
    again = EXPERIMENT.load(tmp_path)
    for name in ATTRIBUTIONS:
        np.testing.assert_array_equal(again.after[name].scores, result.after[name].scores)
    for name in ("retrained", "models", "alarms"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))
    said = EXPERIMENT.describe(again)
    old, new = (int(side["influence"].ranks[7]) for side in (result.before, result.after))
    assert f"influence function (Definition 1): {old} → {new}" in said
    assert said.count("alarm ") == 6


def test_every_score_of_the_lab_can_be_asked_for(result, dataset, tmp_path):
    """Those that are asked for anyway stay the same; what is kept is opened again."""
    assert "attributions" not in values_of(REQUEST), "earlier results keep their keys"
    asked = replace(
        REQUEST, attributions=tuple(SCORES)[::-1], retrained=0, n_honest=2, n_attacked=1
    )
    found = EXPERIMENT.run(asked, dataset, Context(device="cpu"))
    assert found.names == list(SCORES)
    for name in ATTRIBUTIONS:
        np.testing.assert_allclose(found.after[name].scores, result.after[name].scores, rtol=1e-6)
    model = engine.fit(dataset, device="cpu")
    for name in ("trak", "ekfac", "banzhaf"):
        expected = attribution(name, model, dataset, device="cpu").scores
        np.testing.assert_allclose(found.before[name].scores, expected, rtol=1e-4)
    assert (found.before["banzhaf"].ranks == found.after["banzhaf"].ranks).all()
    assert (found.before["trak"].ranks != found.after["trak"].ranks).any()
    EXPERIMENT.save(found, tmp_path)
    again = EXPERIMENT.load(tmp_path)
    assert again.names == found.names
    assert EXPERIMENT.describe(again) == EXPERIMENT.describe(found)
    assert "TRAK: random projections" in EXPERIMENT.describe(again)
    figure = other_scores_figures.target_ranks(again, [])
    assert len(figure.layout.yaxis.ticktext) == len(SCORES)
    assert f"of {len(SCORES) - 1} other scores" in other_scores_words.every_title(again)
    with pytest.raises(InvalidInput, match="with 'influence' and 'knn_shapley' among them"):
        replace(REQUEST, attributions=("influence", "trak"))


def test_no_retraining_and_no_success_are_results_too(dataset, tmp_path):
    request = replace(REQUEST, radius=1e-6, retrained=0, n_honest=2, n_attacked=1)
    found = EXPERIMENT.run(request, dataset, Context(device="cpu"))
    assert found.retrained.empty
    assert found.alarms.empty
    assert found.count("failed") == 1
    EXPERIMENT.save(found, tmp_path)
    again = EXPERIMENT.load(tmp_path)
    assert EXPERIMENT.describe(again)
    assert "As an alarm" not in other_scores_words.more(again)
    assert len(other_scores_figures.target_ranks(again, []).layout.yaxis.ticktext) == len(
        ATTRIBUTIONS
    )


def test_requests_are_checked():
    assert make_request("attributions", {"radius": 1}) == AttributionsRequest(radius=1.0)
    wrong = [{"false_alarms": 1}, {"n_honest": 1}, {"neighbours": 0}, {"retrained": -1}]
    for values in wrong:
        with pytest.raises(InvalidInput):
            make_request("attributions", values)


def test_ranks_are_drawn_before_and_after(result):
    moved, _ = other_scores_words.follows(result)
    figure = other_scores_figures.target_ranks(result, moved)
    rows = other_scores_figures.order_of_rows(result, moved)
    assert rows[: 1 + len(moved)] == ["influence", *moved]
    lines = [trace.line.color for trace in figure.data if trace.mode == "lines"]
    assert len(set(lines[: 1 + len(moved)])) == 1 and lines.count(lines[0]) == 1 + len(moved)
    for name, side in (("honest model", result.before), ("malicious model", result.after)):
        trace = next(t for t in figure.data if t.name == name)
        assert list(trace.x) == [side[n].ranks[7] for n in rows]
    left, right = figure.layout.xaxis.range
    assert left > right  # rank 1 to the right


def test_the_crowd_is_drawn_with_its_threshold(result):
    figure = other_scores_figures.crowd(result, "top", "cosine")
    drawn = {t.name: len(t.x) for t in figure.data}
    assert drawn == {
        "malicious": result.count("attacked"),
        "honest, to test it": 5,
        "honest, to set it": 5,
    }
    row = other_scores_figures.alarm_row(result, "top", "cosine")
    assert row["threshold"] in [shape.x0 for shape in figure.layout.shapes]


def test_alarms_are_drawn_with_their_intervals(result):
    figure = other_scores_figures.alarms(result)
    found = next(t for t in figure.data if t.name == "malicious models found")
    total = result.count("attacked")
    for x, up, hits in zip(found.x, found.error_x.array, result.alarms["found"][::-1], strict=True):
        assert x == pytest.approx(hits / total)
        assert x + up == pytest.approx(wilson_interval(int(hits), total).high)


def test_words_follow_the_numbers(result):
    moved, stayed = other_scores_words.follows(result)
    assert sorted([*moved, *stayed]) == sorted(set(ATTRIBUTIONS) - {"influence"})
    assert "knn_shapley" in stayed
    said = other_scores_words.finding(result)
    old, new = (int(side["influence"].ranks[7]) for side in (result.before, result.after))
    assert f"from rank {old} to rank\u00a0{new} by influence, not into the top 1" in said
    assert other_scores_words.finding(replace(result, k=new)).count(f"{new} by influence; by") == 1
    assert said.endswith("; by these scores it did not move along.")
    still = replace(result, after=result.after | {n: result.before[n] for n in stayed})
    assert other_scores_words.finding(still).endswith("; by these scores it hardly moved.")
    row = other_scores_figures.alarm_row(result, *other_scores_words.MAIN)
    assert (
        f"finds {row['found']} of {result.count('attacked')} malicious models"
        in other_scores_words.more(result)
    )
    title = other_scores_words.crowd_title(result, *other_scores_words.MAIN)
    assert title.startswith("Against kNN-Shapley, whole ranking:")
    assert "The best of 6 alarms has AUC" in other_scores_words.alarms_title(result)
    assert len(other_scores_words.alarms_table(result)) == 6
    table = other_scores_words.sample_table(result)
    assert table["rank_influence_after"][7] == new
    assert len(table) == 60


def test_the_snippet_says_what_the_result_says(result, dataset, monkeypatch, capsys):
    monkeypatch.setattr(engine, "load_dataset", lambda name: dataset, raising=False)
    exec(compile(other_scores_words.snippet(REQUEST), "snippet", "exec"), {})
    printed = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()}
    for name in ATTRIBUTIONS:
        ranks = [int(side[name].ranks[7]) for side in (result.before, result.after)]
        assert [int(word) for word in printed[name]] == ranks
