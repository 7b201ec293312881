"""Figures of measured time and memory: pure functions from a measurement to a Plotly figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.speed.result import AXES, SOLVERS, GradientComparison, Scaling, SolverComparison
from pages.common.figures.layout import finish
from pages.common.figures.palette import GREEN, GREY, MUSTARD, PAPER
from pages.common.keeping import shelf

LOOKS: Mapping[str, tuple[str, str, str, str]] = {
    "naive": ("automatic differentiation", GREY, "square", "dot"),
    "rewritten": ("the paper's rewriting", PAPER, "diamond", "dash"),
    "closed_form": ("this lab's formula", GREEN, "circle", "solid"),
}
QUANTITY_LOOKS: Mapping[str, tuple[str, str, str, str]] = {
    "seconds": ("time", MUSTARD, "circle", "solid"),
    "peak_mb": ("memory", GREEN, "diamond-open", "dash"),
}


@shelf.kept
def measured(comparisons: Sequence[GradientComparison]) -> pd.DataFrame:
    """Return one row per size and implementation, with the number of parameters."""
    return pd.concat(
        [c.table.assign(n_parameters=c.n_parameters) for c in comparisons], ignore_index=True
    )


def measured_time(seconds: float) -> str:
    """Write a measured time to three digits: '36 s', '2.4 s', '150 ms'."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def megabytes(value: float) -> str:
    """'1.2 GB', '62 MB'."""
    return f"{value / 1000:.3g} GB" if value >= 1000 else f"{value:.3g} MB"


ROOM = 1.3  # times the longest bar: on a phone its number needs a fifth of the width
SHORT = {
    "naive": "automatic<br>differentiation",
    "rewritten": "the paper's<br>rewriting",
    "closed_form": "this lab's<br>formula",
}


def cost_bars(table: pd.DataFrame) -> go.Figure:
    """Draw time and peak memory of one gradient as bars, one an implementation, on linear axes.
    table: of one `GradientComparison`; what did not fit into memory has no bar and says so."""
    titles = ("<b>time of one gradient</b>", "<b>memory of one gradient</b>")
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.16, subplot_titles=titles)
    figure.update_annotations(x=0, xanchor="left", align="left")
    rows = table.set_index("implementation")
    names = [name for name in LOOKS if name in rows.index]
    quantities = (("seconds", "{:.2f} s".format), ("peak_mb", "{:,.0f} MB".format))
    for row, (quantity, words) in enumerate(quantities, start=1):
        values = rows[quantity].reindex(names).to_numpy(np.float64)
        figure.add_bar(
            x=np.nan_to_num(values),
            y=[SHORT[name] for name in names],
            orientation="h",
            showlegend=False,
            marker={"color": [LOOKS[name][1] for name in names]},
            text=["did not fit" if np.isnan(value) else words(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            textfont={"size": 14},
            hovertemplate="%{y}: %{text}<extra></extra>",
            row=row,
            col=1,
        )
        figure.update_xaxes(range=[0, ROOM * float(np.nanmax(values))], row=row, col=1)
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 14})
    return finish(figure, 380)


def gradient_costs(table: pd.DataFrame) -> go.Figure:
    """Draw time and peak memory of one step's gradient against the number of parameters, both log.

    table: of `measured`.
    """
    figure = make_subplots(rows=1, cols=2, subplot_titles=("time", "peak memory"))
    for column, (quantity, words) in enumerate(
        (("seconds", measured_time), ("peak_mb", megabytes)), 1
    ):
        for name, (label, colour, symbol, dash) in LOOKS.items():
            part = table[(table["implementation"] == name) & table[quantity].notna()]
            part = part.sort_values("n_parameters")
            figure.add_scatter(
                x=part["n_parameters"].to_numpy(),
                y=part[quantity].to_numpy(),
                mode="lines+markers+text",
                name=label,
                legendgroup=name,
                showlegend=column == 1,
                text=[words(v) for v in part[quantity]],
                textposition="top center" if name != "closed_form" else "bottom center",
                textfont={"color": colour, "size": 12},
                line={"color": colour, "width": 2.4, "dash": dash},
                marker={"size": 10, "symbol": symbol},
                hovertemplate="%{x:,} parameters<br>%{text}<extra>" + label + "</extra>",
                row=1,
                col=column,
            )
    sizes = sorted(table["n_parameters"].unique())
    low, high = np.log10(sizes[0]) - 0.35, np.log10(sizes[-1]) + 0.35
    figure.update_xaxes(
        type="log",
        tickvals=sizes,
        ticktext=[f"{s:,}" for s in sizes],
        range=[low, high],
        title_text="parameters",
    )
    for column, quantity in enumerate(("seconds", "peak_mb"), 1):
        values = table[quantity].dropna()
        bounds = [np.log10(values.min()) - 0.45, np.log10(values.max()) + 0.4]
        figure.update_yaxes(
            type="log", range=bounds, dtick=1, exponentformat="none", row=1, col=column
        )
    figure.update_yaxes(title_text="seconds", row=1, col=1)
    figure.update_yaxes(title_text="MB", row=1, col=2)
    return above_titles(finish(figure, 400))


def above_titles(figure: go.Figure) -> go.Figure:
    """Draw the legend above the titles of the panels, and not through them."""
    figure.update_layout(margin={"t": 92}, legend={"y": 1, "yref": "container", "yanchor": "top"})
    return figure


def growth(scaling: Scaling) -> go.Figure:
    """Draw time and memory of one step along each size, over their value at the smallest that is
    fitted.

    The dotted line grows as the size does; what stays below it grows more slowly.
    """
    axes = [a for a in AXES if a in set(scaling.table["axis"])]
    figure = make_subplots(
        rows=2, cols=2, subplot_titles=[AXES[a] for a in axes], vertical_spacing=0.17
    )
    for place, axis in enumerate(axes):
        row, column = place // 2 + 1, place % 2 + 1
        part = scaling.table[scaling.table["axis"] == axis].sort_values("value")
        fitted = scaling.exponents[scaling.exponents["axis"] == axis].set_index("quantity")
        start = float(fitted["from_value"].iloc[0])
        values = part["value"].to_numpy(dtype=np.float64)
        figure.add_scatter(
            x=values,
            y=values / start,
            mode="lines",
            name="grows as the size does",
            line={"color": GREY, "width": 1.2, "dash": "dot"},
            hoverinfo="skip",
            showlegend=place == 0,
            row=row,
            col=column,
        )
        for quantity, (label, colour, symbol, dash) in QUANTITY_LOOKS.items():
            fitted_column = "seconds_min" if quantity == "seconds" else quantity
            costs = part[fitted_column].to_numpy(dtype=np.float64)
            words = measured_time if quantity == "seconds" else megabytes
            figure.add_scatter(
                x=values,
                y=costs / costs[values == start][0],
                mode="lines+markers",
                name=label,
                legendgroup=quantity,
                showlegend=place == 0,
                line={"color": colour, "width": 2.2, "dash": dash},
                marker={"size": 8, "symbol": symbol},
                text=[words(c) for c in costs],
                hovertemplate=f"{AXES[axis]}: %{{x:,}}<br>%{{text}}<extra>{label}</extra>",
                row=row,
                col=column,
            )
        figure.update_xaxes(
            type="log",
            tickvals=values[::2],
            ticktext=[short(v) for v in values[::2]],
            row=row,
            col=column,
        )
    figure.update_yaxes(type="log", dtick=1, exponentformat="none")
    figure.update_yaxes(title_text="cost, relative", col=1)
    return above_titles(finish(figure, 560))


def short(value: float) -> str:
    """8000 as '8k', but 2048 as '2,048'."""
    return f"{value / 1000:g}k" if value % 1000 == 0 else f"{value:,g}"


@shelf.kept
def exponents(scaling: Scaling) -> pd.DataFrame:
    """Return the fitted exponents as a table to read: size, time, memory."""
    rows: list[dict[str, str]] = []
    for axis, part in scaling.exponents.groupby("axis", sort=False):
        by = part.set_index("quantity")
        rows.append(
            {
                "size": AXES[str(axis)],
                **{
                    QUANTITY_LOOKS[q][0]: f"{by['exponent'][q]:.2f} ± {by['standard_error'][q]:.2f}"
                    for q in QUANTITY_LOOKS
                },
                "fitted from": f"{by['from_value'].iloc[0]:,g}",
            }
        )
    return pd.DataFrame(rows)


TOGETHER = "\N{NO-BREAK SPACE}"
SOLVER_LOOKS: Mapping[str, tuple[str, str, str, str]] = {  # short: six fit above a phone's figure
    "closed_form": ("ours", GREEN, "circle", "solid"),
    "preconditioned": ("good solver", PAPER, "diamond", "dash"),
    "conjugate_gradients": ("plain CG", MUSTARD, "square", "dot"),
    "arnoldi": ("Arnoldi", MUSTARD, "diamond-open", "dashdot"),
    "lissa": ("LiSSA", GREY, "square-open", "dash"),
    "explicit": ("explicit", GREY, "x", "dot"),
}


def solver_growth(result: SolverComparison) -> go.Figure:
    """Draw the processor seconds of each solver along each size, all axes logarithmic."""
    axes = list(dict.fromkeys(result.table["axis"]))
    figure = make_subplots(
        rows=1, cols=len(axes), shared_yaxes=True, horizontal_spacing=0.03,
        subplot_titles=[AXES[axis] for axis in axes],
    )  # fmt: skip
    for place, axis in enumerate(axes):
        on_axis = result.table[result.table["axis"] == axis]
        for name, (label, colour, symbol, dash) in SOLVER_LOOKS.items():
            part = on_axis[on_axis["solver"] == name].sort_values("value")
            figure.add_scatter(
                x=part["value"].to_numpy(),
                y=part["seconds"].to_numpy(),
                mode="lines+markers",
                name=label,
                legendgroup=name,
                showlegend=place == 0,
                line={"color": colour, "width": 2.2, "dash": dash},
                marker={"size": 8, "symbol": symbol},
                text=[measured_time(seconds) for seconds in part["seconds"]],
                hovertemplate=f"{AXES[axis]}: %{{x:,}}<br>%{{text}}<extra>{SOLVERS[name]}</extra>",
                row=1,
                col=place + 1,
            )
        values = sorted(on_axis["value"].unique())
        figure.update_xaxes(
            type="log", tickvals=values, ticktext=[short(v) for v in values], row=1, col=place + 1
        )
    figure.update_yaxes(type="log", dtick=1, exponentformat="none")
    figure.update_yaxes(title_text="seconds", row=1, col=1)
    return above_titles(finish(figure, 470))


@shelf.kept
def solver_table(result: SolverComparison) -> pd.DataFrame:
    """Return a row a solver to read: its costs at the large sizes, and its exponents of growth."""
    large = {row["solver"]: row for row in result.at_large.to_dict("records")}
    grown = result.exponents.set_index(["axis", "solver"])["exponent"]
    axes = dict.fromkeys(result.exponents["axis"])
    rows: list[dict[str, str]] = []
    for name, label in SOLVERS.items():
        row = dict.fromkeys(("time", "once per data set", "memory", "error"), "–")
        if name in large:
            own = large[name]
            once = own["preparation_seconds"]
            row = {
                "time": measured_time(own["seconds"]),
                "once per data set": measured_time(once) if once else "nothing",
                "memory": megabytes(own["peak_mb"]),
                "error": f"{own['error']:.2%}",
            }
            row = {name: text.replace(" ", TOGETHER) for name, text in row.items()}
        grows = {
            f"grows with {AXES[axis]}": f"{grown[axis, name]:.2f}".replace("-", "−")
            for axis in axes
        }
        rows.append({"solver": label, **row, **grows})
    return pd.DataFrame(rows)
