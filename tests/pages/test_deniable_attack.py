"""The deniable attack: its words and its checks, counted again from the stored tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.experiments import DeniableRequest, DeniableResult
from engine.results.store import Store
from engine.settings import PUBLISHED
from pages.common.figures.palette import ATTACKED
from pages.common.lab import published_results, registry
from pages.defend.parts import deniable_figures as drawn
from pages.defend.parts import deniable_words as said
from tests.support.pages import Open, tables, unfold, words

PAGE = registry.page("deniable")


def made() -> DeniableResult:
    """Four random targets and two near the top, by two means; half of them arrive."""
    rows = []
    for means in ("weights", "together"):
        for crowd, n in (("random", 4), ("near", 2)):
            for i in range(n):
                arrived = i % 2 == 0
                row: dict[str, object] = {
                    "means": means, "crowd": crowd, "target": i, "rank_before": 5 + i,
                    "arrived": arrived, "epsilon": 0.1 + 0.05 * i if arrived else 0.5,
                    "rank_after": 1 if arrived else 4, "gap": -0.1 if arrived else 0.3,
                    "lost_test": 0.0, "lost_holdout": 0.01, "correlation": 0.8, "fits": 9,
                    "l2": 0.01,
                }  # fmt: skip
                checked: dict[str, object] = {
                    "gradient_norm": 1e-13, "relative": 1e-12, "audit": 1e-9,
                    "rank_declared_hessian": 1.0 + i, "declared_after": 1.0, "usual_norm": 0.1,
                    "usual_decrement": 0.2, "usual_after_one": 6.0 + i, "usual_after": 5.0 + i,
                    "averaged": 7.0 + i, "around": 1.0 + i,
                }  # fmt: skip
                rows.append(row | (checked if arrived else dict.fromkeys(checked, np.nan)))
    n = 30
    rank = np.arange(1, n + 1)
    samples = {"rank": rank, "best_by_l2": np.maximum(rank - 2, 1)}
    for e, width in ((0.1, 1), (0.5, 4)):
        samples |= {
            f"lowest_{e:g}": np.maximum(rank - width, 1),
            f"highest_{e:g}": np.minimum(rank + width, n),
            f"averaged_{e:g}": rank,
        }
    return DeniableResult(
        k=1,
        limit=0.5,
        accuracy=0.95,
        table=pd.DataFrame(rows),
        line=pd.DataFrame(
            {"l2": [0.1, 0.001], "accuracy": [0.93, 0.94], "correlation": [0.7, 0.8], "first": 0}
        ),
        samples=pd.DataFrame(samples),
        drawn=pd.DataFrame(
            {
                "epsilon": [0.1, 0.1, 0.5, 0.5],
                "accuracy": [0.94, 0.95, 0.93, 0.96],
                "correlation": [0.99, 0.98, 0.9, 0.85],
            }
        ),
        trainers=pd.DataFrame({"first": [0, 1], "averaged": [1, 2], "correlation": [0.95, 0.97]}),
    )


def test_words_count_the_rows() -> None:
    result = made()
    assert "Sometimes: 2 of 4 random samples reach rank 1.**" in said.finding(result)
    found = said.nearest(result, 0.02)
    assert "For sample 0 it is" in found and "0.90 to 1.10 times and L2 is 0.01, not 0.02." in found
    none = replace(result, table=result.table.assign(arrived=False))
    assert said.finding(none) == "No: of 4 random samples none reaches rank 1."
    assert "leaves 0 of 6" in said.averaging(result)
    assert said.at(result, 0.1) == "Up to ±10%: 1 of 4 samples reach rank\u00a01"
    assert "2 of 4 samples reach" in said.at(result, 0.2)
    assert "±20% means that a sample counts as 0.8 to 1.2 samples" in said.meaning(result, None)
    assert "only if accuracy falls by at most 2.5 points." in said.meaning(result, 0.025)
    rows = pd.DataFrame({"arrived": [True, False, False, False], "rank_after": [1, 1, 9, 8]})
    assert drawn.others_said(rows, 1, None) == "2 not moved<br>1 loses too much"
    assert drawn.others_said(rows[:2], 1, 0.025) == "1 loses over 2.5 points of accuracy"
    assert drawn.others_said(rows[2:], 1, 0.025) == "2 not moved"
    table = said.checks(result).set_index("check")["attacks that pass"]
    assert table["audit of the reported scores"] == "6 of 6"
    assert table["5 Newton steps on the usual loss"] == "0 of 6"
    assert table["scores averaged around what was declared"] == "4 of 6"
    assert table["gradient norm of the usual loss"] == "0 of 6"
    wide = said.honest_choices(result)
    assert wide["width of a sample's ranks, median"].tolist() == ["2", "8"]
    assert "3 samples of 30 are first" in said.l2_alone(result)


def test_figures_draw_every_arrival() -> None:
    result = made()
    table = drawn.steps(result)
    assert len(table) == 6
    assert table.groupby(["means", "crowd"])["share"].max().eq(0.5).all()
    for means in ("weights", "together"):
        figure = drawn.curve(result, 0.2, means)
        assert [len(trace.x) for trace in figure.data] == [4, 3]
    assert len(drawn.intervals(result, 0.5).data) == 2


def test_the_first_figure_draws_as_moved_what_needs_no_more_than_is_granted() -> None:
    """Targets 0 and 2 arrive with ε 0.1 and 0.2; 1 and 3 stay in the last row."""
    for epsilon, moved in ((0.05, 0), (0.1, 1), (0.2, 2)):
        figure = drawn.moves(made(), epsilon, "together", 0.025)
        assert [trace.x[0] for trace in figure.data] == [0.1, 0.2]
        colours = [trace.marker.color for trace in figure.data]
        assert [colour == ATTACKED for colour in colours].count(True) == moved
        said_of = [text.split("<br>") for text in figure.layout.yaxis.ticktext]
        assert [line[-1] for line in said_of] == ["rank 5 → 1", "rank 7 → 1", "<b>2 others</b>"]
        assert figure.layout.shapes[0].x0 == epsilon


@pytest.fixture(scope="module")
def published() -> DeniableResult:
    request = published_results.request_of("deniable", "digits")
    assert request == DeniableRequest()
    stored = Store(PUBLISHED, PUBLISHED).find_published("deniable", request)
    assert stored is not None
    result: DeniableResult = stored.result
    return result


def test_the_page_says_what_is_published(published: DeniableResult, open_page: Open) -> None:
    """Every number counted again from the columns."""
    app = open_page(PAGE)
    text = words(app)
    assert not app.exception and not app.warning
    table = published.table
    last = table[table["means"] == "together"]
    drawn_at_random = last[last["crowd"] == "random"]["arrived"]
    assert f"{drawn_at_random.sum()} of {len(drawn_at_random)} random samples reach rank 1" in text
    there = table[table["arrived"]]
    text = words(unfold(app))
    assert f"leaves {(there['averaged'] <= 1).sum()} of {len(there)}." in text
    shown = next(t for t in tables(app) if "attacks stopped" in t.columns)
    stopped = shown.set_index("what is checked")["attacks stopped"]
    unmoved = (there["declared_after"] > 1).sum()
    assert stopped["the declared loss: train further"] == f"{unmoved} of {len(there)}"
    left = (there["usual_after"] > 1).sum()
    assert stopped["a loss that the verifier fixes: train further"] == f"{left} of {len(there)}"
    cells = next(t for t in tables(app) if "attacks that pass" in t.columns)
    passed = cells.set_index("check")["attacks that pass"]
    audited = (there["audit"] < 1e-6).sum()
    assert passed["audit of the reported scores"] == f"{audited} of {len(there)}"
    assert passed["5 Newton steps on the declared loss"].startswith(
        f"{(there['declared_after'] <= 1).sum()} of"
    )
    within = (last["arrived"] & (last["crowd"] == "random")).sum()
    assert f"Up to ±50%: {within} of {len(drawn_at_random)} samples reach" in text


def test_what_is_folded_opens(published: DeniableResult, open_page: Open) -> None:
    app = open_page(PAGE)
    unfold(app)
    assert not app.exception
    text = words(app)
    first = (published.samples["best_by_l2"] <= 1).sum()
    assert f"{first} sample" in text and "l2 alone" in text
    assert len(app.get("plotly_chart")) == 4


def test_published_attacks_are_minima_of_what_they_declare(published: DeniableResult) -> None:
    """Every arrival in the table passes what looks for a minimum, and none the usual loss."""
    there = published.arrived
    assert len(there) > 0
    assert there["gradient_norm"].max() < 1e-9 and there["audit"].max() < 1e-6
    assert (there["rank_after"] == 1).all() and (there["declared_after"] == 1).all()
    assert (there["usual_after"] == there["rank_before"]).mean() > 0.9


def test_without_a_result_it_offers_to_compute_it(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = DeniableRequest(seed=5)
    monkeypatch.setattr(published_results, "request_of", lambda role, name: elsewhere)
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)
