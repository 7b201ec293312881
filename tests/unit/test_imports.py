"""Which module may import what: the lab's server stays light, the engine knows no Streamlit."""

import subprocess
import sys

import pytest

import engine
from engine.settings import ROOT
from tests.support.rooms import circles, graph, layer, modules, named_in


def test_the_engine_knows_no_streamlit_and_no_pages():
    for name, path in modules().items():
        if name.split(".")[0] == "engine":
            roots = {used.split(".")[0] for used in named_in(path)}
            assert not roots & {"streamlit", "pages", "app", "plotly", "tests"}, path


def test_no_modules_import_each_other_in_a_circle():
    assert not circles(graph())


def test_circles_are_found():
    """Also those that a search by depth alone would join or miss."""
    imports = {"a": {"b", "d"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d"}, "f": {"a", "f2"}}
    found = circles(imports | {"f2": set()})
    assert sorted(found) == [["a", "b", "c"], ["d", "e"]]


def test_every_module_of_the_engine_imports_only_from_its_layer_and_those_above():
    wrong = [
        f"{name} imports {used}"
        for name, all_used in graph().items()
        for used in all_used
        if name.startswith("engine.") and used.startswith("engine.") and layer(used) > layer(name)
    ]
    assert not wrong


def test_what_sections_share_imports_no_section():
    for name, used in graph().items():
        if name.startswith("pages.common."):
            below = {other for other in used if other.startswith("pages.")}
            assert all(other.startswith("pages.common.") for other in below), name


def test_nothing_imports_a_page():
    """A page is a script that Streamlit runs: what others need of it lies in parts or in common."""
    pages = {name for name in modules() if name.startswith("pages.") and name.count(".") == 2}
    pages -= {name for name in pages if name.startswith("pages.common.")}
    assert pages
    for name, used in graph().items():
        assert not used & pages, name


def printed_by(code: str) -> str:
    """What a fresh interpreter prints that runs this code, which must not fail."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


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
    printed_by(code)


def test_help_needs_no_package_that_only_computing_needs():
    """Together they take longer to import than all the rest of the command line. `pandas` and
    others may stand in `sys.modules` as `engine.commands` puts them off: nothing of them loaded."""
    heavy = ("torch", "torchvision", "sklearn", "scipy", "pandas", "pyarrow", "joblib", "streamlit")
    code = (
        "import runpy, sys\n"
        "sys.argv = ['engine', '--help']\n"
        "try:\n    runpy.run_module('engine', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        f"parts = [name for name in sys.modules if name.partition('.')[0] in {heavy!r}]\n"
        "loaded = [n for n in parts if type(sys.modules[n]).__name__ != 'PutOff']\n"
        "print('loaded', sorted(loaded))"
    )
    assert printed_by(code).splitlines()[-1] == "loaded []"


def test_a_package_that_is_put_off_loads_when_something_in_it_is_asked_for():
    code = (
        "import engine.commands, pandas, scipy\n"
        "put_off = [type(package).__name__ for package in (pandas, scipy)]\n"
        "from scipy.stats import rankdata\n"
        "print(put_off, pandas.Series([2, 1]).sum(), rankdata([5, 4]), type(pandas).__name__)"
    )
    assert printed_by(code) == "['PutOff', 'PutOff'] 3 [2. 1.] module"


def test_the_public_names_exist_and_are_described():
    names = vars(engine)["__all__"]  # which its .pyi, the list of them, does not repeat
    assert len(names) > 40
    for name in names:
        assert getattr(engine, name).__doc__, name
    with pytest.raises(AttributeError, match="nothing"):
        _ = engine.nothing  # type: ignore[attr-defined]  # the point


def test_no_file_of_the_pages_has_more_than_350_lines() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in ROOT.glob("pages/**/*.py")}
    assert len(lines) > 100
    assert {path.name: n for path, n in lines.items() if n > 350} == {}
