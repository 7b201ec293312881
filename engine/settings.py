"""Paths and budgets, from the environment: read by experiments' callers, never by the engine
itself."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "cache" / "published"


@dataclass(frozen=True)
class Settings:
    """Where things are kept, on which device to compute, how long an idle worker stays, and how
    sweeps are spread: over `jobs` processes (0: chosen by the size of the data), or on the dask
    cluster at an address; `cluster_fallback` computes here where that does not answer."""

    data_dir: Path
    cache_dir: Path
    published: Path
    device: str
    worker_idle_seconds: float
    jobs: int = 0
    cluster: str | None = None
    cluster_fallback: bool = False


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from IAL_DATA_DIR, IAL_CACHE_DIR, IAL_DEVICE, IAL_WORKER_IDLE_S, IAL_JOBS,
    IAL_CLUSTER and IAL_CLUSTER_FALLBACK.

    Relative paths count from the project's root. Raises InvalidInput.
    """
    cache = folder(environment, "IAL_CACHE_DIR", "cache")
    idle = environment.get("IAL_WORKER_IDLE_S") or "600"
    device = environment.get("IAL_DEVICE") or "auto"
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InvalidInput("IAL_DEVICE", device, "'auto', 'cpu', 'cuda' or 'cuda:N'")
    try:
        seconds = float(idle)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise InvalidInput("IAL_WORKER_IDLE_S", idle, "a number of seconds > 0")
    jobs = environment.get("IAL_JOBS") or "0"
    if not re.fullmatch(r"\d{1,4}", jobs):
        raise InvalidInput("IAL_JOBS", jobs, "a number of processes, 0 to have it chosen")
    fallback = environment.get("IAL_CLUSTER_FALLBACK") or "no"
    if fallback not in ("yes", "no"):
        raise InvalidInput("IAL_CLUSTER_FALLBACK", fallback, "'yes' or 'no'")
    return Settings(
        data_dir=folder(environment, "IAL_DATA_DIR", str(cache / "data")),
        cache_dir=cache,
        published=PUBLISHED,
        device=device,
        worker_idle_seconds=seconds,
        jobs=int(jobs),
        cluster=environment.get("IAL_CLUSTER") or None,
        cluster_fallback=fallback == "yes",
    )


def folder(environment: Mapping[str, str], name: str, default: str) -> Path:
    """A folder that is there or can be made; an empty variable is one that is not set."""
    path = ROOT / (environment.get(name) or default)
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir():
        raise InvalidInput(name, str(path), f"a folder, but '{nearest}' is a file")
    return path
