"""The settings of a stored result in a few words: those that tell it from others of its kind."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache

from engine.experiments import EXPERIMENTS
from engine.results.library import Entry
from pages.common.words.code_names import field_name, in_words
from pages.common.words.rate_words import share

MOST, ROOM = 2, 34  # settings of a row, and characters
USUAL, MORE = "usual settings", " …"
TELLING = {  # fields that are said of every request of an experiment; of others what is unusual
    "attack": ("targets", "k", "radius"),
    "pairs": ("k", "radius"),
    "replay": ("targets", "k", "radius"),
    "sweep": ("n_targets", "radii", "ks"),
    "baseline": ("targets", "n_targets"),
    "fairness": ("metric",),
    "impossible": ("k",),
    "sensitivity": ("probes",),
    "certificates": ("ks",),
    "leave-one-out": ("l2", "damping", "n_samples"),
    "explain": ("image",),
    "audit": ("target", "k", "radius", "queries"),
    "attributions": ("target", "k", "radius"),
    "gradients": ("n_parameters",),
    "lesson": ("k", "radius"),
}
UNTOLD = {
    "pairs": ("targets",),
    "lesson": ("targets", "nicknames", "bets_moved", "bets_price"),
}  # one entry for everybody
PHRASES: Mapping[str, str] = {  # the fields that a row may name, the most telling first
    "targets": "sample {}",
    "target": "sample {}",
    "image": "test image {}",
    "metric": "{}",
    "objective": "{}",
    "objectives": "{}",
    "model": "{}",
    "points": "points of {}",
    "l2": "L2 {}",
    "damping": "damping {}",
    "n_targets": "{} targets",
    "radius": "model moves {}",
    "radii": "model moves {}",
    "set_sizes": "sets of {}",
    "train_sizes": "{} training samples",
    "stealth": "weight of hiding {}",
    "k": "top {}",
    "ks": "top {}",
    "restarts": "random starts: {}",
    "attributions": "{}",
    "detectors": "{}",
    "queries": "{} queries",
    "n_parameters": "{} parameters",
    "draws": "{} draws",
    "bought": "{} bought",
    "rounds": "{} rounds of search",
    "subsets": "{} models",
    "probes": "{} random directions",
}
RADII = ("radius", "radii")  # said as the pages say them, as a share of the weights' size
SHORTER = {"higher_ranked": "the paper's attack", "quiet": "keep ranks"}
SEVERAL = {  # of several values, how many there are
    "objectives": "{} goals",
    "targets": "{} samples",
    "attributions": "{} scores",
    "detectors": "{} detectors",
    "train_sizes": "{} training sizes",
}


def phrase(name: str, value: object) -> str:
    """Return a setting in words: 'model moves 30%', '3 goals', 'sets of 1 to 100'."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    if len(values) > 1 and name in SEVERAL:
        return SEVERAL[name].format(len(values))
    said = [
        share(v) if name in RADII and isinstance(v, int | float) else in_few_words(v)
        for v in values
    ]
    between = "–" if name in RADII else " to "  # a row has no room for more
    pattern = PHRASES.get(name, f"{field_name(name)} {{}}")
    return pattern.format(said[0] if len(said) == 1 else f"{said[0]}{between}{said[-1]}")


def in_few_words(value: object) -> str:
    """Return a value in words: '75,813', '0.3', 'the paper's attack'."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    return SHORTER.get(str(value), in_words(value))


@cache
def usual(experiment: str) -> Mapping[str, object]:
    """Return the default settings of an experiment; none of a part, or where it has none."""
    try:
        return asdict(EXPERIMENTS[experiment].request())
    except (KeyError, TypeError):
        return {}


def same(first: object, second: object) -> bool:
    """Return whether two settings are equal: JSON keeps a tuple as a list."""
    return (list(first) if isinstance(first, tuple) else first) == (
        list(second) if isinstance(second, tuple) else second
    )


def tell_apart(entries: Sequence[Entry]) -> list[str]:
    """Return of each result the two settings that the fewest others of its experiment and data set
    share; three dots stand for unusual ones besides."""
    alike: dict[tuple[str, str | None], list[Mapping[str, object]]] = {}
    for entry in entries:
        alike.setdefault((entry.experiment, entry.dataset), []).append(entry.manifest.request)
    return [in_short(e, alike[e.experiment, e.dataset]) for e in entries]


def in_short(entry: Entry, alike: Sequence[Mapping[str, object]]) -> str:
    """Return the settings of one result. alike: the requests of its experiment and data set."""
    defaults, request = usual(entry.experiment), entry.manifest.request
    unusual = {n for n, v in request.items() if n != "dataset" and not same(v, defaults.get(n))}
    hidden = UNTOLD.get(entry.experiment, ())
    # an experiment without any of these fields: all that it has
    named = [n for n in PHRASES if n in request] or [n for n in request if n != "dataset"]
    able = [n for n in named if can_be_said(n, request[n]) and n not in hidden]
    shared = {n: sum(other.get(n) == request[n] for other in alike) for n in able}
    telling = [n for n in able if n in unusual or (len(alike) > 1 and shared[n] == 1)]
    told = TELLING.get(entry.experiment, ())
    chosen = sorted(telling, key=shared.__getitem__) + [n for n in able if n in told]
    said = list(dict.fromkeys(chosen))[:MOST]
    parts = {n: phrase(n, request[n]) for n in able if n in said}
    if len(", ".join(parts.values())) > ROOM:
        parts = {said[0]: parts[said[0]]}
    return (", ".join(parts.values()) or USUAL) + (MORE if unusual - set(parts) else "")


def can_be_said(name: str, value: object) -> bool:
    """Return whether a value says anything in a phrase: not where it is empty, or means all."""
    if name == "points":
        return isinstance(value, str)
    return value not in (None, []) and (value != 0 or name not in ("n_targets", "queries"))
