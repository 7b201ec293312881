"""How far two honest rankings agree, for whoever says something about transfer."""

from engine.experiments import HalvesRequest
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.lab import published_results
from pages.common.words import halves_words

ROLE = EXPERIMENT = "halves"


def request_for(dataset: str) -> HalvesRequest:
    """Return the comparison that pages ask for on a data set: the published one where there is
    one."""
    found: HalvesRequest | None = published_results.request_of(ROLE, dataset)
    return found or HalvesRequest(dataset)


def stored_for(dataset: str) -> Stored | None:
    """Return the comparison of halves on a data set, where it is here."""
    return door.find(EXPERIMENT, request_for(dataset))


def published() -> dict[str, Stored]:
    """Return the published comparisons that are here, by data set."""
    found = {
        name: door.find_published(EXPERIMENT, request_for(name))  # opens without its data
        for name in published_results.datasets_of(ROLE)
    }
    return {name: stored for name, stored in found.items() if stored is not None}


def beside(dataset: str) -> str:
    """Say what stands beside a statement on transfer to unseen test data, with a space before it;
    empty where nothing is known of this data set."""
    stored = stored_for(dataset)
    return "" if stored is None else f" {halves_words.beside(stored.result)}"
