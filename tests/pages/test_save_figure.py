"""Under every figure of every page there is the menu that saves it: its numbers, its request."""

import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from engine.experiments import make_request
from pages.common.lab.opening import in_body
from pages.common.lab.registry import PAGES, PageEntry
from pages.common.widgets import save_figure
from pages.common.widgets.code_tabs import CITATION, PAPER, SOFTWARE
from pages.common.widgets.save_figure import CHOICES, FigureSource, choices, plain
from tests.support.pages import Open, unfold

FIGURES = {  # as each page opens; "apart" has its figure once there is a vote
    "start": 0, "apart": 1, "influence": 0, "move-one-sample": 0, "lab": 0, "cost": 1,
    "what-works": 1, "many-targets": 1, "easy-or-hard": 1, "how-far": 1, "impossible": 0,
    "fairness": 2, "audit": 0, "minimum": 0, "other-scores": 1, "paper": 1, "why-fast": 1,
    "results": 0, "data": 0, "join": 0, "lesson": 0, "wall": 1, "who-gets-the-money": 1,
    "wrong-labels": 1, "undo-it": 1, "race": 1, "what-cannot-be-moved": 1, "is-any-score-safe": 1,
    "lds": 1, "deniable": 1, "story": 0, "new-sample": 0, "look": 1,
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_every_figure_can_be_saved(
    page: PageEntry, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: dict[str, FigureSource] = {}
    monkeypatch.setattr(
        save_figure, "menu", lambda chart, source, title: offered.update({chart: source})
    )
    given = {"vote": "A"} if page.url == "apart" else {}
    app = open_page(page, **given)
    assert len(app.get("plotly_chart")) == FIGURES[page.url]
    app = unfold(app)
    assert not app.exception
    charts = app.get("plotly_chart")
    assert len(charts) >= FIGURES[page.url]
    assert len(offered) == len(charts), "a chart's key is the menu's"
    names = [source.name for source in offered.values()]
    assert len(set(names)) == len(names), "no two figures of a page are saved under one name"
    for name, source in zip(names, offered.values(), strict=True):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        table = pd.read_csv(io.BytesIO(source.csv()))
        assert len(table) > 1, name
        assert not [column for column in table.columns if column.startswith("Unnamed")], name
        said = json.loads(of(choices("chart", source.what, source.asked, ""))["request"])
        for one in said if isinstance(said, list) else [said]:
            make_request(one["experiment"], one["request"])


def of(menu: str) -> Any:  # what the script that saves figures is given
    """What a menu's HTML says of its figure."""
    return json.loads(ElementTree.fromstring(menu).attrib["data-of"])


def test_a_name_says_what_the_figure_shows() -> None:
    request = {"dataset": "digits", "targets": [16], "k": 1, "radius": 0.35}
    source = FigureSource("ranking", pd.DataFrame, (("attack", request),))
    assert source.name == "digits-sample-16-k-1-radius-0.35-ranking"
    made = FigureSource("gap", pd.DataFrame, (("fairness", {"dataset": "a/b c", "metric": "dp"}),))
    assert made.name == "a-b-c-metric-dp-gap"


def test_a_picture_says_what_it_is_drawn_from() -> None:
    request = {"dataset": "digits", "targets": [16], "k": 1, "radius": 0.35}
    source = FigureSource("ranking", pd.DataFrame, (("attack", request),))
    assert source.said == "digits · sample 16 · k 1 · radius 0.35"
    assert plain("**Rank 1** of `x` :gray-badge[example]") == "Rank 1 of x"


def test_both_are_to_be_cited() -> None:
    """The page brings it along: a title or an author cannot end the script that it stands in."""
    assert f"{PAPER}\n\n{SOFTWARE}\n" == CITATION
    assert "<" not in CITATION
    assert CITATION.encode() in in_body()


def test_the_menu_has_all_of_it(open_page: Open) -> None:
    page = next(page for page in PAGES if page.url == "minimum")
    app = unfold(open_page(page))
    many = len(app.get("plotly_chart"))
    assert [b.proto.popover.label for b in app.get("popover")].count("Save figure") == many > 1
    numbers = [b for b in app.get("download_button") if "save-norms" in b.proto.id]
    assert [b.proto.label for b in numbers] == ["Numbers (CSV)"]
    assert numbers[0].proto.deferred_file_id, "written when it is asked for"
    menus = [e.proto.body for e in app.get("html") if "ial-save" in e.proto.body]
    assert [of(menu)["chart"] for menu in menus].count("norms") == 1
    buttons = [[b.text for b in ElementTree.fromstring(menu).iter("button")] for menu in menus]
    assert buttons == [list(CHOICES.values())] * many


def test_a_title_stays_in_its_place() -> None:
    title = """a "title" with 'all' <b>of it</b> & more"""
    assert of(choices("chart", "ranking", (("attack", {"k": 1}),), title))["title"] == title


def test_scripts_find_a_chart_by_its_key(open_page: Open) -> None:
    """Streamlit puts a dash for every other character of a key into the class of an element."""
    app = unfold(open_page(next(page for page in PAGES if page.url == "easy-or-hard")))
    keys = [chart.proto.id.split("-", 2)[2] for chart in app.get("plotly_chart")]
    assert "gradient-norms-radius-0-3" in keys
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", key) for key in keys)
