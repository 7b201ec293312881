"""Words that a newcomer may not know: underlined, explained when pointed at, tapped, or by keys."""

import time

import pytest
from playwright.sync_api import Locator, Page, expect

from pages.common.words.glossary import glossary
from tests.support.browser import Visits
from tests.support.browser_pages import SLOW

TEXT = {word.term: word.text for word in glossary()}
FOUND = "() => window.ialWords && window.ialWords.found()"
PLACE = """term => {
  const at = window.ialWords.found().indexOf(term);
  const range = [...CSS.highlights.get('ial-words')][at];
  range.startContainer.parentElement.scrollIntoView({block: 'center'});
  const box = range.getClientRects()[0];
  return {x: box.x + box.width / 2, y: box.y + box.height / 2, text: range.toString()};
}"""


def words_of(page: Page) -> list[str]:
    """Return the words that a page underlines, once it is drawn and read."""
    page.wait_for_function(
        "() => !document.documentElement.classList.contains('ial-opening')", timeout=SLOW
    )
    page.wait_for_function("() => window.ialWords.found().length > 0", timeout=SLOW)
    page.wait_for_timeout(800)  # what comes late is read once more
    found: list[str] = page.evaluate(FOUND)
    return found


def note_within(page: Page, text: str, width: int) -> Locator:
    """Return the note that shows `text`, once it is there, inside a window of so many px."""
    note = page.get_by_role("tooltip").filter(has_text=text)
    expect(note).to_be_visible()
    box = note.bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    return note


@pytest.mark.parametrize("path", ["/influence", "/cost", "/fairness", "/minimum", "/lds"])
def test_the_first_mention_of_a_word_is_explained_under_the_pointer(
    path: str, visits: Visits
) -> None:
    visit = visits.open(path)
    page = visit.page
    found = words_of(page)
    assert len(found) == len(set(found))
    assert set(found) <= set(TEXT)
    note = page.get_by_role("tooltip")
    end = time.monotonic() + SLOW / 1000
    while not note.is_visible() and time.monotonic() < end:  # what comes late moves the word
        place = page.evaluate(PLACE, found[0])
        page.mouse.move(place["x"], place["y"])
        page.wait_for_timeout(300)
    note = note_within(page, TEXT[found[0]], 1280)
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    visit.only_lost_connections()  # Streamlit first looks for its server below the page


def test_keys_list_the_words_of_the_page(visits: Visits) -> None:
    visit = visits.open("/influence")
    page = visit.page
    found = words_of(page)
    page.get_by_role("button", name="Words").focus()
    page.keyboard.press("Enter")
    listed = page.get_by_role("dialog", name="Words on this page")
    expect(listed).to_be_visible()
    assert sorted(listed.locator("dt").all_text_contents()) == sorted(found)
    assert listed.locator("dd").all_text_contents() == [
        word.text for word in glossary() if word.term in found
    ]
    page.keyboard.press("Escape")
    expect(listed).to_be_hidden()
    visit.only_lost_connections()  # Streamlit first looks for its server below the page


def test_a_tap_explains_a_word_on_a_phone(visits: Visits) -> None:
    visit = visits.open("/influence", (400, 800))
    page = visit.page
    found = words_of(page)
    place = page.evaluate(PLACE, found[0])
    page.mouse.click(place["x"], place["y"])
    note_within(page, TEXT[found[0]], 400)
    visit.only_lost_connections()  # Streamlit first looks for its server below the page
