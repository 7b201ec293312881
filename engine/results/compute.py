"""Run a request and keep its result: the one way from a request to the store."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from engine.data.dataset import Dataset
from engine.experiments import Context, experiment
from engine.results.store import Store
from engine.settings import Settings

SMALL = 5_000_000  # n·d·K from which a second thread gains more than it risks


def device_name(device: str) -> str:
    """What a manifest calls the device: the GPU's name, or the CPU."""
    import torch

    from engine.devices import resolve_device

    where = resolve_device(device)
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU"


def choose_threads(dataset: Dataset) -> None:
    """One CPU thread for small data, all of them for large.

    In small products threads wait for each other longer than they compute, and on a busy machine
    (a browser drawing beside the worker) they wait for whole time slices: 2 s become a minute.
    """
    import torch

    size = dataset.n_train * dataset.n_features * dataset.n_classes
    torch.set_num_threads(1 if size < SMALL else os.cpu_count() or 1)


def compute_and_keep(
    name: str,
    request: Any,
    dataset: Dataset,
    settings: Settings,
    progress: Callable[[dict[str, Any]], None],
    root: Path | None = None,
    replace_old: bool = False,
) -> Path:
    """The folder of the result, in the local store or below `root`."""
    context = Context(
        data_dir=settings.data_dir,
        device=settings.device,
        memory=joblib.Memory(settings.cache_dir / "intermediates", verbose=0),
        progress=progress,
    )
    choose_threads(dataset)
    began = time.perf_counter()
    result = experiment(name).run(request, dataset, context)
    seconds = time.perf_counter() - began
    return Store.of(settings).write(
        name,
        request,
        dataset.content_hash,
        result,
        seconds,
        device_name(settings.device),
        root=root,
        replace_old=replace_old,
    )
