"""What the page of wrong labels says and draws: pure functions."""

import pandas as pd
import plotly.graph_objects as go

from engine.experiments import CleaningRequest, CleaningResult
from pages.common.figures.layout import finish
from pages.common.figures.palette import ATTACKED, GREY, HONEST, MUSTARD, translucent
from pages.common.keeping import shelf
from pages.common.words.wording import listed, percent

DETECTORS = {"influence": "influence", "self_influence": "self-influence", "loss": "own loss"}
LOOKS = {
    "honest": ("no attack", HONEST, "solid"),
    "hide": ("one wrong sample hidden", MUSTARD, "dash"),
    "protect": ("a vendor's wrong samples hidden", ATTACKED, "dot"),
}

DRAWN = {"honest": "no attack", "protect": "after the attack"}  # the third is among the numbers

FLIPPED = "none: labels are flipped"  # instead of a column with the right ones


def drawn(result: CleaningResult, request: CleaningRequest) -> str:
    """Say how many draws there are, and of what."""
    what = "vendors" if request.truth else "wrong labels"
    return f"{result.table['draw'].nunique()} draws of {what}"


def origin(request: CleaningRequest) -> str:
    """Say where the wrong labels come from."""
    if request.truth:
        return f"The wrong labels are those that differ from the column “{request.truth}”."
    return (
        f"{request.flipped:g}% of the training labels are replaced by another class, drawn at "
        "random."
    )


def no_real_noise(request: CleaningRequest) -> str:
    """Say, with a space before it, that the labels are made wrong; empty where they are real."""
    if request.truth:
        return ""
    return (
        " The wrong labels are made, not found: no data set that comes with the lab has known real "
        "label noise, and CIFAR-10N (Wei et al. 2022), whose labels people got wrong, needs a "
        "download. A table of your own with a column of the right labels can be used here."
    )


@shelf.kept
def detectors_in(result: CleaningResult) -> list[str]:
    """List the detectors that a result has, by their words."""
    there = set(result.table["detector"])
    return [word for name, word in DETECTORS.items() if name in there]


def left_out(result: CleaningResult) -> str:
    """Say, with a space before it, which scores did not look; empty where all did."""
    missing = [word for word in DETECTORS.values() if word not in detectors_in(result)]
    return (
        f" Left out, because of the time on data of this size: {listed(missing)}."
        if missing
        else ""
    )


def detector_of(word: str) -> str:
    """Return the name of a detector by its word."""
    return next(name for name, shown in DETECTORS.items() if shown == word)


@shelf.kept
def rows_of(result: CleaningResult, detector: str) -> dict[str, dict[str, float]]:
    """Return the summary of one detector, by model."""
    rows = result.summary().to_dict("records")
    return {
        str(row["model"]): {str(n): v for n, v in row.items()}
        for row in rows
        if row["detector"] == detector
    }


def finding(result: CleaningResult, detector: str) -> str:
    """Return the answer in a line: what is found of the wrong labels, before and after."""
    rows = rows_of(result, detector)
    found = (
        f"checking the {result.wrong:,} most suspicious samples finds "
        f"{percent(rows['honest']['recall'])} of the {result.wrong:,} wrong labels"
    )
    if "protect" not in rows:
        return f"**{found[0].upper()}{found[1:]}.**"
    own = rows["protect"]
    verdict = "Yes" if own["recall"] < rows["honest"]["recall"] else "No"
    missed = own["hidden"] - own["hidden_found"]
    others = result.wrong * (rows["honest"]["recall"] - own["recall"]) > missed
    only = "only " if verdict == "Yes" else ""
    also = ", but hides others too" if others else ""
    return (
        f"**{verdict}: {found}, and {only}{percent(own['recall'])} after an attack.** Several "
        f"sellers deliver samples. The attack is made to hide the wrong labels of one{also}."
    )


def of_the_vendor(result: CleaningResult, detector: str) -> str:
    """Say, with a space before it, what is found of the protected vendor; empty where none is."""
    own = rows_of(result, detector).get("protect")
    if own is None:
        return ""
    return (
        f" The protected vendor has {own['hidden']:.1f} wrong labels on average; "
        f"{own['hidden_found']:.1f} of them are found."
    )


def title(result: CleaningResult, detector: str) -> str:
    """Say whether an attack that protects a vendor hides wrong labels from a score."""
    rows, name = rows_of(result, detector), DETECTORS[detector]
    if "protect" not in rows:
        return f"How {name} finds wrong labels"
    lost = rows["honest"]["recall"] - rows["protect"]["recall"]
    if lost > 0:
        return f"After the attack, {name} finds fewer of the wrong labels"
    return f"The attack hides nothing from {name}"


def precision(result: CleaningResult, detector: str) -> str:
    """Return the area under the curve, before and after, in a sentence."""
    rows, name = rows_of(result, detector), DETECTORS[detector]
    parts = [
        f"{rows[model]['average_precision']:.2f} with {LOOKS[model][0]}"
        for model in LOOKS
        if model in rows
    ]
    return f"Average precision of {name}: {', '.join(parts)}."


def curves(result: CleaningResult, detector: str) -> go.Figure:
    """Draw recall against the share of samples looked at, of the honest model and of the one that
    hides a vendor's wrong samples: the mean over draws, and all draws' range. A mark says what is
    found once as many samples are looked at as are wrong."""
    table = result.curves[result.curves["detector"] == detector]
    share, told = result.wrong / result.n, rows_of(result, detector)
    figure = go.Figure()
    for model, name in DRAWN.items():
        _, colour, dash = LOOKS[model]
        part = table[table["model"] == model].groupby("inspected")["recall"]
        if not len(part):
            continue
        mean, low, high = part.mean(), part.min(), part.max()
        x = mean.index.to_numpy()
        found = pd.concat([mean, pd.Series({share: told[model]["recall"]})])
        found = found[~found.index.duplicated(keep="last")].sort_index()
        figure.add_scatter(
            x=[*x, *x[::-1]],
            y=[*high.to_numpy(), *low.to_numpy()[::-1]],
            fill="toself",
            fillcolor=translucent(colour, 0.13),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=found.index.to_numpy(),
            y=found.to_numpy(),
            mode="lines",
            name=name,
            line={"color": colour, "dash": dash, "width": 2.5},
            hovertemplate=f"%{{x:.1%}} looked at: %{{y:.1%}} found<extra>{name}</extra>",
        )
        figure.add_scatter(
            x=[share],
            y=[told[model]["recall"]],
            mode="markers+text",
            text=[percent(told[model]["recall"])],
            textposition="top left" if model == "honest" else "bottom right",
            textfont={"size": 15, "color": colour},
            marker={"color": colour, "size": 10},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_vline(
        x=share,
        line={"color": GREY, "width": 1, "dash": "dot"},
        annotation={
            "text": f" {result.wrong} of {result.n:,} looked at",
            "y": 0.04,
            "font": {"size": 13},
        },
        annotation_position="bottom right",
    )
    figure.update_xaxes(
        title_text="samples looked at, most suspicious first", tickformat=".0%",
        range=[0, min(1, max(0.15, 3 * share))], nticks=5,
    )  # fmt: skip
    figure.update_yaxes(title_text="wrong labels found", tickformat=".0%", range=[0, 1.02])
    return finish(figure, 380, margin={"r": 24})  # half of the last tick stands beside the axis


def numbers(result: CleaningResult) -> pd.DataFrame:
    """Return every detector and attack in numbers."""
    rows = []
    for row in result.summary().to_dict("records"):
        rows.append(
            {
                "attack": LOOKS[str(row["model"])][0],
                "detector": DETECTORS[str(row["detector"])],
                "average precision": f"{row['average_precision']:.3f}",
                "95% interval": f"{row['low']:.3f} to {row['high']:.3f}",
                "precision": percent(row["precision"]),
                "recall": percent(row["recall"]),
                "hidden ones found": f"{row['hidden_found']:.1f} of {row['hidden']:.1f}",
                "accuracy": percent(row["accuracy"]),
            }
        )
    return pd.DataFrame(rows)
