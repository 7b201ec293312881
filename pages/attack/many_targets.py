"""Many targets at once: sets of targets against the top k (Fig. 3), read in two ways."""

import pandas as pd
import streamlit as st

from engine.attacks.rates import share_rates, success_rates
from engine.results.store import Stored
from pages.attack.parts import set_figures, target_sets
from pages.attack.parts.target_sets import READINGS, Reading
from pages.common.asking import controls, sweeps
from pages.common.asking.rate_view import View, choose_view
from pages.common.figures import rate_figures
from pages.common.figures.rate_figures import SPLIT_LOOKS
from pages.common.lab import registry
from pages.common.widgets import charts
from pages.common.widgets.save_figure import Source
from pages.common.words.wording import count

PAGE = registry.page("many-targets")
ROLE = "sizes"  # of published results


def lines(shares: pd.DataFrame, reading: Reading, k: int, stored: Stored, radius: float) -> None:
    title = target_sets.lines_title(shares, reading)
    charts.heading(title, sweeps.badge(stored))
    charts.chart(
        set_figures.share_lines(shares, reading, k),
        f"lines-{reading.name}",
        alt=f"{reading.text.capitalize()} against k, a line for every size. {title}",
        source=Source.of(f"{reading.name}-by-k-radius-{radius:g}", lambda: shares, stored),
    )


def grid(shares: pd.DataFrame, reading: Reading, split: str, stored: Stored, radius: float) -> None:
    part = shares[shares["split"] == split]
    title = target_sets.grid_title(part, reading, f"the {SPLIT_LOOKS[split][0]}")
    charts.heading(title, sweeps.badge(stored))
    charts.chart(
        set_figures.share_grid(part, reading),
        f"grid-{reading.name}-{split}",
        alt=f"{reading.text.capitalize()}, by set size and k. {title}",
        source=Source.of(f"{reading.name}-{split}-radius-{radius:g}", lambda: part, stored),
    )


def strict_figure(stored: Stored, view: View) -> None:
    """All or nothing, and the price: success as the other pages count it."""
    table = stored.result
    rates = view.rates(table).query("k == @view.k and radius == @view.radius")
    own = rates[rates["split"] == "test"].sort_values("set_size")
    first, last = own.iloc[0], own.iloc[-1]
    title = (
        f"All that fit into the top {view.k}, or nothing: {first['rate']:.0%} of the attacks with "
        f"{first['set_size']} and {last['rate']:.0%} with {last['set_size']} targets"
    )
    charts.heading(title, sweeps.badge(stored))
    rows = table[(table["k"] == view.k) & (table["radius"] == view.radius)]
    charts.chart(
        rate_figures.success_against(rates, rows, "set_size", "targets in the set", view.tolerance),
        f"strict-{view.k}",
        alt=f"Success rate and accuracy lost against the size of the target set. {title}",
        source=Source.of(
            f"all-or-nothing-top-{view.k}-radius-{view.radius:g}", lambda: rates, stored
        ),
    )
    st.caption(
        "A third, strict reading, in which an attack counts when min(k, t) of its t targets are in "
        "the top k, with 95% Wilson intervals; below, the accuracy that the returned models lose, "
        "median and middle half."
    )


def page() -> None:
    frame = sweeps.Frame.open(PAGE, ROLE, ("set_sizes", "radii", "ks"))
    (stored,) = frame.stored
    table, badge = stored.result, sweeps.badge(stored)
    with frame.head:
        place = st.container()
        view, expected = choose_view(table, with_radius=True)
    shares = view.shares(table)
    own = shares[shares["split"] == "test"]
    sets = int(table["target"].nunique())
    place.markdown(f"{target_sets.finding(own, view.tolerance, view.radius)} :gray-badge[{badge}]")
    with frame.body:
        for column, reading in zip(st.columns(2, gap="medium"), READINGS.values(), strict=True):
            with column:
                lines(own, reading, view.k, stored, view.radius)
        st.caption(
            f"Means over {count(sets, 'target set')} of each size, on the attacker's own test set; "
            "bands are 95% bootstrap intervals, the dotted line is the k chosen above. Part of "
            "either trend is arithmetic: "
            f"{'; '.join(reading.most for reading in READINGS.values())}."
        )
        name = controls.choice_of(
            st.columns([1, 3])[0],
            "The grids count",
            "reading",
            list(READINGS),
            "`places`: of the top k, taken by targets (it fits the paper's Fig. 3). `targets`: of "
            "the target set, in the top k (the paper's text).",
        )
        for column, split in zip(st.columns(2, gap="medium"), SPLIT_LOOKS, strict=True):
            with column:
                grid(shares, READINGS[name], split, stored, view.radius)
        st.caption(
            f"The {READINGS[name].text}, and under it how much is possible. On the unknown test "
            "set the calculator uses data that the attacker never saw."
        )
        strict_figure(stored, view)
        sweeps.take_away(
            stored,
            frame.request,
            {
                "Attacks": lambda: sweeps.flat(table),
                "Shares": lambda: share_rates(table),
                "Success rates": lambda: success_rates(table),
            },
        )
    with frame.head:
        frame.notes({**expected, "reading": list(READINGS)})


page()
