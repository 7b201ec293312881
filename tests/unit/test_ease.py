"""What foretells success, the bet, and the figures that show both ends of a ranking."""

import numpy as np
import pandas as pd
import pytest

from engine.attacks.result import Ranking
from engine.experiments import LeaveOneOutResult
from engine.experiments.sensitivity import SensitivityResult
from engine.influence.problem import ranks
from engine.statistics import Interval
from pages.attack.parts import moved_target_figures, moved_targets
from pages.common.figures.axes import thinned
from pages.common.figures.ranking_ends import halves, running_median
from pages.common.samples import hover_names
from pages.learn.parts import influence_figures, retraining_agreement


def made(n: int = 50, seed: int = 0) -> SensitivityResult:
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal(n)
    norms = 0.1 + scores**2
    some = np.array([0, 1])
    return SensitivityResult(
        Ranking(scores, ranks(scores)), norms, norms / 10, some, norms[some] * 1.1, 50
    )


def swept(result: SensitivityResult, least: dict[int, float], k: int = 1) -> pd.DataFrame:
    """A sweep's rows at radii 0.1, 0.3 and 0.5, each target moved from its own radius on."""
    return pd.DataFrame(
        [
            {
                "set_size": 1,
                "k": k,
                "rank_before": int(result.ranking.ranks[target]),
                "target": target,
                "radius": radius,
                "any_run_success": radius >= smallest,
            }
            for target, smallest in least.items()
            for radius in (0.1, 0.3, 0.5)
        ]
    )


def outside(result: SensitivityResult, count: int) -> list[int]:
    return [int(i) for i in np.flatnonzero(result.ranking.ranks > 1)[:count]]


def by_norm(result: SensitivityResult, count: int = 24) -> dict[int, float]:
    """Steep targets need less: a clean relation."""
    chosen = sorted(outside(result, count), key=lambda i: -result.norms[i])
    levels = np.repeat([0.1, 0.3, 0.5, np.inf], -(-count // 4))
    return dict(zip(chosen, levels, strict=False))


def test_attempts_find_the_smallest_radius_and_what_moved_at_one():
    result = made()
    first, second, third = outside(result, 3)
    table = swept(result, {first: 0.3, second: 0.1, third: np.inf})
    tried = moved_targets.attempts(table, result, 1, 0.3)
    assert tried.loc[first, "least"] == 0.3 and tried.loc[first, "moved"]
    assert tried.loc[second, "least"] == 0.1 and tried.loc[second, "moved"]
    assert tried.loc[third, "least"] == moved_targets.NEVER and not tried.loc[third, "moved"]
    assert not moved_targets.attempts(table, result, 1, 0.1).loc[first, "moved"]
    np.testing.assert_array_equal(tried["norm"], result.norms[tried.index])
    assert moved_targets.attempts(table, result, 3, 0.3).empty


def test_a_target_in_the_top_before_is_none():
    result = made()
    first = int(result.ranking.ranks.argmin())
    assert moved_targets.attempts(swept(result, {first: 0.1}), result, 1, 0.1).empty


def test_a_clean_relation_is_found():
    result = made()
    tried = moved_targets.attempts(swept(result, by_norm(result)), result, 1, 0.3)
    found = moved_targets.prediction("norm", tried, 50)
    assert found is not None and found.tells
    assert found.correlation < -0.9
    assert found.area == 1
    assert "well predicts" in moved_targets.verdict(found)
    assert "over 24 targets" in moved_targets.measured(found, tried, 1)
    assert "−0.9" in moved_targets.measured(found, tried, 1)


def test_chance_is_called_chance():
    result = made()
    levels = np.random.default_rng(5).choice([0.1, 0.3, 0.5], 24)
    tried = moved_targets.attempts(
        swept(result, dict(zip(outside(result, 24), levels, strict=True))), result, 1, 0.3
    )
    found = moved_targets.prediction("norm", tried, 50)
    assert found is not None and not found.tells
    assert "does not tell" in moved_targets.verdict(found)


def test_what_is_the_other_way_round_is_said():
    wrong_way = moved_targets.Prediction(0.6, Interval(0.3, 0.8), 0.2, Interval(0.1, 0.3))
    assert "harder to move" in moved_targets.verdict(wrong_way)
    half = moved_targets.Prediction(-0.5, Interval(-0.7, -0.2), 0.8, Interval(0.6, 0.9))
    assert "only partly" in moved_targets.verdict(half)


def test_where_all_ended_alike_nothing_is_predicted():
    result = made()
    same = dict.fromkeys(outside(result, 6), 0.3)
    tried = moved_targets.attempts(swept(result, same), result, 1, 0.3)
    assert moved_targets.prediction("norm", tried, 50) is None
    assert moved_targets.against_place(tried, 50) == ""
    assert moved_targets.deal(tried, 0) == []


def test_a_round_of_the_bet_has_one_answer_and_is_the_same_for_everyone():
    result = made()
    tried = moved_targets.attempts(swept(result, by_norm(result)), result, 1, 0.3)
    for number in range(20):
        dealt = moved_targets.deal(tried, number)
        assert len(dealt) == 3
        assert tried.loc[dealt, "least"].nunique() == 3
        assert dealt == moved_targets.deal(tried, number)
    assert any(
        moved_targets.deal(tried, number) != moved_targets.deal(tried, 0) for number in range(1, 20)
    )


def test_the_ends_are_compared_with_the_middle():
    assert moved_targets.ends_against_middle(made()) > 1


def test_halves_are_all_samples_once_counted_from_their_ends():
    for n in (2, 7, 50):
        result = made(n)
        top, bottom = halves(result.ranking.ranks)
        assert sorted([*top.members, *bottom.members]) == list(range(n))
        assert top.places.min() == bottom.places.min() == 1
        np.testing.assert_array_equal(result.ranking.ranks[bottom.members], n + 1 - bottom.places)


def test_the_running_median_is_that_of_the_neighbours():
    places = np.arange(1, 101)
    at, median = running_median(places, places.astype(float))
    np.testing.assert_allclose(median[at > 20], at[at > 20], rtol=0.2)
    assert running_median(np.empty(0, np.int64), np.empty(0))[0].size == 0


def marks(figure, name: str) -> list:
    return [t for t in figure.data if t.name == name and t.x is not None and len(t.x)]


def test_every_sample_is_drawn_once_at_its_own_place():
    result = made()
    tried = moved_targets.attempts(swept(result, by_norm(result)), result, 1, 0.3)
    names = hover_names(None, 50)
    figure = moved_target_figures.sensitivity(result, tried, None, 0.3, [int(tried.index[0])])
    kinds = ("not tried", "moved at radius 0.3", "not moved at radius 0.3")
    traces = [t for kind in kinds for t in marks(figure, kind)]
    drawn = [d[0] for t in traces for d in t.customdata]
    assert sorted(drawn) == sorted(names)
    for trace in traces:
        for data, y in zip(trace.customdata, trace.y, strict=True):
            assert y == result.norms[names.index(data[0])]
    # colour is not alone: three symbols, and each kind once in the legend
    assert len({t.marker.symbol for t in traces}) == 3
    assert all(sum(t.showlegend for t in marks(figure, kind)) == 1 for kind in kinds)
    moved = [d[0] for t in marks(figure, kinds[1]) for d in t.customdata]
    assert sorted(moved) == sorted(names[i] for i in tried.index[tried["moved"]])
    assert len(marks(figure, "your bet's samples")) == 1


def test_a_large_ranking_keeps_its_ends_and_what_was_tried():
    result = made(8000)
    tried = moved_targets.attempts(swept(result, by_norm(result)), result, 1, 0.3)
    figure = moved_target_figures.sensitivity(result, tried, None, 0.3)
    count = sum(len(t.x) for t in figure.data if t.mode == "markers")
    whole = len(thinned(8000))
    assert whole <= count <= whole + len(tried)


def test_rows_by_radius_hold_every_target():
    result = made()
    tried = moved_targets.attempts(swept(result, by_norm(result)), result, 1, 0.3)
    figure = moved_target_figures.by_radius(tried, None, 0.3)
    assert sum(len(t.x) for t in figure.data if t.mode == "markers") == len(tried)
    assert list(figure.layout.yaxis.ticktext) == ["0.1 (6)", "0.3 (6)", "0.5 (6)", "never (6)"]


def retrained(n: int, noise: float = 0.1, factor: float = 2.0) -> LeaveOneOutResult:
    rng = np.random.default_rng(2)
    scores = rng.standard_normal(n)
    table = pd.DataFrame(
        {
            "sample": np.arange(n),
            "rank": ranks(scores),
            "estimate": -scores / n,
            "matching": -scores / n,
            "change": factor * -scores / n + noise * rng.standard_normal(n) / n,
        }
    )
    return LeaveOneOutResult(table, 0.3, n)


def test_the_factor_and_the_correlations():
    exact = retrained(30, noise=0).table
    assert retraining_agreement.slope(exact) == pytest.approx(2)
    assert retraining_agreement.correlations(exact) == pytest.approx((1, 1))


def test_agreement_by_choice_of_samples():
    assert retraining_agreement.by_choice(retrained(199)).empty
    table = retraining_agreement.by_choice(retrained(400))
    assert table["samples"].iloc[0] == "all 400"
    assert len(table) == 6
    low, middle, high = retraining_agreement.draws(retrained(400).table)
    assert low <= middle <= high
    assert f"{middle:.3f}" in table["Spearman"].iloc[2]


def test_both_axes_of_the_scatter_are_alike_and_the_identity_is_the_diagonal():
    result = retrained(60)
    figure = influence_figures.against_retraining(result, None)
    line, dots = figure.data
    np.testing.assert_allclose(line.x, line.y)
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert len(dots.x) == 60
    assert "sample 7</b>" in dots.customdata[7][0]


def test_the_extremes_of_one_test_sample_are_marked():
    scores = np.random.default_rng(3).standard_normal(40)
    figure = influence_figures.one_sample(Ranking(scores, ranks(scores)), None, 4)
    highest = {f"<b>sample {i}</b>" for i in (-scores).argsort()[:4]}
    lowest = {f"<b>sample {i}</b>" for i in scores.argsort()[:4]}
    found = {t.name: {d[0] for d in t.customdata} for t in figure.data if "loss most" in t.name}
    assert found == {
        "the 4 that raise its loss most": highest,
        "the 4 that lower its loss most": lowest,
    }
