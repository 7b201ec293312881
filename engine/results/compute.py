"""Run a request and keep its result: the one way from a request to the store."""

import time
from pathlib import Path

import joblib

from engine.allocation import reuse_freed_memory
from engine.data.dataset import Dataset
from engine.experiments import Context, Data, Request, experiment, hash_of
from engine.progress import OnProgress
from engine.results.budget import keep_within
from engine.results.store import Store, writing
from engine.settings import Settings

PRECISION_WORDS = {  # what a manifest's device says of an attack's steps, by their precision
    "mixed": ", solves of the steps in mixed precision",
    "coarse": ", gradients of the steps solved to 1e-2",
    "fixed": ", four iterations a solve of the steps",
}


def device_name(device: str) -> str:
    """Return what a manifest calls the device: the GPU's name, or the CPU."""
    import torch

    from engine.devices import resolve_device

    where = resolve_device(device)
    return torch.cuda.get_device_name(where) if where.type == "cuda" else "CPU"


def compute_and_keep(
    name: str,
    request: Request,
    dataset: Data | None,
    settings: Settings,
    progress: OnProgress,
    replace_old: bool = False,
    threads: int = 0,
) -> Path:
    """Compute a request and store its result; return the result's folder. Its parts are stored too,
    each as soon as it is finished, and results that were not used for long are evicted for it.
    threads: of the CPU, 0 for a choice by the size of the data."""
    from engine.devices import choose_threads, set_threads

    store, data_hash = Store.of(settings), hash_of(dataset)
    device = device_name("cpu" if experiment(name).cpu_only else settings.device)

    def find(part: str, asked: Request) -> object | None:
        found = store.find(part, asked, data_hash, with_imported=False)
        return None if found is None else found.result

    def keep(part: str, asked: Request, result: object, seconds: float) -> None:
        store.write(part, asked, data_hash, result, seconds, device)

    store.check_writable()  # before the work, not after it
    intermediates = settings.cache_dir / "intermediates"
    with writing(intermediates):
        memory = joblib.Memory(intermediates, verbose=0)
    context = Context(
        data_dir=settings.data_dir,
        device=settings.device,
        memory=memory,
        progress=progress,
        find=find,
        keep=keep,
        jobs=settings.jobs,
        cluster=settings.cluster,
        cluster_fallback=settings.cluster_fallback,
    )
    reuse_freed_memory()
    if threads:
        set_threads(threads)
    elif isinstance(dataset, Dataset):
        choose_threads(dataset.size)
    began = time.perf_counter()
    result = experiment(name).run(request, dataset, context)
    seconds = time.perf_counter() - began
    device += PRECISION_WORDS.get(getattr(result, "precision", "full"), "")
    folder = store.write(
        name,
        request,
        data_hash,
        result,
        seconds,
        device,
        replace_old=replace_old,
    )
    keep_within(settings)
    return folder
