"""Run the benchmarks that are named, or all: `python -m tests.benchmarks [step layout products
speed solvers scores digits lds success sweep fairness scrutiny lab presets wire size features
tables pictures large stronger network devices class lesson neighbour queue]`.

Each runs in a process of its own, so that its memory is its own and a warm cache helps none.
"""

import os
import platform
import subprocess
import sys

NAMES = (
    "step",
    "layout",
    "products",
    "speed",
    "solvers",
    "scores",
    "digits",
    "lds",
    "success",
    "sweep",
    "fairness",
    "scrutiny",
    "lab",
    "presets",
    "wire",
    "size",
    "features",
    "tables",
    "pictures",
    "large",
    "stronger",
    "network",
    "devices",
    "class",
    "lesson",
    "neighbour",
    "queue",
)
MODULES = {"class": "visitors", "queue": "crowd"}  # of the others the name is the module's


def main() -> None:
    wanted = sys.argv[1:] or list(NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. Choose from {', '.join(NAMES)}.")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in wanted:
        print(f"\n== {name}", flush=True)
        module = f"tests.benchmarks.{MODULES.get(name, name)}"
        subprocess.run([sys.executable, "-m", module], check=True)


if __name__ == "__main__":
    main()
