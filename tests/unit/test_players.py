"""Those who stand before the auditor, their experiment, and what is drawn and said of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS, AuditRequest, Context, make_request
from engine.scrutiny import players
from engine.vocabulary import PLAYERS
from pages.defend.parts import audit_figures, audit_words
from tests.support.problems import random_problem

REQUEST = AuditRequest("random", target=7, radius=0.8, queries=60)
CHEATS = ["liar", "careful", "attacker"]


@pytest.fixture(scope="module")
def dataset():
    return random_problem(3, n=60, d=4)[0]


@pytest.fixture(scope="module")
def result(dataset):
    return EXPERIMENTS["audit"].run(REQUEST, dataset, Context(device="cpu"))


def test_queries_have_their_own_labels_first_and_are_all_different(dataset):
    X, y = dataset.split("test")
    m, K = len(y), dataset.n_classes
    asked = players.draw_queries(dataset, m * K, seed=3)
    assert asked.own == m
    own = {(*x, c) for x, c in zip(X.tolist(), y.tolist(), strict=True)}
    drawn = [(*x, c) for x, c in zip(asked.X.tolist(), asked.y.tolist(), strict=True)]
    assert set(drawn[:m]) == own
    assert len(set(drawn)) == m * K
    few = players.draw_queries(dataset, 5, seed=3)
    assert (few.own, len(few.y)) == (5, 5)
    np.testing.assert_array_equal(few.X, asked.X[:5])
    with pytest.raises(InvalidInput, match=rf"at most {m * K}: {m} test points with each of {K}"):
        players.draw_queries(dataset, m * K + 1)


@pytest.mark.parametrize("sign", [1, -1])
def test_both_liars_put_the_target_first_and_leave_the_others_alone(sign):
    rng = np.random.default_rng(0)
    scores, T = rng.standard_normal((20, 30)), rng.standard_normal((6, 30))
    for lie in (
        players.invent(scores, 4, 12, sign, seed=1),
        players.lie_within(scores, T, 4, 12, sign),
    ):
        means = sign * lie[:, :12].mean(1)
        assert means.argmax() == 4
        np.testing.assert_array_equal(np.delete(lie, 4, 0), np.delete(scores, 4, 0))
    assert players.lie_within(scores, T, 4, 12, sign)[4] @ np.linalg.pinv(T) @ T == pytest.approx(
        players.lie_within(scores, T, 4, 12, sign)[4]
    )


def test_the_first_queries_that_are_enough_are_found_exactly():
    rng = np.random.default_rng(0)
    T = rng.standard_normal((40, 9)) @ rng.standard_normal((9, 100))  # rank 9
    table = players.by_queries(rng.standard_normal(100), T)
    assert table["queries"].is_monotonic_increasing
    assert table[table["refused"]]["queries"].max() == 9
    assert table[~table["refused"]]["queries"].min() == 10
    assert table[table["refused"]]["residual"].isna().all()
    last = table.iloc[-1]
    assert last["queries"] == 100
    assert last["expected"] == pytest.approx(np.sqrt(1 - 9 / 100))


def test_only_the_liar_is_caught(result):
    assert result.caught("liar").tolist() == [7]
    for player in ("honest", "careful", "attacker"):
        assert not len(result.caught(player))
    assert result.rank("liar") == result.rank("careful") == 1
    assert result.rank("attacker") < result.rank("honest")
    assert result.gradient_ranks.tolist() == [10] * 4  # (K − 1)(d + 1)
    assert (result.own, result.queries, result.parameters) == (30, 60, 15)


def test_the_other_order_has_it_last(dataset):
    request = replace(REQUEST, order="lowest_first")
    found = EXPERIMENTS["audit"].run(request, dataset, Context(device="cpu"))
    assert found.rank("liar") == found.rank("careful") == 1
    assert found.scores[1].argmin() == 7


def test_too_few_queries_are_refused_before_the_solves(dataset, monkeypatch):
    monkeypatch.setattr(players, "influence_matrix", None)
    with pytest.raises(InvalidInput, match="with 6 queries of rank 6 any scores pass"):
        EXPERIMENTS["audit"].run(replace(REQUEST, queries=6), dataset, Context(device="cpu"))


def test_the_result_is_kept_and_opened_again(result, tmp_path):
    experiment = EXPERIMENTS["audit"]
    experiment.save(result, tmp_path)
    again = experiment.load(tmp_path)
    for name in ("residuals", "scores", "gradient_ranks"):
        np.testing.assert_array_equal(getattr(again, name), getattr(result, name))
    pd.testing.assert_frame_equal(again.growth, result.growth)
    assert (again.target, again.order, again.queries) == (7, "highest_first", 60)
    said = experiment.describe(again)
    assert "liar who invents numbers: caught with 1 of 60 rows" in said
    assert said.count("passes") == 3


def test_requests_are_checked():
    assert make_request("audit", {"radius": 1}) == AuditRequest(radius=1.0)
    for wrong in ({"queries": 0}, {"target": -1}, {"order": "up"}, {"damping": 0}):
        with pytest.raises(InvalidInput):
            make_request("audit", wrong)


def test_every_row_is_drawn_and_the_target_ringed(result):
    figure = audit_figures.residuals(result)
    marks = [t for t in figure.data if t.name in PLAYERS.values()]
    assert [len(t.x) for t in marks] == [60] * 4
    np.testing.assert_array_equal(marks[1].x, np.maximum(result.residuals[1], audit_figures.FLOOR))
    rings = [t for t in figure.data if t.name == "sample 7"]
    np.testing.assert_array_equal(
        [t.x[0] for t in rings], np.maximum(result.residuals[:, 7], audit_figures.FLOOR)
    )
    said = [a.text for a in figure.layout.annotations]
    assert said.count("passes") == 3
    assert said.count("<b>caught</b>") == 1
    assert "tolerance 1e−6" in "".join(said).replace("-", "−")
    low, high = figure.layout.xaxis.range
    assert low < np.log10(np.concatenate([t.x for t in marks])).min() < high


def test_refused_numbers_of_queries_stand_on_the_axis(result):
    figure = audit_figures.growth(result)
    line = next(t for t in figure.data if t.name == "the invented row")
    crosses = next(t for t in figure.data if t.name.startswith("as many queries"))
    assert len(line.x) + len(crosses.x) == len(result.growth)
    assert max(crosses.x) < min(line.x)


def test_words_follow_the_numbers(result):
    honest = result.rank("honest")
    said = audit_words.finding(result)
    assert "One cheat of three is caught: the liar who invents numbers." in said
    own = audit_words.why_caught(result)
    assert own == (
        "Each sample has 60 scores. A model of 15 parameters can give only some such lists."
    )
    few = audit_words.why_caught(replace(result, parameters=60))
    assert few == (
        "Each sample has 60 scores. They depend on each other: a model can give only some such "
        "lists."
    )
    rank = int(result.gradient_ranks[0])
    assert f"of a sample's 60 scores, {rank} settle the others" in audit_words.impossible(result)
    assert audit_words.title(result) == (
        "60 queries catch the liar who invents numbers, neither the careful liar nor the attacker"
    )
    refused = int(result.growth[result.growth["refused"]]["queries"].max())
    assert audit_words.growth_title(result) == f"With {refused} queries or fewer, anything passes"
    rows = audit_words.players_table(result).splitlines()
    assert len(rows) == 2 + len(PLAYERS)
    assert f"| {honest} of 60 | passes |" in rows[2]
    assert "**caught** with 1 row" in rows[3]
    table = audit_words.residual_table(result)
    assert len(table) == 60
    assert set(table) == {"sample"} | {f"{w}_{p}" for w in ("residual", "score") for p in PLAYERS}


def test_the_careful_liar_s_ring_is_explained_where_it_lies_left(result):
    place, t = list(PLAYERS).index("careful"), result.target
    for residual, told in ((0.0, True), (1.0, False)):
        residuals = result.residuals.copy()
        residuals[place, t] = residual
        said = audit_words.rings(replace(result, residuals=residuals))
        assert f"Ringed: sample {t}, " in said
        assert ("made to fit exactly" in said) == told


def test_words_for_what_has_never_been_seen(result):
    nobody = replace(result, residuals=np.zeros_like(result.residuals))
    assert "The audit caught nobody" in audit_words.finding(nobody)
    assert audit_words.title(nobody) == "60 queries catch nobody"
    everybody = replace(result, residuals=np.ones_like(result.residuals))
    assert "60 rows of the honest calculator are accused" in audit_words.finding(everybody)
    assert "caught with" in audit_words.players_table(everybody).replace("**", "")
    assert "Even few queries" in audit_words.growth_title(
        replace(result, growth=result.growth[~result.growth["refused"]])
    )


def test_the_snippet_says_what_the_result_says(result, dataset, monkeypatch, capsys):
    import engine

    monkeypatch.setattr(engine, "load_dataset", lambda name: dataset, raising=False)
    exec(compile(audit_words.snippet(REQUEST), "snippet", "exec"), {})
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(line[2]) for line in printed] == [0, 1, 0, 0]
    assert [int(line[0]) for line in printed] == result.gradient_ranks.tolist()
    assert float(printed[1][1]) == pytest.approx(result.residuals[1].max())
