"""The registry of pages, and that every page in it opens."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.data.load import load_dataset
from engine.experiments import AttackRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.manifest import MANIFEST
from engine.settings import ROOT, read_settings
from pages.common.lab.registry import PAGES, PageEntry, links
from tests.support.pages import Asked, Open, words

BARE_RUN = """
import sys
import traceback
class Torch:  # says who imports it
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "torch":
            traceback.print_stack()
sys.meta_path.insert(0, Torch)
from streamlit.testing.v1 import AppTest
from engine.settings import read_settings
from pages.common.lab.registry import PAGES
from pages.common.serve import load
load(read_settings())
app = AppTest.from_file("{root}/app.py", default_timeout=60).run()
for page in PAGES:
    app.switch_page(page.file).run()
    assert not app.exception, app.exception
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""


def test_every_page_is_described_once() -> None:
    assert len({page.url for page in PAGES}) == len({page.file for page in PAGES}) == len(PAGES)
    assert [page.default for page in PAGES].count(True) == 1
    for page in PAGES:
        assert page.title
        assert page.question
        assert page.finding


def test_pages_lie_one_folder_below_pages() -> None:
    # Directly in pages/, Streamlit's old discovery would answer a first deep link itself.
    listed = {ROOT / page.file for page in PAGES}
    found = {p for p in (ROOT / "pages").glob("*/*.py") if p.parent.name != "common"}
    assert found == listed
    assert not list((ROOT / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_every_page_opens(page: PageEntry, open_page: Open) -> None:
    app = open_page(page)
    assert not app.exception
    assert [title.value for title in app.title] == [page.title]
    assert not app.error


@pytest.mark.parametrize(
    ("page", "parameters"), links(), ids=lambda value: getattr(value, "url", None)
)
def test_every_link_that_is_offered_opens_from_what_is_published(
    page: PageEntry,
    parameters: Mapping[str, str],
    open_page: Open,
    tmp_path: Path,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a lab that has computed nothing yet, and that has nothing computed by it."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("IAL_CACHE_DIR", str(cache))
    app = open_page(page, **parameters)
    assert not app.exception
    assert not app.warning
    assert "The link asks" not in words(app)
    assert asked == []
    assert not list(cache.rglob(MANIFEST)), "nothing is written"


def test_the_server_process_does_not_import_torch(tmp_path: Path) -> None:
    """Nor does it where an attack on a network is kept, whose model needs torch."""
    place = {"IAL_CACHE_DIR": str(tmp_path), "IAL_DEVICE": "cpu"}
    request = AttackRequest(targets=(16,), restarts=1, steps=1, model="mlp")
    compute_and_keep("attack", request, load_dataset("digits"), read_settings(place), ignore)
    run = subprocess.run(
        [sys.executable, "-c", BARE_RUN.format(root=ROOT)],
        cwd=ROOT,
        env=os.environ | place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-6000:]
