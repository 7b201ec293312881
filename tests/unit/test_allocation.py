"""A process uses the memory again that it has freed, and gives back what is above that."""

import subprocess
import sys

import pytest

from engine.speed.child import ROOT

FAULTS = """
import resource, sys
import numpy as np
from engine.allocation import reuse_freed_memory

def work():
    for _ in range(50):
        blocks = [np.ones(2**17) for _ in range(8)]  # 1 MiB each

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

work()
first = faults()
reuse_freed_memory()
work()
print(first, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_memory_is_used_again_without_a_page_fault_each_time():
    """In a process of its own, whose malloc has seen no large block."""
    command = [sys.executable, "-c", FAULTS]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    before, after = map(int, said.split())
    assert after < 1000, "of 100,000 pages that the work touches"
    assert after < before
