"""Why it is fast: measured or not, the page says what there is."""

import pytest

from engine.experiments import GradientsRequest, SolversRequest
from engine.results.store import Stored
from pages.common.lab import registry
from tests.support.pages import Open, have_found, tables, unfold, words
from tests.support.speed import comparison, scaling, solvers
from tests.support.stores import published

PAGE = registry.page("why-fast")


def show(monkeypatch: pytest.MonkeyPatch, naive: str = "ok", slope: float = 1.0) -> None:
    """Have these made-up measurements found in the store."""

    def find(experiment: str, request: object) -> Stored:
        if isinstance(request, SolversRequest):
            return published("solvers", solvers())
        if not isinstance(request, GradientsRequest):
            return published("scaling", scaling(slope))
        status = naive if request.n_parameters > 6000 else "ok"
        return published("gradients", comparison(request.n_parameters, status))

    have_found(monkeypatch, find)


def test_the_finding_is_the_ratio_at_the_larger_size(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch)
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert "gradient 100 times faster than automatic differentiation**" in said
    assert "and in 100 times less memory." in said
    assert "The same gradient, computed three ways" in said
    assert "one such gradient, here of 75,813 parameters" in said
    assert "precomputed 24 November 2026" in said
    assert len(app.get("plotly_chart")) == 1
    said = words(unfold(app))
    assert not app.exception
    assert "Nothing grows faster than its size" in said
    assert "Exponents of growth: 1.00 to 1.00 in time" in said
    assert "A good solver is 8 times as fast as LiSSA, the closed form another 2 times" in said
    assert "takes 2 times as long as the closed form and 2 times the memory" in said
    assert len(app.get("plotly_chart")) == 4
    assert len(tables(app)) == 3


def test_what_did_not_fit_and_what_grows_too_fast_is_said(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch, naive="out of memory", slope=1.6)
    said = words(unfold(open_page(PAGE)))
    assert "formula gives a gradient in 20 MB of memory.**" in said
    assert "the usual way, did not fit into 12 GB." in said
    assert "Costs grow with up to the power 1.60 of a size" in said
    assert "Nothing grows faster" not in said
    assert "Exponents of growth: 1.60 to 1.60 in time" in said


def test_nothing_measured_is_offered(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    have_found(monkeypatch, lambda experiment, request: None)
    app = open_page(PAGE)
    assert not app.exception
    assert not app.error
    assert "It has not been measured here yet" in words(app)
    assert {"offer-gradients", "offer-scaling", "offer-solvers"} <= {b.key for b in app.button}
