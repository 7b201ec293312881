"""The workbench: what the browser is given, pinning, and what may help after a failure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attacks.result import AttackResult
from engine.data.load import load_dataset
from engine.experiments import AttackRequest, cost
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.store import Store, Stored
from engine.settings import Settings
from engine.statistics import rank_correlation
from engine.vocabulary import OBJECTIVES, ORDERS
from pages.attack.parts import bench, next_tries, pinned
from pages.common.asking import links
from pages.common.asking.links import EXAMPLE
from pages.common.lab import registry
from pages.common.samples import Samples
from pages.common.words import wording
from tests.support.pages import Asked, Open, words

PAGE = registry.page("lab")


def kept(request: AttackRequest, settings: Settings) -> Stored:
    """An attack on the example's data set, computed for these tests."""
    dataset = load_dataset(request.dataset, settings.data_dir)
    compute_and_keep("attack", request, dataset, settings, ignore)
    stored = Store.of(settings).find("attack", request, dataset.content_hash)
    assert stored is not None
    return stored


def test_it_opens_with_the_example_and_its_finding(open_page: Open, example: Stored) -> None:
    app = open_page(PAGE)
    target = EXAMPLE.targets[0]
    old = int(example.result.before.ranks[target])
    assert not app.exception
    kept = round(10 * example.result.kept(10))
    said = words(app)
    assert f"Sample {target} climbs from rank {old:,} to rank {example.result.rank_test:,}" in said
    assert f"Of the 10 samples that were first, {kept} stay in the top 10." in said
    assert app.button(key="pin").label == "Pin as A, to compare with another"


def test_each_step_has_the_price_that_the_result_has(example: Stored, settings: Settings) -> None:
    result: AttackResult = example.result
    assert result.replay is not None
    samples = Samples(load_dataset(EXAMPLE.dataset, settings.data_dir))
    data: Any = bench.attacked(result, result.replay, samples, None)
    first, last = data["frames"][0], data["frames"][-1]
    assert (first["order"], first["kept"]) == ("1.00", "10 of 10")
    assert last["order"] == f"{result.rank_correlation:.2f}".replace("-", "−")
    assert last["kept"] == f"{round(10 * result.kept(10))} of 10"
    assert last["accuracy"] == f"{100 * result.accuracy_after:.1f}%"
    assert last["lost"] == wording.against(result)
    assert first["lost"] == "unchanged"
    assert data["ended"]
    assert data["samples"][data["at"]] == EXAMPLE.targets[0]
    assert [data["classes"][label] for label in data["labels"]] == samples.labels().tolist()
    assert data["ease"] is None


def test_spearman_by_ranks_is_that_of_the_scores(example: Stored) -> None:
    before, after = example.result.before, example.result.after
    by_ranks = float(rank_correlation(before.ranks, after.ranks))
    assert by_ranks == pytest.approx(example.result.rank_correlation, abs=1e-9)


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=60, unique=True))
def test_a_third_of_the_values_is_in_each_third(values: list[int]) -> None:
    found = bench.thirds(np.array(values, dtype=float))
    counts = np.bincount(found, minlength=3)
    assert counts.sum() == len(values)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(found[np.argsort(values)]) >= 0).all()


@given(
    target=st.integers(0, 1199),
    k=st.integers(1, 1199),
    radius=st.integers(1, 100).map(lambda percent: percent / 100),
    seed=st.integers(0, 2**31 - 1),
    objective=st.sampled_from(sorted(OBJECTIVES)),
    order=st.sampled_from(sorted(ORDERS)),
    restarts=st.integers(1, 20),
)
def test_what_is_pinned_comes_back_from_the_address(target: int, **values: object) -> None:
    request = links.request_of({"dataset": "digits", "target": target, "model": "mlp", **values})
    assert pinned.read(pinned.written(request), "digits", 1200, ["linear", "mlp"]) == request


@pytest.mark.parametrize(
    "text",
    [
        "",
        "target:16",
        pinned.written(EXAMPLE).replace("target:16", "target:1200"),
        pinned.written(EXAMPLE).replace("radius:0.35", "radius:nan"),
        pinned.written(EXAMPLE).replace("model:linear", "model:forest"),
        pinned.written(EXAMPLE) + ",target:3,more:1",
    ],
)
def test_nonsense_is_not_pinned(text: str, open_page: Open) -> None:
    assert pinned.read(text, "digits", 1200, ["linear", "mlp"]) is None
    if text:
        app = open_page(PAGE, pinned=text)
        assert not app.exception
        assert "The link asks for `pinned=" in words(app)


def test_a_pinned_attack_stands_beside_another(
    open_page: Open, example: Stored, settings: Settings
) -> None:
    other = replace(EXAMPLE, radius=0.05, restarts=1)
    stored = kept(other, settings)
    app = open_page(PAGE, **links.values_of(other))
    app.button(key="pin").click().run()
    assert "This attack is pinned as A" in words(app)
    assert app.query_params["pinned"] == pinned.written(other)
    shown = pinned.side_by_side(stored, example).set_index("")
    assert list(shown.loc["radius allowed"]) == ["0.05", f"{EXAMPLE.radius:g}"]
    app = open_page(PAGE, pinned=pinned.written(other))
    assert not app.exception
    assert "A, the pinned attack, beside B" in words(app)
    assert len(app.get("plotly_chart")) == 2
    app.button(key="unpin").click().run()
    assert "pinned" not in app.query_params
    assert not app.get("plotly_chart")


def test_a_pinned_attack_that_is_not_kept_is_said(open_page: Open) -> None:
    app = open_page(PAGE, pinned=pinned.written(replace(EXAMPLE, seed=77)))
    assert "The attack that is pinned as A is not kept here" in words(app)


def test_after_a_failure_the_next_tries_have_their_cost(
    open_page: Open, settings: Settings, asked: Asked
) -> None:
    failing = replace(EXAMPLE, radius=0.02, restarts=1)
    assert not kept(failing, settings).result.success
    app = open_page(PAGE, **links.values_of(failing))
    assert "This attack failed" in words(app)
    tries = {one.label: one for one in next_tries.next_tries(failing)}
    buttons = [button for button in app.button if button.label in tries]
    assert len(buttons) == len(tries) == 4
    for button in buttons:
        most = cost.attack_seconds(
            load_dataset(EXAMPLE.dataset, settings.data_dir),
            tries[button.label].request.restarts * len(failing.learning_rates),
            failing.steps,
        )
        assert "at most" in button.help and most > 0
    buttons[0].click().run()
    assert asked == [("attack", replace(failing, radius=0.04))]
    assert app.slider(key="radius").value == 0.04


def test_the_strongest_attack_has_fewer_tries_left() -> None:
    most = replace(EXAMPLE, radius=1.0, objective="accurate", restarts=20, k=300)
    assert next_tries.next_tries(most) == []
