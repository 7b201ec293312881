"""Figures are saved as pictures in the browser: valid, light in the dark too, without a network."""

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from playwright.sync_api import Download, Page, expect

from tests.support.browser import Visits
from tests.support.browser_pages import SLOW, open_page, ranking_chart

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLE = "digits-sample-16-k-1-radius-0.35-"


def saved(page: Page, label: str, by_keyboard: bool = False) -> Download:
    """What an entry of the open menu gives."""
    entry = page.get_by_test_id("stPopoverBody").get_by_role("button", name=label)
    expect(entry).to_be_visible(timeout=SLOW)
    with page.expect_download(timeout=SLOW) as download:
        if by_keyboard:
            entry.focus()
            page.keyboard.press("Enter")
        else:
            entry.click()
    return download.value


def pixels(download: Download) -> np.ndarray:
    """A PNG's grey levels, 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(Path(download.path()).read_bytes())).convert("L"))


def test_every_figure_is_saved_as_png_and_svg(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    page.emulate_media(color_scheme="dark")
    page.reload()  # a theme that changes on an open page reaches its parts one after the other
    open_page(page)
    chart = ranking_chart(page)
    page.wait_for_function(
        """() => {
            const layout = document.querySelector('.js-plotly-plot')?._fullLayout;
            return layout && layout.paper_bgcolor !== '#FFFFFF';
        }""",
        timeout=SLOW,
    )
    shown = chart.evaluate("c => [c.clientWidth, c.clientHeight, c._fullLayout.paper_bgcolor]")
    menus = page.get_by_role("button", name="Save figure")
    expect(menus).to_have_count(page.locator(".js-plotly-plot").count())
    names = []
    for place in range(menus.count()):
        menus.nth(place).scroll_into_view_if_needed()
        menus.nth(place).focus()
        page.keyboard.press("Enter")
        png = saved(page, "Picture (PNG)", by_keyboard=True)
        picture = pixels(png)
        assert picture[0, 0] == picture[-1, -1] == 255, "on white, as paper is"
        assert (picture < 128).mean() > 0.002, "something dark is drawn on it"
        svg = saved(page, "Drawing (SVG)")
        text = Path(svg.path()).read_text()
        root = ElementTree.fromstring(text)
        assert root.tag == f"{SVG}svg"
        assert len(list(root.iter(f"{SVG}path"))) > 3
        assert "http://" not in text.replace("http://www.w3.org/", "")
        names += [png.suggested_filename, svg.suggested_filename]
        if place == 0:
            height, width = picture.shape
            assert width == 2 * max(shown[0], 640)
            above = height // 2 - shown[1]  # the title: 20 px a line, two lines or more, and 12
            assert above in range(2 * 20 + 12, 8 * 20 + 12, 20), "the figure has its own height"
            drawn = "".join(root.itertext())
            assert "influence score" in drawn
            assert "digits · sample 16 · k 1 · radius 0.35 · Influence Attack Lab" in drawn
            assert page.locator("h2").first.inner_text()[:12] in drawn
            slide = pixels(saved(page, "Picture for a slide (PNG)"))
            assert slide.shape == (1080, 1920)
        page.keyboard.press("Escape")
    assert len(set(names)) == len(names)
    assert names[:2] == [f"{EXAMPLE}ranking.png", f"{EXAMPLE}ranking.svg"]
    # The figure on the page is as it was.
    assert chart.evaluate("c => c._fullLayout.paper_bgcolor") == shown[2]
    visit.check()


def test_numbers_request_and_citations(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    open_page(page)
    ranking_chart(page)
    page.get_by_role("button", name="Save figure").first.click()
    lines = Path(saved(page, "Numbers (CSV)").path()).read_text().splitlines()
    assert lines[0].startswith("sample,class,rank_before,rank_after")
    assert len(lines) == 1201
    request = Path(saved(page, "Request (JSON)").path()).read_text()
    assert re.search(r'"experiment": "attack"', request)
    cited = Path(saved(page, "To cite (BibTeX)").path()).read_text()
    assert (
        "@inproceedings{yadav2026influence" in cited and "@software{influence_attack_lab" in cited
    )
    visit.check()
