"""A lab of its own for the browser tests: a server on a free port, with an empty local cache."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    Visits,
    start_server,
    stop_server,
    wait_until_healthy,
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"NOT RUN: there is no Chromium at {CHROMIUM}; install Debian's chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running lab; it and its worker are ended afterwards."""
    cache = tmp_path_factory.mktemp("lab")
    process, address = start_server(cache)
    try:
        wait_until_healthy(process, address, cache)
        yield address
    finally:
        stop_server(process, cache)


@pytest.fixture
def visits(server: str, chromium: Browser) -> Iterator["Visits"]:
    made = Visits(server, chromium)
    yield made
    made.close()
