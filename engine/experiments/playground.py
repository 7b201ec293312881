"""A model that can be seen whole: two features, and what a new point is worth at each place."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.attacks.options import AttackOptions
from engine.attacks.result import Ranking
from engine.checks import check_positive
from engine.experiments.attack import steps_reported
from engine.experiments.base import Context, Experiment, honest_model
from engine.experiments.cost import Size, attack_seconds
from engine.experiments.files import load_fields, save_fields
from engine.models.linear import LinearModel, as_linear
from engine.options import OneOf, Options, at_least, option, taken_from
from engine.scrutiny.direction import scores_by_label
from engine.vocabulary import DAMPING, L2, OBJECTIVES, PLANES

DIGITS = Size(238, 2, 2)  # of the plane of two digits
MARGIN = 0.4  # around the points, in standard deviations of a feature
GRID = 101  # places along a side of the square
STEP_SECONDS = 1e-3  # of a run's step, at most: its products are tiny


@dataclass(frozen=True)
class PlaygroundRequest(Options):
    """A data set of two features as in `plane_dataset`, and an attack on the training sample that
    the honest model ranks last. Other fields as in `AttackOptions`."""

    points: str = option("clouds", OneOf(PLANES))
    n: int = option(80, at_least(4))
    radius: float = option(0.3, check_positive)
    objective: str = option("higher_ranked", OneOf(OBJECTIVES))
    restarts: int = option(5, at_least(0))
    steps: int = option(100, at_least(1))
    damping: float = option(DAMPING, check_positive)
    l2: float = option(L2, check_positive)
    seed: int = option(0, at_least(0))


@dataclass(frozen=True, eq=False)
class PlaygroundResult:
    """X, y: the training samples (n, 2); X_test, y_test: those whose mean loss scores are about.
    before, after: the training samples' rankings under the honest and the attacked model.
    honest_direction, attacked_direction: s = (H + λI)⁻¹ g of each, (2, 3), the bias last; with the
    model it gives the score of any place and label. target: the sample that was to rank first.
    accuracies: shares, on holdout. distance: ‖θ′ − θ*‖ / ‖θ*‖. classes, features: names."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    honest: LinearModel
    attacked: LinearModel
    before: Ranking
    after: Ranking
    honest_direction: NDArray[np.float64]
    attacked_direction: NDArray[np.float64]
    target: int
    accuracy_before: float
    accuracy_after: float
    distance: float
    classes: tuple[str, ...]
    features: tuple[str, ...]

    def values(self, which: str, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Score places (c, 2) with each label, (c, 2), under the 'honest' or 'attacked' model."""
        return scores_by_label(getattr(self, which), getattr(self, f"{which}_direction"), X)

    @property
    def half(self) -> float:
        """Return half the side of the square around 0 that is looked at, with a margin."""
        return float(np.abs(self.X).max()) + MARGIN

    @property
    def disagreement(self) -> float:
        """Return the share of the square, with either label, on which the two models' scores have
        different signs."""
        ends = np.linspace(-self.half, self.half, GRID)
        places = np.stack(np.meshgrid(ends, ends), -1).reshape(-1, 2)
        one, other = (self.values(which, places) > 0 for which in ("honest", "attacked"))
        return float((one != other).mean())


def run_playground(request: PlaygroundRequest, dataset: None, context: Context) -> PlaygroundResult:
    from engine.attacks.attack import attack_with
    from engine.influence.scores import influence_scores
    from engine.scrutiny.candidates import query_direction
    from engine.scrutiny.plane import FEATURES, plane_dataset

    plane = plane_dataset(request.points, request.n, request.seed)
    honest = honest_model(plane, request.l2, context)
    damping, device = request.damping, context.device
    ranks = influence_scores(honest, plane, damping=damping, dtype="float64", device=device).ranks
    options = taken_from(AttackOptions, request, dtype="float64")
    target, report = int(ranks.argmax()), steps_reported(options, context)
    found = attack_with(options, honest, plane, [target], device=device, on_step=report)
    attacked = as_linear(found.model)
    return PlaygroundResult(
        *plane.split("train"),
        *plane.split("test"),
        honest=honest,
        attacked=attacked,
        before=found.before,
        after=found.after,
        honest_direction=query_direction(honest, plane, damping=damping, device=device),
        attacked_direction=query_direction(attacked, plane, damping=damping, device=device),
        target=target,
        accuracy_before=found.accuracy_before,
        accuracy_after=found.accuracy_after,
        distance=found.distance,
        classes=plane.class_names,
        features=FEATURES[request.points],
    )


def describe_playground(result: PlaygroundResult) -> str:
    n, target = len(result.y), result.target
    return (
        f"{n} points of two features; point {target} goes from rank {result.before.ranks[target]} "
        f"to rank {result.after.ranks[target]}\n"
        f"  holdout accuracy {result.accuracy_before:.1%} → {result.accuracy_after:.1%}, distance "
        f"{result.distance:.3f} · ‖θ*‖"
    )


def playground_cost(request: PlaygroundRequest, size: Size) -> float:
    own = DIGITS if request.points == "digits" else Size(request.n, 2, 2)
    runs = taken_from(AttackOptions, request).runs
    return attack_seconds(own, runs, request.steps) + runs * request.steps * STEP_SECONDS


PLAYGROUND = Experiment(
    "playground",
    "What would a new point be worth at each place of a plane? Honest and attacked",
    PlaygroundRequest,
    run_playground,
    save_fields,
    partial(load_fields, PlaygroundResult),
    describe_playground,
    seconds=playground_cost,
)
