"""The impossible sample in figures and words; small results, computed here."""

from dataclasses import replace

import numpy as np
import pytest

from engine.experiments import EXPERIMENTS, ImpossibleRequest, ImpossibleResult
from engine.experiments.base import Context
from engine.scrutiny.impossibility import impossible_instance, impossible_scores
from pages.attack.parts import impossible_figures, impossible_words

REQUEST = ImpossibleRequest(k=2, n_train=12, count=200, restarts=1, steps=4)


@pytest.fixture(scope="module")
def result() -> ImpossibleResult:
    return EXPERIMENTS["impossible"].run(REQUEST, None, Context(device="cpu"))


def test_ranks_are_counted_and_the_top_is_empty(result):
    figure = impossible_figures.ranks_reached(result)
    random, attack = figure.data
    assert int(random.y.sum()) == 200
    assert int(attack.y.sum()) == len(result.attack.trajectory)
    assert min(random.x.min(), attack.x.min()) > 2
    band, border = figure.layout.shapes
    assert (band.x0, band.x1) == (0.5, 2.5)
    assert border.x0 == 2.5
    assert figure.layout.annotations[0].text == f"◂ the top 2: 0 of {result.tried:,} models"


def test_every_sample_stands_once_on_the_score_axis():
    instance = impossible_instance(3, n_train=15)
    theta = np.random.default_rng(0).standard_normal((2, 3))
    exact = impossible_scores(instance, theta)
    figure = impossible_figures.score_axis(instance, exact)
    rows = np.concatenate([trace.customdata[:, 0] for trace in figure.data])
    assert sorted(rows) == list(range(15))
    for trace in figure.data:
        np.testing.assert_allclose(trace.x, exact.scores[0][trace.customdata[:, 0]])
    target, copies, _ = figure.data
    assert target.customdata[0, 1] == exact.ranks[0]
    assert (copies.customdata[:, 1] < exact.ranks[0]).all()
    arrow, label = figure.layout.annotations
    assert arrow.x - arrow.ax == pytest.approx(np.exp(exact.log_gap[0]))
    assert label.text.startswith("gap (1 − p) q = ")


def test_the_plane_shows_target_and_copies_at_one_place():
    instance = impossible_instance(3, n_train=15)
    figure = impossible_figures.plane(instance, [1.0, -2.0, 0.5])
    by = {trace.name: trace for trace in figure.data}
    x = instance.dataset.X_train[0]
    assert by["target, label y"].x[0] == by["3 copies, other label"].x[0] == pytest.approx(x[0])
    line = by["p = ½"]
    np.testing.assert_allclose(line.x - 2 * line.y + 0.5, 0, atol=1e-12)
    assert len(by["label y"].x) + len(by["other label"].x) == 15 - 4
    blind = impossible_figures.plane(instance, [0.0, 0.0, 0.5])  # sees no feature: no line
    assert "p = ½" not in {trace.name for trace in blind.data}


def test_the_answer_is_no_only_where_no_model_arrived(result):
    ranks = result.random.table.assign(rank=[1, *result.random.table["rank"][1:]])
    found = replace(result, random=replace(result.random, table=ranks))
    said = impossible_words.headline(found)
    assert f"**Perhaps: 1 model of {result.tried:,} that were tried brought this sample" in said
    assert "No" not in said


def test_the_finding_has_its_numbers(result):
    said = impossible_words.headline(result)
    assert "**No: no linear model brings this sample into the top 2.**" in said
    assert (
        "2 copies of it with the other label, planted in the training data, always rank higher"
        in said
    )
    said = impossible_words.tried(result)
    assert (
        said
        == "**0 of 200 random models** bring it into the top 2, and **0 of 2 runs of the attack**."
    )


@pytest.mark.parametrize(
    ("k", "best", "said"),
    [
        (1, 2, "Past everything else, never past its copy: the best rank is 2"),
        (2, 3, "Past everything else, never past its 2 copies: the best rank is 3"),
        (2, 4, "The best rank is 4, 2 places short of the top 2"),
    ],
)
def test_how_close_it_came(result, k, best, said):
    table = result.random.table.assign(rank=best)
    late = replace(result.attack, trajectory=result.attack.trajectory.assign(rank=len(table)))
    made = ImpossibleResult(replace(result.random, k=k, table=table), late)
    assert impossible_words.reached_title(made) == said


def test_the_snippet_runs_and_says_what_the_page_says(result, capsys):
    exec(impossible_words.snippet(REQUEST, [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]]), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"0 {result.random.best_rank}"
    assert lines[1] == f"False {result.attack.rank_test}"
    exact = impossible_scores(
        impossible_instance(2, n_train=12), [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]]
    )
    assert str(exact.ranks) in lines[2]


@pytest.mark.parametrize(
    ("log_odds", "said"), [(0.0, "0.5"), (2.15, "0.896"), (15.0, "1 − 3e−7"), (-15.0, "3.06e−7")]
)
def test_probabilities_near_one_keep_their_distance(log_odds, said):
    exact = impossible_scores(impossible_instance(), [[0.0, 0.0, log_odds], [0.0, 0.0, 0.0]])
    assert impossible_words.probability(exact) == said
