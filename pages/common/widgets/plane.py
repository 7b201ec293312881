"""A plane whose points have a value: dragged in the browser, its value follows, no request needed.

The browser is given both models as θ and s = (H + λI)⁻¹ g, from which it computes the value of any
place and label itself: the same few multiplications as `engine.scrutiny.candidates`.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.experiments import PlaygroundResult
from engine.models.linear import LinearModel
from pages.common.keeping import shelf
from pages.common.keeping.ready import Ready
from pages.common.widgets.component import Component

PLANE = Component("plane", "drawing.js")
PLACES = 61  # each way, of which the marker starts at one
INSET = 0.9  # of the plane, the part in which the marker starts: its edge would cut the marker
BELIEVABLE = 0.25  # how likely the honest model finds the label of the marker where it starts
APART = 0.1  # of the plane's width, at least: from where the marker starts to the attacked sample


def show(data: Mapping[str, object], key: str) -> None:
    """Show the plane."""
    PLANE.show(key, data)


@shelf.kept
def plane(result: PlaygroundResult) -> Mapping[str, object]:
    """Return what the browser is given: points, both models, and words."""
    X, n = result.X.astype(np.float64), len(result.y)
    half, target = result.half, result.target
    return Ready(
        {
        "id": f"{n}-{target}-{float(result.honest_direction.sum()):.12e}-{result.distance:.9f}",
        "points": [[*map(float, x), int(c)] for x, c in zip(X, result.y, strict=True)],
        "target": target,
        "start": start_of(result),
        "low": [-half, -half],
        "high": [half, half],
        "classes": list(result.classes),
        "models": [
            model("Honest model", result.honest, result.honest_direction, scores(result, "honest")),
            model("Malicious model, after the attack", result.attacked, result.attacked_direction,
                  scores(result, "attacked")),
        ],
        "words": {
            "label": "A plane of two features: what a new sample is worth at each place",
            "chooses": "New sample:",
            "reset": "Reset",
            "down": "Helps",
            "up": "harms",
            "ring": "Ring: training sample pushed to the top",
            "border": "Dashed: boundary between "
                      + " and ".join(result.classes),
            "drag": "drag me",
            "white": ["No colour:", "almost no influence"],
            "verdicts": ["this sample harms", "this sample helps"],
            "score": "score",
            "rank": "rank",
            "of": f"of {n + 1:,}",  # with the new one
            "ends": [", harms most", ", helps most"],
            "point": "A new sample labelled",
            "handle": "Drag, or use the arrow keys; Enter changes the label.",
            "picture": "Heatmap of the value of a new sample under the",
            "labelled": "labelled",
            "at": "at",
            "from": "from",
            "to": "to",
        },
        }
    )  # fmt: skip


def start_of(result: PlaygroundResult) -> list[float]:
    """Return where the marker starts, x, y and label: of the places away from the target where the
    honest model finds this label believable, the one at which the two models disagree most, so that
    both colour it; the target where they never do."""
    line = np.linspace(-INSET * result.half, INSET * result.half, PLACES)
    places = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    values = {which: result.values(which, places) for which in ("honest", "attacked")}
    units = {which: np.abs(scores(result, which)).max() or 1.0 for which in values}
    apart = np.minimum(-values["honest"] / units["honest"], values["attacked"] / units["attacked"])
    apart[result.honest.probabilities(places) < BELIEVABLE] = -np.inf
    away = np.linalg.norm(places - result.X[result.target], axis=1)
    apart[away < APART * 2 * result.half] = -np.inf
    place, label = np.unravel_index(int(apart.argmax()), apart.shape)
    if apart[place, label] <= 0:
        return [*map(float, result.X[result.target]), int(result.y[result.target])]
    return [*map(float, places[place]), int(label)]


def scores(result: PlaygroundResult, which: str) -> NDArray[np.float64]:
    """Return the training points' scores, (n,), by the formula that the browser uses."""
    return result.values(which, result.X)[np.arange(len(result.y)), result.y]


def model(
    name: str,
    found: LinearModel,
    direction: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> Mapping[str, object]:
    """Return a model as the browser is given it; unit: the score that colours a place strongly."""
    return {
        "name": name,
        "theta": found.parameters.tolist(),
        "direction": direction.tolist(),
        "scores": scores.tolist(),
        "unit": float(np.abs(scores).max()) or 1.0,
    }
