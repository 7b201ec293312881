"""Every page beside data of one's own: it works on them, or says whose data it shows and where to
go; and the tour leads from one step to the next."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.data.intake import take_in
from engine.data.load import load_dataset
from engine.experiments import EXPERIMENTS, PolishRequest, open_data
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.settings import Settings
from pages.common.asking import tour
from pages.common.lab import registry
from pages.common.lab.registry import PAGES, PageEntry
from pages.data.parts import own_data
from pages.defend.parts import polish_words
from tests.support.pages import Asked, Open, words

GROUPED, LONE, PICTURES = "fruit-grouped", "fruit-alone", "fruit-pictures"
KINDS = (GROUPED, LONE, PICTURES)  # a table with a column of groups, one without, images
N = 90


def table(groups: bool) -> pd.DataFrame:
    """Three kinds of fruit, which weight and width tell apart; who grew them, if asked for."""
    rng = np.random.default_rng(3)
    kind = np.arange(N) % 3
    frame = pd.DataFrame(
        {
            "weight": rng.normal(size=N) + 1.5 * kind,
            "width": rng.normal(size=N) - kind,
            "height": rng.normal(size=N),
        }
    )
    if groups:
        frame["grower"] = np.where(rng.random(N) < 0.4, "north", "south")
    return frame.assign(kind=np.array(["fig", "kiwi", "plum"])[kind])


def write_pictures(data_dir: Path) -> None:
    """Features with pictures, as an archive of images becomes."""
    rng, labels = np.random.default_rng(4), {"train": np.arange(60) % 2, "test": np.arange(24) % 2}
    folder = data_dir / "thumbnails"
    folder.mkdir(exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for split, y in labels.items():
        X = rng.normal(size=(len(y), 5))
        X[:, 0] += 2 * y
        arrays |= {f"X_{split}": X, f"y_{split}": y}
        np.save(folder / f"{PICTURES}.{split}.npy", np.full((len(y), 8, 8, 3), 90, np.uint8))
    names = np.array(["fig", "plum"])
    np.savez(data_dir / f"{PICTURES}.npz", allow_pickle=False, class_names=names, **arrays)


@pytest.fixture(scope="module", autouse=True)
def fruit(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The three data sets, taken in as the page does it, until this module's tests are over."""
    data_dir, before = settings.data_dir, set(settings.data_dir.rglob("*"))
    folder = tmp_path_factory.mktemp("files")
    for name, groups in ((GROUPED, True), (LONE, False)):
        path = folder / f"{name}.csv"
        table(groups).to_csv(path, index=False)
        take_in.accept(path, name, data_dir, "kind")
        own_data.keep_table(path, name, data_dir)
    write_pictures(data_dir)
    yield
    for path in sorted(set(data_dir.rglob("*")) - before, reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def links(app: AppTest) -> set[tuple[str, str]]:
    """The page links of the main part: address and query."""
    return {(e.proto.page, e.proto.query_string) for e in app.get("page_link")}


def shows(app: AppTest, page: PageEntry, name: str) -> bool:
    """Whether the page's controls say that it shows the data set."""
    if page.url == "undo-it":
        return app.selectbox(key="case").value == polish_words.case(PolishRequest(name))
    boxes = {box.key: box.value for box in app.selectbox}
    return boxes.get("table" if page.url == tour.FAIRNESS else "dataset") == name


def check(app: AppTest, page: PageEntry, name: str) -> None:
    """The page works on the data set, or says whose data it shows and where to go."""
    assert not app.exception
    assert not app.error
    said = words(app)
    if page.whose:
        assert f"This page shows {page.whose}, not **{name.replace('-', chr(92) + '-')}**." in said
        assert (registry.page(page.instead).url, f"dataset={name}") in links(app)
        return
    if not page.takes_data:
        return
    if page.url == tour.FAIRNESS and name != GROUPED:
        assert "a published table, not" in said
        assert "bring one in at the end of the fairness page" in said or "add a column" in said
        return
    assert shows(app, page, name)
    assert page.finding not in said
    if page.url == "new-sample":  # its plane is of other data, which it says
        assert f"This plane is not “{name}”" in said.replace("\\", "")
    else:
        assert "precomputed" not in said.lower()
    asked = {"Run it", "Compute it", "Run the attack", "Begin the lesson"}
    assert [b for b in app.button if b.label in asked] or page.url in (tour.FAIRNESS, "new-sample")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.url)
def test_every_page_works_on_own_data_or_says_whose_it_shows(
    page: PageEntry, name: str, open_page: Open
) -> None:
    check(open_page(page, dataset=name), page, name)


@pytest.mark.parametrize("url", ["paper", "impossible"])
def test_a_page_that_ignores_the_data_set_is_found(url: str, open_page: Open) -> None:
    page = registry.page(url)
    with pytest.raises(AssertionError):
        check(open_page(page, dataset=LONE), replace(page, whose="", instead=""), LONE)


@pytest.mark.parametrize("step", tour.STEPS, ids=lambda step: step.url)
def test_each_step_leads_to_the_next_and_to_the_whole_tour(
    step: tour.Step, open_page: Open
) -> None:
    app = open_page(step.page, dataset=LONE)
    place, before, after = tour.neighbours(step.url)
    assert place
    for other in (before, after):
        assert other is None or (other.url, f"dataset={LONE}") in links(app)
    assert ("data", f"dataset={LONE}") in links(app)
    if step.url != tour.FAIRNESS:
        assert f"step {place} of {len(tour.STEPS)} of its tour" in words(app)


def test_the_lab_s_own_data_have_no_tour(open_page: Open) -> None:
    for parameters in ({}, {"dataset": "breast_cancer"}):
        app = open_page(registry.page("easy-or-hard"), **parameters)
        assert "tour" not in words(app)


def test_the_choice_of_another_page_carries_over_and_ends(open_page: Open) -> None:
    app = open_page(registry.page("easy-or-hard"), dataset=LONE)
    app.switch_page(registry.page("paper").file).run()
    assert "This page shows what the lab publishes" in words(app)
    app.switch_page(registry.page("easy-or-hard").file).run()
    app.selectbox(key="dataset").set_value("digits").run()
    assert "tour" not in words(app)
    app.switch_page(registry.page("paper").file).run()
    assert "This page shows" not in words(app)


def test_the_tour_says_costs_marks_what_is_done_and_asks_with_one_click(
    open_page: Open, settings: Settings, asked: Asked
) -> None:
    dataset = load_dataset(GROUPED, settings.data_dir)
    ranking = tour.STEPS[0]
    assert ranking.asks is not None
    compute_and_keep("ranking", ranking.asks(dataset), dataset, settings, ignore)
    app = open_page(registry.page("data"), dataset=GROUPED)
    captions = [c.value for c in app.caption]
    assert "computed" in captions
    assert [c for c in captions if c.endswith("minutes at most")]
    assert [c for c in captions if c.startswith("asks first which outcome and group you mean")]
    icons = {b.key: b.icon for b in app.button if b.key and b.key.startswith("tour-")}
    assert list(icons) == [f"tour-{step.url}" for step in tour.STEPS]
    assert icons["tour-lab"] != icons["tour-cost"]
    app.button(key="tour-easy-or-hard").click().run()
    assert [name for name, _ in asked] == ["sensitivity"]
    assert app.title[0].value == registry.page("easy-or-hard").title
    assert app.selectbox(key="dataset").value == GROUPED


def test_no_outcome_is_taken_for_favourable_unasked(open_page: Open) -> None:
    app = open_page(registry.page(tour.FAIRNESS), dataset=GROUPED)
    assert app.selectbox(key="table").value == GROUPED
    assert app.selectbox(key="positive").value is None
    assert "which do people wish for?" in words(app)
    assert not [b for b in app.button if b.key == "offer-fairness"]
    app.selectbox(key="positive").set_value("plum").run()
    assert not app.exception
    assert "which do people wish for?" not in words(app)


QUICK = (("lab", "ranking"), ("move-one-sample", "attack"), ("easy-or-hard", "sensitivity"),
         ("audit", "audit"))  # fmt: skip


@pytest.mark.parametrize(("url", "experiment"), QUICK)
def test_what_is_computed_is_shown_as_the_reader_s_own(
    url: str, experiment: str, open_page: Open, settings: Settings
) -> None:
    (step,) = (step for step in tour.STEPS if step.url == url)
    assert step.asks is not None
    dataset = load_dataset(LONE, settings.data_dir)
    for first in dict.fromkeys((tour.STEPS[0], step)):  # the attack is on the last of the ranking
        assert first.asks is not None
        request = first.asks(dataset)
        data = open_data(request, settings.data_dir)
        compute_and_keep(first.experiment, request, data, settings, ignore)
    assert step.experiment == experiment in EXPERIMENTS
    app = open_page(step.page, **tour.query_of(step, LONE, step.asks(dataset)))
    assert not app.exception
    said = words(app)
    assert "computed here" in said.lower() and "your features file" in said
    assert "is not computed for" not in said and "precomputed" not in said.lower()
