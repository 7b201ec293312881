"""What a page asks for first on a data set: what is published or, for other data, a request that
fits it."""

from typing import Any

from engine.data.dataset import Dataset
from engine.experiments import AttackRequest, AuditRequest, PaymentsRequest, make_request
from engine.scrutiny.audit import MOST_PARAMETERS
from pages.common.asking import controls, links
from pages.common.lab import published_results


def of(role: str, experiment: str, dataset: str) -> Any:  # of the experiment's own type
    """Return the published request in this role, or the experiment's default one."""
    found = published_results.request_of(role, dataset)
    return make_request(experiment, {"dataset": dataset}) if found is None else found


def attack(dataset: Dataset, target: int | None = None) -> AttackRequest:
    """Return the example's attack on a sample of this data."""
    start = links.values_of(controls.default_request(dataset.n_train))
    aim = {} if target is None else {"target": target}
    return links.request_of({**start, "dataset": dataset.name, **aim})


def payments(name: str, n_train: int | None) -> PaymentsRequest:
    """Return the published payments of a data set, or the default ones, made to fit small data.
    n_train: None where it is not on this machine."""
    published: PaymentsRequest | None = published_results.request_of("payments", name)
    if published is not None:
        return published
    if n_train is None:
        return PaymentsRequest(name)
    count = max(2, min(10, n_train // 4))
    smallest = n_train // count
    bought = tuple(b for b in PaymentsRequest().bought if b <= smallest) or (smallest,)
    return PaymentsRequest(name, count=count, k=max(1, min(30, n_train // 10)), bought=bought)


def most_queries(dataset: Dataset) -> int:
    """Count the test points with every label."""
    return len(dataset.y_test) * dataset.n_classes


def audit(dataset: Dataset) -> AuditRequest:
    """Return an audit with as many queries as there are, at most the usual number."""
    return AuditRequest(dataset.name, queries=min(AuditRequest.queries, most_queries(dataset)))


def parameters(dataset: Dataset) -> int:
    return dataset.n_classes * (dataset.n_features + 1)


def no_audit(dataset: Dataset) -> str:
    """Say why a data set cannot be audited here; empty where it can."""
    if parameters(dataset) <= MOST_PARAMETERS:
        return ""
    return (
        f"A model of “{dataset.name}” has {parameters(dataset):,} parameters, and the audit here "
        f"takes {MOST_PARAMETERS:,}: it needs more queries than the gradients have rank, and "
        "decomposes the matrix of all of their gradients. Choose digits, or data with fewer "
        "features or classes."
    )
