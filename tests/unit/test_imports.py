"""Which module may import what: the lab's server stays light, the engine knows no Streamlit."""

import ast
import subprocess
import sys

import pytest

import engine
from engine.settings import ROOT

# Lower rooms import only from those above them (and from the plain modules of the engine itself).
ROOMS = [
    "data",
    "models",
    "influence",
    "attacks",
    "fairness",
    "scrutiny",
    "speed",
    "experiments",
    "results",
]


def imported(path) -> set[str]:
    """The modules that a file names in its imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_engine_knows_no_streamlit_and_no_pages():
    for path in (ROOT / "engine").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"streamlit", "pages", "app", "plotly"}, path


def test_rooms_import_only_from_rooms_above():
    for place, room in enumerate(ROOMS):
        here = ROOT / "engine" / room
        files = here.rglob("*.py") if here.is_dir() else [here.with_suffix(".py")]
        for path in files:
            used = {n.split(".")[1] for n in imported(path) if n.startswith("engine.")}
            assert not used & set(ROOMS[place + 1 :]), path


@pytest.mark.parametrize(
    "module",
    [
        "engine",
        "engine.experiments",
        "engine.results.store",
        "engine.results.jobs",
        "engine.speed.result",
        "app",
    ],
)
def test_no_torch_on_the_server(module):
    code = f"import sys, {module}\nassert 'torch' not in sys.modules, 'torch was imported'\n" + (
        "" if module == "app" else "assert 'streamlit' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_curated_names_exist():
    for name in engine.__all__:
        assert getattr(engine, name).__doc__, name
    assert set(engine.__all__) == set(engine._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = engine.nothing
