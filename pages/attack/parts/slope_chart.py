"""The slope chart of the top samples: who was among them, who is, and where the others stand."""

from dataclasses import dataclass
from html import escape
from typing import Literal

import plotly.graph_objects as go

from engine.attacks.result import Ranking
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, FAINT, GREY, TARGET
from pages.common.samples import Samples


@dataclass(frozen=True)
class Slope:
    """One sample in the slope chart: its heights left and right, its ranks, and its part."""

    index: int
    left: float
    right: float
    rank_before: int
    rank_after: int
    part: Literal["target", "stays", "leaves", "enters"]


def slopes(before: Ranking, after: Ranking, target: int | None, first: int = 10) -> list[Slope]:
    """Return who was or is in the top `first`. Heights 1…first are places; samples that stand
    elsewhere are below a gap, in the order of the ranks."""
    first = min(first, len(before.scores))
    old, new = before.top(first).tolist(), after.top(first).tolist()
    members = list(dict.fromkeys([*old, *new]))

    def heights(top: list[int], other: Ranking) -> dict[int, float]:
        outside = sorted((i for i in members if i not in top), key=lambda i: int(other.ranks[i]))
        places = {i: float(p) for p, i in enumerate(top, 1)}
        return places | {i: first + 2.0 + p for p, i in enumerate(outside)}

    left, right = heights(old, before), heights(new, after)

    def part(i: int) -> Literal["target", "stays", "leaves", "enters"]:
        if i == target:
            return "target"
        if i in old:
            return "stays" if i in new else "leaves"
        return "enters"

    return [
        Slope(i, left[i], right[i], int(before.ranks[i]), int(after.ranks[i]), part(i))
        for i in members
    ]


OUTWARD = 0.045  # of a label from the end of its line
SLOPE_LOOKS: dict[str, tuple[str, dict[str, object]]] = {
    "leaves": ("pushed out", {"color": GREY, "width": 1.4, "dash": "dot"}),
    "enters": ("brought in", {"color": ATTACKED, "width": 1.4}),
    "stays": ("stays", {"color": GREY, "width": 2.2}),
    "target": ("target", {"color": TARGET, "width": 4}),
}


def slope_chart(
    before: Ranking, after: Ranking, samples: Samples, target: int | None, first: int = 10
) -> go.Figure:
    """Draw the top `first` before (left) and after (right); every line ends at a named rank."""
    lines = slopes(before, after, target, first)
    first = min(first, len(before.scores))
    figure = go.Figure([_lines_of(part, lines, samples) for part in SLOPE_LOOKS])
    words: list[dict[str, object]] = []
    pictures: list[dict[str, object]] = []
    for s in lines:
        for x, y, rank in ((0, s.left, s.rank_before), (1, s.right, s.rank_after)):
            thumbnail = samples.thumbnail(s.index) if y <= first else None
            words.append(_end_label(s, samples.label(s.index), x, y, rank, thumbnail is not None))
            if thumbnail is not None:
                pictures.append(_end_picture(thumbnail, x, y))
    for x, word, side in ((0, "honest", "right"), (1, "malicious", "left")):
        words.append({"x": x, "y": 0, "text": f"<b>{word}</b>", "xanchor": side})
    rows = max(max(s.left, s.right) for s in lines)
    if rows > first:
        figure.add_hline(y=first + 1, line={"color": FAINT, "width": 1, "dash": "dash"})
        words.append(
            {
                "x": -OUTWARD,
                "y": first + 1,
                "text": f"outside the top {first}",
                "xanchor": "right",
                "yanchor": "bottom",
                "font": {"size": 12},
            }
        )
    # Set at once: Plotly checks the whole list anew for every one that is added.
    figure.update_layout(annotations=[{"showarrow": False, **w} for w in words], images=pictures)
    figure.update_xaxes(visible=False, range=[-0.72, 1.72], fixedrange=True)
    figure.update_yaxes(visible=False, range=[rows + 0.7, -0.6], fixedrange=True)
    return finish(figure, int(80 + 29 * (rows + 1)))


def _lines_of(part: str, lines: list[Slope], samples: Samples) -> go.Scatter:
    """Draw all lines of one kind, as one trace with gaps."""
    name, look = SLOPE_LOOKS[part]
    members = [s for s in lines if s.part == part]
    texts = [
        f"<b>sample {s.index}</b>, class “{samples.label(s.index)}”<br>"
        f"rank {s.rank_before:,} → {s.rank_after:,}{_unusual(samples, s.index)}"
        for s in members
    ]
    return go.Scatter(
        x=[x for _ in members for x in (0, 1, None)],
        y=[y for s in members for y in (s.left, s.right, None)],
        text=[t for text in texts for t in (text, text, "")],
        mode="lines+markers",
        name=name,
        line=look,
        marker={"size": 8 if part == "target" else 4, "color": look["color"]},
        hovertemplate="%{text}<extra></extra>",
        showlegend=bool(members),
    )


def _unusual(samples: Samples, index: int) -> str:
    """Say what hovers add of a sample that has no picture."""
    if samples.pictured:
        return ""
    return "<br>" + "<br>".join(escape(line) for line in samples.features(index))


def _end_label(
    s: Slope, label: str, x: int, y: float, rank: int, pictured: bool
) -> dict[str, object]:
    """Return the rank at one end of a line, and the class where no picture shows it."""
    text = f"{rank:,}" if pictured else f"rank {rank:,} · “{label}”"
    accent = s.part == "target"
    return {
        "x": x + (OUTWARD if x else -OUTWARD),
        "y": y,
        "text": f"<b>{text}</b>" if accent else text,
        "xanchor": "left" if x else "right",
        "font": {"size": 12} | ({"color": TARGET} if accent else {}),
    }


def _end_picture(thumbnail: str, x: int, y: float) -> dict[str, object]:
    """Return a thumbnail beyond the rank."""
    return {
        "source": thumbnail,
        "x": x + (0.19 if x else -0.19),
        "y": y,
        "xref": "x",
        "yref": "y",
        "sizex": 0.16,
        "sizey": 0.84,
        "xanchor": "left" if x else "right",
        "yanchor": "middle",
    }
