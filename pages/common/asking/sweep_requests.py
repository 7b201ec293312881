"""Sweeps that pages ask for: what is published, the one that a page opens with, and what a visitor
can change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.experiments import SweepRequest, cost
from engine.options import taken_from
from engine.results.store import Stored
from pages.common.asking import data_choice, door
from pages.common.asking.number_lists import Axis
from pages.common.lab import published_results
from pages.common.lab.shared import open_dataset

MODEST_SECONDS = 3600.0  # that a sweep which nobody has chosen yet may take
AXES = {
    "radii": Axis("radii", "Radii", "How far models may lie from θ*, as shares of ‖θ*‖."),
    "ks": Axis(
        "ks", "Into the top", "The tops that are to be reached (k); one run serves all.", True
    ),
    "set_sizes": Axis("set_sizes", "Sizes of the target set", "Targets moved at once.", True),
    "train_sizes": Axis(
        "train_sizes", "Training samples", "Sizes of the training set; 0 stands for all.", True
    ),
}


def stored_of(role: str, dataset: str) -> dict[SweepRequest, Stored]:
    """Return the published sweeps that play this role for a data set, those of them that are
    here."""
    found = {
        request: door.find("sweep", request)
        for request in published_results.requests_of(role, dataset)
    }
    return {request: stored for request, stored in found.items() if stored is not None}


PartsOf = Callable[[SweepRequest], Sequence[SweepRequest]]  # what a page needs for a request


def alone(request: SweepRequest) -> Sequence[SweepRequest]:
    """Return the parts of a page that needs nothing but the request."""
    return [request]


def opening_sweep(role: str, dataset: str, parts: PartsOf = alone) -> SweepRequest:
    """Return the published request in this role, or a modest one like it for another data set: of
    fewer targets, starts and at last of one radius, until all its parts take an hour at most."""
    found = published_results.request_of(role, dataset)
    if found is not None:
        return found
    others = (
        published_results.request_of(role, name) for name in published_results.datasets_of(role)
    )
    like: SweepRequest = next(others, None) or SweepRequest()
    fewer = tuple(min(starts, 1) for starts in like.restarts)
    sizes = [(10, like.restarts), (4, like.restarts), (4, fewer), (2, fewer)]
    tried = [replace(like, dataset=dataset, n_targets=n, restarts=s) for n, s in sizes]
    tried.append(replace(tried[-1], radii=like.radii[len(like.radii) // 2 :][:1]))
    tried.append(replace(tried[-1], n_targets=1))
    return next((r for r in tried if seconds_of(parts(r)) <= MODEST_SECONDS), tried[-1])


def with_axes(request: SweepRequest, numbers: Mapping[str, Sequence[float]]) -> SweepRequest:
    """Return a sweep with other values on some of its AXES. Raises InvalidInput."""
    return taken_from(SweepRequest, request, **numbers)


def seconds_of(requests: Sequence[SweepRequest]) -> float:
    """Return an upper estimate of what sweeps take; 0 where their data is not on this machine."""
    total = 0.0
    for request in requests:
        if data_choice.data_hash(request.dataset) is None:
            continue
        dataset = open_dataset(request.dataset)
        for starts in request.restarts:
            attacks = len(request) / len(request.restarts)
            runs = max(starts, 1) * len(request.learning_rates)
            total += attacks * cost.attack_seconds(dataset, runs, request.steps)
    return total
