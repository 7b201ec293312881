"""What does it cost? Success, accuracy and collateral against radius, k and training-set size."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.attacks.rates import highest
from engine.results.store import Stored
from pages.attack.parts import baseline_view, frontier, rate_figures, sweep_frame
from pages.common.asking import door
from pages.common.asking.rate_view import RateView, choose_view, reweighing_rates, success_rates
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.save_figure import Source
from pages.common.words import paper
from pages.common.words import rate_words as words

PAGE = registry.page("cost")
ROLE, TRAINING, BASELINE, KEEPING = "cost", "training", "baseline", "frontier"  # of published


def finding(table: pd.DataFrame, view: RateView) -> str:
    rates = view.rates(table).query("k == @view.k and split == 'test'")
    best = highest(rates).iloc[0]
    lost = losses(table, view.k)
    beyond = (
        f"A larger radius moves more samples{dearer(lost)}."
        if best["radius"] == rates["radius"].max()
        else "A larger radius loses more accuracy: beyond this one, fewer models stay within the "
        "limit."
        if view.tolerance is not None
        else "A larger radius moves no more of them."
    )
    return (
        f"{words.limit(view.tolerance).capitalize()}, the attack brings **{words.share(best)}** of "
        f"the targets to {words.top(view.k)}, at radius {best['radius']:g}. {beyond}"
    )


def losses(table: pd.DataFrame, k: int) -> pd.Series:
    """Points of accuracy that the returned models lose, the median by radius."""
    rows = table[table["k"] == k]
    lost = 100 * (rows["accuracy_before"] - rows["accuracy_after"])
    return lost.groupby(rows["radius"]).median()


def dearer(lost: pd.Series) -> str:
    """Whether a larger radius costs more."""
    return " and loses more accuracy" if lost.iloc[-1] > lost.iloc[0] else ", at no higher price"


def price(table: pd.DataFrame, k: int) -> str:
    """What the returned models lose, from the smallest to the largest radius."""
    lost = losses(table, k)
    return f"it costs {lost.iloc[0]:.1f} to {lost.iloc[-1]:.1f} points of accuracy"


def carried_over(table: pd.DataFrame, view: RateView) -> str:
    """What of the attack is left on unseen data, from the smallest to the largest k."""
    rates = view.rates(table).query("split == 'holdout'")
    by = rates.groupby("k")["rate"].max()
    return ", ".join(f"{rate:.0%} at k = {k}" for k, rate in by.iloc[[0, -1]].items())


def radius_figure(stored: Stored, view: RateView) -> None:
    table = stored.result
    rates = view.rates(table).query("k == @view.k")
    own = rates[rates["split"] == "test"]
    title = f"Success by radius: {words.course(own, 'radius')}; {price(table, view.k)}"
    charts.heading(title, badge_of(stored))
    charts.chart(
        rate_figures.success_against(
            rates, table[table["k"] == view.k], "radius", "radius", view.tolerance
        ),
        f"radius-{view.k}",
        alt=f"Success rate and accuracy lost against the radius. {title}",
        source=Source.of(f"by-radius-top-{view.k}", lambda: rates, stored),
    )
    st.caption(
        "Bands are 95% Wilson intervals. On the unknown test set the calculator uses data that the "
        f"attacker never saw: success on it, at the best radius, is {carried_over(table, view)}. "
        "Below: what the returned models lose, median and middle half, whether they succeed or not."
    )


def table_one(stored: Stored, view: RateView, baseline: Stored | None) -> pd.DataFrame:
    """Attack and baseline at their best radius and weight, by k: the rates that are drawn."""
    rates = view.both(stored.result).query("split == 'test'")
    parts = [highest(rates).assign(method="attack")]
    ks = sorted(stored.result["k"].unique())
    if baseline is not None:
        found = reweighing_rates(baseline.result, ks, view.limit).query("split == 'test'")
        parts.append(highest(found, over="target_weight").assign(method="baseline"))
    shown = pd.concat(parts, ignore_index=True)
    if baseline is not None:
        kept = shown[shown["regime"] == "high_accuracy"]
        worst = kept[kept["method"] == "baseline"]["rate"].max()
        ours = kept[kept["method"] == "attack"]["rate"].min()
        moves = f"at most {worst:.0%}" if worst else "no target"
        title = (
            f"Without influence functions: training on the target more often moves {moves} while "
            f"accuracy is kept; the attack at least {ours:.0%}"
        )
    else:
        title = "The attack by k; the loss-reweighing baseline has not been computed for this data"
    charts.heading(title, badge_of(stored))
    charts.chart(
        rate_figures.attack_against_baseline(shown),
        "methods",
        alt=f"Success rates of attack and baseline by k. {title}",
        source=Source.of(
            "attack-and-baseline", lambda: shown, stored, *([] if baseline is None else [baseline])
        ),
    )
    st.caption(
        "Each at its best radius or weight, as in the paper's Table 1. The baseline trains on "
        "minibatches in which the target is drawn up to a million times as often."
    )
    return shown


@unfold.section("The same numbers, beside the paper's Table 1", "table-1")
def beside_table_1(shown: pd.DataFrame) -> None:
    blocks.table(paper.beside_table_1(shown), "Success rates, here and in the paper's Table 1")
    st.caption(paper.COMPARABLE)


def training_figure(view: RateView, dataset: str) -> None:
    request = published_results.request_of(TRAINING, dataset)
    stored = None if request is None else door.find("sweep", request)
    if request is None or stored is None:
        return
    table = stored.result
    k = view.k if (table["k"] == view.k).any() else int(table["k"].min())
    rates = replace(view, k=k).rates(table).query("k == @k")
    own = rates[rates["split"] == "test"].sort_values("train_size")
    first, last = own.iloc[0], own.iloc[-1]
    title = (
        f"Fewer competitors, easier: {first['rate']:.0%} with {first['train_size']:,} training "
        f"samples, {last['rate']:.0%} with {last['train_size']:,}"
        if first["rate"] > last["rate"]
        else f"Training on less data does not help here: {first['rate']:.0%} with "
        f"{first['train_size']:,} samples, {last['rate']:.0%} with {last['train_size']:,}"
    )
    charts.heading(title, badge_of(stored))
    charts.chart(
        rate_figures.success_against(
            rates,
            table[table["k"] == k],
            "train_size",
            "training samples",
            view.tolerance,
        ),
        f"training-{k}",
        alt=f"Success rate against the size of the training set. {title}",
        source=Source.of(f"by-training-size-top-{k}", lambda: rates, stored),
    )
    st.caption(
        f"The same {words.attacks(table)} in nested training sets, each with an honest model of "
        f"its own, radius {request.radii[0]:g}, k = {k}."
    )


def frontier_figure(stored: Stored, view: RateView) -> None:
    others = sweep_frame.stored_of(KEEPING, stored.manifest.dataset).values()
    table = frontier.on_the_same(stored.result, [other.result for other in others])
    asked = [one.manifest.request for one in (stored, *others)]
    points = frontier.points(table, replace(view, tolerance=None))
    title = frontier.title(points)
    charts.heading(title, badge_of(stored))
    charts.chart(
        rate_figures.frontier(points),
        f"frontier-{view.k}",
        alt=f"Success rate and rank correlation against accuracy lost, by radius. {title}",
        source=Source.of(f"frontier-top-{view.k}", lambda: points, stored, *others),
    )
    st.caption(
        "Per radius: how many attacks succeed whatever they cost, the accuracy that the returned "
        "models lose, and how much of the honest ranking is left."
        f"{frontier.meaning(table[table['k'] == view.k], asked)}"
    )
    counts = frontier.counts(table, view.k)
    if len(set(counts["objective"])) > 1:
        at_once(counts)


@unfold.section("Success, accuracy and ranking at once", "at-once")
def at_once(counts: pd.DataFrame) -> None:
    blocks.table(frontier.shown(counts), "Attacks that keep accuracy, ranking, or both")
    st.caption(frontier.COUNTED)


def results(stored: Stored, view: RateView) -> None:
    dataset = stored.manifest.dataset
    radius_figure(stored, view)
    left, right = st.columns(2, gap="medium")
    asked = published_results.request_of(BASELINE, dataset)
    baseline = None if asked is None else door.find("baseline", asked)
    with left:
        methods = table_one(stored, view, baseline)
    with right:
        frontier_figure(stored, view)
    beside_table_1(methods)
    training_figure(view, dataset)
    if asked is not None and baseline is not None:
        baseline_view.files_and_code(baseline, asked)


def page() -> None:
    frame = sweep_frame.Frame.open(PAGE, ROLE, ("radii", "ks"))
    (stored,) = frame.stored
    table = stored.result
    with frame.head:
        place = st.container()
        view = choose_view(frame.form, table)
        frame.form.finish()
        place.markdown(f"{finding(table, view)} :gray-badge[{badge_of(stored)}]")
    with frame.body:
        results(stored, view)
        take_away.show(
            stored,
            frame.request,
            {
                "Attacks": lambda: take_away.flat(table),
                "Success rates": lambda: success_rates(table),
            },
        )


page()
