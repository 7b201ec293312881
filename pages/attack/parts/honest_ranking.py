"""The honest ranking that an attack starts from."""

from engine.data.dataset import Dataset
from engine.experiments import AttackRequest, cost
from engine.results.store import Stored
from pages.common.asking import door, effort, progress
from pages.common.lab.shared import ranking_request


def obtain(request: AttackRequest, dataset: Dataset) -> Stored | None:
    """Return the ranking that the attack starts from; where it is missing, it is computed and
    followed in its place."""
    return door.obtain(
        "ranking",
        ranking_request(request),
        "The honest ranking",
        progress.draw_plain(
            f"Training on {dataset.n_train:,} samples and ranking them"
            f"{effort.training(dataset, request.model)}"
        ),
        cost.honest_seconds(dataset, request.model),
    )


def note_chosen(request: AttackRequest) -> None:
    """Remember which ranking the visitor chose, also where a page opens with a finished attack:
    the next one, chosen by a control, is computed at once."""
    job = door.Computation.of("ranking", ranking_request(request)).job
    door.chosen_here("ranking", str(job))
