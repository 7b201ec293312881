"""Easy or hard: the finding before any click, the bet, links, and data without attacks."""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.data.load import load_dataset
from engine.experiments import SensitivityRequest
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import JobState
from engine.results.store import Store, Stored
from engine.settings import Settings
from engine.statistics import Interval, rank_correlation
from pages.attack.parts import ease_words, fifths_figure, moved_targets, searched_radius
from pages.common.asking import door
from pages.common.asking.links import EXAMPLE
from pages.common.lab import published_results, registry
from tests.support.pages import JobsStand, Open, check_note, unfold, words

PAGE = registry.page("easy-or-hard")
Sweeps = Mapping[str, Stored]


@pytest.fixture
def small_norms(settings: Settings) -> None:
    """The gradient norms of the small features file."""
    request = SensitivityRequest("small")
    dataset = load_dataset("small", settings.data_dir)
    compute_and_keep("sensitivity", request, dataset, settings, ignore)


def test_question_answer_and_figure_stand_beside_the_bet(open_page: Open) -> None:
    app = open_page(PAGE)
    said = words(app)
    assert not app.exception
    assert not app.warning
    assert ease_words.QUESTION in said
    assert (
        "Yes, a little: none of the 10 most sensitive needs a model move of more than 30%; 7 of "
        "the other 40 do." in said
    )
    assert fifths_figure.TITLE in said
    assert "the rank correlation of sensitivity and needed move is −0.45" in said
    assert "precomputed" in said
    assert len(app.get("plotly_chart")) == 1
    assert app.selectbox(key="k").value == 1
    assert app.selectbox(key="radius").value == 0.3
    unfold(app)
    said = words(app)
    assert "times as sensitive as between" in said
    assert "Spearman −0.4" in said and "95% interval" in said
    assert "over 50 targets" in said
    assert "24 exact norms" in said
    assert "nearness to either end of the ranking" in said
    assert len(app.get("plotly_chart")) == 4
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))


def test_too_few_attacks_and_none_are_said() -> None:
    request = published_results.request_of("sensitivity", "digits")
    assert request is not None
    stored = door.find_published("sensitivity", request)
    assert stored is not None
    few = moved_targets.ATTACKS.head(0)
    assert ease_words.norms_title(stored.result) in ease_words.finding(stored.result, few, None)
    tried = pd.DataFrame({"norm": [1.0, 2.0], "least": [0.1, 0.3]})
    assert "It cannot be told here" in ease_words.finding(stored.result, tried, None)


@pytest.mark.parametrize("seed", range(5))
def test_a_bar_is_split_by_the_move_that_its_samples_need(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tried = pd.DataFrame(
        {
            "rank": np.arange(12), "norm": rng.random(12),
            "least": rng.choice([0.1, 0.3, np.inf], 12), "moved": False,
        },
        index=pd.Index(np.arange(12), name="sample"),
    )  # fmt: skip
    parts = np.array_split(tried.sort_values("norm")["least"].to_numpy(), 5)
    enough = parts[-1].max()
    figure = fifths_figure.by_fifth(fifths_figure.fifths(tried))
    drawn = {bar.name: bar for bar in figure.data}
    wanted = {f"up to {100 * at:g}%": (at, at) for at in (0.1, 0.3) if at <= enough}
    wanted["no tried move is enough" if np.isinf(enough) else "further"] = (
        np.nextafter(enough, np.inf),
        np.inf,
    )
    if np.isinf(enough):
        wanted["no tried move is enough"] = (np.inf, np.inf)
    counts = {
        name: [int(((part >= low) & (part <= high)).sum()) for part in parts]
        for name, (low, high) in wanted.items()
    }
    assert set(drawn) == {name for name, many in counts.items() if any(many)}
    for name, bar in drawn.items():
        assert list(bar.x) == [n / len(part) for n, part in zip(counts[name], parts, strict=True)]
        assert list(bar.text) == [str(n) if n else "" for n in counts[name]]


def test_the_row_that_does_not_follow_the_order_is_named() -> None:
    def parts(further: list[int]) -> pd.DataFrame:
        rows = [
            {"fifth": fifth, "least": radius, "targets": targets, "of": 4}
            for fifth, many in enumerate(further)
            for radius, targets in ((0.3, 4 - many), (0.5, many))
            if targets
        ]
        return pd.DataFrame(rows)

    assert fifths_figure.against_order(parts([4, 3, 3, 1, 0])) is None
    wrong = fifths_figure.against_order(parts([2, 4, 1, 0, 0]))
    assert wrong == ("least sensitive", "less")


@pytest.mark.parametrize(
    ("least", "most", "correlation", "said"),
    [
        ((0.3, 0.5), (0.1, 0.3), -0.4, "Yes, a little: none of the 2 most sensitive needs a "
         "model move of more than 30%; 1 of the other 2 does."),
        ((0.3, np.inf), (0.1, 0.3), -0.9, "Yes: none of the 2 most sensitive needs"),
        ((0.3, 0.5), (0.1, np.inf), -0.4, "Yes, a little: the model need not move as far"),
        ((0.3, 0.3), (0.1, 0.3), -0.4, "Yes, a little: the model need not move as far"),
        ((0.1, 0.3), (0.3, 0.5), 0.4, "No: the model must move further for sensitive samples."),
        ((0.1, 0.3), (0.3, 0.3), 0.1, "It cannot be told: the difference may be chance."),
    ],
)  # fmt: skip
def test_the_answer_follows_from_the_correlation_and_the_ends(
    least: tuple[float, float], most: tuple[float, float], correlation: float, said: str
) -> None:
    rows = [
        {"fifth": fifth, "least": radius, "targets": 1, "of": 2}
        for fifth, radii in ((0, least), (4, most))
        for radius in radii
    ]
    interval = Interval(correlation - 0.2, correlation + 0.2)
    found = moved_targets.Prediction(correlation, interval, 0.5, Interval(0.0, 1.0))
    assert ease_words.answer(pd.DataFrame(rows), found).startswith(said)


def test_the_searched_radius_is_compared_with_the_norm(open_page: Open) -> None:
    """The correlation, counted again from the two published results."""
    search = published_results.request_of("minimal", "digits")
    norms = published_results.request_of("sensitivity", "digits")
    assert search is not None and norms is not None
    radii = door.find_published("minimal-radius", search)
    result = door.find_published("sensitivity", norms)
    assert radii is not None and result is not None
    least = np.where(radii.result.arrived, radii.result.radius, np.inf)
    value = rank_correlation(result.result.norms[radii.result.targets], least)
    said = words(unfold(open_page(PAGE)))
    assert f"Spearman {value:.2f}".replace("-", "−") in said
    assert f"The {len(least)} targets of the page “How far must the model go?”" in said


def test_the_figure_of_searched_radii_has_every_target() -> None:
    tried = pd.DataFrame(
        {
            "rank": [5, 9, 40], "norm": [1.0, 2.0, 0.5], "least": [0.1, 0.2, np.inf],
            "moved": [True, True, False],
        },
        index=pd.Index([3, 1, 7], name="sample"),
    )  # fmt: skip
    figure = searched_radius.scatter(tried, None)
    assert [len(trace.x) for trace in figure.data] == [2, 1]
    assert list(figure.data[0].y) == [0.1, 0.2]
    assert figure.data[1].y[0] > 0.2  # above every radius that was found
    assert [row[searched_radius.SAMPLE] for row in figure.data[0].customdata] == [3, 1]


@pytest.mark.parametrize(
    ("correlation", "interval", "said"),
    [
        (-0.6, (-0.8, -0.2), "the less the model must change"),
        (0.6, (0.2, 0.8), "the more the model must change"),
        (-0.1, (-0.4, 0.3), "does not tell"),
    ],
)
def test_its_title_says_which_way(
    correlation: float, interval: tuple[float, float], said: str
) -> None:
    nothing = Interval(0.0, 1.0)
    told = moved_targets.Prediction(correlation, Interval(*interval), 0.5, nothing)
    assert said in searched_radius.title(told)


def test_a_bet_is_placed_first_and_answered_then(open_page: Open) -> None:
    app = open_page(PAGE)
    bets = [b for b in app.button if (b.key or "").startswith("bet-") and b.key != "bet-again"]
    assert len(bets) in (2, 3)
    assert "you won" not in words(app) and "and lost" not in words(app)
    bets[0].click().run()
    assert not app.exception
    said = words(app)
    assert ("you won" in said) != ("and lost" in said)
    assert "Betting on the most sensitive score" in said
    assert "sensitivity" in said
    assert not [b for b in app.button if b.key in {bet.key for bet in bets}]
    app.button(key="bet-again").click().run()
    assert not app.exception
    assert "you won" not in words(app) and "and lost" not in words(app)


def test_what_else_was_attacked_is_marked_and_not_counted(
    open_page: Open, settings: Settings
) -> None:
    """A single attack on the digits, at the radius of the page, is a mark more."""

    def marked() -> int:
        found = re.search(r"Marked besides: (\d+) target", words(unfold(open_page(PAGE))))
        return int(found[1]) if found else 0

    before = marked()
    request = replace(EXAMPLE, targets=(900,), radius=0.3, restarts=1, steps=5)
    dataset = load_dataset("digits", settings.data_dir)
    compute_and_keep("attack", request, dataset, settings, ignore)
    assert marked() == before + 1
    assert "over 50 targets" in words(unfold(open_page(PAGE)))


def test_another_k_is_another_bet(open_page: Open) -> None:
    app = open_page(PAGE)
    next(b for b in app.button if (b.key or "").startswith("bet-")).click().run()
    app.selectbox(key="k").set_value(30).run()
    assert not app.exception
    assert "you won" not in words(app) and "and lost" not in words(app)
    next(b for b in app.button if (b.key or "").startswith("bet-")).click().run()
    assert "into the top 30" in words(app)


def test_a_link_restores_k_and_radius(open_page: Open) -> None:
    app = open_page(PAGE, k=10, radius=0.1)
    assert not app.exception
    assert not app.warning
    assert (app.selectbox(key="k").value, app.selectbox(key="radius").value) == (10, 0.1)
    assert "at radius 0.1 some run moved" in words(unfold(app))


@pytest.mark.parametrize(("name", "value"), [("k", "7"), ("radius", "9"), ("radius", "<b>")])
def test_a_bad_link_falls_back_and_says_so(open_page: Open, name: str, value: str) -> None:
    check_note(open_page(PAGE, **{name: value}), name, value)


def test_features_of_ones_own_have_no_pictures(
    open_page: Open, as_published: Sweeps, small_norms: None
) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert not app.error
    assert "computed here · your features file" in words(app)
    assert len(unfold(app).get("plotly_chart")) >= 1


def test_without_attacks_the_norms_stand_alone(open_page: Open, small_norms: None) -> None:
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "No sweep over random targets of “small” is published" in words(app)
    assert len(app.get("plotly_chart")) == 1
    assert not [b for b in app.button if (b.key or "").startswith("bet-")]


def test_what_is_not_computed_is_offered(
    open_page: Open, jobs_stand: JobsStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = Store.find_entry

    def without_norms(store: Store, experiment: str, entry: str) -> Stored | None:
        return None if experiment == "sensitivity" else find(store, experiment, entry)

    monkeypatch.setattr(Store, "find_entry", without_norms)
    jobs_stand(JobState("unknown"))
    app = open_page(PAGE)
    assert not app.exception
    assert "This is not computed for" in words(app)
    assert app.button(key="offer-sensitivity")


def test_nothing_moved_is_said(
    open_page: Open,
    as_published: Sweeps,
    small_norms: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moved_targets, "prediction", lambda name, tried, n: None)
    monkeypatch.setattr(moved_targets, "deal", lambda tried, number: [])
    app = open_page(PAGE, dataset="small")
    assert not app.exception
    assert "nothing to predict" in words(app)


def test_data_that_cannot_be_used_is_said(open_page: Open) -> None:
    app = open_page(PAGE, dataset="broken")
    assert not app.exception
    assert "cannot be used" in words(app)
