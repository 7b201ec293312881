"""The figures say what the result says: every drawn number is looked up again in the result."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine import attack, influence_scores
from engine.attacks.result import AttackResult, Ranking
from engine.data.dataset import Dataset
from engine.data.sources.bundled import digits
from engine.statistics import wilson_interval
from pages.attack.parts import attack_figures, baseline_view
from pages.attack.parts.slope_chart import slope_chart, slopes
from pages.common.figures import ranking
from pages.common.figures.axes import SignedScale, decades, number, thinned, thinning
from pages.common.figures.trajectories import RunState, run_states, trajectories
from pages.common.samples import Samples
from pages.common.words import reproduce, wording
from tests.support.problems import random_problem

TARGET = 16


def ranking_of(scores: np.ndarray) -> Ranking:
    return Ranking(scores, 1 + (scores[None, :] > scores[:, None]).sum(1))


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples(digits())


@pytest.fixture(scope="module")
def before(samples: Samples) -> Ranking:
    return ranking_of(np.random.default_rng(0).standard_t(2, len(samples)) / 50)


@pytest.fixture(scope="module")
def after(samples: Samples) -> Ranking:
    scores = np.random.default_rng(1).standard_t(2, len(samples)) / 20
    scores[TARGET] = scores.max() + 0.1
    return ranking_of(scores)


def trace(figure: go.Figure, name: str) -> go.Scatter:
    return next(t for t in figure.data if t.name == name)


def test_ranking_points_are_the_samples(samples: Samples, before: Ranking, after: Ranking) -> None:
    figure = ranking.ranking(before, samples, TARGET, k=3, after=after)
    scale = SignedScale.of(before.scores, after.scores)
    for name, one in (("honest model", before), ("malicious model", after)):
        drawn = trace(figure, name)
        n = len(samples)
        assert {row[0] for row in drawn.customdata} == {*one.top(n)[thinned(n)], TARGET}
        for x, y, (index, label, score, rank) in zip(
            drawn.x, drawn.y, drawn.customdata, strict=True
        ):
            assert rank == x == one.ranks[index]
            assert y == pytest.approx(float(scale(one.scores[index])))
            assert label == samples.label(index)
            assert score == number(one.scores[index])


def test_ranking_rings_the_target_and_says_where_it_went(
    samples: Samples, before: Ranking, after: Ranking
) -> None:
    figure = ranking.ranking(before, samples, TARGET, after=after)
    rings = [t for t in figure.data if t.marker.symbol == "circle-open"]
    assert [r.x[0] for r in rings] == [before.ranks[TARGET], 1]
    text = " ".join(a.text for a in figure.layout.annotations)
    assert f"before: rank {before.ranks[TARGET]:,}" in text and "after: rank 1" in text


def large_samples(n: int) -> Samples:
    return Samples(
        Dataset(
            name="large",
            X_train=np.zeros((n, 1), np.float32),
            y_train=np.arange(n) % 2,
            X_test=np.zeros((2, 1), np.float32),
            y_test=np.arange(2),
            X_holdout=np.zeros((2, 1), np.float32),
            y_holdout=np.arange(2),
            class_names=("a", "b"),
        )
    )


def large_ranking(n: int, seed: int) -> Ranking:
    scores = np.random.default_rng(seed).normal(size=n)
    return Ranking(scores, np.argsort(np.argsort(-scores)) + 1)


def test_large_ranking_is_thinned_says_so_and_keeps_tails_and_target() -> None:
    n, target = 50_000, 25_001
    one = large_ranking(n, 2)
    figure = ranking.ranking(one, large_samples(n), target)
    drawn = trace(figure, "honest model")
    assert len(drawn.x) <= 601
    assert set(range(1, 151)) <= set(drawn.x) and set(range(n - 149, n + 1)) <= set(drawn.x)
    assert target in [row[0] for row in drawn.customdata]
    text = " ".join(a.text for a in figure.layout.annotations)
    assert f"{len(thinned(n))} of 50,000 samples drawn" in text


def test_large_moves_are_thinned_say_so_and_keep_the_ends() -> None:
    n, target = 50_000, 25_001
    before, after = large_ranking(n, 2), large_ranking(n, 3)
    dots = trace(
        attack_figures.rank_to_rank(before, after, large_samples(n), target), "a training sample"
    )
    assert len(dots.x) <= 751
    assert set(range(1, 151)) <= set(dots.x) and set(range(n - 149, n + 1)) <= set(dots.x)
    assert set(range(1, 151)) <= set(dots.y)
    assert "Not all 50,000 are drawn" in attack_figures.moves_thinning(n)
    assert attack_figures.moves_thinning(600) == ""


def test_a_large_ranking_is_light_and_its_table_whole() -> None:
    """What goes to the browser does not grow with the data; the table that is asked for does."""
    n, target = 50_000, 25_001
    before, after = large_ranking(n, 2), large_ranking(n, 3)
    samples = large_samples(n)
    sizes = [
        len(ranking.ranking(one, some, 5, 1, two).to_json())
        for one, two, some in (
            (before, after, samples),
            (large_ranking(5000, 2), large_ranking(5000, 3), large_samples(5000)),
        )
    ]
    assert max(sizes) < 500_000 and sizes[0] < 1.2 * sizes[1]
    result = SimpleNamespace(
        before=before, after=after, before_holdout=before, after_holdout=after, targets=(target,)
    )
    table = reproduce.sample_table(result, samples)  # type: ignore[arg-type]  # what it reads of one
    assert len(table.to_csv().splitlines()) == n + 1
    assert table["rank_after"].tolist() == after.ranks.tolist()


@pytest.mark.parametrize("n", [1, 300, 600])
def test_what_is_drawn_whole_is_not_called_thinned(n: int) -> None:
    assert thinning(n) == ""
    assert f"{len(thinned(1200))} of 1,200 samples are drawn" in thinning(1200)


@pytest.mark.parametrize("n", [1, 2, 599, 600, 601, 1200, 50_000])
def test_thinned_is_ascending_and_ends_at_the_ends(n: int) -> None:
    positions = thinned(n)
    assert min(n, 400) <= len(positions) <= 600
    assert positions[0] == 0 and positions[-1] == n - 1
    assert (np.diff(positions) > 0).all()


def test_rank_axes_have_clean_ticks(samples: Samples, before: Ranking, after: Ranking) -> None:
    assert decades(1200) == [1, 10, 100, 1000]
    assert decades(9) == [1]
    for figure in (
        ranking.ranking(before, samples, TARGET),
        attack_figures.rank_to_rank(before, after, samples, TARGET),
    ):
        assert list(figure.layout.xaxis.tickvals) == [1, 10, 100, 1000]
        assert figure.layout.xaxis.type == "log"


def test_signed_scale_is_odd_and_its_ticks_are_apart() -> None:
    scale = SignedScale.of([-2.0, -0.01, 0.0, 0.003, 0.4])
    assert scale(-0.3) == -scale(0.3)
    ticks = scale.ticks(-2, 0.4)
    assert 0 in ticks and -1 in ticks
    gaps = np.diff(scale(ticks))
    assert gaps.min() >= 0.055 * float(scale(0.4) - scale(-2))


def test_signed_scale_of_nothing_but_zeros() -> None:
    assert SignedScale.of([0.0, 0.0]).ticks(0, 0) == [0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(-1.5, "−1.5"), (0.1, "0.1"), (-1e-5, "−1e−5"), (0.0, "0"), (1234.0, "1.23e3")],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_slopes_put_everyone_at_its_rank(before: Ranking, after: Ranking) -> None:
    lines = slopes(before, after, TARGET)
    assert {s.index for s in lines} == set(before.top(10)) | set(after.top(10))
    for s in lines:
        assert (s.rank_before, s.rank_after) == (before.ranks[s.index], after.ranks[s.index])
        assert (s.left <= 10) == (s.rank_before <= 10)
        assert (s.right <= 10) == (s.rank_after <= 10)
    for side in ("left", "right"):
        heights = sorted(getattr(s, side) for s in lines)
        assert len(set(heights)) == len(heights), "two lines end at one place"
    assert next(s for s in lines if s.index == TARGET).part == "target"


def test_slope_thumbnails_stand_at_their_samples_places(
    samples: Samples, before: Ranking, after: Ranking
) -> None:
    figure = slope_chart(before, after, samples, TARGET)
    left = {i.y: i.source for i in figure.layout.images if i.x < 0}
    right = {i.y: i.source for i in figure.layout.images if i.x > 1}
    assert left == {p: samples.thumbnail(i) for p, i in enumerate(before.top(10), 1)}
    assert right == {p: samples.thumbnail(i) for p, i in enumerate(after.top(10), 1)}


def trajectory() -> pd.DataFrame:
    rows = [
        {
            "run": run,
            "step": step,
            "rank": max(1, 400 - step * 90 * run),
            "loss": -0.1 * step,
            "accuracy_test": 0.9,
            "accuracy_holdout": 0.9 - 0.01 * step,
        }
        for run in range(3)
        for step in range(6 - run)
    ]
    return pd.DataFrame(rows)


def test_trajectories_keep_every_run_and_tell_them_apart_without_colour() -> None:
    states: dict[int, RunState] = {0: "stuck", 1: "reached", 2: "returned"}
    figure = trajectories(trajectory(), states, n=1200, k=1, steps=5, honest_accuracy=0.95)
    lines = {t.name: t for t in figure.data if t.mode == "lines" and t.yaxis == "y"}
    assert set(lines) == {"did not arrive", "arrived", "returned model"}
    assert lines["did not arrive"].line.dash == "dash"
    assert lines["returned model"].line.width > lines["arrived"].line.width
    drawn = {int(run) for t in lines.values() for run in t.customdata if np.isfinite(run)}
    assert drawn == {0, 1, 2}
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1], "rank 1 is on top"


def test_run_states() -> None:
    runs = pd.DataFrame(
        {
            "run": [0, 1, 2, 3],
            "reached": [True, False, True, False],
            "returned": [True, False, False, False],
            "steps": [4, 50, 9, 9],
        }
    )
    assert run_states(runs, 50) == {0: "returned", 1: "stuck", 2: "reached", 3: "ended"}


def test_a_run_ended_by_another_is_not_said_to_be_stuck() -> None:
    """`accurate` ends all runs once one is good enough."""
    dataset, model = random_problem(9, n=60, d=4)
    ranks = influence_scores(model, dataset, device="cpu").ranks
    target = int(np.flatnonzero(ranks == 12)[0])
    result = attack(
        model, dataset, target, k=10, radius=0.5, objective="accurate", restarts=8, steps=40,
        device="cpu",
    )  # fmt: skip
    states = run_states(result.runs, 40)
    assert "ended" in states.values() and "stuck" not in states.values()
    early = result.runs.set_index("run").loc[[r for r, s in states.items() if s == "ended"]]
    assert (early["steps"] < 40).all() and not early["reached"].any()
    figure = attack_figures.every_run(result, 40)
    assert "ended, another had arrived" in {t.name for t in figure.data}
    assert "did not arrive" not in {t.name for t in figure.data}


def test_rank_to_rank_rings_the_target(samples: Samples, before: Ranking, after: Ranking) -> None:
    figure = attack_figures.rank_to_rank(before, after, samples, TARGET)
    ring = next(t for t in figure.data if t.marker.symbol == "circle-open")
    assert (ring.x[0], ring.y[0]) == (before.ranks[TARGET], 1)
    dots = trace(figure, "a training sample")
    for x, y, (index, _) in zip(dots.x, dots.y, dots.customdata, strict=True):
        assert (x, y) == (before.ranks[index], after.ranks[index])


def test_price_carries_both_intervals() -> None:
    intervals = (wilson_interval(283, 299), wilson_interval(277, 299))
    figure = attack_figures.price(283 / 299, 277 / 299, intervals)
    ends = {
        t.name: (t.x[0] - t.error_x.arrayminus[0], t.x[0] + t.error_x.array[0]) for t in figure.data
    }
    assert ends["honest"] == pytest.approx(intervals[0])
    assert ends["malicious"] == pytest.approx(intervals[1])


@pytest.mark.parametrize("order", ["highest_first", "lowest_first"])
def test_every_order_says_what_rank_1_means(order: str) -> None:
    moves, does = {"highest_first": ("raises", "harms"), "lowest_first": ("lowers", "helps")}[order]
    said = wording.rank_one(order)
    assert said.startswith("Rank 1 is") and "the paper" in said.lower()
    assert f"it {does}" in said and f"the sample that {moves} the test loss most" in said


def test_labels_stand_on_the_free_side_of_a_rising_ranking(
    samples: Samples, before: Ranking
) -> None:
    rising = Ranking(before.scores, len(samples) + 1 - before.ranks)
    second = int(rising.top(2)[1])
    for one, upward in ((before, True), (rising, False)):
        target = int(one.top(2)[1]) if upward else second
        figure = ranking.ranking(one, samples, target)
        label = next(a for a in figure.layout.annotations if "rank 2" in a.text)
        assert (label.ay < 0) == upward  # pixels count downwards


def test_the_baseline_stands_beside_the_attack(before: Ranking, after: Ranking) -> None:
    table = pd.DataFrame(
        {
            "target_weight": [1.0, 1e3, 1e6],
            "rank_test": [700, 90, 40],
            "rank_holdout": [650, 120, 60],
            "accuracy_holdout": [0.94, 0.93, 0.51],
            "accuracy_drop": [0.01, 0.02, 0.44],
        }
    )
    read = {"before": before, "ranks_test": np.array([1]), "accuracy_after": 0.936}
    attack, wide = (cast(AttackResult, SimpleNamespace(k=k, **read)) for k in (1, 50))
    drawn = baseline_view.figure(table, attack)
    assert trace(drawn, "rank, attacker's test set").y.tolist() == [700, 90, 40]
    assert trace(drawn, "rank, unknown test set").y.tolist() == [650, 120, 60]
    texts = [a.text for a in drawn.layout.annotations]
    assert texts == ["the attack: rank 1", "the attack: 93.6%"]
    assert drawn.layout.annotations[0].y == 0  # log10 of the rank
    said = baseline_view.title(table, attack)
    assert said == "Training on the target more often brings it only to rank 40"
    assert "too, and costs 44.0 points" in baseline_view.title(table, wide)
    assert [baseline_view.power(10.0**e) for e in range(7)] == [
        "1", "10", "100", "1,000", "10k", "100k", "1M",
    ]  # fmt: skip
