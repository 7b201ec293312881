"""Opening results from anywhere, in a process that may be lost: `python -m engine.results.trial`.

Tables and arrays of a few kilobytes can unfold to more than the machine has, and a file that was
made to can crash its reader. So a bundle's results are first opened here, under limits of memory
and time: what passes is no more than that for the lab itself. Folders are read from standard input
(a JSON list); for each a line is written, a JSON text that says why it cannot be used, or is empty.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

TRIAL_GB, TRIAL_SECONDS = 3, 120.0  # of a bundle's results together
TEXT_LENGTH = 100_000  # a table names the samples of a target set in one text
# What a browser would follow, load or run where a text is shown as Markdown or HTML.
ACTIVE = re.compile(r"\]\s*[(\[:]|://|<[A-Za-z!/]")


def is_harmless(value: object) -> bool:
    """Return whether all text in a JSON value is short, printable, and no link or markup."""
    if isinstance(value, str):
        return len(value) <= TEXT_LENGTH and value.isprintable() and not ACTIVE.search(value)
    if isinstance(value, dict):
        return all(is_harmless(part) for pair in value.items() for part in pair)
    return all(map(is_harmless, value)) if isinstance(value, list | tuple) else True


def fault_of(folder: Path) -> str:
    """Return why a result cannot be used; empty where it can."""
    import pandas as pd

    from engine.errors import DamagedResult
    from engine.experiments import experiment
    from engine.results.manifest import MANIFEST
    from engine.results.store import open_entry

    try:
        stored = open_entry(folder)
        experiment(stored.manifest.experiment).describe(stored.result)
        for path in folder.glob("*.json"):
            if path.name != MANIFEST and not is_harmless(json.loads(path.read_text("utf-8"))):
                return f"{path.name} holds a link, markup or unprintable text."
        for path in folder.glob("*.parquet"):
            table = pd.read_parquet(path)
            texts = table.select_dtypes(include=["object", "string", "category"])
            named = [str(name) for name in table.columns]
            if not all(map(is_harmless, [named, *(texts[c].tolist() for c in texts)])):
                return f"{path.name} holds a link, markup or unprintable text."
    except DamagedResult as error:
        return str(error)
    except Exception as error:  # a result that is not what it should be fails anywhere
        return f"{folder.name}: its files do not make a result ({type(error).__name__}: {error})."
    return ""


def main() -> None:
    import resource

    folders = [Path(folder) for folder in json.load(sys.stdin)]
    most = TRIAL_GB * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for folder in folders:
        print(json.dumps(fault_of(folder)), flush=True)


if __name__ == "__main__":
    main()
