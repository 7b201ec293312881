"""Paths and budgets, from the environment.

The command line, the job runner and the pages read them. For callers that name no data directory,
so do `load_fairness_dataset` and the preparation of a data set. Nothing else that computes does:
what it depends on is in its arguments.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidInput

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # where `engine` is found: the checkout, or an environment's site-packages
INSTALLED = (PACKAGE / "published").is_dir()  # an installed package carries the published results
PUBLISHED = PACKAGE / "published" if INSTALLED else ROOT / "cache" / "published"
MODES = ("lab", "class")  # the first is the default
VISITOR_JOBS = 3  # a ranking and an attack on one page, and another attack
SESSIONS = 200  # of one server process: some 5 MB each


@dataclass(frozen=True)
class Settings:
    """Where things are kept, on which device to compute, how long an idle worker stays, and how
    sweeps are spread: over `jobs` processes (0: chosen by the size of the data), or on the dask
    cluster at an address; `cluster_fallback` computes here where that does not answer.

    Of the job runner: long jobs at once (0: one a GPU, one on the CPU) and short ones (0: one a
    GPU, or one a core of the CPU), hours and GB (2**30 bytes) of memory that each may take (0: a
    share of the machine's), GB of disk for results of one's own. workers: whether this process
    starts workers, or leaves that to another one on the same cache.

    mode: "lab", where everybody may do everything, or "class", where students and a teacher share
    the lab. visitor_jobs: how many computations of one student may wait or run at once. address:
    that of the lab as visitors type it (None: found out). sessions: that one server takes at once;
    session_idle_minutes: after which a silent one gives its place to another. open_first: whether
    the server opens every page itself before it takes visitors.
    """

    data_dir: Path
    cache_dir: Path
    published: Path
    device: str
    worker_idle_seconds: float
    jobs: int = 0
    cluster: str | None = None
    cluster_fallback: bool = False
    jobs_at_once: int = 0
    short_jobs_at_once: int = 0
    job_hours: float = 24.0
    job_memory_gb: float = 0.0
    disk_gb: float = 10.0
    mode: str = "lab"
    visitor_jobs: int = VISITOR_JOBS
    address: str | None = None
    workers: bool = True
    sessions: int = SESSIONS
    session_idle_minutes: float = 10.0
    open_first: bool = False


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment variables that `environment_of` lists.

    Relative paths count from the checkout, those of an installed package from the folder in which
    the process runs. Raises InvalidInput.
    """
    cache = folder(environment, "IAL_CACHE_DIR", default_cache(environment))
    device = environment.get("IAL_DEVICE") or "auto"
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InvalidInput("IAL_DEVICE", device, "'auto', 'cpu', 'cuda' or 'cuda:N'")
    chosen = "0 to have it chosen"
    mode = environment.get("IAL_MODE") or MODES[0]
    if mode not in MODES:
        raise InvalidInput("IAL_MODE", mode, "'lab' or 'class'")
    address = environment.get("IAL_ADDRESS") or None
    if address is not None and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", address):
        raise InvalidInput("IAL_ADDRESS", address, "an address like 'https://lab.example.org'")
    return Settings(
        data_dir=folder(environment, "IAL_DATA_DIR", str(cache / "data")),
        cache_dir=cache,
        published=PUBLISHED,
        device=device,
        worker_idle_seconds=number(environment, "IAL_WORKER_IDLE_S", 600, "seconds"),
        jobs=whole(environment, "IAL_JOBS", f"a number of processes, {chosen}"),
        cluster=environment.get("IAL_CLUSTER") or None,
        cluster_fallback=yes(environment, "IAL_CLUSTER_FALLBACK", "no"),
        jobs_at_once=whole(environment, "IAL_JOBS_AT_ONCE", f"a number of jobs, {chosen}"),
        short_jobs_at_once=whole(
            environment, "IAL_SHORT_JOBS_AT_ONCE", f"a number of jobs, {chosen}"
        ),
        job_hours=number(environment, "IAL_JOB_HOURS", 24, "hours"),
        job_memory_gb=number(environment, "IAL_JOB_MEMORY_GB", 0, "GB", chosen),
        disk_gb=number(environment, "IAL_DISK_GB", 10, "GB"),
        mode=mode,
        visitor_jobs=whole(environment, "IAL_VISITOR_JOBS", f"a number of jobs, {chosen}")
        or VISITOR_JOBS,
        address=address,
        workers=yes(environment, "IAL_WORKERS", "yes"),
        sessions=whole(environment, "IAL_SESSIONS", f"a number of sessions, {chosen}") or SESSIONS,
        session_idle_minutes=number(environment, "IAL_SESSION_IDLE_MINUTES", 10, "minutes"),
        open_first=yes(environment, "IAL_OPEN_FIRST", "yes" if mode == "class" else "no"),
    )


def teacher_token(environment: Mapping[str, str] = os.environ) -> str:
    """Return the secret of the teacher's link; '' where none is set. It is no field of `Settings`,
    because those are written to a file for workers.

    Raises InvalidInput for one that is short enough to be guessed, or cannot be part of a link.
    """
    token = environment.get("IAL_TEACHER_TOKEN") or ""
    if token and not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", token):
        raise InvalidInput(
            "IAL_TEACHER_TOKEN", "what is set", "16 to 200 letters, digits, '-' and '_'"
        )
    return token


def default_cache(environment: Mapping[str, str], installed: bool = INSTALLED) -> str:
    """Return the cache folder where none is set: the checkout's own, or the user's for an installed
    package, by the XDG convention."""
    if not installed:
        return "cache"
    caches = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(caches) / "influence-attack-lab")


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment from which another process that computes reads these settings; what
    concerns visitors alone is left out."""
    return {
        "IAL_CACHE_DIR": str(settings.cache_dir.resolve()),
        "IAL_DATA_DIR": str(settings.data_dir.resolve()),
        "IAL_DEVICE": settings.device,
        "IAL_WORKER_IDLE_S": str(settings.worker_idle_seconds),
        "IAL_JOBS": str(settings.jobs),
        "IAL_CLUSTER": settings.cluster or "",
        "IAL_CLUSTER_FALLBACK": "yes" if settings.cluster_fallback else "no",
        "IAL_JOBS_AT_ONCE": str(settings.jobs_at_once),
        "IAL_SHORT_JOBS_AT_ONCE": str(settings.short_jobs_at_once),
        "IAL_JOB_HOURS": str(settings.job_hours),
        "IAL_JOB_MEMORY_GB": str(settings.job_memory_gb),
        "IAL_DISK_GB": str(settings.disk_gb),
        "IAL_WORKERS": "yes" if settings.workers else "no",
    }


def number(
    environment: Mapping[str, str], name: str, default: float, unit: str, zero: str = ""
) -> float:
    """Read a positive number; also 0 where `zero` says that it has a meaning.

    Raises InvalidInput.
    """
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not (0 < value < float("inf") or (zero and value == 0)):
        raise InvalidInput(name, text, f"a number of {unit} > 0{zero and ', ' + zero}")
    return value


def yes(environment: Mapping[str, str], name: str, default: str) -> bool:
    """Read 'yes' or 'no'. Raises InvalidInput."""
    text = environment.get(name) or default
    if text not in ("yes", "no"):
        raise InvalidInput(name, text, "'yes' or 'no'")
    return text == "yes"


def whole(environment: Mapping[str, str], name: str, expected: str) -> int:
    """Read a whole number of at most four digits, 0 where it is not set. Raises InvalidInput."""
    text = environment.get(name) or "0"
    if not re.fullmatch(r"\d{1,4}", text):
        raise InvalidInput(name, text, expected)
    return int(text)


def folder(environment: Mapping[str, str], name: str, default: str) -> Path:
    """Read a folder that is there or can be made; an empty variable counts as not set.

    Raises InvalidInput.
    """
    text = environment.get(name) or default
    try:
        path = (Path.cwd() if INSTALLED else ROOT) / Path(text).expanduser()
    except RuntimeError as error:  # ~ of nobody known here
        raise InvalidInput(name, text, f"a folder ({error})") from None
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir():
        raise InvalidInput(name, str(path), f"a folder, but '{nearest}' is a file")
    return path
