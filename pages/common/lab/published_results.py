"""What is published for a page: the requests listed beside the results, by the role they play."""

import json
from functools import cache
from typing import Any, NotRequired, TypedDict

from engine.experiments import make_request
from engine.settings import PUBLISHED

AnyRequest = Any  # of the experiment that a result is of: the role says which


class Listed(TypedDict):
    """An entry of the list, as JSON holds it. planned: how many targets were to be computed, where
    fewer were. ended: whether one more was ended while it ran. earlier: how many earlier versions
    of the method were run on the same targets."""

    experiment: str
    request: dict[str, object]
    role: NotRequired[str]
    stands_for: NotRequired[str]
    planned: NotRequired[int]
    ended: NotRequired[bool]
    earlier: NotRequired[int]


@cache
def entries() -> tuple[Listed, ...]:
    """Return the list as it stands in the file."""
    return tuple(json.loads((PUBLISHED / "requests.json").read_text(encoding="utf-8")))


@cache
def listed() -> tuple[tuple[str, str, AnyRequest], ...]:
    """Return role (empty where it has none), experiment and request of every listed result."""
    return tuple(
        (
            entry.get("role", ""),
            entry["experiment"],
            make_request(entry["experiment"], entry["request"]),
        )
        for entry in entries()
    )


@cache
def with_role() -> tuple[tuple[str, str, AnyRequest], ...]:
    """Return the entries of `listed` that have a role on a page."""
    return tuple(entry for entry in listed() if entry[0])


def stand_ins() -> dict[str, str]:
    """Return the data set whose published results stand in for one of the paper's, by its name
    there."""
    return {e["stands_for"]: str(e["request"]["dataset"]) for e in entries() if "stands_for" in e}


def entry_of(request: AnyRequest) -> Listed | None:
    """Return the entry of a published request; None where it is not listed."""
    places = (place for place, (_, _, asked) in enumerate(listed()) if asked == request)
    return next((entries()[place] for place in places), None)


def planned(request: AnyRequest) -> int | None:
    """Return how many targets of a published request were planned; None where all were computed."""
    entry = entry_of(request)
    return None if entry is None else entry.get("planned")


def ended(request: AnyRequest) -> bool:
    """Return whether one more target of a published request was ended while it ran."""
    entry = entry_of(request)
    return entry is not None and entry.get("ended", False)


def earlier(request: AnyRequest) -> int:
    """Return how many earlier versions of the method were run on a published request's targets."""
    entry = entry_of(request)
    return 0 if entry is None else entry.get("earlier", 0)


def request_of(role: str, dataset: str) -> AnyRequest | None:
    """Return the published request that plays this role for a data set."""
    found = (r for name, _, r in with_role() if name == role and r.dataset == dataset)
    return next(found, None)


def requests_of(role: str, dataset: str) -> list[AnyRequest]:
    """Return all published requests that play this role for a data set."""
    return [r for name, _, r in with_role() if name == role and r.dataset == dataset]


def datasets_of(role: str) -> list[str]:
    """Return the data sets for which that role is published."""
    return list(dict.fromkeys(r.dataset for name, _, r in with_role() if name == role))
