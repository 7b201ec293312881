"""The whole tour on a data set of one's own: its steps in order, what each costs, what is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import streamlit as st

from engine.attacks.result import Ranking
from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.experiments import AttackRequest, AuditRequest, Request, SweepRequest, cost
from engine.results.store import Stored
from engine.settings import ROOT
from pages.common.asking import door, effort, links, openings, sweep_requests
from pages.common.lab import published_results, registry
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import ranking_request, shown

FAIRNESS = "fairness"
DONE, RUNNING, OPEN = "done", "running", "open"


@dataclass(frozen=True)
class Step:
    """One page of the tour. does: what it answers about the data. asks: the experiment and the
    request that the page opens with; None for a page that needs choices first."""

    url: str
    does: str
    experiment: str = ""
    asks: Callable[[Dataset], Request] | None = None

    @property
    def page(self) -> PageEntry:
        return registry.page(self.url)


def ranked(dataset: Dataset) -> Stored | None:
    """Find the honest ranking of the data, where it is computed."""
    return door.find("ranking", ranking_request(openings.attack(dataset)))


def last_of(before: Ranking) -> int:
    """Return the sample at the end of a ranking."""
    return int(np.argmax(before.ranks))


def worst(dataset: Dataset) -> int | None:
    """Return the sample at the end of the honest ranking; None where that is not computed."""
    found = ranked(dataset)
    return None if found is None else last_of(found.result.test)


def audit_of(dataset: Dataset) -> AuditRequest:
    """Return the audit of the tour's attack."""
    attack = openings.attack(dataset, worst(dataset))
    return replace(
        openings.audit(dataset),
        target=attack.targets[0],
        k=attack.k,
        radius=attack.radius,
        seed=attack.seed,
    )


def usual(role: str, experiment: str) -> Callable[[Dataset], Request]:
    """Make what a page opens with that fits nothing to the data."""
    return lambda dataset: openings.of(role, experiment, dataset.name)


STEPS = (
    Step("lab", "Rank the samples", "ranking", lambda d: ranking_request(openings.attack(d))),
    Step(
        "move-one-sample",
        "Attack: move the last sample to the top",
        "attack",
        lambda d: openings.attack(d, worst(d)),
    ),
    Step(
        "cost",
        "The price: how many samples move, and what accuracy it costs",
        "sweep",
        lambda d: sweep_requests.opening_sweep("cost", d.name),
    ),
    Step("easy-or-hard", "Which samples are easy to move", "sensitivity",
         usual("sensitivity", "sensitivity")),
    Step("who-gets-the-money", "Who earns more when the scores are rigged", "payments",
         lambda d: openings.payments(d.name, d.n_train)),
    Step("wrong-labels", "Which wrong labels an attack hides", "cleaning",
         usual("cleaning", "cleaning")),
    Step(FAIRNESS, "Break fairness between two groups of the rows"),
    Step("minimum", "Catch the attacker by the gradient norm", "defence",
         usual("defence", "defence")),
    Step("undo-it", "Undo the attack in a few Newton steps", "polish", usual("polish", "polish")),
    Step("audit", "Audit the reported scores", "audit", audit_of),
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Where a step of the tour stands on a data set. why_not: why it cannot be made there, and what
    to do; empty where it can. seconds: what it takes, None where nobody knows. query: of the link
    to it."""

    step: Step
    state: str
    why_not: str
    seconds: float | None
    query: Mapping[str, str]
    asked: Request | None = None


def query_of(step: Step, name: str, asked: Request | None) -> Mapping[str, str]:
    """Return the parameters of the link to a step: its page opens with what the tour asks for."""
    if step.url == FAIRNESS:
        return {"table": name, "dataset": name}
    if isinstance(asked, AttackRequest):
        return {n: str(value) for n, value in links.values_of(asked).items()}
    if isinstance(asked, AuditRequest):
        names = ("dataset", "target", "k", "radius", "seed")
        return {n: str(getattr(asked, n)) for n in names}
    return {"dataset": name}


@cache
def published_seconds(experiment: str) -> float | None:
    """How long the published result of an experiment on digits took; None where none is."""
    for _, name, request in published_results.with_role():
        if name == experiment and getattr(request, "dataset", None) == "digits":
            stored = door.find_published(experiment, request)
            if stored is not None:
                return float(stored.manifest.seconds)
    return None


def seconds_of(step: Step, asked: Request, dataset: Dataset) -> float | None:
    """Estimate from above how long a step takes: by its own estimate, or by what digits took, and
    longer for larger data."""
    if isinstance(asked, SweepRequest):
        return sweep_requests.seconds_of([asked])
    known = door.seconds_of(step.experiment, asked)
    if known is not None:
        return known
    on_digits = published_seconds(step.experiment)
    return None if on_digits is None else on_digits * max(1.0, effort.times_digits(dataset))


def stands(step: Step, dataset: Dataset, fair: str) -> Standing:
    """Find where a step stands; fair: why the fairness page has nothing of these data."""
    if step.asks is None:
        seconds = None if fair else cost.fairness_seconds(dataset)
        return Standing(step, OPEN, fair, seconds, query_of(step, dataset.name, None))
    asked = step.asks(dataset)
    refused = openings.no_audit(dataset) if step.experiment == "audit" else ""
    found = door.Computation.of(step.experiment, asked)
    state = DONE if found.stored is not None else RUNNING if found.is_active else OPEN
    query = query_of(step, dataset.name, asked)
    return Standing(step, state, refused, seconds_of(step, asked, dataset), query, asked)


def neighbours(url: str) -> tuple[int, Step | None, Step | None]:
    """Return the place of a page in the tour (from 1; 0 where it is no step), and the steps before
    and after it; before a page that is no step there is none, and the first comes after it."""
    urls = [step.url for step in STEPS]
    if url not in urls:
        return 0, None, STEPS[0]
    place = urls.index(url)
    before = STEPS[place - 1] if place else None
    after = STEPS[place + 1] if place + 1 < len(STEPS) else None
    return place + 1, before, after


def go(standing: Standing) -> None:
    """Ask for a step where that is needed, and open its page."""
    if standing.state == OPEN and standing.asked is not None:
        try:
            door.ask(standing.step.experiment, standing.asked)
        except EngineError as error:
            door.refuse(shown(error))
            return
    st.switch_page(ROOT / standing.step.page.file, query_params=dict(standing.query))
