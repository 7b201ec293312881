"""What the README shows is run, and what it names exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings import read_settings
from tests.support.command import run_here
from tests.support.tables import original

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


COMMANDS = [line for line in shell_lines() if " -m engine " in line]


def environment(folder: Path) -> dict[str, str]:
    """Settings of a command or example that runs in `folder`."""
    return {
        "IAL_CACHE_DIR": str(folder / "cache"),
        "IAL_DATA_DIR": str(read_settings().data_dir),  # original files are fetched once
    }


def run_python(arguments: list[str], folder: Path) -> str:
    """Standard output of a fresh interpreter in `folder`, with its own cache."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | environment(folder) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that this process is in."""
    monkeypatch.chdir(tmp_path)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def run_example(number: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What the README's Python example of that number prints."""
    exec(compile(blocks("python")[number], "example", "exec"), {"__name__": "__main__"})
    return capsys.readouterr().out


@pytest.mark.long
def test_the_sweep_example_prints_rates_with_intervals(tmp_path: Path) -> None:
    """As a script, whose processes may run it again."""
    script = tmp_path / "example.py"
    script.write_text(blocks("python")[1], encoding="utf-8")
    printed = run_python([str(script)], tmp_path)
    # 2 radii, 2 k, 2 regimes, 2 forms
    assert printed.count("high_accuracy") == printed.count("best") == 8


def test_there_is_no_other_example() -> None:
    assert len(blocks("python")) == 4


def test_the_fairness_example_prints_the_effect(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original("german")
    printed = run_example(2, capsys)
    assert "effect_high" in printed
    assert re.search(r"0\.05 +0\.14", printed)


def test_the_network_example_moves_its_sample(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(r"^rank \d+ before, rank \d+ after$", run_example(3, capsys).strip())


def test_the_python_example_moves_the_sample_to_the_top(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"rank (\d+) before, rank (\d+) after", run_example(0, capsys))
    assert found, "the example prints both ranks"
    before, after = map(int, found.groups())
    assert before > 1
    assert after == 1


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_lines_run(command: str, inside: Path) -> None:
    program, as_module, module, *arguments = shlex.split(command)
    assert [program, as_module, module] == [".venv/bin/python", "-m", "engine"]
    if "german" in arguments:
        original("german")
    done = run_here(arguments, inside / "cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if "--out" in arguments:
        out = inside / arguments[arguments.index("--out") + 1]
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
