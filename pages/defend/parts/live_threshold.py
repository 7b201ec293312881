"""A threshold on a log axis that is dragged in the browser: what the browser is given."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from engine.experiments import AuditResult
from engine.vocabulary import PLAYERS
from pages.common.asking.form import forget_notes
from pages.common.asking.links import Range
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.widgets.component import Component
from pages.defend.parts import audit_figures
from pages.defend.parts import defence_rates as rates
from pages.defend.parts.defence_figures import LOOKS, SMALLEST, groups_of

GATE = Component("threshold", "drawing.js", "marks.js", "live.css")
NOTES = {  # by a row's label: what its models have in common
    "honest": "all data in each step",
    "honest, by SGD": "noisy: few data in a step",
    "malicious": "the sample is at the top",
}
SHAPES = {"honest": "circle", "attacked": "diamond", "adaptive": "cross"}
SAYS = {  # of a calculator: its name, and what it does
    "honest": ("honest", "true scores, no cheat"),
    "liar": ("liar", "invents one sample's scores"),
    "careful": ("careful liar", "invents scores that fit"),
    "attacker": ("attacker", "true scores, malicious model"),
}
VERDICTS = {"honest": ["passes", "accused"]}  # with nothing and with something flagged
LIARS = ("liar", "careful")  # whose reports are false for the target alone
MANY, SMALL, LARGE = 60, 3.0, 3.8  # marks of a row; their radius in px where there are more, or not
GOLDEN = (5**0.5 - 1) / 2
Given = Mapping[str, object]


def heights(values: np.ndarray) -> list[float]:
    """Return heights within (−1, 1), which mean nothing: neighbours by value lie far apart."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return floats(2 * np.mod((order + 0.5) * GOLDEN, 1) - 1)


def floats(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values]


def marked(*parts: Sequence[float]) -> str:
    """Make a short name for numbers: the figure is made anew where they are others."""
    digest = hashlib.sha256(b"".join(np.asarray(part, np.float64).tobytes() for part in parts))
    return digest.hexdigest()[:16]


@shelf.kept
def of_norms(table: pd.DataFrame, limits: Range, step: float) -> Given:
    """Return what the figure of the gradient norms is given but for the threshold."""
    by = {kind: part["gradient_norm"] for kind, part in table.groupby("kind")}
    moved = table[(table["kind"] == "attacked") & table["success"]]
    able, targets = rates.passing_norms(table)
    reads: list[dict[str, object]] = [
        {"values": floats(by["honest"]), "percent": True},
        {"values": floats(moved["gradient_norm"]), "percent": True},
        {"values": floats(able), "below": True, "total": targets},
    ]
    rows = []
    for label, kind, part in groups_of(table):
        if kind not in SHAPES:  # scaled models: in the fold below, where all groups are
            continue
        values = floats(part["gradient_norm"])
        reads.append({"values": values, "aside": True})
        knows = kind == "adaptive"
        rows.append(
            {
                "label": label,
                "note": f"{len(able)} reach the top" if knows else NOTES[label],
                "colour": LOOKS[kind][1],
                "values": values,
                "shape": SHAPES[kind],
                "size": SMALL if len(part) > MANY else LARGE,
                "heights": heights(part["gradient_norm"].to_numpy()),
                "read": len(reads) - 1,
            }
        )
    told: dict[str, object] = {
        "id": marked(table["gradient_norm"].tolist()),
        "low": limits.low,
        "high": limits.high,
        "step": step,
        "strict": False,
        "smallest": SMALLEST,
        "rows": rows,
        "reads": reads,
        "words": {
            "label": "The check, with a threshold of your own",
            "slider": "Flag a model whose slope (gradient norm) is at least",
            "flagged": "flagged",
            "column": "flagged",
            "left": "← training finished",
            "axis": "slope of the training loss (log)",
            "sentence": "At {threshold} the check flags {0} of the honest models and {1} of those "
            "that moved a target. An attacker who knows the check passes with {2} targets.",
        },
    }
    return Ready(told)


@shelf.kept
def of_residuals(result: AuditResult, limits: Range, step: float) -> Given:
    """Return what the figure of the residuals is given but for the tolerance."""
    n = result.residuals.shape[1]
    aside = np.random.default_rng(0).uniform(-1, 1, size=(n,))  # heights, which mean nothing
    aside[result.target] = 0
    rows = []
    for place, player in enumerate(PLAYERS):
        drawn = audit_figures.drawn_rows(result.residuals[place], result.target)
        name, does = SAYS[player]
        rows.append(
            {
                "label": name,
                "colour": audit_figures.LOOKS[player][0],
                "values": floats(result.residuals[place, drawn]),
                "shape": "circle",
                "size": SMALL if len(drawn) > MANY else LARGE,
                "heights": floats(aside[drawn]),
                "ringed": int(np.searchsorted(drawn, result.target)),
                "note": does,
                "said": f"sample {result.target}" if player in LIARS else "",
                "read": place,
            }
        )
    told: dict[str, object] = {
        "id": marked(*result.residuals),
        "low": limits.low,
        "high": limits.high,
        "step": step,
        "strict": True,
        "smallest": audit_figures.FLOOR,
        "rows": rows,
        "reads": [
            {"values": floats(residuals), "verdicts": VERDICTS.get(player, ["missed", "caught"])}
            for player, residuals in zip(PLAYERS, result.residuals, strict=True)
        ],
        "words": {
            "label": "The audit, with a tolerance of your own",
            "slider": "The auditor accepts a misfit of at most",
            "share": True,
            "axis": "misfit: part of a list that the model cannot give (log)",
            "flagged": "caught",
            "free": "passes",
            "column": "verdict",
            "sentence": "At tolerance {threshold} rows caught: {0} of the honest calculator, {1} "
            "of who invents numbers, {2} of the careful liar, {3} of the attacker.",
        },
    }
    return Ready(told)


def show(key: str, given: Given, exponent: float, name: str) -> None:
    """Draw the figure `given`, at 10 to the `exponent`. Once it is let go of, the exponent is
    kept under `name`, for the link."""
    place = f"{key}-threshold"

    def take_over() -> None:
        set_to = (st.session_state.get(place) or {}).get("exponent")
        if isinstance(set_to, int | float):
            st.session_state[name] = round(float(set_to), 2)
        forget_notes()

    GATE.show(place, given, {"exponent": exponent}, exponent=take_over)
