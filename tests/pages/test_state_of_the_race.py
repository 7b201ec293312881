"""The state of the race: its words and cells, recomputed from the table and from what is
published."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.experiments import DeniableRequest, PolishRequest
from engine.experiments.polish import HONEST, honest_of
from engine.results.store import Store
from engine.settings import Settings
from pages.attack.parts import radius_words
from pages.common.asking import door
from pages.common.lab import published_results, registry
from pages.defend.parts import race_elsewhere, race_figures, race_words
from pages.defend.parts.polish_words import KINDS
from tests.pages.test_deniable_attack import made as deniable_models
from tests.pages.test_undo_it import made
from tests.support.pages import Open, have_found, tables, unfold, words
from tests.support.recomputed import results
from tests.support.recomputed_tables import by_knn_shapley, by_other_half
from tests.support.stores import published

PAGE = registry.page("race")


def test_each_cell_counts_what_the_check_flags() -> None:
    table = made()
    rows = race_words.race(table).set_index("kind")
    for kind, row in rows.iterrows():
        reached = table[(table["kind"] == kind) & table["success"]]
        assert row["arrived"] == len(reached)
        for check in race_words.CHECKS:
            if reached.empty:
                assert np.isnan(row[check])
                continue
            limit = np.sort(honest_of(table)[check])[-1]  # four honest models: the largest
            assert row[check] == (reached[check] > limit).mean()


def test_the_page_says_what_is_published(open_page: Open, settings: Settings) -> None:
    asked = published_results.request_of("polish", "digits")
    assert isinstance(asked, PolishRequest) and asked.untuned and asked.n_targets >= 25
    stored = Store.of(settings).find_published("polish", asked)
    assert stored is not None
    table: pd.DataFrame = stored.result
    app = open_page(PAGE)
    assert not app.exception
    attacked = table[~table["kind"].isin(HONEST) & table["success"]]
    norms = honest_of(table)["gradient_norm"].sort_values().to_numpy()
    limit = norms[int(np.ceil(0.95 * (len(norms) - 1)))]
    declared = Store.of(settings).find_published("deniable", DeniableRequest())
    assert declared is not None
    found = declared.result.table.query("arrived")
    search = attacked[attacked["kind"] == "minimal"]
    assert (search["radius"] <= asked.radius + 1e-9).all() and search["radius"].nunique() > 20
    outside = attacked[attacked["rank_before"] > 10]
    assert (outside["rank_5"] > 10).all() and (found["declared_after"] <= 10).any()
    assert "5 Newton steps stop every attack but one: choosing the training loss." in words(app)
    assert len(app.get("plotly_chart")) == 1
    opened = unfold(app)
    assert "The search counts where its radius is at most 0.3, as the others' is." in words(opened)
    (shown,) = tables(opened)
    assert len(shown) == table[~table["kind"].isin(HONEST)]["kind"].nunique() + 1
    last = shown.iloc[-1]
    assert last["reaches the top"] == f"{len(found)} of {len(declared.result.table)}"
    flagged = int((found["gradient_norm"] > limit).sum())
    assert f"{flagged} of {len(found)}" in last["gradient norm"]
    for check in ("Newton decrement", "rank after one Newton step"):
        assert f"missed: 0 of {len(found)}" in last[check]
    kept, averaged = (int((found[name] <= 1).sum()) for name in ("declared_after", "averaged"))
    assert f"of {len(found)} such models, {kept} keep" in words(app)
    assert f"leaves {averaged}." in words(app)


def test_a_bound_decides_two_cells_of_the_deniable_attack() -> None:
    """A small gradient bounds the decrement and the step; a large one leaves the ranks open."""
    result = deniable_models()
    assert race_words.bounded(made(), result) == {"decrement_0": 0, "first_after_one": 0}
    table = result.table.assign(gradient_norm=np.where(result.table["arrived"], 0.05, np.nan))
    table.loc[0, "gradient_norm"] = 1e-3  # its decrement is at most 0.01, below the limit of 0.05
    far = race_words.bounded(made(), replace(result, table=table))
    assert far == {"decrement_0": len(result.arrived) - 1}
    cells = race_words.matrix(made(), replace(result, table=table))
    assert "rank after one Newton step" not in set(
        cells.loc[cells["attack"] == race_words.OWN_LOSS, "check"]
    )


def test_two_columns_are_counted_again_from_other_experiments(open_page: Open) -> None:
    app = open_page(PAGE)
    assert not app.exception
    (shown,) = tables(unfold(app))
    alarm, half = (shown.set_index("attack")[name] for name in race_elsewhere.PAGES)
    for kind, name in KINDS.items():
        for column, cells in ((alarm, by_knn_shapley(kind)), (half, by_other_half(kind))):
            assert (f": {cells[0]} of {cells[1]}" in column[name]) if cells else column[name] == "–"
    assert (alarm != "–").sum() == 4
    assert (half != "–").sum() == 3
    assert "“kNN-Shapley alarm” and “other test half” are of other experiments" in words(app)
    own = results("halves", "digits")[0][1].query("draw == 0").iloc[0]
    assert (
        f"first sample is number {own['first_on_second']:,.0f} of {own['n_train']:,.0f}"
        in words(app)
    )


def test_without_a_result_it_is_offered(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(monkeypatch, lambda experiment, request: None)
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)


def test_the_words_of_a_small_table(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = published("polish", made(), dataset="digits")
    have_found(monkeypatch, lambda experiment, request: stored if experiment == "polish" else None)
    app = open_page(PAGE)
    assert "2 Newton steps stop every attack." in words(app)
    assert "choose the loss" not in words(app)


def test_no_step_undoes_what_stays_in_the_top_ten() -> None:
    table = made()
    attack = (table["kind"] == "higher_ranked") & table["success"] & (table["rank_before"] > 10)
    stays = table.assign(rank_2=table["rank_2"].mask(attack, 3))
    assert "2 Newton steps stop 1 of 2 attacks." in race_words.finding(stays)


def test_every_attack_stands_in_one_block() -> None:
    blocks = [kind for kinds in race_words.FAMILIES.values() for kind in kinds]
    assert len(set(blocks)) == len(blocks)
    assert {*KINDS, race_words.OWN_LOSS} <= set(blocks)


def test_a_block_shows_the_attack_that_a_check_stops_least_often() -> None:
    cells = race_words.matrix(made())
    assert cells.query("attack == 'Algorithm 3'")["stopped"].tolist() == [2, 2, 2, 2]
    assert cells.query("check == '2 Newton steps'")["of"].tolist() == [2, 1]
    one, other = cells.iloc[0], cells.iloc[0].copy()
    other["attack"], other["stopped"] = "another", one["stopped"] - 1
    shown = race_words.strongest(pd.concat([cells, other.to_frame().T], ignore_index=True))
    (least,) = shown[(shown["family"] == one["family"]) & (shown["check"] == one["check"])].to_dict(
        "records"
    )
    assert (least["attack"], least["stopped"]) == ("another", one["stopped"] - 1)
    assert least["every"].count("<br>") == 1


def test_the_figure_s_cells_are_those_of_the_table() -> None:
    """A mark a block and check, in its place, in the colour of its share."""
    cells = race_words.strongest(race_words.matrix(made()))
    drawn = {
        (bar.customdata[i][0], bar.customdata[i][1]): (bar.name, bar.text[i])
        for bar in race_figures.grid(cells).data
        for i in range(len(bar.x))
        if bar.customdata is not None
    }
    assert len(drawn) == len(cells) == 8
    shares = (cells["stopped"] / cells["of"]).groupby(cells["check"]).sum()
    assert race_figures.best_first(cells)[0] in shares[shares == shares.max()].index
    for cell in cells.to_dict("records"):
        name, text = drawn[cell["family"], cell["check"]]
        assert text.startswith(f"<b>{cell['stopped'] / cell['of']:.0%}</b><br>")
        assert name.startswith("check wins" if cell["stopped"] == cell["of"] else "attack wins")


@pytest.mark.parametrize(("stopped", "place"), [(10, 0), (9, 0), (8, 1), (2, 1), (1, 2), (0, 2)])
def test_the_colours_change_at_the_limits_that_the_legend_states(stopped: int, place: int) -> None:
    assert race_figures.look(stopped, 10) == place
    said = [name for name, _ in race_figures.LOOKS]
    assert "90% or more" in said[0] and "10% or less" in said[2]


def test_no_target_of_the_race_is_one_that_earlier_searches_were_run_on(open_page: Open) -> None:
    asked = published_results.request_of("minimal", "digits")
    assert asked is not None
    searched = door.find("minimal-radius", asked)
    assert searched is not None
    request = published_results.request_of("polish", "digits")
    assert request is not None
    raced = door.find("polish", request)
    assert raced is not None
    own = raced.result.loc[raced.result["kind"] == "minimal", "target"]
    assert not {*own} & {*searched.result.targets}
    said = words(unfold(open_page(PAGE)))
    there = "run on the 24 targets of *How far must the model go?*, and on none of these."
    assert f"Earlier versions of the search had been {there}" in said
    assert radius_words.seen_elsewhere(0, 24) == ""
