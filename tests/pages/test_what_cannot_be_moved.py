"""What cannot be moved: the page says what is certified, and every number comes from the result."""

import numpy as np
import pandas as pd
import pytest

from engine.experiments import CertificatesRequest, CertificatesResult
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.lab import registry
from pages.defend.parts import certificate_figures as drawn
from pages.defend.parts import certificate_words as said
from tests.support.pages import Open, have_found, tables, unfold, words
from tests.support.stores import published

PAGE = registry.page("what-cannot-be-moved")


def made(violations: int = 0) -> CertificatesResult:
    """Forty samples, whose certified norms go from 1e-5 to 1e-3; half of them pushed, at ten times
    their norm; one sample in the top 1, four in the top 4."""
    tables = []
    for k in (1, 4):
        rank = np.arange(1, 41)
        norm = np.where(rank > k, np.geomspace(1e-5, 1e-3, 40), 0)
        some = (rank > k) & (rank % 2 == 0)
        table = pd.DataFrame({"k": k, "sample": rank - 1, "rank": rank, "gradient_norm": norm})
        table["radius"] = 10 * norm
        for place, kind in enumerate(("random", "worst", "attack")):
            table[f"used_{kind}"] = np.where(rank > k, 0.01 * (place + 1), np.nan)
        table["pushed"] = np.where(some, 10 * norm, np.nan)
        tables.append(table.assign(was_pushed=some))
    tried = [
        {"k": k, "kind": kind, "models": 100, "violations": violations}
        for k in (1, 4)
        for kind in ("random", "worst", "attack")
    ]
    depths = pd.DataFrame(
        {"step": [0, 1, 2], "gradient_norm": [0.1, 1e-5, 1e-15], "depth": [0, 7, 40]}
    )
    samples = pd.concat(tables, ignore_index=True)
    return CertificatesResult(1e-8, 5.0, samples, pd.DataFrame(tried), depths)


CHECKED = pd.DataFrame(
    {
        "kind": ["honest", "attacked", "attacked", "adaptive"],
        "success": [False, True, False, True],
        "gradient_norm": [1e-6, 0.05, 0.001, 0.011],
        "k": [0, 1, 1, 1],
        "target": [0, 21, 21, 22],
    }
)
SWEPT = pd.DataFrame(
    {
        "k": [1, 1, 1, 4],
        "target": [20, 20, 30, 30],
        "radius": [0.1, 0.3, 0.3, 0.05],
        "success": [True, True, False, True],
    }
)


@pytest.fixture
def certified(monkeypatch: pytest.MonkeyPatch) -> None:
    results = {"certificates": made(), "defence": CHECKED, "sweep": SWEPT}

    def find(experiment: str, request: object) -> Stored | None:
        result = results.get(experiment)
        return None if result is None else published(experiment, result, dataset="digits")

    have_found(monkeypatch, find)


def test_the_finding(open_page: Open, certified: None) -> None:
    app = open_page(PAGE)
    assert not app.exception
    text = words(app)
    share = (made().of(1)["gradient_norm"] >= 1e-4).mean()
    assert f"then {share:.1%} of samples cannot reach rank 1.**" in text
    assert "that succeed leave a slope of 0.011 or more" in text
    assert len(app.get("plotly_chart")) == 1
    text = words(unfold(app))
    assert "After 2 Newton steps the whole ranking is certified" in text
    assert "need 10 times the certified gradient norm" in text
    radius = 0.1 / made().of(1).set_index("sample")["radius"][20]
    assert f"need {radius:,.0f} times the certified radius" in text
    assert len(app.get("plotly_chart")) == 4


def test_k_is_chosen_in_the_link(open_page: Open, certified: None) -> None:
    text = words(unfold(open_page(PAGE, k="4")))
    assert "got into the top 4, in the median at 10 times" in text


def test_what_was_tried_is_shown(open_page: Open, certified: None) -> None:
    app = unfold(open_page(PAGE))
    assert "No violation by 600 models" in words(app)
    table = next(table for table in tables(app) if "violations" in table)
    assert set(table["violations"].astype(int)) == {0}
    assert table["of the lead, most"].tolist() == ["1.0%", "2.0%", "3.0%"] * 2


def test_published_attacks_stand_beside_the_pushes() -> None:
    table = said.by_norm_table(made(), 1, {20: 0.5, 21: 1e-9}).set_index("sample")
    pushed = made().of(1).set_index("sample")["pushed"]
    assert table["found"][20] == 0.5  # this one was not pushed
    assert np.isnan(pushed[20])
    assert table["found"][21] == 1e-9 < pushed[21]
    assert table["found"][23] == pushed[23]


def test_a_violation_would_be_said() -> None:
    assert said.tried_title(made(violations=1)) == (
        "6 violations by 600 models: the proof is broken"
    )


def test_the_curve_is_the_share_that_is_certified() -> None:
    result = made()
    table = pd.concat([drawn.shares_table(result, k) for k in (1, 4)])
    for row in table.iloc[::40].to_dict("records"):
        assert row["share"] == result.share(int(row["k"]), row["gradient_norm"])


def test_without_a_result_it_can_be_computed(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_found(monkeypatch, lambda *_: None)
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert app.button


def test_what_is_published(open_page: Open) -> None:
    """At least nine in ten digits are certified at 1e-4, and no model broke a certificate."""
    app = open_page(PAGE)
    assert not app.exception
    stored = door.find_published("certificates", CertificatesRequest())
    assert stored is not None
    result: CertificatesResult = stored.result
    assert result.violations == 0
    assert result.share(1, 1e-4) >= 0.9
    assert said.finding(result).split("**")[1] in words(app)
    assert (result.tried.set_index(["kind", "k"])["models"]["random"] == 10_000).all()
