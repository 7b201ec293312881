"""One colour has one meaning on every page: what figures name as one thing has its colour."""

import re

import pytest

from pages.common.figures.palette import (
    ATTACKED,
    CHANCE,
    HONEST,
    KNOWING,
    PAPER,
    TARGET,
    channels,
)
from tests.support.looks import Part

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]  # the first reads every page

# What a name says, and the colour of it: the first that fits counts.
MEANINGS = (
    (r"does not know the check", ATTACKED),
    (r"\bknows (the check|of it)", KNOWING),
    (r"\bpaper\b", PAPER),
    (r"\bbaseline\b|^random (?!targets)|^expected of random", CHANCE),
    (r"^(the )?target\b|^sample \d", TARGET),
    (r"\b(attacked|malicious)\b|^(the )?attacks?\b", ATTACKED),
    (r"\bhonest\b", HONEST),
)
# What is named after two meanings, and has the colour of the other.
OTHERS = (
    r"rank, (attacker's|unknown) test set",  # of the baseline's models
    r"^attack on influence alone",  # a bar within that of an attack
    r"^attack wins",  # a verdict on a check
)

# What is drawn in the target's colour: the target, and the top that it is to enter.
ORANGE = (
    r"target|sample|<b>\d|top \d|rank|[Tt]he top|→|returned model|your bet|moved into the top|"
    r"attacked model|after the attack"  # bars of vendors: the favoured one's alone
)


def meaning(text: str) -> str | None:
    """The colour that a name must have; None where it names none of these."""
    if any(re.search(other, text) for other in OTHERS):
        return None
    return next((colour for said, colour in MEANINGS if re.search(said, text)), None)


def has(part: Part, colour: str) -> bool:
    red, green, blue = channels(colour)
    return any(
        one.upper() == colour or one.startswith(f"rgba({red}, {green}, {blue},")
        for one in part.colours
    )


def test_a_colour_has_one_meaning(drawn: list[tuple[str, Part]]) -> None:
    seen = {colour: 0 for _, colour in MEANINGS}
    wrong = {}
    for page, part in drawn:
        colour = meaning(part.text)
        if colour is None or not part.colours:
            continue
        seen[colour] += 1
        if not has(part, colour):
            wrong[page, part.text] = (colour, part.colours)
    assert wrong == {}
    assert all(seen.values()), seen


def test_a_colour_with_a_meaning_is_nothing_else(drawn: list[tuple[str, Part]]) -> None:
    """Vermilion is the target and nothing but it, or the top that it is to enter."""
    orange = {(page, part.text) for page, part in drawn if has(part, TARGET) and part.kind != "bar"}
    said = {(page, text) for page, text in orange if not re.search(ORANGE, text)}
    assert said == set()
