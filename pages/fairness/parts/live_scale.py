"""The scale α dragged in the browser: the gap and the changed predictions at every scale, the
largest first: who drags to the left takes the attack back."""

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
from pages.common.words.wording import plain
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
        for _, row in table.iloc[::-1].iterrows()
    ]
    gap = words.titled(about.metric)
    groups = [words.PEOPLE.get(name, name) for name in about.group_names]
    told: dict[str, object] = {
        "id": token,
        "scales": scales,
        "honest": place_of(result, HONEST),
        "before": float(about.gap_before),
        "words": {
            "label": "One multiplication, with a scale of your own",
            "slider": "All parameters of the model are multiplied by (drag)",
            "ends": [f"{scales[0]['name']} (no attack)", f"{scales[-1]['name']} (smallest)"],
            "reads": [
                "Predictions changed",
                f"{gap} after the repair",
                "Accuracy after the repair",
            ],
            "rows": f"of {about.n_test:,} test rows",
            "points": [f"points: {name} ahead" for name in groups],
            "without": "unattacked:",
            "before": "before the repair",
            "honest": "repaired",
            "scaled": "repaired, parameters × {scale}",
            "nothing": "no solution",
            "ahead": [f"{name} ahead" for name in groups],
            "axis": f"{gap} on test, in points; thin lines: 95% intervals",
            "sentence": "At scale {scale} the model changes {changed} predictions. The gap of "
            "the repaired model is {gap} points; without the attack {honest}.",
            "none": "At scale {scale} the programme has no solution.",
        },
    }
    return Ready(told)


@shelf.kept
def place_of(result: FairnessResult, scale: float) -> int:
    """Return where a scale stands on the slider, 0 at the left."""
    return len(result.table) - 1 - result.place(scale)


def show(stored: Stored, scale: float) -> None:
    """Draw the figure at `scale`. Once the slider is let go of, its scale is the page's."""
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
        f"The {words.NAMES[result.about.metric]}, in percentage points: "
        f"{words.PLAIN[result.about.metric]}, here "
        f"“{plain(result.about.label_names[1])}”. The repair trains again, and training rows "
        "count less where influence scores say that they add to the gap."
        f"{mark_origin(badge_of(stored))}"
    )
