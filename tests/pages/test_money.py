"""The pages about money and wrong labels: what they say is what payments and curves give; a data
set without a result offers to compute it; bad links."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.data.intake import labelled_table
from engine.data.load import load_dataset
from engine.experiments import CleaningRequest, PaymentsRequest
from engine.experiments.cleaning import CleaningResult
from engine.experiments.payments import PaymentsResult
from engine.market.payments import payments
from engine.market.vendors import vendors_of_column
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.manifest import MANIFEST
from engine.results.store import Store, Stored, open_folder
from engine.settings import PUBLISHED, Settings
from engine.vocabulary import PAY
from pages.common.lab import published_results, registry
from pages.common.words.smaller import made_smaller
from pages.money.parts import label_views, money_figures, money_words
from tests.support.pages import Open, Publish, check_note, tables, unfold, words

MONEY, LABELS = registry.page("who-gets-the-money"), registry.page("wrong-labels")
FEW: dict[str, Any] = {"steps": 3, "learning_rates": (0.1,), "draws": 2}
SMALL = PaymentsRequest("small", count=3, k=5, bought=(2,), names=(2,), tried=(3,), **FEW)
FLIPPED = CleaningRequest("small", flipped=10, vendors=2, **FEW)


LISTED = (("payments", "payments", SMALL), ("cleaning", "cleaning", FLIPPED))


@pytest.fixture(scope="module")
def computed(settings: Settings) -> dict[str, Stored]:
    """Small results of both experiments."""
    dataset, store = load_dataset("small", settings.data_dir), Store.of(settings)
    found = {}
    for _, name, request in LISTED:
        compute_and_keep(name, request, dataset, settings, ignore)
        stored = store.find(name, request, dataset.content_hash)
        assert stored is not None
        found[name] = stored
    return found


@pytest.fixture
def small(computed: dict[str, Stored], publish: Publish) -> dict[str, Stored]:
    """They stand in the place of those that are published."""
    publish(*LISTED)
    return computed


def test_the_money_page_says_what_payments_gives(open_page: Open, small: dict[str, Stored]) -> None:
    result: PaymentsResult = small["payments"].result
    for word, rule in money_words.RULES.items():
        app = open_page(MONEY, dataset="small", rule=word, budget=5000)
        assert not app.exception
        attack = money_words.aiming_at(rule)
        before, after = (
            payments(result.test[name], result.vendors, rule, 5000, k=5, order="lowest_first")
            for name in ("honest", attack)
        )
        assert len(app.get("plotly_chart")) == 1
        said = words(unfold(app))
        earned = f"{after.money[0]:,.0f} instead of {before.money[0]:,.0f}**, of a budget of 5,000"
        assert f"in league with the trainer, earns {earned}" in said
        assert f"Herfindahl {before.herfindahl:.2f} → {after.herfindahl:.2f}" in said
    assert len(app.get("plotly_chart")) == 2
    assert "python -m engine payments" in words(app)


def test_the_winner_has_a_colour_and_both_its_amounts() -> None:
    earned = pd.DataFrame(
        {"vendor": ["A", "B"], "samples": 3, "before": [40.0, 60.0], "after": [70.0, 30.0]}
    )
    figure = money_figures.bars(earned.assign(change=[30.0, -30.0]), None, 100)
    honest, own, others = figure.data
    assert (list(own.x), list(others.x)) == (["A"], ["B"])
    assert len({trace.marker.color for trace in figure.data}) == 3
    assert own.offsetgroup == others.offsetgroup != honest.offsetgroup
    assert own.text == ("<b>70</b>",) and set(others.text) | set(honest.text) == {""}
    assert [note.text for note in figure.layout.annotations] == ["<b>40</b>"]


def test_the_table_of_attackers_has_the_means_over_draws(
    open_page: Open, small: dict[str, Stored]
) -> None:
    result: PaymentsResult = small["payments"].result
    [shown] = tables(unfold(open_page(MONEY, dataset="small", budget=10_000)))
    part = result.table.query("rule == 'positive' and score == 'influence'")
    for attack in ("pay", "copies", "outliers", "split", "test", "damping"):
        own = part[part["attack"] == attack].dropna(subset=["before", "after"])
        row = shown[shown["who"] == money_words.WHO[attack]].to_dict("records")[0]
        assert row["after"] == f"{10_000 * own['after'].mean():,.0f}"
        assert row["earned before"] == f"{10_000 * own['before'].mean():,.0f}"
        first, last = (int(str(row[name]).replace(",", "")) for name in ("earned before", "after"))
        assert str(row["brings"]).lstrip("+−") == f"{abs(last - first):,}", "as a reader subtracts"


def test_vendors_attack_and_scheme_are_chosen_at_once(
    open_page: Open, small: dict[str, Stored]
) -> None:
    result: PaymentsResult = small["payments"].result
    app = open_page(MONEY, dataset="small", vendors="by class", attack="many targets")
    assert not app.exception
    attack = money_words.shown_attack(result, "positive", money_words.MOVED)
    before, after = (
        payments(
            result.test[name], result.schemes["class"], "positive", 10_000, order="lowest_first"
        )
        for name in ("honest", attack)
    )
    most = int((after.money - before.money).argmax())
    earned = f"{after.money[most]:,.0f} instead of {before.money[most]:,.0f}**"
    assert f"of these, **{before.names[most]} gains most: it earns {earned}" in words(app)


def test_a_column_of_ones_own_table_says_who_the_vendors_are(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    rng = np.random.default_rng(3)
    y = np.arange(60) % 2
    X = np.stack([rng.normal(size=60) + y, np.arange(60) % 3], axis=1)
    np.savez(
        settings.data_dir / "shops.npz", X_train=X[:40], y_train=y[:40], X_test=X[40:],
        y_test=y[40:], feature_names=np.array(["size", "shop"]),
    )  # fmt: skip
    request = replace(SMALL, dataset="shops", draws=1, steps=1)
    dataset = load_dataset("shops", settings.data_dir)
    compute_and_keep("payments", request, dataset, settings, ignore)
    publish(("payments", "payments", request))
    app = open_page(MONEY, dataset="shops", vendors="by column")
    assert not app.exception
    assert app.selectbox(key="column").options == ["shop"]
    stored = Store.of(settings).find("payments", request, dataset.content_hash)
    assert stored is not None
    result: PaymentsResult = stored.result
    vendors = vendors_of_column(dataset, "shop")
    assert vendors.names == ("value 1 of 3", "value 2 of 3", "value 3 of 3")
    assert (vendors.owner == np.arange(40) % 3).all()
    before, after = (
        payments(result.test[name], vendors, budget=10_000, order="lowest_first")
        for name in ("honest", "pay")
    )
    most = int((after.money - before.money).argmax())
    earned = f"{after.money[most]:,.0f} instead of {before.money[most]:,.0f}**"
    assert f"of these, **{vendors.names[most]} gains most: it earns {earned}" in words(app)


def test_a_rule_that_pays_nobody_is_a_warning_with_what_to_do(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    """Test labels contradict those of training: every sample pulls the test loss up."""
    x = np.concatenate([np.linspace(-2, -0.5, 20), np.linspace(0.5, 2, 20)])[:, None]
    y = (x[:, 0] > 0).astype(int)
    np.savez(settings.data_dir / "turned.npz", X_train=x, y_train=y, X_test=x, y_test=1 - y)
    request = replace(SMALL, dataset="turned", draws=1, steps=1)
    dataset = load_dataset("turned", settings.data_dir)
    compute_and_keep("payments", request, dataset, settings, ignore)
    publish(("payments", "payments", request))
    for rule in ("by score", "by vendor"):
        app = open_page(MONEY, dataset="turned", rule=rule)
        assert not app.exception
        [warning] = app.warning
        assert "This rule pays nobody here" in warning.value
        assert "Choose “by rank” or “top k”" in warning.value
        assert not app.get("plotly_chart")
    app = open_page(MONEY, dataset="turned", rule="by rank")
    assert not app.exception and not app.warning
    assert len(app.get("plotly_chart")) == 1


def test_a_smaller_experiment_says_so(open_page: Open, small: dict[str, Stored]) -> None:
    said = words(unfold(open_page(MONEY, dataset="small")))
    assert (
        "Smaller on this data set than on the others, because of the time: 2 draws instead of 20, "
        "3 steps an attack instead of 100 and 1 learning rate instead of 2. Over so few draws an "
        "interval is rough." in said
    )
    said = words(unfold(open_page(LABELS, dataset="small")))
    assert "2 draws instead of 10" in said


def test_published_results_of_the_large_data_set_say_what_is_smaller() -> None:
    """Three draws instead of ten and twenty; on digits nothing is smaller."""
    for role, usual in (("payments", 20), ("cleaning", 10)):
        for data in ("digits", "breast_cancer"):
            assert not made_smaller(published_results.request_of(role, data))
        said = made_smaller(published_results.request_of(role, "cifar10_5000_2000_effnetlite2"))
        assert f"3 draws instead of {usual}" in said and "interval is rough" in said
    said = made_smaller(published_results.request_of("lds", "cifar10_5000_2000_effnetlite2"))
    assert "40 halves instead of 200" in said
    request = published_results.request_of("score matrix", "cifar10_5000_2000_effnetlite2")
    assert "8 targets instead of 24" in made_smaller(request)


def test_the_labels_page_says_what_the_draws_give(
    open_page: Open, small: dict[str, Stored]
) -> None:
    result: CleaningResult = small["cleaning"].result
    for detector, word in label_views.DETECTORS.items():
        app = open_page(LABELS, dataset="small", detector=word)
        assert not app.exception
        part = result.table[result.table["detector"] == detector]
        recall = part[part["model"] == "honest"]["recall"].mean()
        area = part[part["model"] == "hide"]["average_precision"].mean()
        assert len(app.get("plotly_chart")) == 1
        said = words(unfold(app))
        assert f" finds {100 * recall:.1f}% of the {result.wrong} wrong labels, and " in said
        assert f"{area:.2f} with one wrong sample hidden" in said
    [numbers] = tables(app)
    assert len(numbers) == len(result.summary())
    assert "python -m engine cleaning" in words(app)


def test_right_labels_in_ones_own_table_are_used(
    open_page: Open, settings: Settings, publish: Publish
) -> None:
    """Chosen, computed and said; on data without such a column there is nothing to choose."""
    rng = np.random.default_rng(6)
    truth = np.arange(80) % 2
    given = np.where(np.arange(80) % 9 == 0, 1 - truth, truth)
    names = np.array(["ant", "bee"])
    table = {"label": names[given], "truth": names[truth], "size": rng.normal(size=80) + 2 * truth}
    arrays = labelled_table.look(pd.DataFrame(table)).arrays  # as `data add` does
    np.savez(settings.data_dir / "noisy.npz", allow_pickle=False, **arrays)
    dataset = load_dataset("noisy", settings.data_dir)
    request = CleaningRequest("noisy", vendors=2, **FEW)
    real = replace(request, truth="truth")
    compute_and_keep("cleaning", real, dataset, settings, ignore)
    publish(("cleaning", "cleaning", request))
    app = open_page(LABELS, dataset="noisy", truth="truth")
    assert not app.exception
    assert app.selectbox(key="truth").options == [label_views.FLIPPED, "truth"]
    stored = Store.of(settings).find("cleaning", real, dataset.content_hash)
    assert stored is not None
    said = words(unfold(app))
    assert f"of the {stored.result.wrong} wrong labels" in said
    assert "those that differ from the column “truth”" in said
    assert "2 draws of vendors" in said and "The wrong labels are made" not in said
    app = open_page(LABELS, dataset="noisy")
    assert not app.exception and "This is not computed for “noisy” yet" in words(app)


def published_on(experiment: str, dataset: str) -> Any:
    """A published result."""
    folders = (path.parent for path in (PUBLISHED / experiment).glob(f"*/{MANIFEST}"))
    [found] = [s for s in map(open_folder, folders) if s.manifest.request["dataset"] == dataset]
    return found.result


def test_aiming_at_pay_brings_at_least_as_much_as_moving_samples_on_every_published_draw() -> None:
    """What the page of money states, in the result that it opens with."""
    result: PaymentsResult = published_on("payments", "digits")
    for attack in PAY:
        pairs = result.against_moving(attack)
        assert len(pairs) == 20
        assert (pairs["pay"] >= pairs["moving"]).all(), attack
        said = money_words.pairs_title(result, attack)
        assert "in 20 of 20 draws" in said
        assert f"{100 * pairs['pay'].mean():.1f}% of the money" in said
    shares = [result.against_moving(attack)["pay"].mean() for attack in ("pay", "pay_top_k")]
    assert min(shares) > 0.5, "the page says: most of the budget"
    for rule, effects in (
        ("positive", ("raise", "raise")),
        ("top_k", ("raise", "do not clearly change")),
        ("rank", ("raise", "raise")),
        ("net", ("lower", "raise")),
    ):
        said = money_words.directions(result, rule)
        for attack, effect in zip(("Outliers", "Copies"), effects, strict=True):
            assert f"{attack} {effect} the vendor's pay" in said
        assert ("Other names pay" in said) == (rule == "net")
        assert ("Other names bring nothing" in said) == (rule != "net")
        raised = effects == ("raise", "raise")
        assert ("worth less" in said) != raised, "what differs from the source has its reason"


def test_an_attack_on_influence_hides_what_own_loss_still_finds() -> None:
    """What the page of wrong labels is introduced with, in the result that it opens with."""
    result: CleaningResult = published_on("cleaning", "digits")
    influence, loss = (label_views.rows_of(result, name) for name in ("influence", "loss"))
    assert influence["hide"]["hidden_found"] == 0
    assert influence["protect"]["hidden_found"] < 0.2 * influence["protect"]["hidden"]
    for model in ("hide", "protect"):
        assert influence[model]["recall"] < influence["honest"]["recall"]
        assert abs(loss[model]["recall"] - loss["honest"]["recall"]) < 0.02
    assert loss["protect"]["hidden_found"] > 0.9 * loss["protect"]["hidden"]


@pytest.mark.parametrize("page", [MONEY, LABELS], ids=lambda page: page.url)
def test_a_data_set_without_a_result_offers_to_compute_it(open_page: Open, page: Any) -> None:
    app = open_page(page, dataset="small", seed=0)
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert any(str(button.key).startswith("offer-") for button in app.button)


@pytest.mark.parametrize(
    ("page", "name", "value"),
    [
        (MONEY, "rule", "by chance"),
        (MONEY, "budget", "0"),
        (MONEY, "vendors", "by column"),
        (MONEY, "attack", "none"),
        (LABELS, "detector", "chance"),
    ],
)
def test_bad_links_fall_back_with_a_note(
    open_page: Open, small: dict[str, Stored], page: Any, name: str, value: str
) -> None:
    check_note(open_page(page, **{"dataset": "small", name: value}), name, value)
