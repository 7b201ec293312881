"""The paper beside us: each verdict follows from the numbers, and changes with them."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pages.common.lab import published_results
from pages.common.words import paper
from pages.evidence.parts import comparison_figures, comparison_words, comparisons, paper_tables
from pages.evidence.parts.comparisons import DIFFERS, NOT_COMPARABLE, REPRODUCED
from tests.support.speed import comparison
from tests.support.sweep_rows import attack

N = 20


def sweep_of(
    arrived: dict[tuple[float, int], int], drop: float = 0.0, **columns: object
) -> pd.DataFrame:
    """A sweep on 20 targets in which, at each (radius, k), so many arrive; every run loses
    `drop`."""
    rows = [
        attack([(int(target < hits), int(target < hits // 2), 0.9 - drop)], k=k)
        | {"radius": radius, "target": target, "rank_test": 1, **columns}
        for (radius, k), hits in arrived.items()
        for target in range(N)
    ]
    return pd.DataFrame(rows)


def baseline_of(rank: int, drop: float) -> pd.DataFrame:
    """A baseline whose 20 targets all end at that rank, losing so much."""
    return pd.DataFrame(
        {
            "target_weight": 1e5,
            "rank_before": 900,
            "rank_test": [rank] * N,
            "rank_holdout": rank,
            "accuracy_drop": drop,
        }
    )


@pytest.mark.parametrize(("hits", "verdict"), [(20, REPRODUCED), (3, DIFFERS)])
def test_the_attack_beats_the_baseline_only_where_the_intervals_are_apart(hits, verdict):
    found = comparisons.beats_baseline(
        "x", sweep_of({(0.3, 1): hits, (0.3, 3): 20}), baseline_of(900, 0.0)
    )
    assert found.verdict == verdict
    assert f"{hits / N:.2f}" in found.here
    assert ("at every k" in found.why) == (verdict == REPRODUCED)


@pytest.mark.parametrize(
    ("rank", "drop", "verdict"),
    [(900, 0.0, NOT_COMPARABLE), (25, 0.5, REPRODUCED), (25, 0.01, DIFFERS), (1, 0.5, DIFFERS)],
)
def test_the_baseline_gets_there_late_and_dearly_or_not(rank, drop, verdict):
    assert comparisons.baseline_is_dear("x", baseline_of(rank, drop), [1, 30]).verdict == verdict


def ablation_of(target: int, top_k: int, higher: int, restarts: int) -> comparisons.Comparison:
    single = pd.concat(
        [
            sweep_of({(0.3, 1): hits}, objective=name)
            for name, hits in {"target": target, "top_k": top_k, "higher_ranked": higher}.items()
        ],
        ignore_index=True,
    )
    return comparisons.every_part_helps("x", single, sweep_of({(0.3, 1): restarts}))


def test_the_order_of_the_variants_decides_about_table_2():
    agrees, not_so = ablation_of(4, 10, 10, 18), ablation_of(4, 10, 9, 18)
    assert agrees.verdict == REPRODUCED
    assert agrees.here == "success is 0.20, 0.50, 0.50 and 0.90 at k = 1"
    assert not_so.verdict == DIFFERS
    assert "pushing down all above the target does worse" in not_so.why
    on_digits, on_wine = (
        comparisons.Comparison(**{**vars(found), "data": data})
        for found, data in ((agrees, "digits"), (not_so, "wine"))
    )
    assert comparison_words.orders_title([on_digits]).startswith("No part of the recipe does worse")
    assert comparison_words.orders_title([on_digits, on_wine]).endswith(
        "does worse than the step before, on wine"
    )


def made_checks() -> list[comparisons.Comparison]:
    """Three statements, each on two data sets; a fourth on a third."""
    made = [
        comparisons.Comparison("Fig. 2", f"claim {n}", "A claim.", "found", data, verdict, "why")
        for data in ("digits", "the wine")
        for n, verdict in enumerate((REPRODUCED, DIFFERS, NOT_COMPARABLE))
    ]
    return [*made, comparisons.Comparison("Theorem 1", "<last>", "A.", "b", "made", DIFFERS, "c")]


def test_the_scoreboard_has_a_piece_for_each_check():
    """They lie side by side, those of one verdict together, with their number above or below."""
    figure = comparison_figures.scoreboard(made_checks())
    pieces = [(trace.name, int(start)) for trace in figure.data for start in trace.base]
    assert [start for _, start in pieces] == list(range(7))
    assert [name for name, _ in pieces] == [REPRODUCED] * 2 + [DIFFERS] * 3 + [NOT_COMPARABLE] * 2
    said = [note.text for note in figure.layout.annotations]
    assert said == ["<b>2 reproduced</b>", "<b>3 differ</b>", "<b>2 not comparable</b>"]


def test_each_statement_has_a_tile_for_each_check():
    """So that tiles can be counted: as many of a verdict as the bar has pieces."""
    made = made_checks()
    said = comparison_words.verdict_list(made)
    assert said.count("<li><span>") == 4
    tiles = re.findall(r'<li class="\w+" title="([^"]+)"><b>(.)</b>', said)
    assert Counter(tiles) == Counter((c.verdict, comparison_words.SIGNS[c.verdict]) for c in made)
    good = f'<li class="good" title="{REPRODUCED}"><b>✓</b> <span class="verdict">{REPRODUCED}: '
    assert f"<span>Claim 0</span><ul>{good}</span>digits</li>{good}</span>wine</li></ul>" in said
    assert "&lt;last&gt;</span><ul>" in said


@pytest.mark.parametrize(("near", "far", "verdict"), [(4, 18, REPRODUCED), (18, 4, DIFFERS)])
def test_trends_in_radius_and_k(near, far, verdict):
    radii = pd.concat(
        [sweep_of({(0.1, 1): near}, drop=0.0), sweep_of({(0.5, 1): far}, drop=0.02)],
        ignore_index=True,
    )
    assert comparisons.radius_trades("x", radii).verdict == verdict
    ks = sweep_of({(0.3, 1): near, (0.3, 30): far})
    assert comparisons.transfers("x", ks).verdict == verdict


@pytest.mark.parametrize(
    ("hits", "verdict"), [((18, 12, 6), REPRODUCED), ((6, 12, 6), DIFFERS), ((9, 9, 9), DIFFERS)]
)
def test_fewer_competitors(hits, verdict):
    tables = [
        sweep_of({(0.3, 1): h}, train_size=n) for n, h in zip((300, 600, 1200), hits, strict=True)
    ]
    found = comparisons.fewer_competitors("x", pd.concat(tables, ignore_index=True))
    assert found.verdict == verdict


def test_every_cell_of_the_tables_is_there_and_none_is_called_comparable():
    table = sweep_of({(0.3, 1): 10, (0.3, 30): 20})
    found = paper_tables.table_1({"CIFAR-10": table}, {"CIFAR-10": baseline_of(900, 0.0)})
    assert len(found) == len(paper.TABLE_1) * len(paper.DATASETS)
    assert set(found["verdict"]) == {NOT_COMPARABLE}
    first = found.iloc[0]
    assert (first["paper"], first["k"], first["here"]) == (
        "0.64 / 0.90 (5.7)",
        "1",
        "0.50 / 0.50 (0.0)",
    )
    assert set(found[found["data"] != "CIFAR-10"]["here"]) == {"–"}
    second = paper_tables.table_2({})
    assert len(second) == len(paper.TABLE_2) * len(paper.DATASETS)


def test_memory_compares_as_a_ratio_at_the_papers_smaller_size_alone():
    small, large = comparisons.memory_saved([comparison(75_813), comparison(5_130)])
    assert "5,130" in small.here and "75,813" in large.here
    assert (small.verdict, large.verdict) == (REPRODUCED, NOT_COMPARABLE)
    failed = list(
        comparisons.memory_saved([comparison(5_130), comparison(75_813, "out of memory")])
    )
    assert "does not fit" in failed[1].here
    assert failed[1].verdict == REPRODUCED


def test_the_figure_has_the_papers_rates_only_where_the_data_stands_in():
    rates = pd.DataFrame(
        {
            "method": ["baseline", "target"], "rate": [0.0, 0.5], "low": 0.0, "high": 0.7,
            "successes": [0, 5], "attacks": 10, "accuracy_drop": [np.nan, 0.01],
            "radius": [np.nan, 0.3], "target_weight": [1.0, np.nan],
        }
    )  # fmt: skip
    assert [t.name for t in comparison_figures.order(rates).data] == ["here", "here"]
    figure = comparison_figures.order(rates, "CIFAR-10")
    assert figure.data[-1].name == "the paper, CIFAR-10"
    assert figure.data[-1].y.tolist() == [0.0, 0.44, 0.60, 0.60, 0.64]


def test_stand_ins_are_names_of_the_papers_data_sets():
    assert set(published_results.stand_ins()) <= set(paper.DATASETS)
