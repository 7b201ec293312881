"""What the README shows is run, and what it names exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings import read_settings
from tests.support.tables import original

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


COMMANDS = [line for line in shell_lines() if " -m engine " in line]


def run_python(arguments: list[str], folder: Path) -> str:
    """Standard output of a fresh interpreter in `folder`, with its own cache."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "IAL_CACHE_DIR": str(folder / "cache"),
        "IAL_DATA_DIR": str(read_settings().data_dir),  # original files are fetched once
    }
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_example(number: int, folder: Path) -> str:
    """What the README's Python example of that number prints, run as a script."""
    script = folder / "example.py"
    script.write_text(blocks("python")[number], encoding="utf-8")
    return run_python([str(script)], folder)


@pytest.mark.long
def test_the_sweep_example_prints_rates_with_intervals(tmp_path: Path) -> None:
    printed = run_example(1, tmp_path)
    # 2 radii, 2 k, 2 regimes, 2 forms
    assert printed.count("high_accuracy") == printed.count("best") == 8


def test_there_is_no_other_example() -> None:
    assert len(blocks("python")) == 4


def test_the_fairness_example_prints_the_effect(tmp_path: Path) -> None:
    original("german")
    printed = run_example(2, tmp_path)
    assert "effect_high" in printed
    assert re.search(r"0\.05 +0\.14", printed)


def test_the_network_example_moves_its_sample(tmp_path: Path) -> None:
    assert re.search(r"^rank \d+ before, rank \d+ after$", run_example(3, tmp_path).strip())


def test_the_python_example_moves_the_sample_to_the_top(tmp_path: Path) -> None:
    found = re.search(r"rank (\d+) before, rank (\d+) after", run_example(0, tmp_path))
    assert found, "the example prints both ranks"
    before, after = map(int, found.groups())
    assert before > 1
    assert after == 1


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_lines_run(command: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/python"
    if "german" in arguments:
        original("german")
    assert run_python(arguments, tmp_path)
    if "--out" in arguments:
        out = tmp_path / arguments[arguments.index("--out") + 1]
        assert (out / "manifest.json").is_file()


def test_the_readme_shows_commands() -> None:
    assert any("engine attack" in command for command in COMMANDS)


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert {"run", "test", "bench"} <= named
    assert named <= set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))


def test_the_settings_are_those_that_are_read() -> None:
    read_in = ("engine/settings.py", "pages/common/keeping/shelf.py")
    settings = "".join((ROOT / path).read_text(encoding="utf-8") for path in read_in)
    assert set(re.findall(r"`(IAL_\w+)`", README)) == set(re.findall(r"IAL_\w+", settings))


def test_linked_files_exist() -> None:
    linked = {path for path in re.findall(r"\]\(([^)]+)\)", README) if "://" not in path}
    assert linked
    assert not {path for path in linked if not (ROOT / path).is_file()}
    folders = set(re.findall(r"^\| `([\w/]+/)` \|", README, flags=re.MULTILINE))
    assert folders
    assert not {folder for folder in folders if not (ROOT / folder).is_dir()}
