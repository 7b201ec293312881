"""Lists of numbers, written as text in a control."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import InvalidInput


@dataclass(frozen=True)
class Axis:
    """One list of numbers that a control asks for: its name in links, label, help."""

    name: str
    label: str
    help: str
    whole: bool = False


def read_numbers(axis: Axis, text: str) -> tuple[float, ...]:
    """Return the numbers in a text like '0.1, 0.3'. Raises InvalidInput."""
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    kind = "whole numbers" if axis.whole else "numbers"
    try:
        return tuple(int(part) if axis.whole else float(part) for part in parts)
    except ValueError:
        raise InvalidInput(axis.label, text, f"{kind} with commas between them") from None


def shown_numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
