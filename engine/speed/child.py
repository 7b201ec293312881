"""Start a measurement in a fresh process, read its rows as they come, and never leave it behind."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]  # where `engine` is found
REQUEST, ANSWERS, LOG = "request.json", "answers.jsonl", "log.txt"
POLL_SECONDS = 0.1
BEAT_SECONDS = 2.0

Row = dict[str, Any]  # numbers, words and lists by name, as JSON between processes holds them


def run_child(
    folder: Path,
    request: Row,
    on_row: Callable[[Row], None],
    on_beat: Callable[[], None],
    beat_seconds: float = BEAT_SECONDS,
) -> str | None:
    """Run `engine.speed.measure` in `folder`: None when it ended well, else its last words.

    on_row sees each row it writes, on_beat is called every `beat_seconds`; either may raise, and
    the process is killed.
    """
    (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
    (folder / ANSWERS).write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "engine.speed.measure", str(folder)]
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        (folder / ANSWERS).open(encoding="utf-8") as answers,
        subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as child,
    ):
        try:
            rest, beat = "", time.monotonic()
            while True:
                ended = finished(child)
                *lines, rest = (rest + answers.read()).split("\n")
                for line in lines:
                    on_row(json.loads(line))
                if ended:
                    break
                if time.monotonic() - beat >= beat_seconds:
                    beat = time.monotonic()
                    on_beat()
        finally:
            child.kill()  # does nothing to one that has ended
    return None if child.returncode == 0 else last_words(child.returncode, folder / LOG)


def finished(child: subprocess.Popen) -> bool:
    """Return whether the process has ended, after a wait of at most `POLL_SECONDS`."""
    try:
        child.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def last_words(code: int, log: Path) -> str:
    """Say how the process ended: 'killed by signal 9', or 'exit code 1: <last line it wrote>'."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    end = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return f"{end}: {lines[-1]}" if lines else end
