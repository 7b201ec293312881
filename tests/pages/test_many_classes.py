"""Every page on features alone, with 101 classes and a model too large to be audited."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from engine.data.load import load_dataset
from engine.experiments import cost
from engine.results.jobs import Jobs
from engine.results.store import Stored
from engine.settings import Settings
from pages.common.asking import effort
from pages.common.asking.door import ACTIVE
from pages.common.lab.registry import PAGES, PageEntry, page
from tests.support.pages import Open, follow, unfold, words

K, D, NAME = 101, 48, "many"


@pytest.fixture(scope="module")
def many(settings: Settings) -> Iterator[str]:
    """The name of a features file of 101 classes, six training samples each."""
    rng = np.random.default_rng(3)
    path = settings.data_dir / f"{NAME}.npz"
    centres = 3 * rng.normal(size=(K, D))
    y = {"train": np.arange(6 * K) % K, "test": np.arange(4 * K) % K}
    X = {split: centres[c] + rng.normal(size=(len(c), D)) for split, c in y.items()}
    names = np.array([f"class of number {c}" for c in range(K)])
    np.savez(
        path,
        X_train=X["train"],
        y_train=y["train"],
        X_test=X["test"],
        y_test=y["test"],
        class_names=names,
    )
    yield NAME
    path.unlink()


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.url)
def test_every_page_opens_on_101_classes_without_pictures(
    entry: PageEntry, many: str, open_page: Open
) -> None:
    app = open_page(entry, dataset=many)
    assert not app.exception
    assert not app.error
    assert [title.value for title in app.title] == [entry.title]
    assert "The link asks" not in words(app)


def test_a_ranking_is_drawn_and_its_samples_are_shown_by_their_features(
    many: str, open_page: Open
) -> None:
    app = open_page(page("influence"), dataset=many, image=7)
    app.button[[b.label for b in app.button].index("Compute it")].click().run()
    follow(app, lambda: "These make the prediction worse" in words(app))
    shown = words(unfold(app))
    assert "Few samples matter" in shown
    assert "class “class of number" in shown
    assert (
        shown.count("&nbsp;σ</div>") >= 3 * 17
    )  # the test sample, and eight samples at either end
    assert "<img" not in shown


def test_a_model_too_large_to_be_audited_is_refused_before_anything_is_asked_for(
    many: str, open_page: Open
) -> None:
    app = open_page(page("audit"), dataset=many)
    (refused,) = [w.value for w in app.warning]
    assert f"has {K * (D + 1):,} parameters" in refused and "takes 4,000" in refused
    assert not [button for button in app.button if "Run" in button.label]


def test_attacks_that_take_long_wait_for_a_button(
    as_published: Mapping[str, Stored],
    settings: Settings,
    open_page: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chosen with a control, quick ones begin at once; here they are estimated to be slow."""
    monkeypatch.setattr(cost, "attack_seconds", lambda *asked: 100.0)
    swept = as_published["ablation"].result["target"]
    app = open_page(page("what-works"), dataset="small", target=swept.min())
    app.selectbox(key="target").set_value(swept.max()).run()  # other tests follow other targets
    jobs = Jobs(settings)
    (button,) = [b for b in app.button if b.label == "Run them"]
    assert "On two processor cores that is 7 minutes at most" in words(app)
    active = [job for job, state in jobs.all() if state.status in ACTIVE]
    assert not [job for job in active if job.experiment == "attack"]
    button.click().run()
    follow(app, lambda: "run leaves when it arrives" in words(app))
    assert not [b for b in app.button if b.label == "Run them"]


def test_costs_name_the_size_of_the_data(many: str, settings: Settings, open_page: Open) -> None:
    dataset = load_dataset(many, settings.data_dir)
    times = dataset.n_train * D * K / (1200 * 64 * 10)
    said = f"{times:.1f}" if times < 10 else f"{times:,.0f}"
    assert f"{said} times as many numbers" in effort.beside_digits(dataset)
    assert f"{said} times as many numbers" in words(open_page(page("easy-or-hard"), dataset=many))
    assert effort.beside_digits(load_dataset("small", settings.data_dir)) == ""
