"""Many computations at once: in processes here, through joblib, or on a dask cluster.

`joblib.parallel_config(backend="dask")` around a call has it run on that cluster; `on_cluster`
opens one by its address. A worker that dies takes no result with it: what is missing is computed
again, and a computation whose workers die again and again is named.

joblib chooses the cluster, but its dask backend does not bring the results: it waits for ever for
a task whose workers died, and for a scheduler that has gone.
"""

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool
from joblib.parallel import get_active_backend

from engine.errors import ClusterUnavailable, WorkerDied

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")  # a task
R = TypeVar("R")  # its result
ATTEMPTS = 2  # alone, after a worker has died, before a computation is held to be the cause
CONNECT_SECONDS = 5.0
NO_WORKER_SECONDS = 60.0  # that a cluster may be without any worker: they may be restarting
POLL_SECONDS = 5.0  # between two looks at whether a cluster still has workers
AHEAD = 2  # tasks sent to a cluster per thread that it has, so that none waits for its next
ORPHAN_SECONDS = 1.0  # between two looks of a worker at whether its parent lives
UNREADABLE = "deserialization of the task graph"  # in what dask says where an import fails
INSTALL = "pip install 'dask[distributed]'"
KEPT = "What was finished before is kept. "
GONE = (
    f"The dask scheduler has gone, or was restarted, under its work. {KEPT}Start again to go on "
    "from there."
)
NO_WORKERS = (
    f"The dask cluster has lost its workers. {KEPT}Their logs say why: perhaps they cannot import "
    "the engine. Start them in the project's folder, and start again to go on from there."
)
SMALLER = "Ask for less at once: a smaller memory budget, or fewer processes."


def is_distributed() -> bool:
    """Return whether joblib is configured to compute on a dask cluster."""
    return type(get_active_backend()[0]).__name__ == "DaskDistributedBackend"


def compute_all(
    function: Callable[[T], R],
    tasks: Sequence[T],
    done: Callable[[int, R], None],
    processes: int = 1,
    describe: Callable[[T], str] = str,
    patience: float = NO_WORKER_SECONDS,
) -> None:
    """Call `done(i, function(tasks[i]))` for every task, in the order in which they finish.

    In this process where `processes` is 1 and no cluster is configured. Errors of `function` are
    raised as they are; WorkerDied names (with `describe`) a task whose worker dies every time,
    ClusterUnavailable says that a cluster has had no workers for `patience` seconds.
    """
    if is_distributed():
        on_dask(get_active_backend()[0].client, function, tasks, done, describe, patience)
    elif processes > 1:
        in_processes(function, tasks, done, processes, describe)
    else:
        for i, task in enumerate(tasks):
            done(i, function(task))


def in_processes(
    function: Callable[[T], R],
    tasks: Sequence[T],
    done: Callable[[int, R], None],
    processes: int,
    describe: Callable[[T], str],
) -> None:
    """Do what `compute_all` does, with joblib's processes on this machine. Raises WorkerDied."""
    missing = dict(enumerate(tasks))

    def collect(numbers: Sequence[int]) -> None:
        pool = joblib.Parallel(processes, return_as="generator_unordered", batch_size=1)
        parent = os.getpid()
        work = (joblib.delayed(numbered)(function, i, missing[i], parent) for i in numbers)
        results = pool(work)
        try:
            for i, result in results:
                done(i, result)
                del missing[i]
        finally:
            with warnings.catch_warnings():  # joblib's, that what is at work will be lost
                warnings.simplefilter("ignore")
                results.close()

    while missing:
        try:
            collect(list(missing))
        except BrokenProcessPool:
            # Tasks are given out in order: those at work were the first that are missing. One at a
            # time it is known which of them it was.
            for i in list(missing)[:processes]:
                for attempt in range(ATTEMPTS):
                    try:
                        collect([i])
                        break
                    except BrokenProcessPool as again:
                        if attempt + 1 == ATTEMPTS:
                            raise WorkerDied(
                                f"The process that computed {describe(tasks[i])} was ended from "
                                f"outside {ATTEMPTS + 1} times, perhaps for want of memory. "
                                + KEPT
                                + SMALLER
                            ) from again


def numbered(function: Callable[[T], R], number: int, task: T, parent: int) -> tuple[int, R]:
    """Compute a task in a process of the pool, which ends with its parent, however early that has
    ended; or in the parent's own process."""
    if parent != os.getpid() and not any(t.name == "parent" for t in threading.enumerate()):
        threading.Thread(target=leave_with, args=(parent,), name="parent", daemon=True).start()
    return number, function(task)


def leave_with(parent: int) -> None:
    """End this process when its parent, killed, could not: joblib's would stay for minutes."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os._exit(1)


def on_dask(
    client: "Client",
    function: Callable[[T], R],
    tasks: Sequence[T],
    done: Callable[[int, R], None],
    describe: Callable[[T], str],
    patience: float,
) -> None:
    """`compute_all` on the cluster of `client`. dask itself computes again what a lost worker had;
    it gives up on a task after several workers, of which a neighbour may have been the cause.
    Raises WorkerDied."""
    suspects = collect_from_dask(client, function, tasks, range(len(tasks)), done, patience)
    guilty = collect_from_dask(client, function, tasks, suspects, done, patience, at_once=1)
    if guilty:
        raise WorkerDied(
            f"Every worker of the cluster that computed {describe(tasks[guilty[0]])} was ended "
            "from outside, perhaps for want of memory. " + KEPT + SMALLER
        )


def collect_from_dask(
    client: "Client",
    function: Callable[[T], R],
    tasks: Sequence[T],
    numbers: Iterable[int],
    done: Callable[[int, R], None],
    patience: float,
    at_once: int | None = None,
) -> list[int]:
    """Have the tasks of these numbers computed, and return those on which dask gave up.

    Raises ClusterUnavailable.
    """
    from dask.config import set as dask_config
    from distributed import Future, KilledWorker
    from distributed.comm.core import CommClosedError

    waiting = iter(numbers)
    work: dict[Future, int] = {}
    given_up: list[int] = []
    try:
        while True:
            room = at_once or max(AHEAD * threads(client), 1)
            with dask_config({"distributed.admin.large-graph-warning-threshold": "1 PB"}):
                while len(work) < room and (i := next(waiting, None)) is not None:
                    work[client.submit(function, tasks[i], pure=False)] = i
            if not work:
                return given_up
            for future in first_finished(client, list(work), patience):
                i = work[future]
                try:
                    result = future.result(timeout=patience)
                except KilledWorker:
                    given_up.append(work.pop(future))
                    continue
                except TimeoutError:
                    if future.status == "error":  # the function's own
                        raise
                    if not threads(client):
                        raise ClusterUnavailable(NO_WORKERS) from None
                    continue  # it was lost with its worker, and is computed again
                except (ModuleNotFoundError, RuntimeError) as error:
                    raise explained(error) from error
                del work[future]
                done(i, result)
    except (CancelledError, CommClosedError) as error:
        raise ClusterUnavailable(GONE) from error
    finally:
        for future in work:
            future.release()


def explained(error: Exception) -> Exception:
    """Return `error`, or a ClusterUnavailable where the cluster has no engine."""
    if isinstance(error, ModuleNotFoundError) or UNREADABLE in str(error):
        return ClusterUnavailable(
            "The dask cluster cannot import what it is to compute. Start its scheduler and its "
            "workers in the project's folder, with the same packages as here."
        )
    return error


def threads(client: "Client") -> int:
    """Count the threads of all workers of a cluster. Raises ClusterUnavailable."""
    try:
        return sum(client.ncores().values())
    except OSError as error:
        raise ClusterUnavailable(GONE) from error


def first_finished(
    client: "Client", futures: "list[Future]", patience: float
) -> "Iterable[Future]":
    """Wait until a future is finished, and return all that are. Raises ClusterUnavailable where
    there have been no workers for `patience` seconds."""
    from distributed import wait

    seen, poll = time.monotonic(), min(POLL_SECONDS, patience)
    while True:
        try:
            with client.as_current():
                return wait(futures, timeout=poll, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            pass
        if threads(client):
            seen = time.monotonic()
        elif time.monotonic() - seen > patience:
            raise ClusterUnavailable(NO_WORKERS)


@contextmanager
def on_cluster(address: str, seconds: float = CONNECT_SECONDS) -> Iterator[int]:
    """Compute everything within on the dask cluster at `address`; yields its number of workers.

    Raises ClusterUnavailable where there is none, within `seconds`.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ClusterUnavailable(
            f"The cluster at '{address}' needs the package dask.distributed: {INSTALL}"
        ) from None
    with ThreadPoolExecutor(1) as apart:  # from the event loop that a notebook runs in this thread
        workers = apart.submit(asyncio.run, count_workers(address, seconds)).result()
    if workers == 0:
        raise ClusterUnavailable(
            f"The dask scheduler at '{address}' has no workers. Start some, or compute here."
        )
    with (
        Client(address, timeout=seconds, set_as_default=False) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        yield workers


async def count_workers(address: str, seconds: float) -> int:
    """Ask the scheduler at `address` how many workers it has, beforehand: dask's client waits for
    ever for an answer from what is no scheduler, and leaves its threads behind where nobody
    listens."""
    from distributed.core import rpc

    try:
        async with asyncio.timeout(seconds), rpc(address) as scheduler:
            return len((await scheduler.identity(n_workers=-1))["workers"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClusterUnavailable(
            f"No dask scheduler answers at '{address}' within {seconds:g} s "
            f"({type(error).__name__}). Check the address and that it runs, or compute here."
        ) from None
