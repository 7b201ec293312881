"""The server's own first visit: every link is opened before there is a visitor, and once."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit import delta_generator
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from engine.results.jobs import Jobs
from engine.settings import ROOT, read_settings
from pages.common import serve
from pages.common.lab import first_visit
from pages.common.lab.first_visit import Nobody
from pages.common.lab.registry import PAGES, links

# A process of its own: there is one Streamlit in each.
OPENED_TWICE = """
import asyncio, json, sys
import plotly.graph_objects as go
from streamlit import App
from streamlit.runtime import get_instance
from engine.settings import read_settings
from pages.common.keeping.shelf import SHELF
from pages.common.lab import first_visit
from pages.common.lab.registry import links
from pages.common.serve import load
from pages.common.widgets.ready_figure import ReadyFigure

load(read_settings())
app = App("app.py", lifespan=first_visit.before_others(True))

async def main():
    async with app.lifespan()(app):
        made = SHELF.counts.made
        compiled = len(get_instance()._script_cache._cache)
        assert compiled > len({page.file for page, _ in links()}), compiled  # and app.py
        shown = [await first_visit.open_link(*link) for link in links()]
        figures = [value for value in SHELF.values() if isinstance(value, ReadyFigure)]
        for figure in figures:
            go.Figure(json.loads(figure.spec))  # raises ValueError for what Plotly does not know
        has_torch = "torch" in sys.modules
        print(json.dumps([made, SHELF.counts.made, shown, len(figures), has_torch]))

asyncio.run(main())
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"IAL_CACHE_DIR": str(tmp_path), "IAL_WORKERS": "no", "OMP_NUM_THREADS": "1"}


def test_whoever_opens_a_link_after_it_finds_everything_made(environment: dict[str, str]) -> None:
    """And no page has the server import torch."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED_TWICE],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    made, in_the_end, shown, figures, has_torch = json.loads(done.stdout)
    assert not has_torch
    assert figures > len(PAGES) / 2  # most pages open with one; the others have tables or canvases
    assert made > len(links())
    assert in_the_end == made
    assert shown == [[] for _ in links()]
    assert "failed" not in done.stderr
    jobs = Jobs(read_settings(environment))
    assert jobs.all() == []


def test_nobody_notices_the_end_of_a_page_and_what_it_shows_of_errors() -> None:
    nobody, error, end = Nobody(), ForwardMsg(), ForwardMsg()
    error.delta.new_element.exception.message = "no such column"
    nobody.write_forward_msg(error)
    assert not nobody.finished.is_set()
    end.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
    nobody.write_forward_msg(end)
    assert nobody.finished.is_set()
    assert nobody.exceptions == ["no such column"]


def test_a_page_that_fails_is_logged_and_the_others_are_opened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = []

    async def open_link(page, given):
        opened.append(page.url)
        if page.url == "cost":
            raise TimeoutError
        return ["no such column"] if page.url == "paper" else []

    monkeypatch.setattr(first_visit, "open_link", open_link)
    with caplog.at_level(logging.ERROR):
        asyncio.run(first_visit.open_everything())
    assert opened == [page.url for page, _ in links()]
    of_cost = sum(page.url == "cost" for page, _ in links())
    assert caplog.text.count("not finished within") == of_cost > 0
    assert "no such column" in caplog.text


def test_the_first_element_looks_for_no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit does by itself, before it draws its first element."""
    asked: list[bool] = []

    def is_repl() -> bool:
        asked.append(True)
        return False

    monkeypatch.setattr(delta_generator, "_use_warning_has_been_displayed", False)
    monkeypatch.setattr(delta_generator.env_util, "is_repl", is_repl)
    serve.is_no_console()
    st.markdown("drawn")
    assert not asked
    monkeypatch.setattr(delta_generator, "_use_warning_has_been_displayed", False)
    st.markdown("drawn")
    assert asked
