"""The scaling attack as figures and words; the numbers here are made up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.fairness.result import About, FairnessResult
from pages.fairness.parts import fairness_figures as figures
from pages.fairness.parts import fairness_words as words
from pages.fairness.parts import row_figures

SCALES = (0.001, 0.01, 0.1, 0.5, 1.0)
GAPS = (0.2, 0.15, np.nan, 0.08, -0.05)  # on test; the third scale has no solution
ACCURACIES = (0.7, 0.79, np.nan, 0.8, 0.8)  # the first costs ten points
N = 6


def about(**changes: Any) -> About:
    made = About(
        name="made-up",
        title="Made up",
        notes=("Worth $5 to *you*.",),
        n_train=N,
        n_val=20,
        n_test=40,
        n_features=3,
        label_names=("no", "yes"),
        group_names=("blue", "green"),
        rates_test=(0.25, 0.5),
        share_group_1=0.6,
        metric="dp",
        l2=1.0,
        beta=0.5,
        gamma=0.1,
        top_k=2,
        gap_before=0.21,
        accuracy_before=0.82,
    )
    return replace(made, **changes)


def table(metric: str = "dp") -> pd.DataFrame:
    gaps, accuracies = np.array(GAPS), np.array(ACCURACIES)
    effect = np.abs(gaps) - np.abs(gaps[-1])
    made = {
        "scale": SCALES,
        "base_accuracy_test": 0.82,
        "base_predictions_changed": 0,
        "programme": "least_removal",
        "feasible": np.isfinite(gaps),
        "removed": [1.0, 1.5, np.nan, 2.0, 2.5],
        "spearman": [0.5, 0.6, 0.7, 0.9, 1.0],
        "topk_overlap": [0.0, 0.5, 0.5, 1.0, 1.0],
        "gradient_norm": [0.5, 0.45, 0.3, 0.1, 1e-15],
        f"{metric}_val": gaps + 0.01,
        "accuracy_val": accuracies,
        "effect": effect,
        "effect_low": effect - 0.04,
        "effect_high": effect + 0.04,
    }
    for name, values in ((f"{metric}_test", gaps), ("accuracy_test", accuracies)):
        made |= {name: values, f"{name}_low": values - 0.05, f"{name}_high": values + 0.05}
    return pd.DataFrame(made)


def result(metric: str = "dp", **changes: Any) -> FairnessResult:
    rows = table(metric)
    searched = rows.iloc[[1, 3]].assign(chosen=[True, False])
    on_gap = np.array(
        [
            [0.3, -0.1, 0.2, -0.2, 0.0, 0.1],
            [-0.3, -0.1, 0.2, -0.2, 0.0, 0.1],
            [-0.3, -0.1, 0.2, -0.2, 0.0, 0.1],
            [-0.3, -0.1, 0.2, -0.2, 0.0, 0.1],
            [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2],
        ],
        dtype=np.float32,
    )
    removed = np.full((len(SCALES), N), np.nan, dtype=np.float32)
    removed[0], removed[1] = [0, 1, 0, 0, 0, 0], [0, 0.5, 0, 1, 0, 0]
    removed[3], removed[4] = [1, 1, 0, 0, 0, 0], [1, 1, 0.5, 0, 0, 0]
    made = FairnessResult(about(metric=metric), rows, searched, on_gap, removed)
    return replace(made, **changes)


def trace(figure: Any, name: str) -> Any:
    return next(t for t in figure.data if (t.name or "").startswith(name))


def test_the_gap_is_signed_and_in_points() -> None:
    drawn = trace(figures.gap_by_scale(result()), "test")
    np.testing.assert_allclose(drawn.y, 100 * np.array(GAPS))
    np.testing.assert_allclose(drawn.x, SCALES)


def test_a_scale_that_costs_too_much_is_hollow() -> None:
    drawn = trace(figures.gap_by_scale(result()), "test")
    assert list(drawn.marker.symbol[[0, 1, 3, 4]]) == ["circle-open", "circle", "circle", "circle"]
    assert "hollow" in drawn.name


def test_a_scale_without_solution_is_a_cross_on_the_axis_and_no_point() -> None:
    figure = figures.gap_by_scale(result())
    cross = trace(figure, "no solution")
    assert cross.x.tolist() == [0.1]
    assert cross.y.tolist() == [figure.layout.yaxis.range[0]]
    drawn = trace(figure, "test")
    assert np.isnan(drawn.y[2])
    assert not drawn.connectgaps


def test_bands_end_where_there_is_no_solution() -> None:
    figure = figures.gap_by_scale(result())
    bands = [t for t in figure.data if t.fill == "toself" and t.yaxis == "y"]
    assert [sorted(set(b.x)) for b in bands] == [[0.001, 0.01], [0.5, 1.0]]
    np.testing.assert_allclose(bands[0].y, [25, 20, 10, 15])  # along the top, back along the bottom


@pytest.mark.parametrize(
    ("feasible", "expected"),
    [([1, 1, 0, 1], [[0, 1], [3]]), ([0, 0], []), ([1], [[0]]), ([0, 1, 0], [[1]])],
)
def test_spans(feasible: list[int], expected: list[list[int]]) -> None:
    found = figures.spans(np.array(feasible, dtype=bool))
    assert [part.tolist() for part in found] == expected


def test_a_lone_scale_has_a_band_too() -> None:
    rows = table()
    rows.loc[3, "feasible"] = False
    figure = figures.gap_by_scale(result(table=rows))
    lone = [t for t in figure.data if t.fill == "toself" and t.yaxis == "y"][-1]
    assert min(lone.x) < 1 < max(lone.x)


def test_the_worst_scale_of_the_search_is_marked_where_it_lies_on_test() -> None:
    star = trace(figures.gap_by_scale(result()), "worst on validation")
    assert (star.x[0], star.y[0]) == (0.01, 15.0)


def test_without_a_solution_at_one_nothing_is_compared() -> None:
    rows = table()
    rows.loc[4, ["feasible", "dp_test", "accuracy_test", "effect"]] = [False, *[np.nan] * 3]
    made = result(table=rows, searched=rows.iloc[:0].assign(chosen=pd.Series(dtype=bool)))
    figure = figures.gap_by_scale(made)
    assert trace(figure, "no solution").x.tolist() == [0.1, 1.0]
    assert "nothing to compare" in words.gap_title(made)
    assert "no solution" in words.finding(made)
    assert "found no scale" in words.worst(made)


def test_effects_are_filled_where_the_interval_excludes_zero() -> None:
    def made(metric: str) -> tuple[tuple[str, FairnessResult], ...]:
        rows = table(metric)  # +10 ± 4 points and, without that scale, +3 ± 4
        return ("A", result(metric)), ("B", result(metric, table=rows.drop(index=1)))

    figure = figures.effects(made("dp"))
    symbols = {t.y[0].split("<br>")[0]: t.marker.symbol for t in figure.data}
    assert symbols == {"A": "diamond", "B": "diamond-open"}
    assert any("the paper: up to 16" in a.text for a in figure.layout.annotations)
    assert not figures.effects(made("eop")).layout.annotations
    assert words.across(words.largest_effects(made("dp"))) == "Statistically clear on A; not on B"


def test_the_gradient_is_drawn_once_per_scale_and_marked_at_one() -> None:
    line, mark = figures.gradient_norms(result()).data
    assert line.x.tolist() == list(SCALES)
    assert (mark.x[0], mark.y[0]) == (1.0, 1e-15)


def test_ranks_begin_with_what_lowers_the_gap_most() -> None:
    assert row_figures.ranks(np.array([0.2, -0.3, 0.0, 0.0], np.float32)).tolist() == [4, 1, 2, 2]


def test_rank_to_rank_shows_every_row_once() -> None:
    figure = row_figures.rank_to_rank(result(), 0.001)
    rest, top = trace(figure, "other rows"), trace(figure, "top 2 at α = 1")
    assert sorted([*rest.customdata, *top.customdata]) == list(range(N))
    assert top.x.tolist() == [1, 2]
    assert top.y.tolist() == [6, 2]


def test_many_rows_are_thinned_but_both_tops_stay() -> None:
    rng = np.random.default_rng(3)
    honest, scaled = (rng.permutation(20_000) + 1 for _ in range(2))
    drawn = row_figures.drawn_rows(honest, scaled, 100)
    assert len(drawn) <= 800
    assert set(np.flatnonzero(honest <= 100)) | set(np.flatnonzero(scaled <= 100)) <= set(drawn)


def test_removed_weights_are_split_into_shared_and_own() -> None:
    assert row_figures.shared_removal(result(), 0.01) == (0.5, 2.0, 1.0)
    figure = row_figures.removed_weights(result(), 0.01)
    assert [t.x for t in figure.data] == [(0.5, 0.5), (0.0, 2.0), (1.0, 0.0)]


def test_the_finding_names_the_largest_effect_within_the_condition() -> None:
    said = words.finding(result())
    # Not by 0.001, which loses ten points.
    assert said == (
        "Yes. The group “green” gets the good prediction 21.0 points more often than “blue”; after "
        "the repair 5.0 points less often. **Multiply the model's parameters by 0.01 first, "
        "and the group “green” stays 15.0 points ahead.** The multiplication changes no "
        "prediction, only the scores."
    )
    changed = words.finding(result(table=table().assign(base_predictions_changed=3)))
    assert "change, and so do 3 of the 40 test predictions." in changed
    price = words.price(result())
    assert "In size the gap goes from 5.00 to 15.00 points" in price
    assert "+10.0 points (95% interval +6.0 to +14.0; the paper: up to 16)" in price
    assert "chance" not in said + price


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (0.21, "stays"),
        (0.1, "is"),  # larger than before
        (0.4, "is"),  # less than half of what it was
        (-0.2, "is"),
    ],
)
def test_the_finding_follows_the_sizes_and_signs_of_the_gaps(before: float, said: str) -> None:
    made = words.finding(result(about=about(gap_before=before)))
    assert f" first, and the group “green” {said} 15.0 points ahead.**" in made
    ahead, behind, turned = ("blue", "green", "more") if before < 0 else ("green", "blue", "less")
    assert f"The group “{ahead}” gets the good prediction {words.size(before)} points more" in made
    assert f"than “{behind}”; after the repair 5.0 points {turned} often." in made
    people = words.finding(result(about=about(group_names=("female", "male"))))
    assert "Men get the good prediction 21.0 points more often than women; after" in people
    assert "first, and men stay 15.0 points ahead." in people


def test_the_repair_is_drawn_beside_what_the_attack_leaves_of_it() -> None:
    rows = words.repair(result())
    assert rows["model"].tolist() == [
        "before the repair",
        "repaired",
        "repaired, parameters × 0.01",
    ]
    before = 100 * result().about.gap_before
    np.testing.assert_allclose(rows["gap"], [before, -5.0, 15.0])
    np.testing.assert_allclose(rows["low"][1:], [-10.0, 10.0])
    drawn = figures.repair_bars(rows, "DP gap")
    assert [bar.x[0] for bar in drawn.data] == pytest.approx([abs(before), 5.0, 15.0])
    assert "−5.0 points" in drawn.data[1].hovertemplate
    honest = table().assign(effect=np.nan)
    assert len(words.repair(result(table=honest))) == 1
    assert "no repaired model" in words.repair_title(result(table=honest))


def test_an_interval_that_contains_zero_is_said() -> None:
    rows = table().assign(effect_low=-0.01)
    assert "The difference can be chance: its interval contains 0" in words.finding(
        result(table=rows)
    )
    assert "40 test rows are too few" in words.price(result(table=rows))
    assert "can be chance" in words.repair_title(result(table=rows))


def test_no_effect_is_said() -> None:
    rows = table()
    rows["effect"] = [-0.1, -0.1, np.nan, -0.2, 0.0]
    assert "no scale within 3 points" in words.finding(result(table=rows))


def test_equal_opportunity_is_not_compared_with_the_papers_number() -> None:
    made = result("eop")
    assert "the paper reports none for this gap" in words.price(made)
    assert words.gap_title(made).startswith("Equal-opportunity gap on test at every scale: +15.0")


def test_the_pipeline_has_this_runs_numbers() -> None:
    steps = words.pipeline(result(), 0.01)
    assert [crucial for _, _, crucial in steps] == [False, True, False, False, False]
    said = " ".join(text for _, text, _ in steps)
    assert "Removed: 1.5 of 6 rows (α = 1: 2.5)" in said
    assert "DP gap on test +15.0 points (α = 1: −5.0), accuracy 79.0% (α = 1: 80.0%)" in said
    assert "no repaired model" in words.pipeline(result(), 0.1)[-1][1]
    assert "Not done" in words.pipeline(result(), 1.0)[1][1]


def test_names_from_data_are_shown_as_they_are() -> None:
    assert words.description(about())[-1] == r"Worth \$5 to \*you\*."


@pytest.mark.parametrize(
    ("share", "said"), [(0.1464, "+14.6"), (-0.05, "−5.0"), (-0.0003, "0.0"), (0.0, "0.0")]
)
def test_signed(share: float, said: str) -> None:
    assert words.signed(share) == said
