"""The scale α dragged in the browser: the gap and the changed predictions at every scale."""

import math

import streamlit as st

from engine.fairness.result import FairnessResult
from engine.results.store import Stored
from pages.common.asking.form import forget_notes
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.lab.shared import badge_of
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.charts import heading
from pages.common.widgets.component import Component
from pages.common.words.wording import count
from pages.fairness.parts import fairness_words as words
from pages.fairness.parts.fairness_figures import HONEST

KEY, SCALE = "fairness-scale", "scale"  # of the figure; in links
DIAL = Component("scale", "drawing.js", "marks.js", "live.css")


def known(value: float) -> float | None:
    """Return a number of the table; None where the programme has no solution."""
    return None if math.isnan(value) else float(value)


@shelf.kept
def given(result: FairnessResult, token: str) -> dict[str, object]:
    """Return what the browser is given but for the chosen scale. token: names the result."""
    about, table = result.about, result.table
    column = f"{about.metric}_test"
    scales = [
        {
            "scale": float(row["scale"]),
            "name": f"{row['scale']:g}",
            "gap": known(row[column]),
            "low": known(row[f"{column}_low"]),
            "high": known(row[f"{column}_high"]),
            "accuracy": known(row["accuracy_test"]),
            "changed": int(row["base_predictions_changed"]),
        }
        for _, row in table.iterrows()
    ]
    gap = words.titled(about.metric)
    told: dict[str, object] = {
        "id": token,
        "scales": scales,
        "honest": result.place(HONEST),
        "before": float(about.gap_before),
        "words": {
            "label": "One multiplication, with a scale of your own",
            "slider": "Drag: all weights of the base model, times α",
            "reads": ["Base predictions changed", f"{gap} after the repair", "Accuracy"],
            "rows": f"of {about.n_test:,} test rows",
            "points": "points",
            "without": "without the attack",
            "before": "before the repair",
            "honest": "repaired",
            "scaled": "repaired, weights × {scale}",
            "nothing": "no solution",
            "zero": "0: no gap",
            "axis": f"{gap} on test, in points, with its 95% interval",
            "sentence": "At scale {scale} the base model changes {changed} predictions. The gap of "
            "the repaired model is {gap} points; without the attack {honest}.",
            "none": "At scale {scale} the programme has no solution.",
        },
    }
    return Ready(told)


place_of = shelf.kept(FairnessResult.place)


def show(stored: Stored, scale: float) -> None:
    """Draw the figure at `scale`. Once it is let go of, the scale is chosen on the page."""
    result: FairnessResult = stored.result

    def take_over() -> None:
        set_to = (st.session_state.get(KEY) or {}).get(SCALE)
        if set_to in {f"{one:g}" for one in result.table["scale"]}:
            st.session_state[SCALE] = set_to
        forget_notes()

    heading(words.repair_title(result))
    data = given(result, stored.folder.name)
    DIAL.show(KEY, data, {"place": place_of(result, scale)}, scale=take_over)
    st.caption(
        f"The {words.NAMES[result.about.metric]}: {words.PLAIN[result.about.metric]}. "
        f"{words.who_is_ahead(result.about)} The repair gives training rows other weights, by "
        "influence scores from the base model. The slider stops at the "
        f"{count(len(result.table), 'scale')} that are computed."
        f"{mark_origin(badge_of(stored))}"
    )
