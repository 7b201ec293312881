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
    return Settings(
        data_dir=folder(environment, "IAL_DATA_DIR", str(cache / "data")),
        cache_dir=cache,
        published=PUBLISHED,
        device=device,
        worker_idle_seconds=seconds,
    )


def folder(environment: Mapping[str, str], name: str, default: str) -> Path:
    """A folder that is there or can be made; an empty variable is one that is not set."""
    path = ROOT / (environment.get(name) or default)
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir():
        raise InvalidInput(name, str(path), f"a folder, but '{nearest}' is a file")
    return path
