"""How processes wait for their threads, and that it is said before torch reads it."""

import os
import subprocess
import sys

from engine.results.lanes import LONG, SHORT, environment_for
from engine.threads import PASSIVE, wait_passively


def test_threads_wait_passively_unless_somebody_says_otherwise() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE", "HOME": "/"}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE", "HOME": "/", "KMP_BLOCKTIME": "0"}


def test_the_command_line_says_so_before_torch_is_there() -> None:
    code = (
        "import os, sys; import engine.__main__ as command; said = []; "
        "command.run_command = lambda arguments: "
        "said.append((os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)) or 0; "
        "code = command.main(['ranking']); print(code, said)"
    )
    clean = {name: value for name, value in os.environ.items() if name not in PASSIVE}
    said = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "0 [('PASSIVE', False)]"


def test_a_short_worker_has_one_thread_and_both_lanes_wait_passively() -> None:
    short, long = environment_for(SHORT), environment_for(LONG)
    assert long == PASSIVE
    assert short.items() >= PASSIVE.items()
    assert {short[name] for name in short.keys() - PASSIVE.keys()} == {"1"}
    assert "OMP_NUM_THREADS" in short
