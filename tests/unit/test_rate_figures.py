"""The figures and words about success rates say what the tables say: numbers are looked up again,
and tables with a single radius or k, or without any success, are drawn too."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.attacks.rates import success_rates
from engine.attacks.result import Ranking
from engine.experiments import SweepRequest
from pages.attack.parts import (
    ablation,
    frontier,
    price_figure,
    rate_figures,
    set_figures,
    target_sets,
    variant_figures,
)
from pages.common.asking import links
from pages.common.asking.rate_view import RateView, best_radius
from pages.common.frames import row_of
from pages.common.words import paper, rate_words
from pages.common.words.wording import listed


def sweep_table(
    hits: dict[tuple[int, float, int], tuple[int, float]],
    objective: str = "higher_ranked",
    restarts: int = 5,
    set_size: int = 1,
) -> pd.DataFrame:
    """A sweep's table with one run an attack. hits: per target, radius and k, how many targets the
    run has in the top, and its fall of accuracy."""
    rows: list[dict[str, Any]] = []
    for (target, radius, k), (top, drop) in hits.items():
        rows.append(
            {
                "dataset": "made up",
                "train_size": 100,
                "seed": 0,
                "set_size": set_size,
                "target": target,
                "objective": objective,
                "restarts": restarts,
                "radius": radius,
                "k": k,
                "rank_before": 50 + target,
                "rank_test": 1 if top else 40,
                "accuracy_before": 0.9,
                "accuracy_after": 0.9 - drop,
                "share_of_targets": top / set_size,
                "share_of_targets_holdout": 0.0,
                "runs_in_top": [top],
                "runs_in_top_holdout": [0],
                "runs_accuracy": [0.9 - drop],
                "rank_correlation": 0.5,
            }
        )
    return pd.DataFrame(rows)


def four_variants() -> pd.DataFrame:
    """Four targets, two radii, k = 1. At the larger radius: `target` moves none, `top_k` target 0,
    `higher_ranked` targets 0 and 1 (1 at too high a price), with restarts all but 3."""
    moved = {"target": {}, "top_k": {0: 0.0}, "higher_ranked": {0: 0.0, 1: 0.1}}
    tables = [
        sweep_table(
            {
                (t, r, 1): (int(t in moves and r > 0.2), moves.get(t, 0.0))
                for t in range(4)
                for r in (0.1, 0.3)
            },
            objective,
            restarts=0,
        )
        for objective, moves in moved.items()
    ]
    restarted = sweep_table(
        {(t, r, 1): (int(t < 3), 0.02) for t in range(5) for r in (0.1, 0.3, 0.5)}
    )
    return ablation.variants(pd.concat(tables), restarted)


VIEW = RateView(1, 0.03, "any_run", 0.3)
RADII = dict.fromkeys(ablation.VARIANTS, 0.3)


def trace(figure: go.Figure, name: str) -> Any:
    return next(t for t in figure.data if t.name == name)


def check_traces(figure: go.Figure) -> None:
    """Every trace says what it is when hovered, or is silent on purpose."""
    assert figure.data
    for one in figure.data:
        assert one.hoverinfo == "skip" or (one.hovertemplate and one.name), one


# the ablation


def test_variants_keep_what_both_sweeps_have() -> None:
    table = four_variants()
    assert set(table["variant"]) == set(ablation.VARIANTS)
    assert set(table["radius"]) == {0.1, 0.3}
    assert set(table["target"]) == {0, 1, 2, 3}


def test_moved_leads_and_steps_count_targets() -> None:
    found = ablation.moved(four_variants(), VIEW, RADII)
    hits = ablation.wide(found)
    assert list(hits.index) == [0, 1, 2, 3], "by honest rank"
    assert hits.sum().to_dict() == {"target": 0, "top_k": 1, "higher_ranked": 1, "restarts": 3}
    assert ablation.wide(found, "moved")["higher_ranked"].sum() == 2
    lead = ablation.leads(hits)
    assert lead.loc["restarts", "higher_ranked"] == 2
    assert row_of(lead, "target").tolist() == [0, 0, 0, 0]
    best = ablation.best_of(VIEW.both(four_variants(), ablation.BY))
    kept = best[best["regime"] == "high_accuracy"]
    taken = ablation.steps(kept, hits)
    assert taken["gained"].tolist() == [1, 0, 2] and taken["lost"].tolist() == [0, 0, 0]
    assert taken["rate_after"].tolist() == [0.25, 0.25, 0.75]
    said = ablation.order(taken, 4)
    assert "here pushing down all above the target does no better than pushing down the top" in said
    assert "No single step is more than chance on these 4 targets" in said
    assert ablation.parts_title(taken).startswith("Not every part brings more")
    said = "**The largest step is starting at random: 3 of 4 samples reach rank 1, instead of 1.**"
    assert said in ablation.finding(kept, VIEW)
    wider = ablation.finding(kept, replace(VIEW, k=10))
    assert "3 of 4 samples reach the top 10, instead of 1." in wider


@pytest.mark.parametrize(
    ("rates", "p", "said"),
    [
        ((0.1, 0.2, 0.3, 0.4), (0.5, 0.01, 0.2), "only pushing down all above the target"),
        ((0.1, 0.2, 0.3, 0.4), (0.01, 0.01, 0.01), "No step is mere chance"),
        ((0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.5), "Every step helps, as in the paper's"),
        ((0.3, 0.2, 0.4, 0.1), (0.5, 0.5, 0.5), "starting at random does worse than pushing down"),
    ],
)
def test_the_order_of_the_steps_is_said_as_it_is(
    rates: tuple[float, ...], p: tuple[float, ...], said: str
) -> None:
    names = list(ablation.VARIANTS)
    taken = pd.DataFrame(
        {
            "step": names[1:],
            "before": names[:-1],
            "rate_before": rates[:-1],
            "rate_after": rates[1:],
            "p": p,
        }
    )
    assert said in ablation.order(taken, 50)


def test_no_step_that_helps_is_said() -> None:
    taken = pd.DataFrame({"step": ["top_k"], "rate_before": [0.5], "rate_after": [0.5]})
    assert ablation.parts_title(taken).startswith("Not every part brings more")


def our_sweep(radii: tuple[float, ...] = (0.1, 0.3, 0.5)) -> pd.DataFrame:
    """`accurate` moves all but target 2, on more targets than the variants have in common."""
    moved = {(t, r, 1): (int(t != 2), 0.0) for t in range(6) for r in radii}
    return sweep_table(moved, "accurate", restarts=4).assign(runs=4)


def test_ours_is_a_fifth_variant_beside_the_paper_s_four() -> None:
    four = four_variants().assign(runs=10)
    table = ablation.with_ours(four, [our_sweep()])
    assert table["variant"].value_counts().to_dict() == dict.fromkeys(ablation.LABELS, 8)
    found = ablation.moved(table, VIEW, dict.fromkeys(ablation.LABELS, 0.3))
    hits = ablation.wide(found)
    assert list(hits.columns) == list(ablation.LABELS), "ours last"
    rows = ablation.at_equal_radius(table, VIEW).set_index("radius")
    assert (rows["gained"][0.3], rows["lost"][0.3]) == (1, 1)
    assert rows["p"].tolist() == [pytest.approx(1), pytest.approx(1)]
    said = ablation.ours(table, VIEW, 100)
    assert "at radius 0.1 and 0.3 the two differ by no more than chance" in said
    assert "on 4 runs of at most 100 steps an attack to its 10" in said
    assert "2 only with random starts" not in ablation.strip_counts(hits)
    assert ablation.strip_counts(hits).endswith(
        "1 only with random starts, 1 only with our objective."
    )
    own = ablation.of_paper(hits)
    pd.testing.assert_frame_equal(
        own, ablation.wide(ablation.moved(four, VIEW, RADII)), check_names=False
    )
    assert "loses no target" in ablation.lead_title(ablation.leads(hits)), "to a simpler one"
    assert ablation.telling_target(found) == 2, "of the paper's four, which are followed"
    figure = variant_figures.variant_rates(ablation.best_of(VIEW.both(table, ablation.BY)), 0.03)
    kept = trace(figure, "at the top, at most 3 points lost")
    assert list(kept.x) == [0, 1, 1, 3, 3]
    assert "This lab's attack:" in kept.y[-1]
    best = ablation.best_of(VIEW.both(table, ablation.BY))
    beside = paper.beside_table_2(best, ablation.LABELS, "here").iloc[-1]
    assert beside["here"] == "0.75 / 0.75 (0.0)"
    assert beside["paper: CIFAR-10"] == "not in the paper"


def test_ours_is_left_out_where_it_has_not_been_run_on_all_of_it() -> None:
    four = four_variants()
    assert ablation.with_ours(four, []) is four
    assert ablation.with_ours(four, [our_sweep((0.3,))]) is four
    both = ablation.with_ours(four, [our_sweep((0.3,)), our_sweep((0.1, 0.3))])
    assert (both["variant"] == ablation.ACCURATE).sum() == 8, "each attack once"
    assert ablation.ours(four, VIEW, 100) == ""
    assert ablation.budget(None, 8.7) == ""
    assert "1.9 seconds an attack, 8.7 for the paper's" in ablation.budget(1.86, 8.71)


def test_the_strip_has_every_target_under_every_variant() -> None:
    found = ablation.moved(four_variants(), VIEW, RADII)
    figure = variant_figures.target_strip(found, chosen=2)
    check_traces(figure)
    counts = {t.name: len(t.x) for t in figure.data}
    assert counts == {"moved, accuracy kept": 5, "moved, accuracy lost": 1, "not moved": 10}
    dear = trace(figure, "moved, accuracy lost")
    assert dear.customdata[0][:2].tolist() == [1, 51]
    assert list(figure.layout.xaxis.ticktext) == ["50", "51", "52", "53"]
    assert figure.layout.shapes[0].x0 == 1.5, "the chosen target's column"
    hits = ablation.wide(found)
    assert ablation.strip_title(hits) == "0 of 4 targets move under every variant"
    assert ablation.strip_counts(hits) == "1 under none; 2 only with random starts."


def test_the_matrix_shows_the_leads() -> None:
    lead = ablation.leads(ablation.wide(ablation.moved(four_variants(), VIEW, RADII)))
    figure = variant_figures.lead_matrix(lead, 4)
    check_traces(figure)
    drawn = np.array(figure.data[0].z)
    assert np.isnan(np.diag(drawn)).all()
    assert drawn[3, 2] == 2
    assert lead.loc["target", "target"] == 0, "the table itself is left alone"
    assert "loses no target" in ablation.lead_title(lead)
    lead.loc["top_k", "restarts"] = 3
    assert "attack misses 3 that pushing down the top moves" in ablation.lead_title(lead)


@pytest.mark.parametrize("none", [False, True])
def test_variant_rates_are_those_of_the_table(none: bool) -> None:
    table = four_variants()
    if none:
        table = table.copy()  # what is kept is changed by nobody
        table["runs_in_top"] = [[0]] * len(table)
    best = ablation.best_of(VIEW.both(table, ablation.BY))
    figure = variant_figures.variant_rates(best, 0.03)
    check_traces(figure)
    counts = {bar.name: list(bar.x) for bar in figure.data}
    stuck = [4, 4, 4, 4] if none else [4, 3, 2, 1]
    assert counts.pop("not at the top") == stuck
    kept, dearer = "at the top, at most 3 points lost", "at the top, more lost"
    assert counts == ({} if none else {kept: [0, 1, 1, 3], dearer: [0, 0, 1, 0]})
    beside = paper.beside_table_2(best, ablation.VARIANTS, "here")
    assert beside["here"].iloc[0] == "0.00 / 0.00 (–)"
    assert beside["here"].iloc[2] == ("0.00 / 0.00 (–)" if none else "0.25 / 0.50 (5.0)")
    assert beside["paper: Caltech-101"].tolist()[0] == "0.52 / 0.72 (11.7)"


def attack_result(target: int, ranks: dict[int, list[int]], k: int = 1) -> Any:
    """What the figure reads of an attack's result: the rank of every run by step."""
    trajectory = pd.DataFrame(
        [
            {"run": run, "step": step, "rank": rank, "loss": 0.0, "accuracy_holdout": 0.9}
            for run, path in ranks.items()
            for step, rank in enumerate(path)
        ]
    )
    reached = [path[-1] <= k for path in ranks.values()]
    runs = pd.DataFrame(
        {
            "run": list(ranks),
            "reached": reached,
            "returned": [run == 0 for run in ranks],
            "steps": [len(path) - 1 for path in ranks.values()],
        }
    )
    before = Ranking(np.zeros(200), np.arange(1, 201))
    return SimpleNamespace(
        targets=(target,),
        before=before,
        k=k,
        runs=runs,
        trajectory=trajectory,
        any_run_success=any(reached),
    )


def test_stuck_runs_are_drawn_and_end_in_a_cross() -> None:
    attacks = {
        "target": attack_result(7, {0: [8, 30, 20], 1: [8, 60, 50]}),
        "restarts": attack_result(7, {0: [8, 3, 1], 1: [8, 60, 50]}),
    }
    figure = variant_figures.stuck_runs(attacks, 2)
    named = [t for t in figure.data if t.mode == "lines"]
    assert sorted((t.name, t.xaxis) for t in named) == [
        ("did not arrive", "x"),
        ("did not arrive", "x2"),
        ("returned model", "x"),
        ("returned model", "x2"),
    ]
    shown = [t.name for t in figure.data if t.showlegend]
    assert sorted(shown) == ["did not arrive", "returned model"], "each once"
    ends = {(t.xaxis, t.y[0]): t.marker.symbol[0] for t in figure.data if t.mode == "markers"}
    assert ends == {("x", 50): "x", ("x", 20): "x", ("x2", 50): "x", ("x2", 1): "circle"}
    titles = [a.text for a in figure.layout.annotations]
    assert "Raise the target<br>alone<br>0 of 2 arrive" in titles
    assert "The paper's<br>attack: the same,<br>random starts<br>1 of 2 arrives" in titles
    assert ablation.runs_title(attacks) == (
        "Sample 7, honest rank 8, arrives by starting at random; under the 1 other variant every "
        "run gets stuck"
    )
    assert "under none" in ablation.runs_title({"target": attacks["target"]})
    assert "under every variant" in ablation.runs_title({"restarts": attacks["restarts"]})


def test_the_telling_target_fails_under_most_and_moves_under_the_papers() -> None:
    found = ablation.moved(four_variants(), VIEW, RADII)
    assert ablation.telling_target(found) == 2
    same = found.assign(moved=True)
    assert ablation.telling_target(same) == 0, "where all move, the first"


# sets of targets


def shares_of(grid: dict[tuple[int, int], float], column: str) -> pd.DataFrame:
    rows = [
        {
            "set_size": size,
            "k": k,
            "attacks": 10,
            **{f"share_of_{c}{end}": value for c in ("targets", "topk") for end in ("", "_low")},
            **{f"share_of_{c}_high": 1.0 for c in ("targets", "topk")},
            column: value,
        }
        for (size, k), value in grid.items()
    ]
    return pd.DataFrame(rows)


PLACES, TARGETS = target_sets.READINGS["places"], target_sets.READINGS["targets"]
GRID = {(1, 1): 0.6, (1, 10): 0.06, (100, 1): 0.8, (100, 10): 0.5}


def test_arrivals_are_counted_of_targets_or_of_places() -> None:
    assert PLACES.whole(3, 10) == PLACES.whole(30, 10) == 10
    assert TARGETS.whole(3, 10) == 3 and TARGETS.whole(30, 10) == 30
    rows = target_sets.arrived(shares_of(GRID, TARGETS.column), 10)
    assert rows["room"].tolist() == [10, 100]  # ten sets: of one target, of ten places
    assert rows["of"].tolist() == [10, 1000]


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        (GRID, "both hold"),
        (GRID | {(100, 10): 0.9}, "the second holds, the first does not"),
        (GRID | {(100, 1): 0.51}, "the first holds, the second does not"),
        ({cell: 0.5 for cell in GRID}, "neither holds"),
    ],
)
def test_the_papers_findings_are_judged_by_the_shares(
    grid: dict[tuple[int, int], float], said: str
) -> None:
    trends = target_sets.Trends.of(shares_of(grid, PLACES.column), PLACES)
    assert target_sets.verdict(trends) == said
    shares = shares_of(grid, PLACES.column)
    assert f"**{said}**" in target_sets.against_paper(shares)
    assert target_sets.evidence(trends) in target_sets.counted(shares)
    finding = target_sets.finding(shares, 0.03, 0.3, 10)
    assert f"of 100 samples favoured together, about {100 * grid[100, 10]:.0f} reach" in finding
    assert ("Hardly" in finding) == (grid[100, 10] < round(10 * grid[1, 10]) / 10)


@pytest.mark.parametrize(
    ("part", "said"), [(0.012, "about 1 reaches "), (0.001, "fewer than 1 reaches ")]
)
def test_one_sample_that_arrives_reaches_the_top(part: float, said: str) -> None:
    shares = shares_of(GRID | {(100, 10): part}, PLACES.column)
    assert f"favoured together, {said}" in target_sets.finding(shares, 0.03, 0.3, 10)


def test_one_size_cannot_be_judged() -> None:
    only = shares_of({(3, 1): 0.5}, PLACES.column)
    assert "ask for more than one of each" in target_sets.finding(only, None, 0.3, 1)


@pytest.mark.parametrize("reading", [PLACES, TARGETS])
@pytest.mark.parametrize("grid", [GRID, {(3, 10): 0.0}])
def test_the_grid_shows_the_shares(
    reading: target_sets.Reading, grid: dict[tuple[int, int], float]
) -> None:
    shares = shares_of(grid, reading.column)
    figure = set_figures.share_grid(shares, reading)
    check_traces(figure)
    heat = figure.data[0]
    assert sorted(np.ravel(heat.z)) == sorted(grid.values())
    of = 10 * reading.whole(*max(grid))
    assert np.ravel(heat.text)[-1] == f"<b>{grid[max(grid)] * of:.0f}</b><br>of {of:,}"
    assert "possible arrivals" in target_sets.grid_title(shares, "there")


def test_bars_of_set_sizes_count_what_arrives() -> None:
    """Ten sets each: of one target 6 arrive, of a hundred 50, and there is room for a hundred."""
    shares = shares_of({(1, 10): 0.6, (100, 10): 0.05}, TARGETS.column)
    figure = set_figures.arrivals(shares, 10)
    check_traces(figure)
    arrive, stay, no_room = figure.data
    assert list(arrive.y) == ["1 alone", "100 together"]
    assert list(arrive.x) == pytest.approx([0.6, 0.05])
    assert list(stay.x) == pytest.approx([0.4, 0.05])
    assert list(no_room.x) == pytest.approx([0, 0.9])
    notes = [note.text for note in figure.layout.annotations]
    assert notes == [
        "<b>60%</b><br>6 of 10", "<b>5%</b><br>50 of 1,000", "counted over<br>10 sets"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.6, 0.3, 0.1], "The larger the set, the smaller"),
        ([0.6, 0.2, 0.3], "Of the largest sets a smaller part"),
        ([0.3, 0.2, 0.6], "no smaller part"),
        ([0.3], "no smaller part"),
    ],
)
def test_the_title_says_whether_larger_sets_arrive_less(shares: list[float], said: str) -> None:
    grid = {(size, 10): share for size, share in zip((1, 10, 100), shares, strict=False)}
    assert said in target_sets.arrivals_title(shares_of(grid, TARGETS.column), 10)


def test_single_targets_are_compared_where_they_are_the_same() -> None:
    outcome = {0: 1, 1: 0, 2: 1, 3: 1, 4: 0}
    cost = sweep_table({(t, 0.3, k): (top, 0.01) for t, top in outcome.items() for k in (1, 10)})
    sizes = cost[cost["target"] < 2]
    view = RateView(10, 0.03, "any_run", 0.3)
    said = target_sets.beside_cost(sizes, cost, view)
    assert "3 of 5 arrive there. Of the 2 targets that fail there, 1 is among the 2 here." in said
    assert said.endswith("All that reach the top 10 here also reach the very top.")
    assert not target_sets.beside_cost(sizes.assign(target=60), cost, view)
    assert not target_sets.beside_cost(sizes, cost, replace(view, radius=0.1))
    other = sweep_table({(0, 0.3, k): (0, 0.01) for k in (1, 10)})
    assert not target_sets.beside_cost(other, cost, view), "they fare otherwise"


# rates


@pytest.mark.parametrize("radii", [(0.1,), (0.1, 0.3, 1.0)])
@pytest.mark.parametrize("top", [0, 1])
def test_success_by_radius_is_that_of_the_table(radii: tuple[float, ...], top: int) -> None:
    table = sweep_table({(t, r, 1): (top, 0.01) for t in range(4) for r in radii})
    rates = VIEW.rates(table)
    figure = rate_figures.success_against(rates, table, "radius", "radius", 0.03)
    check_traces(figure)
    own = trace(figure, "attacker's own test set")
    assert own.x.tolist() == list(radii)
    assert own.y.tolist() == [top] * len(radii)
    assert trace(figure, "unknown test set").y.tolist() == [0] * len(radii)
    assert trace(figure, "unknown test set").line.dash == "dash"
    lost = trace(figure, "returned models, median and middle half")
    assert lost.y == pytest.approx([1] * len(radii))
    points = pd.DataFrame({"radius": radii, "drop": 1.0, "correlation": 0.5})
    points["objective"] = "higher_ranked"
    points[["rate", "low", "high"]] = (0.5, 0.4, 0.6)
    check_traces(rate_figures.frontier(points))


def test_every_attack_is_in_one_part_of_its_radius_bar() -> None:
    """Of four attacks two arrive within the limit, one loses more, one does not arrive."""
    drops = ((1, 0.01), (1, 0.02), (1, 0.2), (0, 0.0))
    table = sweep_table({(t, r, 1): drops[t] for t in range(4) for r in (0.1, 0.3)})
    found = price_figure.prices(table, VIEW)
    for row in found[["attacks", "moved", "dearer", "stuck"]].to_numpy():
        assert row.tolist() == [4, 2, 1, 1]
    assert found["lost"].tolist() == pytest.approx([1.5, 1.5])
    assert found["correlation"].tolist() == [0.5, 0.5]
    figure = price_figure.by_price(found, 0.03)
    check_traces(figure)
    assert [list(bar.x) for bar in figure.data] == [[2] * 2, [1] * 2, [1] * 2]
    assert [note.text for note in figure.layout.annotations][3:] == ["1.5", "0.50"] * 2
    free = price_figure.prices(table, replace(VIEW, tolerance=None))
    assert [bar.name for bar in price_figure.by_price(free, None).data] == [
        "at the top",
        "not at the top",
    ]


def test_the_frontier_says_what_every_objective_leaves_of_the_ranking() -> None:
    """Two objectives on targets of which they share three: rates, medians and counts by hand."""
    plain = sweep_table({(t, 0.3, 1): (1, 0.02 * t) for t in range(4)})
    quiet = sweep_table({(t, 0.5, 1): (int(t < 3), 0.0) for t in range(1, 5)}, "quiet", 2)
    quiet["rank_correlation"] = [0.9, 0.7, 0.8, 0.9]
    table = frontier.on_the_same(plain, [quiet])
    assert sorted(table["target"]) == [1, 1, 2, 2, 3, 3]
    points = frontier.points(table, replace(VIEW, tolerance=None)).set_index("objective")
    assert points["rate"].to_dict() == pytest.approx({"higher_ranked": 1.0, "quiet": 2 / 3})
    assert points["drop"].to_dict() == pytest.approx({"higher_ranked": 4.0, "quiet": 0.0})
    assert points["correlation"].to_dict() == {"higher_ranked": 0.5, "quiet": 0.8}
    left = frontier.left(points.reset_index())
    assert "Algorithm 3 moves 100% for 4.0 points and leaves Spearman 0.50" in left
    assert "“keep predictions and ranks” moves 67% for 0.0 points and leaves Spearman 0.80" in left
    figure = rate_figures.frontier(points.reset_index())
    assert [t.name for t in figure.data] == ["Algorithm 3"] * 2 + ["keep predictions and ranks"] * 2
    assert [list(t.y) for t in figure.data] == [[1.0], [0.5], [pytest.approx(2 / 3)], [0.8]]
    counts = frontier.counts(table, 1)
    columns = ["objective", "attacks", "success", "accurate", "ordered", "quiet"]
    assert counts[columns].to_numpy().tolist() == [
        ["higher_ranked", 3, 3, 0, 0, 0],  # every fall of accuracy is above 1 point
        ["quiet", 3, 2, 2, 1, 1],  # 0.9 and 0.7 of those two; the third is not in the top
    ]
    assert frontier.shown(counts)["all three"].tolist()[1] == "1 (6% to 79%)"
    alone = frontier.points(plain, replace(VIEW, tolerance=None))
    assert frontier.left(alone).startswith("Its rank correlation with the honest one is 0.50")
    assert frontier.on_the_same(plain, []).equals(plain)
    asked = [
        SweepRequest(objectives=("higher_ranked",), steps=60),
        SweepRequest(objectives=("quiet",), steps=200),
    ]
    assert frontier.meaning(plain.assign(runs=10), asked) == ""
    assert (
        "10 of at most 60 steps of Algorithm 3 and 10 of at most 200 steps of “keep predictions "
        "and ranks”" in frontier.meaning(table.assign(runs=10), asked)
    )


def test_attack_and_baseline_stand_at_every_k() -> None:
    table = sweep_table({(t, 0.3, k): (int(t < k), 0.01) for t in range(4) for k in (1, 3)})
    rates = success_rates(table).query("form == 'any_run' and split == 'test'")
    figure = rate_figures.attack_against_baseline(rates.assign(method="attack"))
    check_traces(figure)
    assert trace(figure, "attack, accuracy kept").y.tolist() == [0.25, 0.75]
    assert trace(figure, "attack, any accuracy").customdata[0][:3] == [1, 4, "at radius 0.3"]
    beside = paper.beside_table_1(rates.assign(method="attack"))
    assert beside[paper.CELL_NAME].tolist()[:2] == ["0.25 / 0.25 (1.0)", "0.75 / 0.75 (1.0)"]


def test_the_best_radius_is_that_of_most_successes() -> None:
    table = sweep_table({(t, r, 1): (int(t < 10 * r), 0.0) for t in range(4) for r in (0.1, 0.3)})
    assert best_radius(table) == 0.3
    dear = sweep_table(
        {(t, r, 1): (int(t < 10 * r), r - 0.1) for t in range(4) for r in (0.1, 0.3)}
    )
    assert best_radius(dear) == 0.1, "with accuracy kept"


def test_rates_in_words() -> None:
    rates = pd.DataFrame({"radius": [1.0, 0.05, 0.3], "rate": [0.5, 0.0, 0.9]})
    assert rate_words.course(rates, "radius") == "0% at 0.05, 90% at 0.3, 50% at 1"
    assert rate_words.course(rates[:1], "radius") == "50% at 1"
    assert [listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_a_note_on_many_choices_counts_them() -> None:
    many = links.problems({"target": "x"}, {"target": list(range(50))}, {"target": 3})
    assert many == [
        "The link asks for `target=x`, but target must be one of the 50 on this page. The lab uses "
        "target 3 instead."
    ]
