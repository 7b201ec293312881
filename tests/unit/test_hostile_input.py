"""No file, however it was made, ends in anything but a message that its owner can act on."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.data.intake.images import about_images
from engine.data.load import load_dataset
from engine.settings import ROOT
from tests.support.hostile import CASES, FEATURES, HOLES, Case
from tests.support.shared import once

SECONDS, MEMORY_MB = 5.0, 500.0  # of the processor; what waits meets the timeout of all cases
BLOWN = ("MemoryError", "allocate", "Traceback")  # of a case that met the limit of the process


def write_cases(root: Path) -> None:
    for number, case in enumerate(CASES):
        (root / str(number)).mkdir()
        case.make(root / str(number) / case.file)


def read_cases(made: Path) -> str:
    """A line for what came of every case, in a process with a limit on its memory."""
    listed = [
        {
            "path": str(made / str(number) / case.file),
            "data_dir": str(made / str(number) / "data"),
            "label": case.options.get("label"),
            "name": case.options.get("name"),
        }
        for number, case in enumerate(CASES)
    ]
    (made / "list.json").write_text(json.dumps(listed))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile", str(made / "list.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    if len(lines) < len(CASES):
        pytest.fail(f"{CASES[len(lines)].file} ended the process: {done.stderr[-3000:]}")
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case's file in a folder of its own, all within one folder."""

    def fill(root: Path) -> None:
        write_cases(root)
        (root / "outcomes").write_text(read_cases(root), encoding="utf-8")

    return once(tmp_path_factory, "hostile", fill)


@pytest.fixture(scope="module")
def outcomes(made: Path) -> list[Mapping[str, Any]]:
    """What came of every case."""
    lines = (made / "outcomes").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def name_of(case: Case) -> str:
    return case.file if "name" not in case.options else f"named {case.options['name'][:20]}"


EVERY = pytest.mark.parametrize("number", range(len(CASES)), ids=[name_of(c) for c in CASES])


@EVERY
def test_the_message_names_file_fault_and_remedy(
    outcomes: list[Mapping[str, Any]], number: int
) -> None:
    case, said = CASES[number], outcomes[number]
    messages = [said["preview"]]
    if case in FEATURES or case in HOLES:  # put into the data directory it is refused as well
        messages.append(said["loader"])
    for message in messages:
        assert message is not None
        if "name" not in case.options:
            assert case.file in message or Path(case.file).stem in message
        for words in case.fault:
            assert re.search(words, message), (words, message)
        assert re.search(case.remedy, message), (case.remedy, message)
        assert not any(words in message for words in BLOWN), message
        assert len(message) < (1000 if not case.taken else 5000)
    assert (said["accepted"] is not None) == case.taken, said


@EVERY
def test_it_takes_little_time_and_memory(outcomes: list[Mapping[str, Any]], number: int) -> None:
    assert outcomes[number]["seconds"] < SECONDS
    assert outcomes[number]["mb"] < MEMORY_MB


def test_there_are_enough() -> None:
    assert sum(not case.taken or bool(case.fault) for case in CASES) >= 60


def test_what_is_refused_leaves_nothing_and_what_is_taken_opens(
    made: Path, outcomes: list[Mapping[str, Any]]
) -> None:
    for number, (case, said) in enumerate(zip(CASES, outcomes, strict=True)):
        folder = made / str(number)
        left = {p.name for p in (folder / "data").rglob("*") if p.name != ".own.lock"} - {"raw"}
        if not case.taken:
            assert not left, (case.file, left)
            assert {p.name for p in folder.iterdir()} <= {case.file, "data"}, case.file
        elif about_images(said["accepted"], folder / "data"):
            assert len(about_images(said["accepted"], folder / "data")["class_names"]) >= 2
        else:
            assert load_dataset(said["accepted"], folder / "data").n_classes >= 2
    assert not list(made.rglob("UNPICKLED")) and not list(made.rglob("*evil*"))
    assert not list(made.parent.glob("*evil*"))
