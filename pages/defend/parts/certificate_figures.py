"""Figures of what cannot be moved: pure functions from results to Plotly figures."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import CertificatesResult
from pages.common.figures.axes import power_axis, rank_axis
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, GREEN, GREY, translucent

LOW, HIGH = 1e-6, 1e-1  # gradient norms that are drawn
AXIS_BELOW = 34  # px from the axis to its name: below numbers for a projector, too
SETTLED = 2e-4  # about where the published curves have fallen: what lies above is not known


def shares_table(result: CertificatesResult, k: int) -> pd.DataFrame:
    """Return the share of all samples that is certified out of the top k at each gradient norm, a
    row per norm."""
    norms = np.geomspace(LOW, HIGH, 241)
    certified = np.sort(result.of(k)["gradient_norm"].to_numpy())
    share = 1 - np.searchsorted(certified, norms) / len(certified)
    return pd.DataFrame({"k": k, "gradient_norm": norms, "share": share})


def shares(table: pd.DataFrame, attacked: float | None) -> go.Figure:
    """Draw the share certified against the gradient norm; `attacked`: the smallest gradient norm of
    a published attack that succeeded, from which on the region is shaded."""
    figure = go.Figure()
    if attacked is not None:  # beyond it there is nothing to prove
        table = table[table["gradient_norm"] <= attacked]
    figure.add_scatter(
        x=table["gradient_norm"],
        y=table["share"],
        mode="lines",
        fill="tozeroy",
        fillcolor=translucent(GREEN, 0.12),
        line={"color": GREEN, "width": 4},
        hovertemplate="slope %{x:.1e}: %{y:.1%} certified"
        f"<extra>out of the top {table['k'].iloc[0]}</extra>",
    )
    note(figure, -5.9, "left", "proven safe", GREEN)
    if attacked is not None:
        note(figure, (np.log10(SETTLED) + np.log10(attacked)) / 2, "center", "not known", GREY)
        note(figure, np.log10(attacked) + 0.06, "left", "attacks<br>succeed", ATTACKED)
        figure.add_vrect(x0=attacked, x1=HIGH, fillcolor=ATTACKED, opacity=0.13, line_width=0)
        figure.add_vline(x=attacked, line={"color": ATTACKED, "width": 2.5, "dash": "dash"})
    figure.update_xaxes(power_axis(LOW, HIGH, "", every=2))
    norms = [np.format_float_positional(norm, trim="-") for norm in figure.layout.xaxis.tickvals]
    figure.update_xaxes(ticktext=norms)  # written as in the answer
    figure.update_yaxes(
        title_text="samples proven safe", tickformat=".0%", range=[-0.03, 1.05], showgrid=False
    )
    for end, text in (
        ("left", "← training finished"),
        ("right", "slope of the training loss (log)"),
    ):
        figure.add_annotation(
            x=float(end == "right"), y=0, xref="paper", yref="paper", xanchor=end, yanchor="top",
            yshift=-AXIS_BELOW, text=text, showarrow=False, font={"size": 14},
        )  # fmt: skip
    return finish(figure, 340, showlegend=False, margin={"t": 8, "b": 2 * AXIS_BELOW})


def note(figure: go.Figure, x: float, anchor: str, text: str, colour: str) -> None:
    """Write what a region of gradient norms means into the figure; `x` is a power of ten."""
    figure.add_annotation(
        x=x,
        y=0.5,
        xanchor=anchor,
        showarrow=False,
        text=text,
        align=anchor,
        font={"size": 16, "color": colour},
    )


def sandwich(table: pd.DataFrame, what: str, found: str) -> go.Figure:
    """Draw the certified size of every sample below, the smallest at which an attack got in
    above, at its rank. The table has rank, sample, certified and found (NaN where none was); `what`
    is the size's name, `found` that of the attacks."""
    outside = table[table["certified"] > 0]
    both = outside[outside["found"].notna()]
    figure = go.Figure()
    figure.add_scatter(
        x=np.repeat(both["rank"].to_numpy(dtype=float), 3),
        y=np.column_stack([both["certified"], both["found"], np.full(len(both), np.nan)]).ravel(),
        mode="lines",
        line={"color": FAINT, "width": 1},
        name="not known between",
        hoverinfo="skip",
        connectgaps=False,
    )
    for column, name, colour, symbol, size, shown in (
        ("certified", "certified: no model below", GREEN, "circle", 7, outside),
        ("found", found, ATTACKED, "diamond", 11, both),
    ):
        figure.add_scatter(
            x=shown["rank"],
            y=shown[column],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": size},
            customdata=shown[["sample"]],
            hovertemplate="sample %{customdata[0]}, rank %{x}<br>"
            + f"{what} %{{y:.2g}}<extra>{name}</extra>",
        )
    values = pd.concat([outside["certified"], both["found"]])
    high = values.max()
    low = max(values.min(), high / 1e5)
    limits = 10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high))
    figure.update_xaxes(rank_axis(int(table["rank"].max()), "rank under the honest model (log)"))
    figure.update_yaxes(power_axis(*limits, f"{what} (log)"))
    return finish(figure, 400)


def depth(table: pd.DataFrame, n: int) -> go.Figure:
    """Draw how many samples are certified in their order after each Newton step."""
    figure = go.Figure()
    figure.add_bar(
        x=table["step"],
        y=table["depth"] / n,
        marker={"color": [GREEN if deep else GREY for deep in table["depth"]]},
        text=[f"{deep:,.0f}" for deep in table["depth"]],
        textposition="outside",
        customdata=table[["gradient_norm"]],
        hovertemplate="after %{x} steps, gradient norm at most %{customdata[0]:.0e}: "
        "%{text} in certified order<extra></extra>",
    )
    figure.update_xaxes(title_text="Newton steps from the malicious model", dtick=1)
    figure.update_yaxes(
        title_text="ranking certified from the top", tickformat=".0%", range=[0, 1.12]
    )
    return finish(figure, 320, showlegend=False)
