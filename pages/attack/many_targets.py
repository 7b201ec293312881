"""Many targets at once: sets of targets against the top k (Fig. 3), read in two ways."""

import pandas as pd
import streamlit as st

from engine.attacks.rates import share_rates, success_rates
from engine.results.store import Stored
from pages.attack.parts import rate_figures, set_figures, sweep_frame, target_sets
from pages.attack.parts.rate_figures import SPLIT_LOOKS
from pages.attack.parts.target_sets import READINGS, Reading
from pages.common.asking import door, halves
from pages.common.asking.form import HERE
from pages.common.asking.rate_view import RateView, choose_view, on_own_test
from pages.common.frames import distinct
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import rate_words
from pages.common.words.wording import count

PAGE = registry.page("many-targets")
ROLE = "sizes"  # of published results


@shelf.kept
def arrivals(shares: pd.DataFrame, view: RateView, stored: Stored) -> FigureBlock:
    """Draw which part of the targets arrives."""
    return FigureBlock(
        name=f"arrivals-top-{view.k}-radius-{view.radius:g}",
        title=target_sets.arrivals_title(shares, view.k),
        kind=f"Share of the targets that arrive in the top {view.k}, by the size of the target set",
        build=set_figures.arrivals,
        values=(shares, view.k),
        results=(stored,),
        caption=f"The model moves by at most {rate_words.share(view.radius)}, "
        f"{rate_words.limit(view.tolerance)}.",
    )


def moved_alone(table: pd.DataFrame, view: RateView, dataset: str) -> str:
    """Say how the targets that are moved alone compare with those of the page on costs."""
    request = published_results.request_of("cost", dataset)
    stored = None if request is None else door.find("sweep", request)
    if stored is None:
        return ""
    return target_sets.beside_cost(table, stored.result, view)


@shelf.kept
def grid(
    shares: pd.DataFrame, reading: Reading, split: str, view: RateView, stored: Stored
) -> FigureBlock:
    part = shares[shares["split"] == split]
    return FigureBlock(
        name=f"{reading.name}-{split}-radius-{view.radius:g}",
        title=target_sets.grid_title(part, f"the {SPLIT_LOOKS[split].name}"),
        kind=f"{reading.text.capitalize()}, by set size and k",
        build=set_figures.share_grid,
        values=(part, reading),
        results=(stored,),
    )


@shelf.kept
def strict_figure(stored: Stored, view: RateView) -> FigureBlock:
    """Draw all or nothing, and the price: success as the other pages count it."""
    table = stored.result
    rates = view.rates(table).query("k == @view.k and radius == @view.radius")
    own = rates[rates["split"] == "test"].sort_values("set_size")
    first, last = own.iloc[0], own.iloc[-1]
    rows = table[(table["k"] == view.k) & (table["radius"] == view.radius)]
    return FigureBlock(
        name=f"all-or-nothing-top-{view.k}-radius-{view.radius:g}",
        title="Strict rule: every target that can fit must arrive",
        kind="Success rate and accuracy lost against the size of the target set",
        build=rate_figures.success_against,
        values=(rates, rows, "set_size", "targets in the set", view.tolerance),
        results=(stored,),
        caption=f"In the top {view.k}, {first['successes']} of {first['attacks']} attacks with "
        f"{count(first['set_size'], 'target')} succeed, and {last['successes']} of "
        f"{last['attacks']} with {last['set_size']}. A third, "
        "strict reading, in which an attack counts when min(k, t) of its t "
        "targets are in the top k, with 95% Wilson intervals; below, the accuracy that the "
        "returned models lose, median and middle half.",
    )


@unfold.section("Does it match the paper, and how is it counted?", "counted")
def how_counted(own: pd.DataFrame, sets: int, beside: str) -> None:
    """Compare the shares with the paper's two findings. own: shares on the attacker's test
    set; beside: why another page's count is another."""
    st.markdown(f"{target_sets.against_paper(own)}{target_sets.counted(own)}")
    if beside:
        st.markdown(beside.strip())
    st.caption(
        f"Means over {count(sets, 'target set')} of each size, on the attacker's own test set. "
        "Pointing at a bar shows its interval, a bootstrap over the sets. Part of "
        f"either trend is arithmetic: {'; '.join(r.most for r in READINGS.values())}."
    )


def grids(
    frame: sweep_frame.SweepFrame, shares: pd.DataFrame, view: RateView, stored: Stored
) -> None:
    """Show every size and k on both test sets, folded unless a link asks for a reading."""
    label = "Every set size, also on test data that the attacker never saw"
    box = unfold.with_controls(label, "sizes", "reading" in st.query_params)
    if box is None:
        return
    with box:
        name = frame.form.choice(
            HERE,
            "The grids count",
            "reading",
            list(READINGS),
            "`places`: of the top k, taken by targets (it fits the paper's Fig. 3). `targets`: of "
            "the target set, in the top k (the paper's text).",
        )
        for column, split in zip(st.columns(2, gap="medium"), SPLIT_LOOKS, strict=True):
            with column:
                grid(shares, READINGS[name], split, view, stored).show()
        st.caption(
            f"The {READINGS[name].text}, counted over all sets. On the unknown test "
            "set, which the attacker never saw, only the models that are handed out are counted."
            f"{halves.beside(frame.request.dataset)}"
        )


@unfold.section("A stricter rule: does the whole set arrive, and at what price?", "strict")
def strict(stored: Stored, view: RateView) -> None:
    strict_figure(stored, view).show()


def page() -> None:
    frame = sweep_frame.SweepFrame.open(PAGE, ROLE, ("set_sizes", "radii", "ks"))
    (stored,) = frame.stored
    table = stored.result
    with frame.head:
        place = st.container()
        view = choose_view(frame.form, table, with_radius=True, largest=True)
    shares = view.shares(table)
    own = on_own_test(shares)
    sets = len(distinct(table, "target"))
    said = target_sets.finding(own, view.tolerance, view.radius, view.k)
    place.markdown(said)
    with frame.body:
        beside = moved_alone(table, view, frame.request.dataset)
        arrivals(own, view, stored).show()
        how_counted(own, sets, beside)
        grids(frame, shares, view, stored)
        strict(stored, view)
        take_away.show(
            stored,
            frame.request,
            {
                "Attacks": lambda: take_away.flat(table),
                "Shares": lambda: share_rates(table),
                "Success rates": lambda: success_rates(table),
            },
        )
    with frame.head:
        frame.form.finish()


page()
