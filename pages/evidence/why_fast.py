"""Why it is fast: naive autograd, the paper's rewriting and the closed form, measured."""

import pandas as pd
import streamlit as st

from engine.experiments import GradientsRequest, ScalingRequest, SolversRequest
from engine.results.store import Stored
from engine.speed.result import IMPLEMENTATIONS, GradientComparison, Scaling, SolverComparison
from pages.common.asking import door
from pages.common.asking.form import Form
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.lab.shared import provenance
from pages.common.widgets import blocks, charts, code_tabs, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words import reproduce
from pages.evidence.parts import speed_figures
from pages.evidence.parts.speed_figures import LOOKS, measured_time, megabytes

PAGE = registry.page("why-fast")
SIZES = (5_130, 75_813)  # parameters: ten classes of 512 features, and the paper's Pet data
GRADIENTS = tuple(GradientsRequest(n_parameters=size) for size in SIZES)
SCALING = ScalingRequest()
SOLVERS = SolversRequest()
PAPER = (
    "The paper, on a GPU: the naive form did not fit into 12 GB at 206,000 parameters and took "
    "8 GB at 5,000; its rewriting took 7 GB and 1.7 GB. Its numbers include what PyTorch itself "
    "holds; those here are what a gradient takes beyond the data and the model."
)


def pair(table: pd.DataFrame, name: str) -> pd.Series | None:
    """Return the row of an implementation, if it ran."""
    row = table[(table["implementation"] == name) & (table["status"] == "ok")]
    return None if row.empty else row.iloc[0]


@shelf.kept
def finding(largest: GradientComparison) -> str:
    """Answer with the ratios at the largest size."""
    ours, naive = (pair(largest.table, name) for name in ("closed_form", "naive"))
    if ours is None:
        return "The closed form could not be measured."
    if naive is None:
        return (
            f"**This lab's formula gives a gradient in {megabytes(ours['peak_mb'])} of memory.** "
            "Automatic differentiation, the usual way, did not fit into "
            f"{megabytes(largest.memory_limit_mb)}."
        )
    return (
        "**This lab's formula gives a gradient "
        f"{naive['seconds'] / ours['seconds']:.3g} times faster than automatic "
        f"differentiation**, the usual way, and in {naive['peak_mb'] / ours['peak_mb']:.3g} times "
        "less memory."
    )


@shelf.kept
def every_measurement(table: pd.DataFrame) -> pd.DataFrame:
    """Return every measurement as a table to read, with the difference from float64."""
    return pd.DataFrame(
        {
            "parameters": table["n_parameters"],
            "implementation": [LOOKS[name][0] for name in table["implementation"]],
            "status": table["status"],
            "time": [measured_time(v) if pd.notna(v) else "–" for v in table["seconds"]],
            "memory": [megabytes(v) if pd.notna(v) else "–" for v in table["peak_mb"]],
            "once per data set": [
                measured_time(v) if pd.notna(v) else "–" for v in table["preparation_seconds"]
            ],
            "and keeps": [megabytes(v) if pd.notna(v) else "–" for v in table["prepared_mb"]],
            "differs from float64 by": [
                f"{v:.1e}" if pd.notna(v) else "–" for v in table["relative_difference"]
            ],
            "cosine": table["cosine"],
        }
    )


def agreement(found: tuple[Stored, ...]) -> None:
    """Show every measurement, and what the solves leave open."""
    comparisons: list[GradientComparison] = [stored.result for stored in found]
    table = speed_figures.measured(comparisons)
    most = table["relative_difference"].max()
    charts.heading(f"It is the same gradient: none differs from float64 by more than {most:.2%}")
    blocks.table(
        every_measurement(table),
        "Time, memory and accuracy of the three implementations",
        {"parameters": "{:,}".format, "cosine": lambda v: "–" if pd.isna(v) else f"{v:.7f}"},
    )
    tolerance = comparisons[0].tolerance
    st.caption(
        f"All three solve to the attack's relative residual of {tolerance:g} in "
        f"{comparisons[0].dtype}; what differs beyond rounding is what that leaves open. The "
        "reference solves to 1e-10 in float64. Time is the median of "
        f"{comparisons[0].repeats}, each implementation in a fresh process; memory is the peak "
        "beyond what was there before. Once per data set the closed form rotates the features into "
        "their eigenbasis, and keeps them and the basis."
    )


@shelf.kept
def cost_figure(stored: Stored) -> FigureBlock:
    """Make the figure of time and memory of one gradient at the largest size."""
    largest: GradientComparison = stored.result
    return FigureBlock(
        name="gradient-cost",
        title="The same gradient, computed three ways",
        kind="Time and peak memory of one gradient, a bar an implementation",
        build=speed_figures.cost_bars,
        values=(largest.table,),
        table=lambda: largest.table,
        results=(stored,),
        caption="Each step of the attack takes one such gradient, here of "
        f"{largest.n_parameters:,} parameters. Measured on the CPU. Memory: what it "
        "takes beyond the data and the model, at its peak.",
    )


@shelf.kept
def gradients_figure(found: tuple[Stored, ...]) -> FigureBlock:
    """Make the figure of time and memory of one gradient by size."""
    comparisons = [stored.result for stored in found]
    table = speed_figures.measured(comparisons)
    return FigureBlock(
        name="gradients",
        title="Time and memory by the number of parameters",
        kind="Time and peak memory of one gradient against the number of parameters",
        build=speed_figures.gradient_costs,
        values=(table,),
        table=lambda: table,
        results=found,
        caption=f"Of one gradient; all axes are logarithmic. {PAPER}",
    )


@unfold.section("Both sizes, and how close the gradients are", "gradients")
def gradients(found: tuple[Stored, ...]) -> None:
    """Show time and memory of one gradient by size, and that all three are the same."""
    gradients_figure(found).show()
    agreement(found)
    for stored in found:
        st.caption(provenance(stored))


@shelf.kept
def scaling_figure(stored: Stored) -> FigureBlock:
    """Draw how time and memory of one step grow with the sizes."""
    result: Scaling = stored.result
    time = result.exponents.query("quantity == 'seconds'")["exponent"]
    memory = result.exponents.query("quantity == 'peak_mb'")["exponent"]
    steepest = max(time.max(), memory.max())
    title = (
        "Nothing grows faster than its size"
        if steepest <= 1.1
        else f"Costs grow with up to the power {steepest:.2f} of a size"
    )
    exponents = (
        f"Exponents of growth: {time.min():.2f} to {time.max():.2f} in time, "
        f"{memory.min():.2f} to {memory.max():.2f} in memory."
    )
    base = ", ".join(f"{name} {value:,}" for name, value in result.base.items())
    return FigureBlock(
        name="scaling",
        title=title,
        kind="Time and memory of one attack step along four sizes",
        build=speed_figures.growth,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption=f"{exponents} One step of the attack (scores, objective, gradient), one size "
        f"varied at a time, the others at {base}; {result.iterations} iterations in each solve at "
        "every size, so that this is the cost of size and not of conditioning. Cost relative to "
        "the smallest size that is fitted; the dotted line grows as the size does.",
    )


@unfold.section("How does one step grow with the data?", "growth")
def scaling(stored: Stored) -> None:
    scaling_figure(stored).show()
    blocks.table(speed_figures.exponents(stored.result), "Exponents of growth in time and memory")
    st.caption("Exponents: slope of log cost in log size over the larger half, ± standard error.")
    st.caption(provenance(stored))


def share_of_the_solver(result: SolverComparison) -> str:
    """Say what of the distance to the paper's way is its solver's, and what the closed form's."""
    large = result.at_large.set_index("solver")
    ours, good, papers = large.loc[["closed_form", "preconditioned", "lissa"]].to_dict("records")
    return (
        f"A good solver is {papers['seconds'] / good['seconds']:.2g} times as fast as LiSSA, the "
        f"closed form another {good['seconds'] / ours['seconds']:.2g} times"
    )


@shelf.kept
def solvers_figure(stored: Stored) -> FigureBlock:
    """Draw the time of six solvers along three sizes."""
    result: SolverComparison = stored.result
    base = ", ".join(f"{name} {value:,}" for name, value in result.base.items())
    return FigureBlock(
        name="solvers",
        title=share_of_the_solver(result),
        kind="Processor time of all scores by six solvers along three sizes",
        build=speed_figures.solver_growth,
        values=(result,),
        table=lambda: result.table,
        results=(stored,),
        caption="“Good solver” is the paper's rewriting with the closed form's preconditioner. "
        "Scores of all training samples and no gradient, on one thread; one size is varied "
        f"at a time, the others stay at {base}. Each solver is written anew after the library that "
        "it is named by, and all but ours take Hessian products from automatic differentiation.",
    )


@unfold.section("What do the solvers of other libraries take?", "solvers")
def solvers(stored: Stored) -> None:
    """Show what scores cost by each solver, and what of the gain is the solver's."""
    solvers_figure(stored).show()
    result: SolverComparison = stored.result
    large = result.at_large.set_index("solver")
    ours, good = large.loc["closed_form"], large.loc["preconditioned"]
    st.markdown(
        "Most of the distance between the paper's way and ours is the solver. With a good one the "
        f"paper's rewriting takes {good['seconds'] / ours['seconds']:.2g} times as long as the "
        f"closed form and {good['peak_mb'] / ours['peak_mb']:.2g} times the memory."
    )
    blocks.table(
        speed_figures.solver_table(result),
        "Time, memory, error and exponents of growth of six solvers",
    )
    sizes = result.large
    st.caption(
        f"Time, memory and error at {sizes['n']:,} samples, {sizes['d']} features and "
        f"{sizes['classes']} classes, without what is prepared once per data set. Errors are "
        f"relative to exact scores; solves stop at a relative residual of {result.tolerance:g}, "
        "but LiSSA, Arnoldi and the explicit Hessian have no tolerance. LiSSA draws as many "
        "samples as in the paper. An explicit Hessian of this size is not made. Exponents: slope "
        "of log time in log size over the larger half."
    )
    st.caption(provenance(stored))


@unfold.section("What each of them does (Algorithm 1)", "formulas")
def how() -> None:
    for name, what in IMPLEMENTATIONS.items():
        st.markdown(f"**{LOOKS[name][0].capitalize()}**: {what}.")
    blocks.prose("evidence/texts/closed-form.md")


def take_away() -> None:
    asked = [
        *(("gradients", request) for request in GRADIENTS),
        ("scaling", SCALING),
        ("solvers", SOLVERS),
    ]
    code_tabs.folded(
        "\n".join(reproduce.experiment_snippet(*one) for one in asked),
        "\n".join(reproduce.command_of(*one) for one in asked),
    )


def page() -> None:
    blocks.ask(PAGE)
    Form().finish()
    asked = [door.Computation.of("gradients", request) for request in GRADIENTS]
    growth = door.Computation.of("scaling", SCALING)
    by_solver = door.Computation.of("solvers", SOLVERS)
    measured = [one.stored for one in asked if one.stored is not None]
    missing = next((one for one in asked if one.stored is None), None)
    if missing is None:
        st.markdown(finding(measured[-1].result))
        cost_figure(measured[-1]).show()
        gradients(tuple(measured))
    else:
        st.markdown("It has not been measured here yet.")
        with st.container(border=True):
            door.offer(
                [missing],
                f"Measures the three implementations at {missing.request.n_parameters:,} "
                "parameters, each in a process of its own. A minute or two; close what else runs.",
                "implementation",
            )
    if growth.stored is not None:
        scaling(growth.stored)
    else:
        with st.container(border=True):
            door.offer(
                [growth],
                "Measures one step at 28 sizes. A few minutes; close what else runs.",
                "size",
            )
    if by_solver.stored is not None:
        solvers(by_solver.stored)
    else:
        with st.container(border=True):
            door.offer(
                [by_solver],
                "Measures six solvers at 13 sizes, on one thread. A few minutes.",
                "measurement",
            )
    how()
    take_away()


page()
