"""Look after a queue without serving pages: `python -m engine.results.attendant`.

For an installation whose servers have IAL_WORKERS=no, because they run in containers that are
replaced while a job goes on. It starts workers as jobs come, until it is asked to end; they end
with it, and what they had finished is kept.
"""

import logging
import signal
import sys
import threading

import psutil

from engine.errors import InvalidInput
from engine.results.jobs import Jobs
from engine.results.queue import living
from engine.results.watchdog import end_below
from engine.settings import read_settings

log = logging.getLogger("engine.results.attendant")


def end_workers(jobs: Jobs) -> None:
    """End every worker of the queue and what it has started."""
    for worker in living(jobs.folder):
        try:
            process = psutil.Process(worker.pid)
            end_below(process)
            process.terminate()
        except psutil.NoSuchProcess:
            continue


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    try:
        settings = read_settings()
        if not settings.workers:
            raise InvalidInput("IAL_WORKERS", "no", "'yes': this process is there to start them")
        jobs = Jobs(settings)
        jobs.watch()
    except InvalidInput as error:
        sys.exit(f"error: {error}")
    log.info("Looking after the queue in %s", jobs.folder)
    asked.wait()
    end_workers(jobs)


if __name__ == "__main__":
    main()
