"""The registry of pages, and that every page in it opens."""

import subprocess
import sys

import pytest

from engine.settings import Settings
from pages.common.registry import PAGES, ROOT, PageEntry
from tests.pages.conftest import Open, words

BARE_RUN = """
import sys
from streamlit.testing.v1 import AppTest
from pages.common.registry import PAGES
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
    found = {p for p in (ROOT / "pages").rglob("*.py") if p.parent.name != "common"}
    assert found == listed
    assert not list((ROOT / "pages").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_every_page_opens(page: PageEntry, open_page: Open) -> None:
    app = open_page(page)
    assert not app.exception
    assert [title.value for title in app.title] == [page.title]
    assert not app.error


@pytest.mark.parametrize(
    ("page", "parameters"),
    [(page, preset.parameters) for page in PAGES for preset in page.presets],
    ids=lambda value: getattr(value, "url", None),
)
def test_every_preset_opens_without_a_complaint(
    page: PageEntry, parameters: dict[str, str], open_page: Open
) -> None:
    app = open_page(page, **parameters)
    assert not app.exception
    assert not app.warning
    assert "The link asks" not in words(app)


def test_the_server_process_does_not_import_torch(settings: Settings) -> None:
    run = subprocess.run(
        [sys.executable, "-c", BARE_RUN.format(root=ROOT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
