"""Paths and budgets, from the environment: read by experiments' callers, never by the engine
itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "cache" / "published"


@dataclass(frozen=True)
class Settings:
    """Where things are kept, on which device to compute, and how long an idle worker stays."""

    data_dir: Path
    cache_dir: Path
    published: Path
    device: str
    worker_idle_seconds: float


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from IAL_DATA_DIR, IAL_CACHE_DIR, IAL_DEVICE and IAL_WORKER_IDLE_S.

    Relative paths count from the project's root. Raises InvalidInput.
    """
    cache = ROOT / environment.get("IAL_CACHE_DIR", "cache")
    idle = environment.get("IAL_WORKER_IDLE_S", "600")
    try:
        seconds = float(idle)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise InvalidInput("IAL_WORKER_IDLE_S", idle, "a number of seconds > 0")
    return Settings(
        data_dir=ROOT / environment.get("IAL_DATA_DIR", str(cache / "data")),
        cache_dir=cache,
        published=PUBLISHED,
        device=environment.get("IAL_DEVICE", "auto"),
        worker_idle_seconds=seconds,
    )
