"""The attack's page: links, states, a run from click to result, and what can go wrong."""

import json
import shlex
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from engine.__main__ import parser
from engine.attacks.result import AttackResult
from engine.data.load import load_dataset
from engine.experiments import AttackRequest, make_request, values_of
from engine.progress import Progress, Runs
from engine.results.jobs import JobState
from engine.results.store import Store, Stored
from engine.settings import Settings
from pages.attack.parts import baseline_view
from pages.common.asking import links
from pages.common.asking.links import EXAMPLE
from pages.common.asking.progress import LIVE_SECONDS
from pages.common.lab import registry
from pages.common.lab.shared import baseline_request
from pages.common.words import reproduce, wording
from tests.support.pages import SMALL, JobsStand, Open, address, follow, tables, unfold, words

PAGE = registry.page("move-one-sample")


def test_before_any_click_the_finding_stands_there_with_its_numbers(
    open_page: Open, example: Stored
) -> None:
    app = open_page(PAGE)
    result, said = example.result, words(app)
    target = EXAMPLE.targets[0]
    old = int(result.before.ranks[target])
    assert f"sample {target} went from rank {old:,} to rank {result.rank_test:,} of 1,200" in said
    assert "computed here" in said
    assert PAGE.question in said
    assert not app.get("plotly_chart")
    assert not may_run(app)
    assert len(unfold(app).get("plotly_chart")) == 6  # the baseline on the example is published


def test_a_link_restores_its_view(open_page: Open, settings: Settings) -> None:
    app = open_page(
        PAGE, target=700, k=3, radius=0.2, seed=4, objective="top_k", restarts=2,
        order="lowest_first",
    )  # fmt: skip
    # Its honest ranking is not there: a link does not have it computed unasked.
    assert "The honest ranking is not computed here yet. It takes a few seconds." in words(app)
    app.button[[b.label for b in app.button].index("Compute it")].click().run()
    follow(app, lambda: not app.button(key="run").disabled)
    assert not app.exception
    assert app.number_input(key="target").value == 700
    assert app.number_input(key="k").value == 3
    assert app.slider(key="radius").value == 0.2
    assert app.number_input(key="seed").value == 4
    assert app.number_input(key="restarts").value == 2
    assert app.selectbox(key="objective").value == "top_k"
    (order,) = app.get("button_group")[:1]
    assert isinstance(order, Element) and order.value == "lowest_first"
    assert wording.rank_one("lowest_first") in words(app)
    assert app.get("plotly_chart"), "the honest ranking is drawn before the attack"


def test_the_link_of_a_finished_view_names_everything(open_page: Open) -> None:
    app = open_page(PAGE)
    given = dict(parse_qsl(address(app).split("?")[1]))
    assert given == {name: str(value) for name, value in links.values_of(EXAMPLE).items()}
    for name in (
        "dataset",
        "target",
        "k",
        "radius",
        "seed",
        "objective",
        "restarts",
        "order",
        "model",
    ):
        assert name in given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "foo"),
        ("target", "99999"),
        ("target", "-1"),
        ("target", "1.5"),
        ("target", ""),
        ("k", "-3"),
        ("k", "0"),
        ("radius", "abc"),
        ("radius", "nan"),
        ("radius", "-0.1"),
        ("radius", "7"),
        ("seed", "x"),
        ("objective", "zzz"),
        ("restarts", "0"),
        ("order", "<script>`"),
        ("model", "resnet"),
    ],
)
def test_nonsense_in_a_link_opens_with_a_note(name: str, value: str, open_page: Open) -> None:
    app = open_page(PAGE, **{name: value})
    assert not app.exception
    note = app.warning[0].value
    assert f"{name}={links.clean(value)}" in note
    used = 1 if value == "1.5" else links.values_of(EXAMPLE)[name]  # Streamlit cuts 1.5 to 1
    assert app.session_state[name] == used
    assert f"uses {name} {used} instead" in note
    app.run()
    assert app.warning, "the note stays while nothing is changed"
    app.number_input(key="seed").set_value(9).run()
    assert not any("The link asks" in w.value for w in app.warning)


def test_everything_wrong_at_once(open_page: Open) -> None:
    app = open_page(PAGE, dataset="foo", target=99999, k=-3, radius="abc", objective="zzz")
    assert not app.exception
    assert len(app.warning) == 5


def test_a_target_in_the_honest_top_k_is_refused_in_words(open_page: Open, example: Stored) -> None:
    first = int(example.result.before.top(1)[0])
    app = open_page(PAGE, target=first)
    follow(app, lambda: bool(app.error))
    assert f"Sample {first} is at rank 1" in app.error[0].value
    assert app.button(key="run").disabled
    assert not app.exception


TRIES = "Every try, and a simpler way: train on the target more often"


def folds(app: AppTest) -> list[str]:
    return [section.label for section in app.expander]


def is_finished(app: AppTest) -> bool:
    """Whether the page shows a finished attack; its two tables are folded."""
    return TRIES in folds(app)


def may_run(app: AppTest) -> bool:
    """Whether the page offers to run the attack: not one that it shows."""
    return "run" in [button.key for button in app.button]


def test_run_from_click_to_result(open_page: Open, settings: Settings) -> None:
    request = replace(SMALL, targets=(11,), radius=0.4)
    app = open_page(PAGE, **links.values_of(request))
    assert "at rank" in words(app)
    app.button(key="run").click().run()
    assert not app.exception
    follow(app, lambda: is_finished(app))
    stored = find(settings, request)
    assert stored is not None
    assert wording.headline(stored.result) in words(app)
    assert not may_run(app)
    assert len(tables(unfold(app))) == 2


def test_the_baseline_is_offered_beside_a_finished_attack_and_computed(
    open_page: Open, settings: Settings
) -> None:
    app = open_page(PAGE, **links.values_of(SMALL))
    assert TRIES in folds(app)
    charts = len(unfold(app).get("plotly_chart"))
    app.button(key="offer-baseline").click().run()
    follow(app, lambda: "weight of 1 is" in words(app))
    assert not app.exception
    assert len(app.get("plotly_chart")) == charts + 1
    asked = baseline_request(SMALL)
    stored = Store.of(settings).find("baseline", asked, data_hash(settings))
    assert stored is not None
    assert baseline_view.title(stored.result, attack_of(settings)) in words(app)


def test_a_network_is_chosen_attacked_and_taken_along(open_page: Open, settings: Settings) -> None:
    app = open_page(PAGE, **links.values_of(SMALL))
    # its samples have no pictures
    assert app.selectbox(key="model").options == ["linear", "network (MLP)"]
    app.selectbox(key="model").set_value("mlp").run()
    follow(app, lambda: not app.button(key="run").disabled)
    assert "The model is a network, one hidden layer of 32 tanh units" in words(app)
    app.button(key="run").click().run()
    follow(app, lambda: is_finished(app))
    assert not app.exception
    request = replace(SMALL, model="mlp")
    stored = find(settings, request)
    assert stored is not None
    assert wording.headline(stored.result) in words(app)
    assert f"{stored.result.model.parameters.size:,} parameters" in words(app)
    said = [code.value for code in unfold(app).code]
    assert "for the linear model only" in words(app)
    assert any("engine.fit_network(dataset, 'mlp', l2=" in code for code in said)
    assert any("--model mlp" in code for code in said)
    assert any("model=mlp" in code for code in said)


def data_hash(settings: Settings) -> str:
    return load_dataset(SMALL.dataset, settings.data_dir).content_hash


def attack_of(settings: Settings) -> AttackResult:
    stored = find(settings, SMALL)
    assert stored is not None
    return stored.result


def test_features_of_ones_own_are_shown_without_pictures(
    open_page: Open, settings: Settings
) -> None:
    app = open_page(PAGE, **links.values_of(SMALL))
    stored = find(settings, SMALL)
    assert stored is not None
    assert not app.exception
    assert not app.error
    assert wording.headline(stored.result) in words(app)
    assert "your features file" in words(app)
    unfold(app)
    assert "<img" not in words(app)
    assert "picture" not in tables(app)[0].columns


def test_a_broken_features_file_is_explained(open_page: Open) -> None:
    app = open_page(PAGE, dataset="broken")
    assert not app.exception
    assert "cannot be used" in app.error[0].value
    assert "numpy.savez" in app.error[0].value
    app.selectbox(key="dataset").set_value("digits").run()
    assert not app.error


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState("failed", message="the radius has gone"), "the radius has gone"),
        (JobState("died", message="ended at step 3"), "a new worker takes over"),
        (JobState("cancelled"), "was cancelled"),
    ],
)
def test_an_attack_that_ended_without_a_result(
    state: JobState, said: str, open_page: Open, jobs_stand: JobsStand
) -> None:
    jobs_stand(state)
    app = open_page(PAGE, target=700)
    assert not app.exception
    assert said in words(app)
    again = app.button(key="run")
    assert again.label == "Start again"
    assert not again.disabled


@pytest.mark.parametrize(("place", "said"), [(1, "next in line"), (3, "behind 2 other jobs")])
def test_the_place_in_the_queue_is_said(
    place: int, said: str, open_page: Open, jobs_stand: JobsStand
) -> None:
    jobs_stand(JobState("queued", place))
    app = open_page(PAGE, target=700)
    assert not app.exception
    assert said in words(app)
    assert [b.label for b in app.button].count("Cancel …") == 1  # not this visitor's: it asks


@pytest.mark.parametrize(("seconds", "figures"), [(1.0, 0), (LIVE_SECONDS, 1)])
def test_live_progress(
    open_page: Open, jobs_stand: JobsStand, seconds: float, figures: int
) -> None:
    told = tuple(
        Progress(
            step=step,
            steps=100,
            runs=Runs((0, 1), (200 - step, 91 - 90 * step), (0.1, 0.2), (0.9, 0.9), (0.9, 0.9)),
        )
        for step in range(2)
    )
    jobs_stand(JobState("running", progress=told, seconds=seconds))
    app = open_page(PAGE, target=700)
    assert not app.exception
    assert "Step 1 of 100: best rank so far 1; 1 of 10 runs arrived" in words(app) + progress(app)
    assert len(app.get("plotly_chart")) == figures


def test_a_damaged_result_is_said(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "damage", lambda self, *asked: "runs.parquet is missing")
    app = open_page(PAGE, target=700)
    assert "runs.parquet is missing" in words(app)


def test_the_python_snippet_runs_and_gives_the_same_result(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(reproduce.snippet(SMALL, str(settings.data_dir)), {})
    stored = find(settings, SMALL)
    assert stored is not None
    result = stored.result
    printed = capsys.readouterr().out.split()
    assert printed[:3] == [str(result.success), str(result.rank_test), str(result.rank_holdout)]


def test_the_command_asks_for_the_same(settings: Settings) -> None:
    for request in (SMALL, EXAMPLE):
        words_ = shlex.split(reproduce.command_of("attack", request))
        assert words_[:3] == ["python", "-m", "engine"]
        given = vars(parser().parse_args(words_[3:]))
        fields = AttackRequest.__dataclass_fields__
        asked = {name: given[name] for name in fields}
        assert make_request("attack", asked) == request


def test_the_request_as_json_can_be_read_again() -> None:
    said = json.loads(reproduce.requests_json([("attack", values_of(EXAMPLE))]))
    assert make_request(said["experiment"], said["request"]) == EXAMPLE


def find(settings: Settings, request: AttackRequest) -> Stored | None:
    content = load_dataset(request.dataset, settings.data_dir).content_hash
    return Store.of(settings).find("attack", request, content)


def progress(app: AppTest) -> str:
    return " ".join(e.proto.text for e in app.get("progress"))


def test_a_choice_carries_over_from_page_to_page(open_page: Open) -> None:
    app = open_page(PAGE, target=700, k=3)
    app.switch_page(registry.page("apart").file).run()
    app.query_params.clear()
    app.switch_page(PAGE.file).run()
    assert not app.exception
    assert app.number_input(key="target").value == 700
    assert app.number_input(key="k").value == 3
