"""Where an experiment was made smaller than usual, because the data are larger."""

from collections.abc import Sized

from pages.common.words.wording import count, listed

WORDS = {  # of the fields that say how large an experiment is: one, several
    "draws": ("draw", "draws"),
    "n_targets": ("target", "targets"),
    "subsets": ("half", "halves"),
    "shares": ("share", "shares"),
    "steps": ("step an attack", "steps an attack"),
    "learning_rates": ("learning rate", "learning rates"),
}
FEW = 5  # draws: of so few, an interval is rough


def size(value: int | Sized) -> int:
    """Return how many a field asks for: a number, or the length of a sequence."""
    return value if isinstance(value, int) else len(value)


def made_smaller(request: object) -> str:
    """Say, with a space before it, where a request asks for less than its experiment does unless
    told; empty where it asks for as much."""
    parts = []
    for name, words in WORDS.items():
        if not hasattr(request, name):
            continue
        here, usual = size(getattr(request, name)), size(getattr(type(request), name))
        if here < usual:
            parts.append(f"{count(here, *words)} instead of {usual}")
    if not parts:
        return ""
    rough = getattr(request, "draws", FEW) < FEW
    return (
        f" Smaller on this data set than on the others, because of the time: {listed(parts)}."
        f"{' Over so few draws an interval is rough.' if rough else ''}"
    )
