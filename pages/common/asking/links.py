"""Links: which parameters a view has, what of a link can be used, and the link to a view.

The names are the same on every page and are the fields of `AttackRequest`, `target` for `targets`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from engine.experiments import AttackRequest
from engine.experiments.attack import ATTACK
from engine.options import taken_from
from engine.settings import PUBLISHED

RADIUS_LOW, RADIUS_HIGH, RADIUS_STEP = 0.01, 1.0, 0.01
SEED_HIGH = 2**31 - 1
NAMED = 12  # of more choices a note says how many there are, not which
RESTARTS_HIGH = 20
TARGETS_HIGH = 10_000  # of a sweep
T = TypeVar("T")


def published_example() -> AttackRequest:
    """Return the finished example that the lab opens with, and the default of every control: the
    first attack among what is published."""
    listed = json.loads((PUBLISHED / "requests.json").read_text(encoding="utf-8"))
    first = next(entry for entry in listed if entry["experiment"] == "attack")
    return ATTACK.make(first["request"])


EXAMPLE = published_example()
REMEDIES = dict.fromkeys(  # what to do about a value that is not on this server
    ("dataset", "table"),
    " A data set that is not on this server can be prepared or brought in on the page “Data sets”; "
    "then the link opens as it was meant.",
) | {
    "result": " It is not kept here: compute it on its page, or import it in a bundle below.",
}


@dataclass(frozen=True)
class Range:
    """The numbers a parameter may take."""

    low: float
    high: float
    whole: bool = True

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.high:,g}".replace(",", "")

    def read(self, text: str) -> int | float | None:
        """Return the number in a link's text; None where it is none or lies outside."""
        try:
            value = float(text)
        except ValueError:
            return None
        if not self.low <= value <= self.high or (self.whole and not value.is_integer()):
            return None
        return int(value) if self.whole else value


def ranges(n_train: int) -> dict[str, Range]:
    """Return what the numeric parameters may be for a data set of `n_train` samples."""
    return {
        "target": Range(0, n_train - 1),
        "k": Range(1, n_train - 1),
        "radius": Range(RADIUS_LOW, RADIUS_HIGH, whole=False),
        "seed": Range(0, SEED_HIGH),
        "restarts": Range(1, RESTARTS_HIGH),
    }


def values_of(request: AttackRequest) -> dict[str, object]:
    """Return the parameters of a request, by their names in links."""
    named = ("k", "radius", "seed", "objective", "restarts", "order", "model")
    target = {"dataset": request.dataset, "target": request.targets[0]}
    return target | {name: getattr(request, name) for name in named}


def request_of(values: Mapping[str, object]) -> AttackRequest:
    """Return the attack that has these parameters, by their names in links, and the example's
    others. Raises InvalidInput for a value that no attack can have."""
    named = {name: value for name, value in values.items() if name != "target"}
    return taken_from(AttackRequest, EXAMPLE, targets=(values["target"],), **named)


def query(values: Mapping[str, object]) -> str:
    """Return the query that restores a view: every parameter that has a value, defaults too."""
    said = {n: text_of(value) for n, value in values.items() if value not in (None, "", [])}
    return "?" + urlencode(said, doseq=True) if said else ""


def text_of(value: object) -> str | list[str]:
    """Return a value as links write it; a choice of several is a parameter for each."""
    if isinstance(value, bool):
        return str(value).lower()
    return [str(v) for v in value] if isinstance(value, list | tuple) else str(value)


def readable(allowed: "Range | Sequence[T]", text: str) -> int | float | T | None:
    """Return the value in a link's text; None where it cannot be used."""
    if isinstance(allowed, Range):
        return allowed.read(text)
    return next((choice for choice in allowed if text_of(choice) == text), None)


Allowed = Range | Sequence[object]  # what a parameter may hold: a range, or choices
Expected = Mapping[str, Allowed]


def problems(
    given: Mapping[str, str], expected_of: Expected, used: Mapping[str, object]
) -> list[str]:
    """Return one sentence for each parameter of a link that cannot be used, and what is used
    instead."""
    notes = []
    for name, text in given.items():
        if name not in expected_of:
            continue  # not a parameter of this page
        allowed = expected_of[name]
        if isinstance(allowed, Range):
            expected = str(allowed)
        else:
            named = [str(text_of(choice)) for choice in allowed]
            few = len(named) <= NAMED
            expected = "one of " + (", ".join(named) if few else f"the {len(named)} on this page")
        if readable(allowed, text) is None:
            instead = used.get(name)
            value = "its default" if instead in (None, "", []) else f"{name} {instead}"
            notes.append(
                f"The link asks for `{name}={clean(text)}`, but {name} must be {expected}. The "
                f"lab uses {value} instead.{REMEDIES.get(name, '')}"
            )
    return notes


def clean(text: str, limit: int = 40) -> str:
    """Return a link's text made safe to repeat between backticks, shortened."""
    text = "".join(c if c.isprintable() and c != "`" else "?" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
