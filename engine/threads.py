"""How a process waits for its threads. Nothing here imports torch: it has to be said before."""

import os
from collections.abc import MutableMapping

# Threads that wait for the next product sleep instead of spinning: beside another program, spinning
# takes the core from the thread that is waited for. GNU's OpenMP reads the first, Intel's both.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def wait_passively(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have threads sleep while they wait, unless the environment says otherwise; to be called
    before torch is loaded."""
    for name, value in PASSIVE.items():
        environment.setdefault(name, value)
