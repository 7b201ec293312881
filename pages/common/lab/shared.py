"""The lab's side of data, store and jobs: opened once per server, and said in words."""

import math
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from engine.data.catalogue import FEATURES
from engine.data.dataset import Dataset
from engine.data.inventory import is_prepared
from engine.data.load import dataset_names, load_dataset
from engine.data.sources import fairness_sets
from engine.data.sources.bundled import LOADERS
from engine.data.sources.features_file import changed_at
from engine.experiments import AttackRequest, BaselineRequest, RankingRequest
from engine.options import taken_from
from engine.results.jobs import Jobs
from engine.results.store import Store, Stored
from engine.settings import ROOT, Settings, read_settings
from pages.common.keeping.shelf import Shelf
from pages.common.words.wording import clock, day, seconds, stamp

OPENING = threading.Lock()
OPENED = Shelf(math.inf, most=4)  # data sets: pages ask for theirs many times a run
WARM_UP_SECONDS = 8.0  # importing torch beside the first drawing would slow the visitor down


@dataclass(frozen=True)
class Lab:
    """What all sessions of one server share."""

    settings: Settings
    store: Store
    jobs: Jobs


def lab() -> Lab:
    """Return what was opened for the first page: pages ask for it many times a run."""
    with OPENING:
        return open_lab()


@cache
def open_lab() -> Lab:
    """Open settings, store and job runner; the worker process warms up once the first page is
    drawn."""
    settings = read_settings()
    jobs = Jobs(settings)
    jobs.watch()
    warm_up(jobs)
    return Lab(settings, Store.of(settings), jobs)


def warm_up(jobs: Jobs, seconds: float = WARM_UP_SECONDS) -> None:
    """Start a worker after some seconds: the first job is not to wait until torch is imported."""
    later = threading.Timer(seconds, jobs.start_worker)
    later.daemon = True
    later.start()


def shown(message: object) -> str:
    """Return a message as a visitor is shown it: where something lies is said from the folders that
    the README names, not from the root of the server's disk."""
    settings, text = lab().settings, str(message)
    places = {
        settings.data_dir: "data",
        settings.cache_dir: "cache",
        ROOT: "lab",
        Path(sys.prefix): "python",
        Path(tempfile.gettempdir()): "temporary",
        Path.home(): "home",
    }
    for place, word in sorted(places.items(), key=lambda one: -len(str(one[0]))):
        for written in {str(place), str(place.resolve())} - {"/"}:
            text = text.replace(written, word)
    return text


def data_place() -> str:
    """Return the data directory as code on a page names it: from the checkout where it lies there,
    else by its usual name."""
    data_dir = lab().settings.data_dir
    return str(data_dir.relative_to(ROOT)) if data_dir.is_relative_to(ROOT) else "data"


def datasets() -> list[str]:
    """Return the data sets that can be chosen."""
    return dataset_names(lab().settings.data_dir)


def is_here(name: str) -> bool:
    """Return whether a data set can be chosen. Pages ask often: for a bundled one no folder is
    read."""
    return name in LOADERS or name in datasets()


def open_dataset(name: str) -> Dataset:
    """Return a data set by name, kept in memory until its files change. Raises InvalidDataset."""
    data_dir = lab().settings.data_dir
    changed = 0.0 if name in LOADERS else changed_at(name, data_dir, ".npz")
    return OPENED.get((name, data_dir, changed), lambda: _read_dataset(name, data_dir))


def class_names_of(name: str, n_classes: int) -> tuple[str, ...]:
    """Return the names of a data set's classes, or their numbers where it is not on this machine:
    published results hold labels without names."""
    if is_here(name):
        return tuple(open_dataset(name).class_names)
    return tuple(f"class {label}" for label in range(n_classes))


def _read_dataset(name: str, data_dir: Path) -> Dataset:
    with st.spinner("Reading the data set …"):
        return load_dataset(name, data_dir)


def ranking_request(request: AttackRequest) -> RankingRequest:
    """Return the honest model and ranking that an attack starts from."""
    return taken_from(RankingRequest, request)


def baseline_request(request: AttackRequest) -> BaselineRequest:
    """Return the request of loss reweighing on the attack's target, for the same influence
    scores."""
    return BaselineRequest(
        dataset=request.dataset,
        targets=request.targets[:1],
        damping=request.damping,
        l2=request.l2,
        order=request.order,
        seed=request.seed,
        dtype=request.dtype,
    )


STAND_IN = "stand-in features"  # of published results that are not on a bundled data set


def origin(stored: Stored, dataset: str | None) -> str:
    """Say where a result comes from, as its badge says it; dataset: None where it made its own
    data."""
    manifest, bundled = stored.manifest, (*LOADERS, *fairness_sets.LOADERS)
    file = "table" if manifest.experiment == "fairness" else "features file"
    if stored.published:
        where, data = f"precomputed {day(manifest.created)}", STAND_IN
    elif stored.imported is not None:
        taken = stored.imported
        where, data = f"imported {day(taken.when)} from {taken.source}", f"their {file}"
    else:
        where, data = "computed here", f"your {file}"
    if dataset is None or dataset in bundled:
        return where
    if dataset in FEATURES and is_prepared(dataset, lab().settings.data_dir):
        data = f"{FEATURES[dataset][1].title} features"
    return f"{where} · {data}"


def badge_of(stored: Stored) -> str:
    """Return the badge of a figure that is drawn from a result."""
    return origin(stored, stored.manifest.dataset or None)


def provenance(stored: Stored) -> str:
    """Say seed, device, versions, time and date of a result, in one line."""
    m, badge = stored.manifest, badge_of(stored)
    when = clock(m.created) if day(m.created) in badge else stamp(m.created)
    return (
        f"{badge} · {when} · {seconds(m.seconds)} on {m.device} · "
        f"seed {m.request.get('seed', 0)} · {m.made_with} · data {m.data_hash[:12]}"
    )
