"""One attack on digits beside other work: alone, beside a process that keeps one core busy, and
beside one that keeps two.

The attacks are made in a process that is set up as a worker of the short lane is. The others are
stopped and let go on in turns, so that a busy moment of the machine hits every case, and what is
compared is the time alone just before. Target: at most twice that beside one busy process. The busy
ones have sessions of their own, as other programs have.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping

from engine.results.lanes import SHORT, environment_for
from engine.settings import ROOT

REPEATS, STEPS = 7, 15
# The target never arrives in this ball: every run takes all its steps.
ATTACKS = f"""
import sys, time
from engine.attacks.attack import attack
from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.models.fit import fit
digits = load_dataset("digits")
choose_threads(digits.size)
model = fit(digits)
attack(model, digits, 919, radius=0.05, steps=3)
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    attack(model, digits, 919, radius=0.05, steps={STEPS})
    print(time.perf_counter() - began, flush=True)
"""
# Both end with this process, however it ends.
ONE = """
import argparse
import os
parent = os.getppid()
print("ready", flush=True)
while os.getppid() == parent: pass
"""
# As somebody else's training loop: small products by two threads that wait actively.
TWO = """
import os, torch
parent = os.getppid()
torch.set_num_threads(2)
some = torch.randn(300, 300)
print("ready", flush=True)
while os.getppid() == parent: some @ some
"""


def start(code: str, more: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program, and wait until it is at work."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    answer(process)
    return process


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def attack_seconds(attacker: subprocess.Popen[str], beside: subprocess.Popen[str] | None) -> float:
    """Time one attack, beside another program that goes on for as long."""
    if beside is not None:
        beside.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    assert attacker.stdin is not None
    print("attack", file=attacker.stdin, flush=True)
    seconds = float(answer(attacker))
    if beside is not None:
        beside.send_signal(signal.SIGSTOP)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="attacks of each kind")
    repeats = parser.parse_args().repeats
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    started = []
    try:
        started.append(attacker := start(ATTACKS, environment_for(SHORT)))
        others: dict[str, subprocess.Popen[str] | None] = {"alone": None}
        for name, code in (("one", ONE), ("two", TWO)):
            started.append(other := start(code, {}))
            other.send_signal(signal.SIGSTOP)
            others[f"beside {name} busy thread{'' if name == 'one' else 's'}"] = other
        rounds = [
            {name: attack_seconds(attacker, other) for name, other in others.items()}
            for _ in range(repeats)
        ]
    finally:
        for process in started:
            process.kill()
            process.wait()
    print(f"one attack, ten runs of {STEPS} steps, median of {repeats}:")
    for name in others:
        seconds = statistics.median(took[name] for took in rounds)
        ratio = statistics.median(took[name] / took["alone"] for took in rounds)
        print(f"  {name}: {seconds:.2f} s, {ratio:.2f} times alone")


if __name__ == "__main__":
    main()
