"""Which device and which floating-point type a computation uses."""

import os

import psutil
import torch

from engine.checks import check_choice
from engine.errors import DeviceUnavailable, InvalidInput

DTYPES = {"float32": torch.float32, "float64": torch.float64}
SMALL = 5_000_000  # size of a data set from which a second thread gains more than it risks


def is_small(size: int) -> bool:
    """Return whether data of this size, n·d·K (`Dataset.size`), is computed best on one CPU thread.

    Threads that share small products wait for each other longer than they compute, and on a busy
    machine (a browser drawing beside the worker) for whole time slices: 2 s become a minute.
    """
    return size < SMALL


def choose_threads(size: int, processes: int = 1) -> None:
    """Have torch use one CPU thread for small data, else all cores, shared by `processes`."""
    cores = max((os.cpu_count() or 1) // processes, 1)
    set_threads(1 if is_small(size) else cores)


def set_threads(count: int) -> None:
    """Have torch use so many CPU threads."""
    torch.set_num_threads(count)


def resolve_device(device: str) -> torch.device:
    """Return the device of a name; 'auto' is CUDA where present, else the CPU.

    Raises InvalidInput for another name, DeviceUnavailable for CUDA where there is none.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError):
        raise InvalidInput("device", device, "'auto', 'cpu', 'cuda' or 'cuda:N'") from None
    if resolved.type not in ("cpu", "cuda"):
        raise InvalidInput("device", device, "'auto', 'cpu', 'cuda' or 'cuda:N'")
    count = torch.cuda.device_count() if resolved.type == "cuda" else 0
    if resolved.type == "cuda" and (resolved.index or 0) >= count:
        raise DeviceUnavailable(
            f"device '{device}' was asked for, but PyTorch sees {count} CUDA devices here. "
            "Use device='auto' or 'cpu', or install a CUDA build and driver."
        )
    return resolved


def memory_available(device: torch.device) -> int:
    """Return the bytes of memory that are free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def resolve_dtype(dtype: str) -> torch.dtype:
    """'float32' or 'float64' as torch's type."""
    return DTYPES[check_choice("dtype", dtype, DTYPES)]
