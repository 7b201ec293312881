"""Peak memory of a piece of work in this process, and a limit on it.

On the CPU the resident set's high-water mark, which Linux can reset; where it cannot be reset, the
process's largest resident set ever, whose growth is a lower bound. On CUDA what PyTorch's allocator
has handed out.
"""

import ctypes
import gc
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from engine.allocation import map_blocks_above

Result = TypeVar("Result")

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MB = 2**20
RESIDENT = "resident set, VmHWM"
LARGEST = "largest resident set by getrusage, a lower bound"
ALLOCATED = "torch.cuda.max_memory_allocated"


def from_status(field: str) -> float:
    """Read MB from the kernel: VmRSS now, VmHWM at its peak, VmData reserved. Raises OSError,
    LookupError."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def forget_peak() -> bool:
    """Set VmHWM back to VmRSS; False where the system does not do that."""
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def largest_ever() -> float:
    """Return the largest resident set ever, in MB; the kernel counts in KB, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def settle() -> None:
    """Give freed memory back to the system: what is reused would not be seen as a peak."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


def measure_alive() -> None:
    """Keep in the resident set what is alive and nothing else, from now on.

    Otherwise blocks come from the holes that earlier ones left in the heap, and a peak depends on
    the process's history (by half and more, seen). Call it before anything large was freed.
    """
    map_blocks_above(2**16, 2**16)


class Meter:
    """Memory of a piece of work in MB, above what there was when `measure` began."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            self.by = ALLOCATED
        else:
            self.by = RESIDENT if forget_peak() else LARGEST
        self.base = 0.0

    def measure(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """Return what `work` returns, and the most memory it had, in MB."""
        settle()
        if self.by == ALLOCATED:
            torch.cuda.reset_peak_memory_stats(self.device)
        elif self.by == RESIDENT:
            forget_peak()
        self.base = self.now()
        return work(), max(self.highest() - self.base, 0.0)

    def kept(self) -> float:
        """Return the MB of the last measured work that are still in use."""
        settle()
        return max(self.now() - self.base, 0.0)

    def now(self) -> float:
        if self.by == ALLOCATED:
            return torch.cuda.memory_allocated(self.device) / MB
        return from_status("VmRSS") if self.by == RESIDENT else largest_ever()

    def highest(self) -> float:
        if self.by == ALLOCATED:
            return torch.cuda.max_memory_allocated(self.device) / MB
        return from_status("VmHWM") if self.by == RESIDENT else largest_ever()


def limit_memory(device: torch.device, limit_mb: float) -> None:
    """Let allocations fail that would take this process `limit_mb` above what it has now.

    On the CPU a limit on writable private memory (Linux; other systems do not enforce it).
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        allowed = torch.cuda.memory_reserved(device) + limit_mb * MB
        torch.cuda.set_per_process_memory_fraction(min(allowed / total, 1.0), device)
        return
    with suppress(OSError, LookupError):
        allowed = int((from_status("VmData") + limit_mb) * MB)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard != resource.RLIM_INFINITY:
            allowed = min(allowed, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def available() -> float:
    """Return the MB that this machine can still give; infinite where it does not say."""
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    return float("inf")


def out_of_memory(error: BaseException) -> bool:
    """Return whether an allocation failed: torch's allocators say so in their own words."""
    words = ("can't allocate memory", "out of memory", "bad_alloc")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(w in str(error) for w in words)
    )


def timed(work: Callable[[], object], device: torch.device) -> Callable[[], None]:
    """Wrap `work` so that a call waits for its end: CUDA returns before it is done."""

    def run() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run
