"""Run the benchmarks that are named, or all: `python -m tests.benchmarks [step half gauge layout
products profile speed solvers scores digits lds success sweep fairness scrutiny lab presets wire
size features tables pictures large stronger refined margins tenfold network devices class lesson
neighbour queue]`.

Each runs in a process of its own, so that its memory is its own and a warm cache helps none. What
follows the name of one and begins with a dash is an option of that benchmark, `--help` lists them.
"""

import os
import platform
import subprocess
import sys

NAMES = (
    "step",
    "half",
    "gauge",
    "layout",
    "products",
    "profile",
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
    "refined",
    "margins",
    "tenfold",
    "network",
    "devices",
    "class",
    "lesson",
    "neighbour",
    "queue",
)
MODULES = {"class": "visitors", "queue": "crowd"}  # of the others the name is the module's


def main() -> None:
    given = sys.argv[1:]
    first = next((i for i, text in enumerate(given) if text.startswith("-")), len(given))
    wanted, options = given[:first] or list(NAMES), given[first:]
    if options and len(wanted) != 1:
        sys.exit(f"Options ({' '.join(options)}) are those of one benchmark: name it first.")
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. Choose from {', '.join(NAMES)}.")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in wanted:
        print(f"\n== {name}", flush=True)
        module = f"tests.benchmarks.{MODULES.get(name, name)}"
        subprocess.run([sys.executable, "-m", module, *options], check=True)


if __name__ == "__main__":
    main()
