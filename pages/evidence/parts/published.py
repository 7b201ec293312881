"""All that is published, by the role that it plays: read once for all visitors."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from engine.results.store import Stored
from pages.common.asking import door
from pages.common.lab import published_results


@dataclass(frozen=True, eq=False)
class Published:
    """Every published result with its role; the role is empty where the list gives none."""

    results: tuple[tuple[str, Stored], ...]


@st.cache_resource(show_spinner="Reading what is published …")
def published() -> Published:
    """Return what is published, in the order of the list."""
    found = []
    for role, experiment, request in published_results.listed():
        stored = door.find_published(experiment, request)
        if stored is not None:
            found.append((role, stored))
    return Published(tuple(found))


def stored_by_data(found: Published, role: str) -> dict[str, Stored]:
    """Return the results published in a role, with where they come from, by data set."""
    return {stored.manifest.dataset: stored for name, stored in found.results if name == role}


def by_data(found: Published, role: str) -> dict[str, pd.DataFrame]:
    """Return the tables published in a role, by data set."""
    return {data: stored.result for data, stored in stored_by_data(found, role).items()}


def all_of(found: Published, experiment: str) -> list:
    """Return the results of an experiment, whatever their role."""
    return [
        stored.result for _, stored in found.results if stored.manifest.experiment == experiment
    ]
