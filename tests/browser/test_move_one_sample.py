"""An attack as a visitor makes it: click a point, run, see the rank change; and two at once."""

import re
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.browser import Visits, start_server, stop_server, wait_until_healthy
from tests.support.browser_pages import LOCATE, SLOW, TITLE, open_page, ranking_chart

RANK = 8  # of the clicked point: far from its neighbours on a log axis


def open_settings(page: Page) -> None:
    page.locator("summary", has_text="More settings").click()


def set_number(page: Page, label: str, value: object) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")


def test_click_a_point_run_and_see_the_rank_change(visits: Visits) -> None:
    visit = visits.open()
    page = visit.page
    open_page(page)
    chart = ranking_chart(page)
    open_settings(page)
    set_number(page, "Random starts (restarts)", 2)
    page.wait_for_timeout(1500)
    chart = ranking_chart(page)
    chart.scroll_into_view_if_needed()
    place = chart.evaluate(LOCATE, RANK)
    page.mouse.click(place["x"], place["y"])
    expect(page.get_by_label("Sample to move", exact=True)).to_have_value(
        str(place["sample"]), timeout=SLOW
    )
    expect(page).to_have_url(re.compile(rf"[?&]target={place['sample']}(&|$)"))
    run = page.get_by_role("button", name="Run the attack")
    expect(run).to_be_enabled(timeout=SLOW)
    clicked = time.perf_counter()
    run.click()
    went = page.get_by_text(
        re.compile(rf"sample {place['sample']} went from rank {RANK} to rank \d+ of 1,200")
    )
    expect(page.get_by_text(re.compile(r"Step \d+ of 100")).or_(went).first).to_be_visible(
        timeout=SLOW
    )
    print(f"first progress after {time.perf_counter() - clicked:.2f} s")
    expect(went.first).to_be_visible(timeout=SLOW)
    after = page.locator(".ial-facts").inner_text()
    assert re.search(rf"{RANK} → (?!{RANK}\b)\d+", after), after
    link = page.url
    visit.check()

    again = visits.open()
    open_page(again.page)
    again.page.goto(link)
    expect(
        again.page.get_by_text(re.compile(rf"sample {place['sample']} went")).first
    ).to_be_visible(timeout=SLOW)


def test_a_second_session_is_usable_while_an_attack_runs_and_it_can_be_cancelled(
    visits: Visits,
) -> None:
    first, second = visits.open(), visits.open()
    navigation = second.page.get_by_test_id("stSidebarNav")
    navigation.get_by_role("link", name="Can you tell them apart?").click()
    vote = second.page.get_by_role("button", name="Model A")
    expect(vote).to_be_enabled(timeout=SLOW)
    open_page(first.page)
    ranking_chart(first.page)
    open_settings(first.page)
    set_number(first.page, "Random starts (restarts)", 20)
    set_number(first.page, "Seed of the starts (seed)", 7)
    first.page.wait_for_timeout(1500)
    # In a ball this small no run arrives: all of them take all steps.
    slider = first.page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    run = first.page.get_by_role("button", name="Run the attack")
    expect(run).to_be_enabled(timeout=SLOW)
    run.click()
    cancel = first.page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible(timeout=SLOW)

    asked = time.perf_counter()
    vote.click()
    expect(second.page.get_by_text("is malicious.").first).to_be_visible(timeout=5000)
    print(f"the second session answered after {time.perf_counter() - asked:.2f} s")

    expect(cancel).to_be_visible()
    cancel.click()
    expect(first.page.get_by_text("was cancelled")).to_be_visible(timeout=SLOW)
    expect(first.page.get_by_role("button", name="Start again")).to_be_enabled()
    first.check()
    second.check()


def test_the_toolbar_offers_nothing_that_does_not_belong(visits: Visits) -> None:
    visit = visits.open()
    expect(visit.page.get_by_role("heading", name="Be the attacker")).to_be_visible(timeout=SLOW)
    assert visit.page.get_by_text("Deploy").count() == 0
    visit.check()


def test_downloads_hold_the_result_and_need_no_network(visits: Visits, tmp_path: Path) -> None:
    visit = visits.open()
    page = visit.page
    # Where the example is not published with this version, it is computed on the start page.
    expect(page.get_by_role("button", name="Be the attacker")).to_be_enabled(timeout=SLOW)
    open_page(page)
    ranking_chart(page)
    page.locator("summary", has_text="Take it with you").click()
    with page.expect_download(timeout=SLOW) as samples:
        page.get_by_role("button", name="Samples (CSV)").click()
    lines = samples.value.path().read_text().splitlines()
    assert lines[0].startswith("sample,class,rank_before,rank_after")
    assert len(lines) == 1201
    with page.expect_download(timeout=SLOW) as figures:
        page.get_by_role("button", name="All figures (HTML)").click()
    offline = tmp_path / "figures.html"
    figures.value.save_as(offline)
    visit.check()
    assert "<script src" not in offline.read_text()
    alone = page.context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(offline.as_uri())
    expect(alone.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=SLOW)
    assert alone.locator(".js-plotly-plot").count() == 5
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_very_first_visit_may_be_a_link_to_a_page(chromium, tmp_path) -> None:
    """A fresh server must not take `pages/` for Streamlit's old automatic pages."""
    process, address = start_server(tmp_path)
    try:
        wait_until_healthy(process, address, tmp_path)
        page = chromium.new_page()
        page.goto(f"{address}/move-one-sample?k=3&target=400")
        expect(page.get_by_role("heading", name=TITLE)).to_be_visible(timeout=SLOW)
        ranking_chart(page)
        expect(page.get_by_label("Sample to move", exact=True)).to_have_value("400")
        expect(page.get_by_label("Into the top", exact=True)).to_have_value("3")
        assert page.get_by_text("Page not found").count() == 0
        page.close()
    finally:
        stop_server(process, tmp_path)
