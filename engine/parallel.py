"""Many computations at once, through joblib: processes here, or a dask cluster.

`joblib.parallel_config(backend="dask")` around a call has it run on that cluster; `on_cluster`
opens one by its address. A worker that dies takes no result with it: what is missing is computed
again, and a computation whose workers die again and again is named.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import get_active_backend

from engine.errors import ClusterUnavailable, WorkerDied

ATTEMPTS = 2  # alone, after a worker has died, before a computation is held to be the cause
CONNECT_SECONDS = 5.0
INSTALL = "pip install 'dask[distributed]'"


def is_distributed() -> bool:
    """Whether joblib is configured to compute on a dask cluster."""
    return type(get_active_backend()[0]).__name__ == "DaskDistributedBackend"


def worker_died(error: BaseException) -> bool:
    """Whether a process ended under its computation (dask's KilledWorker is known by name only: it
    is an optional package)."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"


def numbered(function: Callable[[Any], Any], number: int, task: Any) -> tuple[int, Any]:
    return number, function(task)


def compute_all(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    done: Callable[[int, Any], None],
    processes: int = 1,
    describe: Callable[[Any], str] = str,
) -> None:
    """`done(i, function(tasks[i]))` for every task, in the order in which they finish.

    In this process where `processes` is 1 and no cluster is configured. Errors of `function` are
    raised as they are; WorkerDied names (with `describe`) a task whose worker dies every time.
    """
    if processes == 1 and not is_distributed():
        for i, task in enumerate(tasks):
            done(i, function(task))
        return
    missing = dict(enumerate(tasks))
    at_once = get_active_backend()[1] if is_distributed() else processes

    def collect(numbers: Sequence[int]) -> None:
        jobs = None if is_distributed() else max(processes, 2)  # joblib runs one job in here
        pool = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1)
        work = (joblib.delayed(numbered)(function, i, missing[i]) for i in numbers)
        results = pool(work)
        try:
            for i, result in results:
                done(i, result)
                del missing[i]
        finally:
            results.close()

    while missing:
        try:
            collect(list(missing))
        except Exception as error:
            if not worker_died(error):
                raise
            # Tasks are given out in order: those at work were the first that are missing. One at a
            # time it is known which of them it was.
            for i in list(missing)[: max(at_once, 1)]:
                for attempt in range(ATTEMPTS):
                    try:
                        collect([i])
                        break
                    except Exception as again:
                        if not worker_died(again):
                            raise
                        if attempt + 1 == ATTEMPTS:
                            raise WorkerDied(
                                f"The process that computed {describe(tasks[i])} was ended from "
                                f"outside {ATTEMPTS + 1} times, perhaps for want of memory. What "
                                "was finished before is kept. Ask for less at once: a smaller "
                                "memory budget, or fewer processes."
                            ) from again


@contextmanager
def on_cluster(address: str, seconds: float = CONNECT_SECONDS) -> Iterator[int]:
    """Everything within computes on the dask cluster at `address`; yields its number of workers.

    Raises ClusterUnavailable where there is none, within `seconds`.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterUnavailable(
            f"The cluster at '{address}' needs the package dask.distributed: {INSTALL}"
        ) from None
    try:
        client = Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterUnavailable(
            f"No dask scheduler answers at '{address}' within {seconds:g} s "
            f"({type(error).__name__}). Check the address and that it runs, or compute here."
        ) from None
    with client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if workers == 0:
            raise ClusterUnavailable(
                f"The dask scheduler at '{address}' has no workers. Start some, or compute here."
            )
        with joblib.parallel_config(backend="dask", client=client):
            yield workers
