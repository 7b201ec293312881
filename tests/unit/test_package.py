"""The installed package: `import engine` and the command `influence-attack-lab` from anywhere."""

import os
import re
import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from engine.settings import PUBLISHED, ROOT, default_cache
from engine.version import VERSION

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = [
    Requirement(line.split("#")[0])
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line.split("#")[0].strip()
]


def spelled(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


UNPINNED = ("benchmarks", "compare")  # other libraries to compare with: the suite runs without them


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with the lab installed in it; its dependencies
    are those of the environment that runs the tests."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    venv.create(folder, with_pip=False)
    programs = folder / "bin"
    (packages,) = folder.glob("lib/*/site-packages")
    (packages / "shared.pth").write_text("\n".join(site.getsitepackages()))
    command = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install"]
    quiet = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *quiet, str(ROOT)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return programs


def run(program: Path, *arguments: str, folder: Path) -> str:
    """What a program says, run in `folder` by a user whose caches are there."""
    kept = {n: v for n, v in os.environ.items() if n != "PYTHONPATH" and not n.startswith("IAL_")}
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=kept | {"XDG_CACHE_HOME": str(folder / "caches")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_engine_is_imported_from_the_environment(installed: Path, tmp_path: Path) -> None:
    code = (
        "import engine, engine.version as v\n"
        "print(engine.__file__, engine.__version__, v.source_revision(), engine.fit.__name__)"
    )
    where, *said = run(installed / "python", "-c", code, folder=tmp_path).split()
    assert Path(where).is_relative_to(installed.parent)
    assert said == [VERSION, "None", "fit"]


def test_the_package_holds_the_engine_and_the_published_results(installed: Path) -> None:
    (engine,) = installed.parent.glob("lib/*/site-packages/engine")
    there = {p.relative_to(engine) for p in engine.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    ours = {
        p.relative_to(ROOT / "engine")
        for p in (ROOT / "engine").rglob("*")
        if p.is_file() and p.suffix != ".pyc"
    }
    results = {Path("published", p.relative_to(PUBLISHED)) for p in PUBLISHED.rglob("*.*")}
    results = {p for p in results if (PUBLISHED / p.relative_to("published")).is_file()}
    assert there == ours | results
    assert Path("__init__.pyi") in there and Path("py.typed") in there


def test_the_command_finds_a_published_result(installed: Path, tmp_path: Path) -> None:
    said = run(
        installed / "influence-attack-lab", "sensitivity", "--probes", "256", folder=tmp_path
    )
    assert "stored" in said


def test_the_command_computes_into_the_users_cache(installed: Path, tmp_path: Path) -> None:
    program = installed / "influence-attack-lab"
    said = run(program, "ranking", "--l2", "0.5", "--device", "cpu", folder=tmp_path)
    assert "computed now" in said
    kept = tmp_path / "caches" / "influence-attack-lab" / "results" / "ranking"
    assert [p.name for p in kept.glob("*/manifest.json")] == ["manifest.json"]
    (engine,) = installed.parent.glob("lib/*/site-packages/engine")
    assert not (engine.parent / "cache").exists()
    assert not list((engine / "published").glob("*.lock"))


def test_the_default_cache_is_the_checkouts_or_the_users() -> None:
    assert default_cache({}, installed=False) == "cache"
    assert default_cache({"XDG_CACHE_HOME": "/x"}, installed=True) == "/x/influence-attack-lab"
    home = str(Path.home() / ".cache" / "influence-attack-lab")
    assert default_cache({}, installed=True) == home


def test_every_dependency_is_pinned_within_its_range() -> None:
    """requirements.txt is what is tested: the ranges allow it, and it has nothing unnamed."""
    extras = [
        requirement
        for name, extra in PROJECT["optional-dependencies"].items()
        if name not in UNPINNED
        for requirement in extra
    ]
    named = {spelled(r.name): r for r in map(Requirement, [*PROJECT["dependencies"], *extras])}
    named.pop(PROJECT["name"], None)
    pinned = {spelled(r.name): r for r in PINNED}
    build = Requirement("hatchling")
    assert set(pinned) - {build.name} == set(named)
    for name, wanted in named.items():
        (pin,) = pinned[name].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), name
