"""The command line as a user meets it: words, files and exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.attacks.rates import success_rates
from engine.results.store import open_folder
from engine.settings import PUBLISHED, ROOT
from tests.support.command import Done, run_here

ATTACK = ["attack", "--dataset", "digits", "--target", "16", "--radius", "0.35", "--restarts", "1"]


def command(cache: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu"}
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def here(cache: Path, *arguments: str) -> Done:
    """The same in this process."""
    return run_here(arguments, cache)


def test_an_attack_is_summarised_stored_and_written(tmp_path):
    out = tmp_path / "moved"
    first = command(tmp_path / "cache", *ATTACK, "--out", str(out))
    assert first.returncode == 0, first.stderr
    moved = re.search(r"Sample 16: rank (\d+) → (\d+) of 1200 on the attack's", first.stdout)
    assert moved is not None
    stored = open_folder(out)
    result = stored.result
    assert [int(moved[1]), int(moved[2])] == [result.before.ranks[16], result.rank_test]
    assert f"{result.accuracy_before:.1%} → {result.accuracy_after:.1%}" in first.stdout
    assert "computed now" in first.stdout
    assert first.stderr == ""  # a progress bar is for a terminal (tests/outside/test_disks.py)
    assert "Traceback" not in first.stderr
    # the second time it is opened, and --out takes an earlier result's place
    second = here(tmp_path / "cache", *ATTACK, "--out", str(out))
    assert second.returncode == 0, second.stderr
    assert "stored 20" in second.stdout
    assert second.stdout.splitlines()[0] == first.stdout.splitlines()[0]


SWEEP = ["sweep", "--n-targets", "3", "--radii", "0.1", "0.4", "--ks", "30", "1"]
SWEEP += ["--restarts", "1", "--steps", "8", "--jobs", "1"]


def test_a_sweep_is_summarised_as_rates_and_stored(tmp_path):
    first = here(tmp_path, *SWEEP)
    assert first.returncode == 0, first.stderr
    assert "Traceback" not in first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("12 rows (an attack and k each) on 'digits'; success of some run")
    assert lines[1].split() == [
        "radius",
        "k",
        "regime",
        "attacks",
        "rate",
        "low",
        "high",
        "accuracy_drop",
    ]
    rows = [line.split() for line in lines[2:-1]]
    assert [row[:4] for row in rows] == [
        [radius, k, regime, "3"]
        for radius in ("0.1", "0.4") for k in ("1", "30") for regime in ("best", "high_accuracy")
    ]  # fmt: skip
    assert "computed now" in lines[-1]
    [stored] = (tmp_path / "results" / "sweep").iterdir()
    rates = success_rates(open_folder(stored).result)
    mine = rates.query("form == 'any_run' and split == 'test'")
    assert [float(row[4]) for row in rows] == pytest.approx(mine["rate"].tolist(), abs=1e-3)
    second = here(tmp_path, *SWEEP[:-2], "--jobs", "2")
    assert second.returncode == 0, second.stderr
    assert "stored 20" in second.stdout
    assert second.stdout.splitlines()[:-1] == lines[:-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--radii", "0"], "radii must be a finite number > 0. Got 0.0"),
        (["--ks", "1200"], "k must be a whole number in [1, 1199]. Got 1200"),
        (["--n-targets", "1200"], "targets must be at most 1170, the samples outside"),
        (["--set-sizes", "1171"], "set_size must be at most 1170, the samples outside"),
        (["--memory-gb", "0.001"], "memory_gb must be at least 0.00"),
        (["--n-targets", "3", "--jobs", "-1"], "jobs must be a whole number >= 0. Got -1"),
        (["--n-targets", "3", "--cluster", "nonsense"], "No dask scheduler answers at 'nonsense'"),
    ],
)
def test_a_sweeps_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    done = here(tmp_path, "sweep", *arguments)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.split("error: ")[1].startswith(words)


def test_the_parts_of_a_sweep_are_not_offered(tmp_path):
    asked = here(tmp_path, "--help")
    assert asked.returncode == 0
    assert re.search(r"^ +sweep ", asked.stdout, re.MULTILINE)
    assert not re.search(r"^ +batch ", asked.stdout, re.MULTILINE)


def test_a_ranking_is_summarised(tmp_path):
    done = here(tmp_path, "ranking")
    assert done.returncode == 0, done.stderr
    assert "The ten first in the honest ranking of 1200" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["attack", "--target", "99999"], "target must be a whole number in [0, 1199]. Got 99999"),
        (["attack", "--target", "5", "--radius", "-1"], "radius must be a finite number > 0"),
        (["attack", "--target", "5", "--objective", "x"], "objective must be one of"),
        (["attack", "--target", "5", "--k", "1201"], "k must be a whole number in [1, 1200]"),
        (["attack", "--target", "5", "--dataset", "nope"], "dataset must be the path of"),
        (["attack", "--target", "5", "--dataset", "no.npz"], "There is no features file"),
        (["attack", "--target", "5", "--device", "cuda:99"], "device 'cuda:99' was asked for"),
        (["attack"], "required: --target"),
        (["conquer"], "invalid choice: 'conquer'"),
        (["batch"], "invalid choice: 'batch'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    done = here(tmp_path, *arguments)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]  # below a usage, or a progress bar that is gone
    assert words in last
    assert "error: " in last
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["attack", "--target", "99999"], "error: target must be a whole number in [0, 1199]"),
        (["conquer"], "invalid choice: 'conquer'"),
    ],
)
def test_a_process_ends_with_that_line_and_that_code(tmp_path, arguments, words):
    done = command(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_folder_of_other_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = here(tmp_path / "cache", *ATTACK, "--out", str(tmp_path))
    assert done.returncode == 2
    assert "--out must be a new or empty folder, or one that holds an earlier result" in done.stderr
    assert "computed" not in done.stdout
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    # a browser extension, a web app: many folders hold a manifest.json that is none of ours
    (tmp_path / "manifest.json").write_text('{"name": "mine"}')
    assert here(tmp_path / "cache", *ATTACK, "--out", str(tmp_path)).returncode == 2
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_out_beside_an_earlier_result_loses_no_other_file(tmp_path):
    out = tmp_path / "out"
    assert here(tmp_path / "cache", "ranking", "--out", str(out)).returncode == 0
    (out / "notes.txt").write_text("mine")
    assert here(tmp_path / "cache", "ranking", "--out", str(out)).returncode == 2
    assert (out / "notes.txt").read_text() == "mine"


def test_out_cannot_be_the_store_itself_or_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "cache" / "results" / "mine", tmp_path / "file" / "below"):
        done = here(tmp_path / "cache", *ATTACK, "--out", str(out))
        assert done.returncode == 2
        assert "error: --out must be" in done.stderr
        assert "Traceback" not in done.stderr


def test_published_results_are_those_listed_and_sound():
    listed = json.loads((PUBLISHED / "requests.json").read_text())
    folders = [p.parent for p in PUBLISHED.glob("*/*/manifest.json")]
    assert len(folders) == len(listed)
    for folder in folders:
        assert open_folder(folder).manifest.experiment == folder.parent.name
