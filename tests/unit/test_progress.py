"""What a computation tells: written and read again as it was."""

import json

import pytest

from engine.progress import Progress, Runs

RUNS = Runs((0, 2), (7, 1), (-0.5, 0.25), (0.9, 0.8), (0.7, 0.6))


@pytest.mark.parametrize(
    "told",
    [
        Progress(),
        Progress(0, 12),
        Progress(step=0, steps=9, runs=RUNS),
        Progress(3, 12, last="the first batch", found=2, notice="No scheduler “answers”.\nHere."),
        Progress(tried=1000, beaten=3),
    ],
)
def test_a_report_is_one_line_and_read_as_it_was_written(told: Progress) -> None:
    line = told.to_json()
    assert "\n" not in line
    assert Progress.from_json(line) == told


def test_what_says_nothing_takes_no_room() -> None:
    assert json.loads(Progress(1, 2).to_json()) == {"done": 1, "total": 2}


def test_a_line_of_another_version_is_read_as_far_as_it_is_known() -> None:
    assert Progress.from_json('{"step": 3, "steps": 9, "run": [0]}') == Progress(step=3, steps=9)


@pytest.mark.parametrize(
    ("told", "share"),
    [
        (Progress(), 0.0),
        (Progress(3, 12), 0.25),
        (Progress(3, 12, step=9, steps=9), 0.25),  # a step of a part is no share of the whole
        (Progress(step=2, steps=4), 0.5),
        (Progress(13, 12), 1.0),
    ],
)
def test_the_share_that_is_finished(told: Progress, share: float) -> None:
    assert told.share == share
