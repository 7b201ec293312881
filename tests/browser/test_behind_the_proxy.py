"""The lab behind its proxy, as visitors meet it: two servers on one cache folder, their worker, and
Caddy with the configuration of deploy/ before them."""

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.support.browser import Visits
from tests.support.browser_pages import SLOW, open_page, ranking_chart
from tests.support.proxy import Served, kill, needs_a_proxy, served

LINK = "/move-one-sample?radius=0.05"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    needs_a_proxy()
    with served(tmp_path_factory.mktemp("behind")) as made:
        yield made


@pytest.fixture
def visits(lab: Served, chromium: Browser) -> Iterator[Visits]:
    made = Visits(lab.address, chromium, ignore_https_errors=True)
    yield made
    made.close()
    lab.wait_for(lambda: set(lab.sessions().values()) == {0}, "the visitors are gone")


def shows_the_chosen(page: Page) -> None:
    """The view that LINK asks for, from the state in the address alone."""
    ranking_chart(page)
    expect(page.get_by_role("slider")).to_have_value("0.05", timeout=SLOW)


def test_a_page_opens_with_its_figures(visits: Visits):
    visit = visits.open()
    open_page(visit.page)
    ranking_chart(visit.page)
    visit.check()


def test_a_visitor_stays_with_one_server(lab: Served, visits: Visits):
    """Its WebSocket, its pictures and its uploads: those of a session are in one process."""
    visit = visits.open("/data")
    upload = visit.page.get_by_test_id("stFileUploaderDropzoneInput").first
    expect(upload).to_be_attached(timeout=SLOW)
    content = b"size,kind\n" + b"1,a\n2,b\n" * 30
    file = FilePayload(name="fruit.csv", mimeType="text/csv", buffer=content)
    with visit.page.expect_response(lambda answer: "/upload_file/" in answer.url) as answered:
        upload.set_input_files(file)
    assert answered.value.status == 204
    expect(visit.page.get_by_text("fruit.csv").first).to_be_visible(timeout=SLOW)
    assert sorted(lab.sessions().values()) == [0, 1]
    tab = visit.page.context.new_page()
    tab.goto(lab.address + "/data")
    expect(tab.get_by_test_id("stFileUploaderDropzoneInput").first).to_be_attached(timeout=SLOW)
    assert sorted(lab.sessions().values()) == [0, 2]


def test_a_killed_servers_visitors_go_on_at_the_other(lab: Served, visits: Visits):
    visit = visits.open(LINK)
    shows_the_chosen(visit.page)
    (home,) = (address for address, count in lab.sessions().items() if count)
    kill(lab.servers[home])
    try:
        lab.wait_for(lambda: list(lab.sessions().values()) == [1], "the visitor is at the other")
        shows_the_chosen(visit.page)
        # it is a session that answers, not what was drawn before
        visit.page.get_by_role("slider").press("ArrowRight")
        visit.page.wait_for_url(lambda url: "radius=0.05" not in url, timeout=SLOW)
        visit.only_lost_connections()
    finally:
        lab.start_again(home)
    lab.wait_for(lambda: len(lab.homes()) == 2, "the proxy sends visitors there again")


def test_a_killed_proxy_loses_nothing(lab: Served, visits: Visits):
    """An attack goes on meanwhile; its result is on the page that asked for it."""
    visit = visits.open("/move-one-sample?radius=0.05&seed=3")
    run = visit.page.get_by_role("button", name="Run the attack")
    expect(run).to_be_enabled(timeout=SLOW)
    run.click()
    lab.wait_for(lambda: list(lab.cache.glob("jobs/*/job.json")), "the attack is asked for")
    lab.stop_proxy(signal.SIGKILL)
    assert not lab.answers()
    lab.start_proxy()
    expect(visit.page.get_by_text(re.compile("sample 16 (went|stays)", re.I)).first).to_be_visible(
        timeout=2 * SLOW
    )
    visit.only_lost_connections()
