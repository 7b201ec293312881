"""How many attacks move their target, at what price: a table by radius, and bars of outcomes."""

import pandas as pd
import plotly.graph_objects as go

from pages.common.asking.rate_view import RateView
from pages.common.figures.axes import count_axis
from pages.common.figures.layout import finish, set_plainly
from pages.common.figures.palette import ATTACKED, INK, ON_PAGE, ON_PALE, REST, paler
from pages.common.frames import named_rows
from pages.common.keeping import shelf
from pages.common.words import rate_words

BARS = 0.58  # of the figure's width; the two columns of numbers stand to the right of it
LOST, KEPT = 0.71, 0.95  # where they end
DIGIT = 0.03  # of the longest bar: what a digit takes on a phone


@shelf.kept
def prices(table: pd.DataFrame, view: RateView) -> pd.DataFrame:
    """Return for each radius, at the view's k: of how many `attacks` how many succeed within the
    limit (`moved`, with the share `rate`, `low` and `high`), how many only at a higher price
    (`dearer`) and how many do not (`stuck`); and of the returned models the median accuracy lost
    (`lost`, points) and rank correlation with the honest ranking (`correlation`). table: attacks of
    one objective on one training set."""
    both = view.both(table).query("k == @view.k and split == 'test'").set_index("radius")
    within = both[both["regime"] == "high_accuracy"]
    anyhow = both[both["regime"] == "best"]["successes"]
    rows = table[table["k"] == view.k]
    medians = (
        rows.assign(lost=100 * (rows["accuracy_before"] - rows["accuracy_after"]))
        .groupby("radius")
        .agg(lost=("lost", "median"), correlation=("rank_correlation", "median"))
    )
    found = within[["attacks", "rate", "low", "high"]].assign(
        moved=within["successes"],
        dearer=anyhow - within["successes"],
        stuck=within["attacks"] - anyhow,
    )
    return found.join(medians).sort_index().reset_index()


def by_price(found: pd.DataFrame, tolerance: float | None) -> go.Figure:
    """Draw `outcomes` for each radius, and beside it what the returned models lose.

    found: of `prices`. tolerance: the permitted fall of accuracy, a share; None: no limit.
    """
    radii = [f"model moves {rate_words.share(radius)}" for radius in found["radius"]]
    figure = outcomes(found, radii, tolerance)
    _losses(figure, found)
    figure.update_xaxes(domain=[0, BARS], title_text="")
    below = {"y": 0, "yref": "container", "yanchor": "bottom"}  # above are the heads of the columns
    set_plainly(figure, legend=below, margin={"t": 46})
    return figure


def outcomes(found: pd.DataFrame, names: list[str], tolerance: float | None) -> go.Figure:
    """Draw a bar for each row, split into the attacks that move their target within the limit, at a
    higher price, and not at all.

    found: attacks, moved, dearer, stuck, low and high, as of `prices`. names: of the rows.
    """
    within = "at the top"
    if tolerance is not None:
        within += f", at most {100 * tolerance:g} points lost"
    figure, most = go.Figure(), int(found["attacks"].max())
    for column, name, colour, ink in (
        ("moved", within, ON_PAGE[ATTACKED].text, "#FFFFFF"),
        ("dearer", "at the top, more lost", paler(ATTACKED, 0.6), ON_PALE),
        ("stuck", "not at the top", REST, ON_PALE),
    ):
        if not found[column].any():
            continue
        counts = found[column].to_numpy()
        figure.add_bar(
            x=counts,
            y=names,
            orientation="h",
            name=name,
            marker={"color": colour},
            width=0.68,
            text=[f"{n:,}" if n >= DIGIT * len(f"{n:,}") * most else "" for n in counts],
            constraintext="none",
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 15, "color": ink},
            customdata=found[[column, "attacks", "low", "high"]].to_numpy(),
            hovertemplate="<b>%{customdata[0]} of %{customdata[1]}</b>"
            + (
                "<br>95% interval %{customdata[2]:.0%} to %{customdata[3]:.0%}"
                if column == "moved"
                else ""
            )
            + f"<extra>{name}</extra>",
        )
    figure.update_xaxes(**count_axis(most, "attacked samples"))
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    legend = {"traceorder": "normal"}
    return finish(figure, 130 + 48 * len(names), barmode="stack", legend=legend)


def _losses(figure: go.Figure, found: pd.DataFrame) -> None:
    """Write the two columns of numbers beside the bars of `by_price`, and the head of each column.
    The bars are a column, too."""
    heads = (
        (BARS / 2, "center", "samples<br>tried"),
        (LOST, "right", "median<br>points lost"),
        (KEPT, "right", "ranking<br>similarity"),
    )
    for x, anchor, text in heads:
        figure.add_annotation(
            x=x,
            y=1.01,
            xref="paper",
            yref="paper",
            xanchor=anchor,
            yanchor="bottom",
            text=text,
            showarrow=False,
            font={"size": 13, "color": INK},
        )
    for place, row in enumerate(named_rows(found)):
        for x, text in ((LOST, f"{row.lost:.1f}"), (KEPT, f"{row.correlation:.2f}")):
            figure.add_annotation(
                x=x,
                y=place,
                xref="paper",
                xanchor="right",
                text=text.replace("-", "−"),
                showarrow=False,
                font={"size": 15, "color": INK},
            )
