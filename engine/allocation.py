"""What malloc does with memory that was freed. Nothing here imports torch.

glibc gives large blocks back to the system as they are freed, and the system clears each page again
before it hands it out. What is large, glibc learns from the blocks that were freed. In a process
that has only freed small ones, a step of thirty attacks on digits takes an eighth longer, for pages
that it had before (`python -m tests.benchmarks profile`).
"""

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt
LARGE, KEPT = 2**25, 2**26  # bytes: what glibc itself goes up to


def map_blocks_above(size: int, keep: int) -> None:
    """Let malloc map every block of `size` bytes and more by itself, and hold back at most `keep`
    bytes of what was freed, in this process and from now on."""
    with suppress(OSError, AttributeError):  # glibc only
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, size)
        libc.mallopt(M_TRIM_THRESHOLD, keep)


def reuse_freed_memory() -> None:
    """Have this process use the memory again that it has freed, up to `KEPT` bytes: glibc's own
    thresholds once a block of `LARGE` bytes was freed."""
    map_blocks_above(LARGE, KEPT)
