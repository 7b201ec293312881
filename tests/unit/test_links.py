"""Links: what they ask for, what of it can be used, and that they restore a view."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.experiments import AttackRequest
from engine.vocabulary import MODELS, OBJECTIVES, ORDERS
from pages.common.asking import links

FALLBACK = links.values_of(links.EXAMPLE)
EXPECTED: links.Expected = {
    "dataset": ["digits"],
    "model": list(MODELS),
    "objective": list(OBJECTIVES),
    "order": list(ORDERS),
    **links.ranges(1200),
}


def problems(**given: str) -> list[str]:
    return links.problems(given, EXPECTED, FALLBACK)


def test_the_link_to_a_request_is_usable_and_complete() -> None:
    request = AttackRequest(targets=(3,), k=7, radius=0.2, seed=5, restarts=2, order="lowest_first")
    given = dict(parse_qsl(links.query(links.values_of(request))[1:]))
    assert problems(**given) == []
    assert given == {name: str(value) for name, value in links.values_of(request).items()}


@given(st.dictionaries(st.sampled_from([*FALLBACK, "other"]), st.text(max_size=60)))
def test_any_text_is_judged_without_an_error(given: dict[str, str]) -> None:
    for note in problems(**given):
        assert note.count("`") == 2
        assert "\n" not in note


@pytest.mark.parametrize("text", ["1.5", "0x5", "inf", "-inf", "nan", "", " ", "²", "1200", "-1"])
def test_what_is_no_target(text: str) -> None:
    assert len(problems(target=text)) == 1


def test_notes_name_value_and_fallback() -> None:
    (note,) = problems(radius="abc")
    assert note == (
        "The link asks for `radius=abc`, but radius must be a number from 0.01 to 1. "
        f"The lab uses radius {links.EXAMPLE.radius} instead."
    )


def test_parameters_of_others_are_left_alone() -> None:
    assert problems(utm_source="mail") == []


def test_a_tick_is_read_as_it_is_written() -> None:
    allowed, held = {"merged": (False, True)}, {"merged": True}
    assert links.query(held) == "?merged=true"
    assert links.readable((False, True), "true") is True
    assert links.problems({"merged": "true"}, allowed, held) == []
    (note,) = links.problems({"merged": "True"}, allowed, {"merged": False})
    assert "merged must be one of false, true" in note
