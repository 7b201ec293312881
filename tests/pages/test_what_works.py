"""The ablation's page: four variants on the same targets, and runs that get stuck."""

from collections.abc import Mapping

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.data.load import load_dataset
from engine.experiments import AttackRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.store import Stored
from engine.settings import Settings
from pages.attack.parts import ablation
from pages.common.asking.rate_view import RateView
from pages.common.lab import registry
from tests.support.pages import SWEPT, Open, check_note, follow, open_fold, tables, unfold, words

PAGE = registry.page("what-works")
Sweeps = Mapping[str, Stored]
RADIUS = SWEPT.radii[1]


def table_of(sweeps: Sweeps) -> pd.DataFrame:
    four = ablation.variants(sweeps["ablation"].result, sweeps["cost"].result)
    return ablation.with_ours(four, [sweeps["frontier"].result])


def best_of(sweeps: Sweeps, view: RateView) -> pd.DataFrame:
    rates = view.both(table_of(sweeps), ablation.BY)
    best = ablation.best_of(rates[rates["k"] == view.k])
    return best[best["regime"] == "high_accuracy"]


@pytest.fixture
def attacked(as_published: Sweeps, settings: Settings) -> int:
    """A target whose four attacks are in the store, so that the page opens with them at once."""
    target = int(as_published["ablation"].result["target"].iloc[0])
    dataset = load_dataset("small", settings.data_dir)
    for variant in ablation.VARIANTS:
        random = variant == ablation.RESTARTS
        request = AttackRequest(
            dataset="small",
            targets=(target,),
            k=1,
            radius=RADIUS,
            objective="higher_ranked" if random else variant,
            restarts=5 if random else 0,
            learning_rates=SWEPT.learning_rates,
            steps=SWEPT.steps,
        )
        compute_and_keep("attack", request, dataset, settings, ignore)
    return target


def test_the_finding_and_figures_stand_there_before_any_click(
    open_page: Open, as_published: Sweeps, attacked: int
) -> None:
    app = open_page(PAGE, dataset="small", target=attacked, radius=RADIUS)
    assert not app.exception
    assert not app.error
    assert not app.warning
    view = RateView(1, 0.03, "any_run", RADIUS)
    assert ablation.finding(best_of(as_published, view), view) in words(app)
    assert len(app.get("plotly_chart")) == 2
    assert f"Sample {attacked}, honest rank" in words(app)
    theirs = tables(open_fold(app, "chance"))[0]
    assert list(theirs["variant"]) == list(ablation.LABELS.values())
    assert theirs["paper: CIFAR-10"].tolist()[-2:] == ["0.64 / 0.90 (5.5)", "not in the paper"]
    assert "of at most 25 steps an attack to its 5, with accuracy kept" in words(app), (
        "ours beside the paper's"
    )
    unfold(app)
    assert not app.exception
    assert "The last is ours, not the paper's" in words(app)
    assert len(app.get("plotly_chart")) == 4, "target by target, folded"


def test_the_attacks_on_a_target_are_computed_in_its_place(
    open_page: Open, as_published: Sweeps
) -> None:
    app = open_fold(open_page(PAGE, dataset="small"), "runs")
    follow(app, lambda: len(app.get("plotly_chart")) == 2)
    target = app.selectbox(key="target").value
    assert f"Sample {target}, honest rank" in words(app)


def test_a_link_restores_its_view(open_page: Open, as_published: Sweeps, attacked: int) -> None:
    app = open_page(
        PAGE, dataset="small", k=3, radius=RADIUS, form="the returned model", target=attacked
    )
    assert not app.exception
    assert not app.warning
    view = RateView(3, 0.03, "returned", RADIUS)
    assert ablation.finding(best_of(as_published, view), view) in words(app)
    assert app.selectbox(key="target").value == attacked


@pytest.mark.parametrize(
    ("name", "value"),
    [("target", "9999"), ("radius", "0.123"), ("k", "-1"), ("form", "x"), ("dataset", "nope")],
)
def test_nonsense_in_a_link_gives_a_note(
    name: str, value: str, open_page: Open, as_published: Sweeps
) -> None:
    check_note(open_page(PAGE, **{"dataset": "small", name: value}), name, value)


def test_nothing_published_is_said_and_both_sweeps_offered(
    open_page: Open, as_published: Sweeps
) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert not app.error
    assert "This is not computed for" in words(app)
    assert "60 attacks of 1 run each, and 20 attacks of 5 runs each" in words(app)


def test_published_sweeps_of_data_that_is_elsewhere(
    open_page: Open, published_elsewhere: Sweeps
) -> None:
    app = open_page(PAGE, dataset="elsewhere")
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 1
    assert "The runs on this sample are not published" in words(open_fold(app, "runs"))


def test_a_sweep_of_ones_own_runs_both_parts(open_page: Open, as_published: Sweeps) -> None:
    app = open_fold(open_page(PAGE, dataset="small", targets=2, radii="0.7", ks="2"), "runs")
    assert "6 attacks of 1 run each, and 2 attacks of 5 runs each" in words(app)
    app.button(key="offer-sweep").click().run()
    follow(app, lambda: "This result is shown on this page" in words(app))
    assert "of 2 samples reach" in words(app)
    follow(app, lambda: len(app.get("plotly_chart")) == 2)
    assert not charts_without_name(app)


def charts_without_name(app: AppTest) -> list[str]:
    """Charts without a text for those who cannot see them."""
    return [c.proto.id for c in app.get("plotly_chart") if not c.proto.alt]
