"""What is published for a page: the requests listed beside the results, by the role they play."""

import json
from functools import cache
from typing import Any

from engine.experiments import make_request
from engine.settings import PUBLISHED


@cache
def published() -> tuple[tuple[str, str, Any], ...]:
    """Role, experiment and request of every listed result that has a role on a page."""
    listed = json.loads((PUBLISHED / "requests.json").read_text(encoding="utf-8"))
    return tuple(
        (entry["role"], entry["experiment"], make_request(entry["experiment"], entry["request"]))
        for entry in listed
        if "role" in entry
    )


def preset(role: str, dataset: str) -> Any | None:
    """The published request that plays this role for a data set."""
    found = (r for name, _, r in published() if name == role and r.dataset == dataset)
    return next(found, None)


def preset_datasets(role: str) -> list[str]:
    """The data sets for which that role is published."""
    return list(dict.fromkeys(r.dataset for name, _, r in published() if name == role))
