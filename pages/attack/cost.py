"""What does it cost? Success, accuracy and collateral against radius, k and training-set size."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.attacks.rates import highest
from engine.experiments import BaselineRequest, SweepRequest
from engine.results.store import Stored
from pages.attack.parts import (
    baseline_view,
    fresh,
    frontier,
    price_figure,
    rate_figures,
    sweep_frame,
    transfer,
)
from pages.common.asking import door, halves, sweep_requests
from pages.common.asking.rate_view import RateView, choose_view, reweighing_rates, success_rates
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import code_names, paper, rate_words

PAGE = registry.page("cost")
ROLE, TRAINING, BASELINE, KEEPING = "cost", "training", "baseline", "frontier"  # of published


@shelf.kept
def finding(table: pd.DataFrame, view: RateView) -> str:
    """Ask, and answer with the highest rate and at which radius."""
    rates = view.rates(table).query("k == @view.k and split == 'test'")
    best = highest(rates).iloc[0]
    return (
        "How many samples can be brought to the top, and what is lost? "
        f"**{rate_words.hits(best)} reach {rate_words.top(view.k)} of the ranking** if the model "
        f"may move by {rate_words.share(best['radius'])}, {rate_words.limit(view.tolerance)}."
    )


def radius_title(own: pd.DataFrame, lost: pd.Series, tolerance: float | None) -> str:
    """Say what a larger radius does. own: rates on the attacker's own test set; lost: points of
    accuracy, by radius."""
    best = highest(own).iloc[0]["radius"]
    if best == own["radius"].max():
        return f"A model that moves farther brings more samples to the top{dearer(lost)}"
    if tolerance is not None:
        return (
            f"Within {100 * tolerance:g} points, a model that moves by {rate_words.share(best)} "
            "brings the most samples to the top"
        )
    return f"Beyond {rate_words.share(best)}, no more samples get to the top"


def losses(table: pd.DataFrame, k: int) -> pd.Series:
    """Return points of accuracy that the returned models lose, the median by radius."""
    rows = table[table["k"] == k]
    lost = 100 * (rows["accuracy_before"] - rows["accuracy_after"])
    return lost.groupby(rows["radius"]).median()


def dearer(lost: pd.Series) -> str:
    """Say whether a larger radius costs more."""
    return " and loses more accuracy" if lost.iloc[-1] > lost.iloc[0] else ", at no higher price"


def price(table: pd.DataFrame, k: int) -> str:
    """Say what the returned models lose, from the smallest to the largest radius."""
    lost = losses(table, k)
    return f"it costs {lost.iloc[0]:.1f} to {lost.iloc[-1]:.1f} points of accuracy"


@shelf.kept
def at_a_price(stored: Stored, view: RateView) -> FigureBlock:
    """Draw how many attacks arrive within the limit, at a higher price, or not at all."""
    table = stored.result
    found = price_figure.prices(table, view)
    own = view.rates(table).query("k == @view.k and split == 'test'")
    return FigureBlock(
        name=f"price-top-{view.k}",
        title=radius_title(own, losses(table, view.k), view.tolerance),
        kind="Attacks that move their target, and what they lose, for each radius",
        build=price_figure.by_price,
        values=(found, view.tolerance),
        results=(stored,),
        caption="Rows: how far the model may move, as a share of its weights' size (the paper's "
        "radius). Ranking similarity: 1 is the honest ranking, 0 a random one. Both columns: "
        "medians. "
        f"{rate_words.interval(highest(own).iloc[0])}",
    )


@shelf.kept
def by_radius(stored: Stored, view: RateView, beside: str) -> FigureBlock:
    """Draw success by radius on both test sets. beside: how far two honest rankings agree."""
    table = stored.result
    rates = view.rates(table).query("k == @view.k")
    own = rates[rates["split"] == "test"]
    rows = table[table["k"] == view.k]
    return FigureBlock(
        name=f"by-radius-top-{view.k}",
        title="On test data that the attacker never saw, almost nothing is left"
        if (rates[rates["split"] == "holdout"]["rate"] < own["rate"].max() / 2).all()
        else "The same on test data that the attacker never saw",
        kind="Success rate and accuracy lost against the radius",
        build=rate_figures.success_against,
        values=(rates, rows, "radius", "radius: how far the model may go", view.tolerance),
        results=(stored,),
        caption=f"Success is {rate_words.course(own, 'radius')}; {price(table, view.k)}. On test "
        "data that the attacker never saw (dashed), the returned models succeed for "
        f"{transfer.carried_over(table, view)}.",
        details="Bands are 95% Wilson intervals. On the unknown test set the calculator uses data "
        "that the attacker never saw, which chooses neither run nor radius: the dashed line counts "
        "the models that are handed out, its numbers at the radius with their highest rate on the "
        f"attacker's own test set.{beside} Below: "
        "what the returned models lose, median and middle half, whether they succeed or not.",
    )


@shelf.kept
def best_of_both(table: pd.DataFrame, view: RateView, baseline: Stored | None) -> pd.DataFrame:
    """Attack and baseline at their best radius and weight, by k, on the attacker's own test set."""
    rates = view.both(table).query("split == 'test'")
    parts = [highest(rates).assign(method="attack")]
    ks = sorted(table["k"].unique())
    if baseline is not None:
        found = reweighing_rates(baseline.result, ks, view.limit).query("split == 'test'")
        parts.append(highest(found, over="target_weight").assign(method="baseline"))
    return pd.concat(parts, ignore_index=True)


def methods_title(rates: pd.DataFrame) -> str:
    """State the highest success rate of the baseline, of runs that keep their accuracy."""
    if not (rates["method"] == "baseline").any():
        return "The attack by k; the loss-reweighing baseline has not been computed for this data"
    kept = rates[rates["regime"] == "high_accuracy"]
    worst = kept[kept["method"] == "baseline"]["rate"].max()
    moves = f"at most {worst:.0%}" if worst else "no target"
    return f"Training on the target more often moves {moves} while accuracy is kept"


@shelf.kept
def methods(rates: pd.DataFrame, stored: Stored, baseline: Stored | None) -> FigureBlock:
    return FigureBlock(
        name="attack-and-baseline",
        title=methods_title(rates),
        kind="Success rates of attack and baseline by k",
        build=rate_figures.attack_against_baseline,
        values=(rates,),
        results=(stored,) if baseline is None else (stored, baseline),
        caption="Each at its best radius or weight, as in the paper's Table 1. The baseline trains "
        "on minibatches in which the target is drawn up to a million times as often.",
    )


def training_title(own: pd.DataFrame) -> str:
    """Say the success with the smallest and the largest training set. own: rates on the attacker's
    own
    test set, by training size."""
    first, last = own.iloc[0], own.iloc[-1]
    if first["rate"] > last["rate"]:
        return (
            f"Fewer competitors, easier: {first['rate']:.0%} with {first['train_size']:,} training "
            "samples"
        )
    return (
        f"Training on less data does not help here: {first['rate']:.0%} with "
        f"{first['train_size']:,} samples, {last['rate']:.0%} with {last['train_size']:,}"
    )


@shelf.kept
def by_training_size(stored: Stored, request: SweepRequest, view: RateView) -> FigureBlock:
    table = stored.result
    k = view.k if (table["k"] == view.k).any() else int(table["k"].min())
    rates = replace(view, k=k).rates(table).query("k == @k")
    rows = table[table["k"] == k]
    return FigureBlock(
        name=f"by-training-size-top-{k}",
        title=training_title(rates[rates["split"] == "test"].sort_values("train_size")),
        kind="Success rate against the size of the training set",
        build=rate_figures.success_against,
        values=(rates, rows, "train_size", "training samples", view.tolerance),
        results=(stored,),
        caption=f"{rate_words.attacks(table)} of the smallest of the nested training sets, others "
        "than those above: so the rate with all samples is another than there. Each set has an "
        f"honest model of its own; radius {request.radii[0]:g}, k = {k}.",
    )


@shelf.kept
def frontier_figure(
    table: pd.DataFrame, results: Mapping[SweepRequest, Stored], view: RateView
) -> FigureBlock:
    points = frontier.points(table, replace(view, tolerance=None))
    meaning = frontier.meaning(table[table["k"] == view.k], list(results))
    return FigureBlock(
        name=f"frontier-top-{view.k}",
        title=frontier.TITLE,
        kind="Success rate and rank correlation against accuracy lost, by radius",
        build=rate_figures.frontier,
        values=(points,),
        results=tuple(results.values()),
        caption="The lower half shows how much of the honest order is left: 1 is all of it, 0 "
        "none. A mark is one radius; the further right, the more accuracy is lost. Success counts "
        "here whatever accuracy it costs.",
        details=f"{frontier.left(points)} Per radius: how many attacks succeed whatever they cost, "
        "the accuracy that the returned models lose, and how much of the honest ranking is left."
        f"{meaning}"
        f"{fresh.TUNED if len(points['objective'].unique()) > 1 else ''}",
    )


def fresh_sweeps() -> dict[str, tuple[list[Stored], list[Stored]]]:
    """Return the published sweeps on fresh targets, by data set, each with those that were tuned
    on."""
    found: dict[str, tuple[list[Stored], list[Stored]]] = {}
    for name in published_results.datasets_of(fresh.ROLE):
        sweeps = published_sweeps(fresh.ROLE, name)
        if sweeps:
            tuned = [one for role in fresh.TUNED_ROLES for one in published_sweeps(role, name)]
            found[code_names.in_prose(name)] = sweeps, tuned
    return found


@shelf.kept
def fresh_rates(sweeps: Mapping[str, tuple[list[Stored], list[Stored]]], k: int) -> pd.DataFrame:
    """`fresh.rates` without the targets that were tuned on."""
    tables = {}
    for name, (found, tuned) in sweeps.items():
        seen = [one.result for one in tuned]
        tables[name] = [fresh.unseen(one.result, seen) for one in found]
    return fresh.rates(tables, k)


def published_sweeps(role: str, dataset: str) -> list[Stored]:
    """Return the published sweeps in a role, without opening their data."""
    asked = published_results.requests_of(role, dataset)
    found = [door.find_published("sweep", request) for request in asked]
    return [stored for stored in found if stored is not None]


@unfold.section("Does it hold on other test data, and on other targets?", "elsewhere")
def elsewhere(stored: Stored, view: RateView, landed: str, dataset: str) -> None:
    """Show success on unseen test data, where moved targets stand there, and the rates on fresh
    targets."""
    by_radius(stored, view, halves.beside(dataset)).show()
    st.markdown(landed)
    on_fresh_targets(dataset, view.k)


def on_fresh_targets(dataset: str, k: int) -> None:
    """Show the rates on targets that nobody tuned on, for every data set that is published."""
    found = fresh_rates(fresh_sweeps(), k)
    if found.empty:
        return
    charts.heading("On targets that nobody tuned on", "precomputed")
    said = fresh.sentence(found, code_names.in_prose(dataset), k)
    if said:
        st.markdown(said)
    blocks.table(fresh.shown(found), "Success on fresh targets, by data set and objective")
    st.caption(fresh.COUNTED)


@unfold.section("Does another attack cost less?", "others")
def other_attacks(
    table: pd.DataFrame, results: Mapping[SweepRequest, Stored], view: RateView
) -> None:
    """Show the attacks that keep accuracy or ranking beside the paper's, at any cost."""
    frontier_figure(table, results, view).show()
    counts = frontier.counts(table, view.k)
    if len(set(counts["objective"])) > 1:
        charts.heading("Success, accuracy and ranking at once")
        blocks.table(frontier.shown(counts), "Attacks that keep accuracy, ranking, or both")
        st.caption(frontier.COUNTED)


@unfold.section("Would training on the target more often do the same? On less data?", "methods")
def beside_others(
    rates: pd.DataFrame,
    stored: Stored,
    baseline: tuple[BaselineRequest, Stored] | None,
    trained: tuple[SweepRequest, Stored] | None,
    view: RateView,
) -> None:
    """Show attack and baseline, the same numbers in the paper, and the attack on smaller training
    sets. rates: of `best_of_both`."""
    methods(rates, stored, None if baseline is None else baseline[1]).show()
    charts.heading("The same numbers, beside the paper's Table 1")
    blocks.table(paper.beside_table_1(rates), "Success rates, here and in the paper's Table 1")
    st.caption(paper.COMPARABLE)
    if trained is not None:
        by_training_size(trained[1], trained[0], view).show()
    if baseline is not None:
        baseline_view.files_and_code(baseline[1], baseline[0])


def results(request: SweepRequest, stored: Stored, view: RateView) -> None:
    """Show success and its price; what is compared with it is folded."""
    dataset = request.dataset
    at_a_price(stored, view).show()
    others = sweep_requests.stored_of(KEEPING, dataset)
    table = frontier.on_the_same(stored.result, [other.result for other in others.values()])
    other_attacks(table, {request: stored, **others}, view)
    every = [stored.result, *(other.result for other in others.values())]
    elsewhere(stored, view, transfer.landed(transfer.landings(every, view)), dataset)
    asked = published_results.request_of(BASELINE, dataset)
    baseline = None if asked is None else door.find("baseline", asked)
    training = published_results.request_of(TRAINING, dataset)
    trained = None if training is None else door.find("sweep", training)
    beside_others(
        best_of_both(stored.result, view, baseline),
        stored,
        None if asked is None or baseline is None else (asked, baseline),
        None if training is None or trained is None else (training, trained),
        view,
    )


def page() -> None:
    frame = sweep_frame.SweepFrame.open(PAGE, ROLE, ("radii", "ks"))
    (stored,) = frame.stored
    table = stored.result
    with frame.head:
        place = st.container()
        view = choose_view(frame.form, table)
        frame.form.finish()
        place.markdown(finding(table, view))
    with frame.body:
        results(frame.request, stored, view)
        take_away.show(
            stored,
            frame.request,
            {
                "Attacks": lambda: take_away.flat(table),
                "Success rates": lambda: success_rates(table),
            },
        )


page()
