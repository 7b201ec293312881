"""The paper against us: its tables and statements beside what is published here."""

from collections.abc import Iterator, Sequence

import pandas as pd
import streamlit as st

from pages.attack.parts import ablation
from pages.common.asking.form import Form
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, charts, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import paper
from pages.common.words.code_names import in_prose
from pages.common.words.wording import count, day, stamp
from pages.evidence.parts import (
    best_rates,
    comparison_figures,
    comparison_words,
    comparisons,
    paper_tables,
)
from pages.evidence.parts.comparisons import Comparison
from pages.evidence.parts.published import Published, all_of, by_data, published, stored_by_data

PAGE = registry.page("paper")


@shelf.kept
def compared_with(found: Published) -> tuple[Comparison, ...]:
    """Return everything that the paper states and that is put to the test here."""
    return tuple(statements(found))


def statements(found: Published) -> Iterator[Comparison]:
    """Yield what the paper states, one statement after the other, beside what is found here."""
    costs, bases = by_data(found, "cost"), by_data(found, "baseline")
    singles, agreements = by_data(found, "ablation"), by_data(found, "halves")
    for data, attacks in costs.items():
        if data in bases:
            yield comparisons.beats_baseline(in_prose(data), attacks, bases[data])
    for data, baseline in bases.items():
        if data in costs:
            ks = sorted(int(k) for k in costs[data]["k"].unique())
            yield comparisons.baseline_is_dear(in_prose(data), baseline, ks)
    for data, single in singles.items():
        if data in costs:
            yield comparisons.every_part_helps(in_prose(data), single, costs[data])
    for data, attacks in costs.items():
        yield comparisons.radius_trades(in_prose(data), attacks)
    for data, attacks in costs.items():
        honest = agreements.get(data)
        yield comparisons.transfers(in_prose(data), attacks, honest)
    for data, trained in by_data(found, "training").items():
        yield comparisons.fewer_competitors(in_prose(data), trained)
    for data, table in by_data(found, "sizes").items():
        yield from comparisons.sets(in_prose(data), table)
    for data, stored in stored_by_data(found, "sensitivity").items():
        yield comparisons.ends_are_sensitive(in_prose(data), stored.result)
    yield comparisons.some_are_impossible(all_of(found, "impossible"))
    gaps = [r for r in all_of(found, "fairness") if r.about.metric == "dp"]
    yield comparisons.fairness_breaks({r.about.title: r for r in gaps})
    yield from comparisons.memory_saved(all_of(found, "gradients"))


@shelf.kept
def all_methods(found: Published) -> dict[str, pd.DataFrame]:
    """Return what `methods_on` finds, by data set."""
    by = {data: methods_on(found, data) for data in by_data(found, "cost")}
    return {data: methods for data, methods in by.items() if methods is not None}


def methods_on(found: Published, data: str) -> pd.DataFrame | None:
    """Return baseline and the variants of the attack on a data set, with accuracy kept, each at its
    best; None where their parts are not all published."""
    costs, singles, bases = (by_data(found, role) for role in ("cost", "ablation", "baseline"))
    if not all(data in part for part in (costs, singles, bases)):
        return None
    table = ablation.variants(singles[data], costs[data])
    best = best_rates.variants_at_best(table).rename(columns={"variant": "method"})
    k = int(best["k"].iloc[0])
    base = best_rates.baseline_at_best(bases[data], [k]).assign(method="baseline")
    both = pd.concat([base, best], ignore_index=True)
    return both[both["regime"] == "high_accuracy"]


@shelf.kept
def methods_figure(found: Published, data: str, methods: pd.DataFrame) -> FigureBlock:
    """Return the methods on one data set, beside the paper's on the one that it stands in for."""
    stands_for = {here: name for name, here in published_results.stand_ins().items()}
    return FigureBlock(
        name="methods",
        key=f"order-{data}",
        title=f"On {in_prose(data)}, k = {int(methods['k'].iloc[0])}",
        kind=f"Success rates by method on {in_prose(data)}, and the paper's",
        build=comparison_figures.order,
        values=(methods, stands_for.get(data)),
        table=lambda: methods,
        results=tuple(
            stored_by_data(found, role)[data] for role in ("cost", "ablation", "baseline")
        ),
    )


@unfold.section("The order of the methods (Table 2)", "orders")
def orders(found: Published, compared: Sequence[Comparison]) -> None:
    """Show the order of the methods on every data set, side by side."""
    known = all_methods(found)
    charts.heading(comparison_words.orders_title(compared))
    for column, (data, methods) in zip(st.columns(len(known)), known.items(), strict=True):
        with column:
            methods_figure(found, data, methods).show()
    st.caption(
        "Success of some run with accuracy kept, each method at its best radius or weight, bars "
        "are 95% Wilson intervals; the paper's at its smaller k. Stand-in features: the height of "
        "the marks does not compare, the order of the methods does."
    )


def dates_of(found: Published) -> list[str]:
    """Return when the results were made, the first first."""
    return sorted(stored.manifest.created for _, stored in found.results)


@shelf.kept
def scoreboard_figure(found: Published, compared: tuple[Comparison, ...]) -> FigureBlock:
    dates = dates_of(found)
    return FigureBlock(
        name="scoreboard",
        title="Each tile is a check: one statement of the paper, on one data set",
        kind="How many checks of the paper's statements have which verdict, as one bar",
        build=comparison_figures.scoreboard,
        values=(compared,),
        table=lambda: comparison_words.as_table(compared),
        results=tuple(stored for _, stored in found.results),
        badge=f"precomputed {day(dates[0])} to {day(dates[-1])}",
    )


def statements_list(form: Form, compared: Sequence[Comparison]) -> None:
    """Show what the paper states, with the verdicts that are chosen: at first what is not
    reproduced."""
    marks = [comparison_figures.MARKS[v] for v in comparisons.VERDICTS]
    chosen = form.several(st.container(), "Show", "verdicts", marks, marks[1:])
    form.finish()
    by_claim: dict[tuple[str, str], list[Comparison]] = {}
    for one in compared:
        if comparison_figures.MARKS[one.verdict] in chosen:
            by_claim.setdefault((one.source, one.claim), []).append(one)
    if not by_claim:
        st.caption("No verdict is chosen.")
    for (source, claim), found in by_claim.items():
        lines = [
            f"- {comparison_words.SIGNS[c.verdict]} On **{c.data}**, {c.here}: {c.why}."
            for c in found
        ]
        st.markdown("\n".join([f"**{source}.** {claim}", "", *lines]))


@unfold.section("Every number of Tables 1 and 2", "cells")
def cells_table(cells: pd.DataFrame) -> None:
    """Show every number of the paper's tables, with ours."""
    charts.heading(paper_tables.title(cells))
    with st.container(key="paper-cells"):
        blocks.table(
            paper_tables.to_read(cells),
            "Every cell of the paper's Tables 1 and 2 beside ours",
            {paper_tables.HERE: str},
        )
    st.caption(f"{paper.CELL_MEANING} {paper.COMPARABLE} {paper.K_GUESS}")


@unfold.section("Which results, and which paper", "sources")
def sources(found: Published) -> None:
    """Say from when the results are, and what the paper is called."""
    dates = dates_of(found)
    st.markdown(
        f"From {count(len(dates), 'published result')}, computed {stamp(dates[0])} to "
        f"{stamp(dates[-1])}; `python -m engine publish` makes them again. {paper.TITLES}"
    )


def page() -> None:
    blocks.ask(PAGE)
    form, found = Form(), published()
    compared, cells = compared_with(found), level_cells(found)
    st.markdown(comparison_words.finding(compared, len(cells)))
    scoreboard_figure(found, compared).show()
    blocks.html(comparison_words.verdict_list(compared))
    st.caption(
        "A statement can hold on one data set and differ on another. \\* A stand-in: the paper's "
        "pictures, with other features, and some with fewer pictures."
    )
    with st.expander(comparison_words.reasons_label(compared)):
        statements_list(form, compared)
    orders(found, compared)
    cells_table(cells)
    sources(found)


@shelf.kept
def level_cells(found: Published) -> pd.DataFrame:
    """Return every cell of Tables 1 and 2."""
    names = published_results.stand_ins()
    costs, bases, singles = (by_data(found, role) for role in ("cost", "baseline", "ablation"))
    first = paper_tables.table_1(
        {name: costs[data] for name, data in names.items() if data in costs},
        {name: bases[data] for name, data in names.items() if data in bases},
    )
    second = paper_tables.table_2(
        {
            name: best_rates.variants_at_best(ablation.variants(singles[data], costs[data]))
            for name, data in names.items()
            if data in singles and data in costs
        }
    )
    return pd.concat([first.assign(table=1), second.assign(table=2)], ignore_index=True)[
        ["table", *first.columns]
    ]


page()
