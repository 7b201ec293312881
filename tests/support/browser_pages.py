"""Pages as the browser tests open them."""

from playwright.sync_api import Locator, Page, expect

TITLE = "Move one sample to the top"


SLOW = 60_000  # ms; on a busy machine training and ranking come first


# Where the point of a given rank of the honest model (trace 0) is on the screen, and whose it is.
LOCATE = """(chart, rank) => {
  const drawn = chart.data[0], layout = chart._fullLayout, box = chart.getBoundingClientRect();
  const i = Array.from(drawn.customdata).findIndex(row => row[3] === rank);
  return {
    sample: drawn.customdata[i][0],
    x: box.left + layout.xaxis._offset + layout.xaxis.d2p(drawn.customdata[i][3]),
    y: box.top + layout.yaxis._offset + layout.yaxis.c2p(chart.calcdata[0][i].y),
  };
}"""


def open_page(page: Page) -> None:
    """From the start page through the navigation."""
    page.get_by_test_id("stSidebarNav").get_by_text(TITLE).click()
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible(timeout=SLOW)


def ranking_chart(page: Page) -> Locator:
    """The ranking, which a finished attack has in a fold."""
    chart = page.locator(".js-plotly-plot").first
    fold = page.locator("summary", has_text="The whole ranking, before and after")
    expect(chart.or_(fold).first).to_be_visible(timeout=SLOW)
    if not chart.count():
        fold.click()
    expect(chart).to_be_visible(timeout=SLOW)
    return chart
