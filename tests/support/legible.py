"""What can be read on an open page: the text of its charts, and its wide tables."""

from playwright.sync_api import Page

from tests.support.browser_pages import SLOW

LEAST = 12  # px of text in a chart
DRAWN = """() => [...document.querySelectorAll('[data-testid=stPlotlyChart]')]
  .every(chart => chart.querySelector('.js-plotly-plot .main-svg'))"""
# Each text that a chart shows: too small, beyond the chart's edge, or across another text. Boxes
# are those of the browser, which hold some space above and below the letters, hence the allowances.
CHARTS = """(least) => {
  const wrong = [];
  for (const plot of document.querySelectorAll('.js-plotly-plot')) {
    if (!plot.checkVisibility() || !plot.clientWidth) continue;
    const frame = plot.getBoundingClientRect();
    const texts = [...plot.querySelectorAll('svg.main-svg text')].filter(text =>
      text.textContent.trim() && !text.closest('.modebar, .hoverlayer')
      && text.checkVisibility({opacityProperty: true, visibilityProperty: true}));
    const boxes = texts.map(text => text.getBoundingClientRect());
    texts.forEach((text, i) => {
      const said = text.textContent.slice(0, 40), box = boxes[i];
      const size = parseFloat(getComputedStyle(text).fontSize);
      if (size < least) wrong.push(`${said}: ${size} px`);
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 4
        || box.bottom > frame.bottom + 4) wrong.push(`${said}: cut`);
      boxes.slice(0, i).forEach((other, j) => {
        const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (across > 3 && down > 5) {
          wrong.push(`${said} lies across ${texts[j].textContent.slice(0, 40)}`);
        }
      });
    });
  }
  return wrong;
}"""
# Each table that is wider than its frame and does not say so, or that cannot be scrolled in it.
TABLES = """() => [...document.querySelectorAll('.ial-table')]
  .filter(table => table.checkVisibility() && table.scrollWidth > table.clientWidth + 1)
  .filter(table => getComputedStyle(table).overflowX !== 'auto' || (innerWidth < 640
    && !parseFloat(getComputedStyle(table.parentElement, '::before').fontSize)))
  .map(table => `${table.getAttribute('aria-label')}: wide, and no hint`)"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def illegible(opened: Page) -> list[str]:
    """What cannot be read in the charts and tables that a page shows, in words."""
    opened.wait_for_function(DRAWN, timeout=SLOW)
    wrong: list[str] = [*opened.evaluate(CHARTS, LEAST), *opened.evaluate(TABLES)]
    beyond = opened.evaluate(SIDEWAYS)
    return wrong + ([f"the page is {beyond} px too wide"] if beyond > 0 else [])
