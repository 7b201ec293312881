"""Which device and which floating-point type a computation uses."""

import torch

from engine.checks import check_choice
from engine.errors import DeviceUnavailable, InvalidInput

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve_device(device: str) -> torch.device:
    """'auto' is CUDA where present, else the CPU. Raises DeviceUnavailable for CUDA without
    CUDA."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
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


def resolve_dtype(dtype: str) -> torch.dtype:
    """'float32' or 'float64' as torch's type."""
    return DTYPES[check_choice("dtype", dtype, DTYPES)]
