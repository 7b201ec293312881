"""How far must the model go: what the page says is what the stored result holds."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.data.load import load_dataset
from engine.experiments import MinimalRadiusRequest, MinimalRadiusResult
from engine.experiments.minimal_radius import REPORTING_SEED, pooled
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.store import open_folder
from engine.settings import Settings
from engine.statistics import rank_correlation, sign_test
from pages.attack.parts import radius_figures, radius_words
from pages.common.asking import door
from pages.common.lab import published_results, registry
from pages.common.words.objective_words import quoted
from tests.support.pages import Open, Publish, tables, unfold, words
from tests.unit.test_minimal_radius import REQUEST, lots, made

PAGE = registry.page("how-far")
IMAGES = "cifar10_5000_2000_effnetlite2"
PHOTOGRAPHS = "caltech101_effnetlite2"


@pytest.fixture(scope="module")
def published() -> MinimalRadiusResult:
    request = published_results.request_of("minimal", "digits")
    assert request is not None
    stored = door.find_published("minimal-radius", request)
    assert stored is not None
    result: MinimalRadiusResult = stored.result
    return result


def test_its_sentences_have_the_numbers_of_the_published_result(
    published: MinimalRadiusResult, open_page: Open
) -> None:
    """Every number, counted again from the arrays and not by the result's own methods."""
    app = unfold(open_page(PAGE))
    said = words(app)
    assert not app.exception and not app.warning
    found, n = published, len(published.targets)
    radius = np.where(found.arrived, found.radius, np.inf)
    within = math.ceil(200 * np.median(radius)) / 2  # percent, the slider's steps being a half
    inside = (100 * radius <= within).sum()
    assert f"Moving it by {within:g}% is enough for {inside} of the {n} samples" in said
    assert app.slider(key="within").value == within
    assert f"Moving the model by {within:g}% brings {inside} of {n} samples" in said
    assert (
        f"The easiest needs {100 * radius.min():.1f}%, the hardest of those that arrived "
        f"{100 * found.radius[found.arrived].max():.1f}%"
    ) in said
    where = found.arrived
    middle = np.abs(found.rank_before[where] - (len(found.honest_ranks) + 1) / 2)
    correlation = -float(rank_correlation(middle, found.radius[where]))
    assert f"Spearman {correlation:.2f}".replace("-", "−") in said
    assert len(app.get("plotly_chart")) == 3
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    pictured = [e.proto.body for e in app.get("html") if "ial-grid" in e.proto.body]
    assert pictured and pictured[0].count("<img") == n


def test_the_comparison_counts_all_lots_target_by_target(open_page: Open) -> None:
    """Counted again from the arrays and not by the result's own methods."""
    app = unfold(open_page(PAGE))
    said = words(app)
    asked = published_results.requests_of("minimal", "digits")
    lots = [stored.result for r in asked if (stored := door.find_published("minimal-radius", r))]
    assert len(lots) == len(asked) == 2
    limit = 0.03 + 1e-9
    moved = np.concatenate(
        [lot.arrived & (lot.radius <= 0.2) & (lot.lost_holdout <= limit) for lot in lots]
    )
    assert (
        "Within radius 0.2, with at most 3 points of accuracy lost, the search moves "
        f"{moved.sum()} of {len(moved)}" in said
    )
    (table,) = [t for t in tables(app) if "only the search" in t.columns]
    for name, objective in (("Algorithm 3", "higher_ranked"), ("keep accuracy", "accurate")):
        there = []
        for lot in lots:
            other = lot.others[lot.others["objective"] == objective].set_index("target")
            there.append((other["arrived"] & (other["lost_holdout"] <= limit))[lot.targets])
        theirs = np.concatenate(there).astype(bool)
        assert f"{quoted(objective)} moves {theirs.sum()}" in said
        row = table[table["compared with"] == name].iloc[0]
        ours, only = int((moved & ~theirs).sum()), int((theirs & ~moved).sum())
        assert (int(row["search moves"]), int(row["it moves"])) == (moved.sum(), theirs.sum())
        assert (int(row["only the search"]), int(row["only it"])) == (ours, only)
        if sign_test(ours, only) * 2 >= 1e-3:  # Holm multiplies by 1 or 2
            assert float(row["p, corrected"]) >= 2 * sign_test(ours, only) - 1e-3  # two looks


def test_the_slider_says_how_many_move_and_pales_the_others(
    published: MinimalRadiusResult, open_page: Open
) -> None:
    app = open_page(PAGE)
    app.slider(key="within").set_value(20.0).run()
    assert not app.exception
    radius = np.where(published.arrived, published.radius, np.inf)
    there, n = int((radius <= 0.2).sum()), len(radius)
    assert f"Moving the model by 20% brings {there} of {n} samples" in words(app)
    (grid,) = [e.proto.body for e in app.get("html") if "ial-grid" in e.proto.body]
    assert grid.count("opacity") == n - there


def test_returned_models_are_what_the_published_result_says(
    published: MinimalRadiusResult,
) -> None:
    """Radius, rank and accuracy of every published model, computed again with exact scores."""
    import engine

    dataset = load_dataset("digits")
    honest = engine.fit(dataset)
    before = honest.accuracy(*dataset.split("holdout"))
    for i in range(len(published.targets)):
        model = honest.with_parameters(published.parameters[i])
        moved = np.linalg.norm(model.parameters - honest.parameters) / honest.norm
        lost = before - model.accuracy(*dataset.split("holdout"))
        assert lost == pytest.approx(published.lost_holdout[i], abs=1e-12)
        if published.arrived[i]:
            # θ* itself is known to some 1e-7 of its length.
            assert moved == pytest.approx(published.radius[i], abs=1e-5)
    some = np.flatnonzero(published.arrived)[:4]  # a tight float64 solve each
    for i in some:
        model = honest.with_parameters(published.parameters[i])
        ranks = engine.influence_scores(model, dataset, dtype="float64", tolerance=1e-9).ranks
        assert ranks[published.targets[i]] == published.rank_after[i] == 1


def test_a_data_set_without_a_result_offers_to_compute_it(open_page: Open) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert [b for b in app.button if (b.key or "").startswith("offer-")]


def test_data_without_pictures_and_one_radius(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    request = replace(REQUEST, dataset="small")
    dataset = load_dataset("small", settings.data_dir)
    compute_and_keep("minimal-radius", request, dataset, settings, ignore)
    publish(("minimal", "minimal-radius", request))
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    said = words(unfold(app))
    assert "Within radius 0.8" in said or "Within radius 0.2" in said


def test_the_staircase_rises_at_each_radius() -> None:
    result = made([0.3, 0.1, np.nan, 0.2], [0.0, 0.05, 0.0, 0.0], [True, False, False, False])
    every, accurate = (radius_figures.steps(result, accurate) for accurate in (False, True))
    assert every["radius"].tolist() == [0.1, 0.2, 0.3]
    assert every["moved"].tolist() == [1, 2, 3]
    assert accurate["radius"].tolist() == [0.2, 0.3]
    line = radius_figures.curve(result, 0.25).data[-1]
    assert list(line.x) == [25, 25] and list(line.y) == [0, 2]
    beside = radius_figures.rivals(result)
    assert beside.layout.xaxis.range[1] >= 1.25 * len(result.targets)  # for "4 of 4" on a phone
    bars = beside.data[0]
    assert list(bars.y) == ["the search", "keep accuracy"] and list(bars.x) == [1, 1]


def test_words_where_few_or_none_arrive() -> None:
    none = made([np.nan] * 3, [0.0] * 3, [False] * 3)
    assert "the search moved 0 of 3 samples" in radius_words.finding(none)
    assert radius_words.curve_title(none, 0.2) == "No sample reached the very top"
    assert "Too few" in radius_words.scatter_title(none)
    radius_figures.curve(none, 0.2), radius_figures.against_rank(none, None)
    half = made([0.1, 0.3, np.nan], [0.0] * 3, [False] * 3)
    assert "Moving it by 30% is enough for 2 of the 3 samples" in radius_words.finding(half)


def test_the_request_that_is_shown_is_the_published_one() -> None:
    asked = published_results.request_of("minimal", "digits")
    assert isinstance(asked, MinimalRadiusRequest) and asked.rounds > 1 and asked.refined > 0
    assert asked == MinimalRadiusRequest(rounds=asked.rounds, refined=asked.refined)


def test_on_the_image_set_attacks_had_the_time_of_the_search(open_page: Open) -> None:
    for asked in published_results.requests_of("minimal", IMAGES):
        assert isinstance(asked, MinimalRadiusRequest)
        assert asked.equal_time and asked.tolerance is not None
        stored = door.find_published("minimal-radius", asked)
        assert stored is not None
        found: MinimalRadiusResult = stored.result
        took = found.starts["start_seconds"].sum() + found.starts["seconds"].sum()
        for _, rows in found.others.groupby(["objective", "radius"]):
            kept = rows["arrived"] & (rows["lost_test"] <= asked.tolerance + 1e-9)
            assert rows["seconds"].sum() >= took or kept.all()
            last = rows["rounds"].max()
            assert (rows.loc[~kept, "rounds"] == last).all(), "who has not arrived is tried on"
    said = words(unfold(open_page(PAGE, dataset=IMAGES)))
    assert "At each radius an attack had as long" in said
    on_digits = words(unfold(open_page(PAGE)))
    assert "had as long" not in on_digits and "With the same processor time" not in on_digits


def test_the_lots_of_the_image_set_have_other_targets(open_page: Open) -> None:
    """What was fixed before the second lot was tried: 12 more, of another seed, and a search that
    ends at the radius of the comparison."""
    first, second = published_results.requests_of("minimal", IMAGES)
    assert second == replace(first, targets_seed=3, enough=0.05) and second.radii == (0.05,)
    lots = [door.find_published("minimal-radius", asked) for asked in (first, second)]
    one, two = [set(lot.result.targets.tolist()) for lot in lots if lot is not None]
    assert (len(one), len(two)) == (12, 12) and not one & two
    said = words(unfold(open_page(PAGE, dataset=IMAGES)))
    assert "of 24 targets within radius 0.05" in said and "multiplied by 2" in said


def test_on_the_photographs_each_target_had_its_own_time(open_page: Open) -> None:
    """What was fixed before any target was tried: the seed, both radii, a search that ends at 0.1,
    and attacks with the processor time of the search for the same target."""
    asked, second = published_results.requests_of("minimal", PHOTOGRAPHS)
    assert second == replace(asked, targets_seed=4, n_targets=7, radii=(0.2,))
    assert asked.equal_time and asked.one_by_one and asked.enough == 0.1
    assert (asked.radii, asked.targets_seed) == ((0.1, 0.2), REPORTING_SEED)
    stored = door.find_published("minimal-radius", asked)
    assert stored is not None
    found: MinimalRadiusResult = stored.result
    assert len(found.others) == 4 * len(found.targets)
    spent = found.starts.groupby("target")[["start_seconds", "seconds"]].sum().sum(axis=1)
    others = found.others
    kept = others["arrived"] & (others["lost_test"] <= asked.tolerance + 1e-9)
    assert (kept | (others["seconds"] >= others["target"].map(spent))).all()
    said = words(unfold(open_page(PAGE, dataset=PHOTOGRAPHS)))
    assert "within radius 0.1:" in said and "Within radius 0.2 the search moves" in said
    assert "an attack had as long for each target" in said
    assert [published_results.planned(r) for r in (asked, second)] == [16, 14]
    assert "16 targets were planned for lot 1" in said and "14 targets were planned" in said
    assert [published_results.ended(r) for r in (asked, second)] == [False, True]
    assert said.count("was running and was ended") == 1


def test_a_second_lot_of_targets_is_compared_with_the_first(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    """Figures are of the first lot; the comparison has both, and counts two looks."""
    first = replace(REQUEST, dataset="small", equal_time=True)
    second = replace(first, targets_seed=3, enough=0.2)
    dataset = load_dataset("small", settings.data_dir)
    found = []
    for request in (first, second):
        folder = compute_and_keep("minimal-radius", request, dataset, settings, ignore)
        found.append(open_folder(folder).result)
    assert not set(found[0].targets.tolist()) & set(found[1].targets.tolist())
    publish(*(("minimal", "minimal-radius", request) for request in (first, second)))
    app = unfold(open_page(PAGE, dataset="small"))
    assert not app.exception
    said = words(app)
    assert "With the same processor time, the search moves" in said and "of 4 targets" in said
    assert "came in 2 lots: 2 and 2" in said and "multiplied by 2" in said
    assert "ended once it was within radius 0.2" in said
    assert "answers every radius" not in said
    (table,) = [t for t in tables(app) if "only the search" in t.columns]
    both = pooled(found).compared(0.03, looks=2)
    assert table["search moves"].astype(int).tolist() == both["minimal"].tolist()


@pytest.mark.parametrize(
    ("moved", "looks", "end"),
    [(8, 1, "Chance alone would hardly"), (8, 8, "may be chance"), (2, 1, "may be chance")],
)
def test_a_difference_that_may_be_chance_is_called_so(moved: int, looks: int, end: str) -> None:
    """McNemar's exact p is 2/2⁸ = 0.008 for 8 : 0, and 0.5 for 2 : 0."""
    result = made([0.1] * 8, [0.0] * 8, [False] * moved + [True] * (8 - moved))
    said = radius_words.verdict(result, looks)
    assert end in said
    assert (
        f"the search moves 8 of 8 targets within radius 0.2:** “keep accuracy” moves {8 - moved}"
        in said
    )


def test_every_radius_is_compared() -> None:
    """At 0.1 the search alone moves three; at 0.2 both move four, and Holm counts both rows."""
    result = made([0.1, 0.09, 0.05, 0.2], [0.0] * 4, [True] * 4)
    nearer = result.others.assign(radius=0.1, arrived=False)
    result = replace(result, others=pd.concat([nearer, result.others], ignore_index=True))
    said = radius_words.verdict(result)
    assert (
        "the search moves 3 of 4 targets within radius 0.1:** “keep accuracy” moves 0 "
        f"(corrected p {2 * sign_test(3, 0):.3f}). **Within radius 0.2 the search moves 4 of 4 "
        "targets:** “keep accuracy” moves 4 (corrected p 1.000). The differences may be chance."
    ) in said
    title = radius_words.rivals_title(result)
    assert title.endswith("move fewer within radius 0.1 and as many within radius 0.2")
    bars = radius_figures.rivals(result).data[0]
    assert dict(zip(bars.y, bars.x, strict=True)) == {
        "the search within 0.1": 3, "keep accuracy within 0.1": 0,
        "the search within 0.2": 4, "keep accuracy within 0.2": 4,
    }  # fmt: skip
    assert "may be chance" in radius_words.verdict(result)


def test_a_search_that_ends_early_is_called_so() -> None:
    result = made([0.1, 0.09, np.nan, 0.13], [0.0] * 4, [False] * 4)
    said = radius_words.finding(result, 0.1)
    assert "**Moving it by 10% was enough for 2 of the 4 samples tried.**" in said
    assert "ended once it was within 10%" in radius_words.ends(result, 0.1)
    asked = replace(REQUEST, equal_time=True, one_by_one=True, enough=0.1)
    caption = radius_words.comparison_caption(result, asked)
    assert "It ended once it was within radius 0.1." in caption and "every radius" not in caption
    assert "as long for each target" in caption and "until the target had arrived" in caption
    planned = radius_words.planned_caption(16, 4)
    assert "16 targets were planned" in planned and "The first 4 of them" in planned


def test_samples_that_earlier_versions_were_run_on_are_called_so(open_page: Open) -> None:
    """On digits the page says so below its first figure; the other data sets were run on once."""
    asked = published_results.request_of("minimal", "digits")
    assert published_results.earlier(asked) == 2
    said = words(open_page(PAGE, dataset="digits"))
    assert "2 earlier versions of it had been run on these too." in said
    others = published_results.requests_of("minimal", PHOTOGRAPHS)
    assert [published_results.earlier(r) for r in others] == [0] * len(others)
    assert "earlier version" not in words(open_page(PAGE, dataset=PHOTOGRAPHS))
    assert radius_words.seen_before(1).endswith(
        "but 1 earlier version of it had been run on these too."
    )
    assert radius_words.seen_before(0) == "" and published_results.earlier(REQUEST) == 0


def test_the_last_lot_is_also_told_alone() -> None:
    one, two = lots()
    said = radius_words.looks_caption([one, two], REQUEST, replace(REQUEST, enough=0.2))
    assert "ended once it was within radius 0.2" in said and "were given" not in said
    assert "came in 2 lots: 3 and 3" in said
    assert "the search moves 3, “keep accuracy” 1 (corrected p 0.500)" in said
    plain = radius_words.looks_caption([one, two], REQUEST, REQUEST)
    assert "ended once" not in plain and "single test samples" not in plain
    other = replace(REQUEST, radii=(0.2,), margins=True)
    told = radius_words.looks_caption([one, two], REQUEST, other)
    assert "There attacks were given radius 0.2 alone." in told
    assert "kept accuracy by the predictions of single test samples" in told
