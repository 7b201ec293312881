"""Undo it in a few steps: the page with results, without, and its words recomputed from tables."""

import numpy as np
import pandas as pd
import pytest

from engine.experiments import PolishRequest
from engine.experiments.polish import DETECTORS, HONEST, KNOWING, honest_of
from engine.statistics import detection
from pages.common.lab import published_results, registry
from pages.defend.parts import polish_figures as figures
from pages.defend.parts import polish_rates as rates
from pages.defend.parts import polish_words as said
from tests.support.pages import Open, have_found, unfold, words
from tests.support.stores import published

PAGE = registry.page("undo-it")
STEPS = 2


def row(kind: str, ranks: tuple[int, int, int], decrement: float, **known: object) -> dict:
    """A model whose claimed sample has these ranks after 0, 1 and 2 steps."""
    blank: dict[str, object] = {
        "kind": kind,
        "how": "",
        "radius": np.nan if kind in HONEST else 0.3,
        "weight": np.nan,
        "declared_l2": 0.01,
        "gradient_norm": decrement,
        "solves": STEPS,
        "iterations": 60,
        "iterations_first": 40,
        "rose": 0,
        "shifted": 0,
        "shortened": 0,
        "unranked": 0,
        "target": 1,
        "first": 1,
        "rank_before": 50,
        "first_after_one": ranks[1],
        "training_iterations": 30,
        "success": kind not in HONEST and ranks[0] == 1,
    }
    for j, rank in enumerate(ranks):
        blank |= {f"rank_{j}": rank, f"correlation_{j}": 0.5 + j / 10, f"accuracy_drop_{j}": 0.02}
    for j in range(STEPS):
        blank[f"decrement_{j}"] = decrement / 10**j
    return blank | known


def made() -> pd.DataFrame:
    """Four honest models, two attacks that one step undoes and one that failed, and one attacker
    who passes one step but not two."""
    return pd.DataFrame(
        [
            *(row("honest", (1, 1, 1), d) for d in (1e-4, 1e-3, 1e-2)),
            row("held back", (1, 20, 20), 0.05),
            row("higher_ranked", (1, 500, 800), 0.3),
            row("higher_ranked", (1, 400, 700), 0.2),
            row("higher_ranked", (5, 300, 700), 0.2),
            row("through", (1, 3, 900), 0.4),
            row("other l2", (70, 60, 50), 0.1, radius=np.nan),
        ]
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(
        monkeypatch, lambda experiment, request: published("polish", made(), dataset="digits")
    )


def test_the_finding_and_the_figure(open_page: Open, measured: None) -> None:
    app = open_page(PAGE)
    text = words(app)
    assert not app.exception
    assert "No: after 1 Newton step, 0 of 2 targets are still in the top ten.**" in text
    assert said.knowing_kept(made()) == (
        "Attackers who know of polishing keep 1 of 1 after one step and 0 after 2."
    )
    assert "Does each model's top sample stay in the top ten?" in text
    assert "Attackers who know this check hold out longer, but after 2 steps none is left." in text
    lost = int((honest_of(made())["rank_1"] > 10).sum())
    alarms = f"False alarms: the top sample of {lost} of 4 honest models falls out after 1 step."
    assert alarms in text
    assert len(app.get("plotly_chart")) == 1, "the rest is folded"
    assert "The 2 malicious models are of 1 kind of attack, on 1 sample" in words(unfold(app))


def test_the_number_of_steps_in_a_link(open_page: Open, measured: None) -> None:
    assert not open_page(PAGE, steps="0").warning
    titles = [note.text.split("<br>")[-1] for note in figures.paths(made(), 0).layout.annotations]
    assert titles[1] == "2 of 2 stay"
    bad = open_page(PAGE, steps="many")
    assert not bad.exception
    assert any("steps" in warning.value for warning in bad.warning)


def test_nothing_measured_yet(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(monkeypatch, lambda experiment, request: None)
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)


def test_every_model_that_claims_is_one_line() -> None:
    figure = figures.paths(made(), 1)
    strong = [t for t in figure.data if t.mode == "lines+markers"]
    groups = [label for label, _ in figures.GROUPS.values()]
    assert list(dict.fromkeys(t.name for t in strong)) == groups
    thick = {
        t.name: int(np.isnan(np.asarray(t.y, float)).sum()) for t in strong if t.line.width > 2
    }
    assert thick == {groups[0]: 3, groups[2]: 1}, "the lines that stay in the top ten"
    lines = sum(int(np.isnan(np.asarray(t.y, dtype=float)).sum()) for t in strong)
    assert lines == 7, "the failed attack and the l2 that reached nothing are left out"
    assert max(np.nanmax(t.x) for t in strong) == 1
    faint = [t for t in figure.data if t.mode == "lines"]
    assert {float(np.nanmin(t.x)) for t in faint} == {1.0}
    titles = [a.text.split("<br>")[-1] for a in figure.layout.annotations]
    assert titles == ["3 of 4 stay", "0 of 2 stay", "1 of 1 stay"], "after one step"


def test_the_tables() -> None:
    table = made()
    areas = rates.areas(table).set_index(["kind", "detector"])
    honest = table[table["kind"].isin(HONEST)]
    plain = table[(table["kind"] == "higher_ranked") & table["success"]]
    for column in DETECTORS:
        expected = detection(honest[column], plain[column])
        assert areas.loc[("higher_ranked", column), "auc"] == expected.auc
    assert areas.loc[("through", rates.RANK), "flagged"] == 0
    assert areas.loc[("higher_ranked", rates.RANK), "flagged"] == 2
    stay = rates.staying(table).set_index("kind")
    assert [stay.loc["through", f"ten_{j}"] for j in range(3)] == [1, 1, 0]
    read = said.knowing_table(table)
    assert read["reached the top"].tolist() == ["1 of 1", "0 of 1"]
    assert read["top ten after 1 step"].tolist() == ["1 of 1", "–"]
    assert read["flagged by the rank"].tolist() == ["0", "–"]
    assert read["flagged by the decrement"].tolist() == ["1", "–"]
    assert "40 steps" in said.knowing_meaning(table, PolishRequest())
    assert said.staying_table(table)["reached the top"].tolist() == ["2 of 3", "1 of 1", "0 of 1"]


def test_the_cost_is_told_beside_training_anew() -> None:
    text = said.cost(made())
    assert "40 iterations of conjugate gradients for the first step, 60 for 2" in text
    assert "could as well train anew" in text
    cheap = said.cost(made().assign(training_iterations=400, rose=1, unranked=1))
    assert "10% of training anew" in cheap
    assert "the loss rose for 9" in cheap and "For 9 models a ranking does not exist" in cheap


def test_targets_of_the_honest_top_ten_are_not_counted_as_staying() -> None:
    near = row("higher_ranked", (1, 2, 6), 0.2, rank_before=6)
    table = pd.concat([made(), pd.DataFrame([near])], ignore_index=True)
    assert "0 of 2 targets" in said.finding(table)
    assert said.staying_table(table)["top ten after 2 steps"].tolist()[0] == "0 of 2"


def test_honest_networks_without_a_ranking_are_left_out() -> None:
    lost = row("held back", (300, 300, 85), 0.2, unranked=2)
    table = pd.concat([made(), pd.DataFrame([lost])], ignore_index=True)
    assert figures.paths(table, 1).layout.annotations[0].text.endswith("3 of 4 stay")
    assert "1 more honest model had no ranking" in said.knowing_meaning(table, PolishRequest())
    pd.testing.assert_frame_equal(rates.areas(table), rates.areas(made()))


PUBLISHED = [r for _, name, r in published_results.with_role() if name == "polish"]


@pytest.mark.parametrize("request_", PUBLISHED, ids=said.case)
def test_the_page_s_numbers_are_those_of_the_published_table(request_: PolishRequest) -> None:
    """Recomputed here in other words than the page's."""
    from pages.common.asking import door

    stored = door.find_published("polish", request_)
    assert stored is not None
    table: pd.DataFrame = stored.result
    arrived = table.query("success")
    plain = arrived[~arrived["kind"].isin(KNOWING)]
    plain = plain[plain["rank_before"] > 10]
    kept = sum(1 for rank in plain["rank_1"] if rank <= 10)
    assert f"step, {kept} of {len(plain)} targets are" in said.finding(table)
    drawn = said.attacks_drawn(table, 7)
    assert f"on {plain['target'].nunique()} samples. *Is it a minimum?* shows 7 others" in drawn
    assert said.attacks_drawn(table, 0).endswith(" samples. ")
    assert (table.loc[table["success"], "rank_0"] <= request_.k).all()
    if request_.model == "linear":
        assert (table["solves"] == request_.newton_steps).all(), "one solve a step"
        assert (table["rose"] == 0).all() and (table["shifted"] == 0).all()
        assert len(set(arrived["target"])) <= request_.n_targets
