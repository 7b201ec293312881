"""Figures of conditioning and of two models side by side: from results to Plotly figures."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.experiments import ConditioningResult
from engine.experiments.conditioning import FIRST
from pages.common.figures.layout import custom_data, finish
from pages.common.figures.palette import ATTACKED, BEYOND, CHOSEN, GREY, HONEST, LIMIT
from pages.common.words.wording import decimal, percent

LOOKS = {
    "honest": ("honest model", HONEST, "solid"),
    "attacked": ("malicious model", ATTACKED, "dash"),
}


def first_ten(result: ConditioningResult, damping: float) -> go.Figure:
    """Draw how many of the first ten samples stay among them at each other damping, `damping`
    in the colour of what is chosen."""
    rows = result.by_damping[result.by_damping["model"] == "honest"]
    kept = (FIRST * rows["kept"]).round().astype(int)
    names = [
        f"<b>{value:g}</b>" if value == result.damping else f"{value:g}"
        for value in rows["damping"]
    ]
    figure = go.Figure()
    figure.add_bar(
        x=names,
        y=kept,
        width=0.62,
        marker={
            "color": [CHOSEN if value == damping else HONEST for value in rows["damping"]],
        },
        text=[f"<b>{many}</b>" for many in kept],
        textposition="outside",
        textfont={"size": 15},
        cliponaxis=False,
        customdata=custom_data([(decimal(one),) for one in rows["correlation"]]),
        hovertemplate="damping %{x}: %{y} of ten stay, the whole ranking agrees to "
        "%{customdata[0]}<extra></extra>",
    )
    figure.update_xaxes(
        title_text=f"damping, chosen by hand (the paper's: {result.damping:g})", type="category"
    )
    figure.update_yaxes(
        title_text="samples that stay, of ten", range=[0, FIRST + 1], dtick=5, showgrid=False
    )
    return finish(figure, 320)


def spectrum(result: ConditioningResult, damping: float) -> go.Figure:
    """Draw eigenvalues of H at both models beside the damping; those without curvature are left
    out."""
    figure = go.Figure()
    smallest = np.inf
    for values, flat, (name, colour, dash) in zip(
        result.eigenvalues, result.flat, LOOKS.values(), strict=True
    ):
        shown = values[: len(values) - flat]
        smallest = min(smallest, float(shown[-1]))
        figure.add_scatter(
            x=np.arange(1, len(shown) + 1),
            y=shown,
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate=f"direction %{{x}}: curvature %{{y:.2g}}<extra>{name}</extra>",
        )
    figure.add_hline(y=damping, line={"color": LIMIT, "width": 2, "dash": "dot"})
    lowest = max(smallest, 1e-6) / 10
    figure.add_hrect(y0=lowest, y1=damping, fillcolor=BEYOND, line_width=0, layer="below")
    for text, colour, side, shift in (
        ("the data decide", GREY, "bottom", 2),
        (f"below {damping:g} the damping decides", LIMIT, "top", -2),
    ):
        figure.add_annotation(
            x=1, xref="paper", y=np.log10(damping), yanchor=side, xanchor="right", yshift=shift,
            showarrow=False, text=text, align="right", font={"color": colour, "size": 14},
        )  # fmt: skip
    figure.update_xaxes(title_text="direction, the most curved first", type="log", dtick=1)
    figure.update_yaxes(
        title_text="curvature", type="log", exponentformat="power", dtick=1,
        range=[np.log10(max(smallest, 1e-6)) - 0.2, np.log10(result.eigenvalues.max()) + 0.3],
    )  # fmt: skip
    return finish(figure, 400)


def by_damping(result: ConditioningResult) -> go.Figure:
    """Draw how far the ranking at each damping agrees with the usual one."""
    figure = go.Figure()
    for model, (name, colour, dash) in LOOKS.items():
        rows = result.by_damping[result.by_damping["model"] == model]
        figure.add_scatter(
            x=rows["damping"],
            y=rows["correlation"],
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2.5},
            customdata=custom_data([(percent(k), percent(b)) for k, b in zip(
                rows["kept"], rows["below"], strict=True)]),
            hovertemplate="damping %{x:g}: Spearman %{y:.2f}, %{customdata[0]} of the first ten, "
            "%{customdata[1]} of a score from below the damping<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=result.damping, line={"color": LIMIT, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title_text="damping", type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title_text=f"Spearman, with damping {result.damping:g}", range=[0, 1.03])
    return finish(figure, 380)


def differences(rows: pd.DataFrame, names: tuple[str, ...]) -> go.Figure:
    """Draw how sure both models are of each sample; those that they predict otherwise stand
    out."""
    figure = go.Figure()
    other = rows["said_first"] != rows["said_second"]
    for some, name, colour, symbol in (
        (~other, "same prediction", GREY, "circle"),
        (other, "another prediction", ATTACKED, "diamond"),
    ):
        part = rows[some]
        figure.add_scatter(
            x=part["confidence_first"],
            y=part["confidence_second"],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.7},
            customdata=custom_data(
                [
                    (int(sample), *(names[int(label)] for label in labels))
                    for sample, *labels in part[
                        ["sample", "label", "said_first", "said_second"]
                    ].to_numpy()
                ]
            ),
            hovertemplate="unseen sample %{customdata[0]}, class “%{customdata[1]}”<br>honest: "
            "“%{customdata[2]}”, %{x:.0%} sure<br>malicious: “%{customdata[3]}”, %{y:.0%} sure"
            "<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="confidence of the honest model", tickformat=".0%")
    figure.update_yaxes(title_text="of the malicious model", tickformat=".0%")
    return finish(figure, 440)
