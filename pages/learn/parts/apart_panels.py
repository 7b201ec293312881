"""Two models beside each other: what each reads, and what it ranks first; HTML from results."""

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from engine.experiments import PairsResult
from engine.statistics import wilson_interval
from pages.common.samples import Samples
from pages.common.widgets.blocks import portrait
from pages.common.words.wording import percent

READ = 6  # unseen samples that both models are asked about
DISPUTED = 2  # of these, where the models differ often enough
FIRST = 10  # training samples of each ranking


@dataclass(frozen=True)
class Deal:
    """One round: which pair it is of, what the two models predict for all unseen samples, how they
    rank and score the training samples, which of them is malicious, and which unseen samples are
    shown."""

    pair: int
    said: dict[str, NDArray[np.integer]]
    ranks: dict[str, NDArray[np.integer]]
    scores: dict[str, NDArray[np.floating]]
    malicious: str
    shown: NDArray[np.int64]


def deal(pairs: PairsResult, number: int) -> Deal:
    """Deal round `number`, the same for everyone: the shuffle is seeded with it."""
    rng = np.random.default_rng(number)
    pair = int(rng.integers(len(pairs.targets)))
    malicious = str(rng.choice(["A", "B"]))
    honest = "B" if malicious == "A" else "A"
    said = {malicious: pairs.predictions[pair], honest: pairs.honest_predictions}
    ranks = {malicious: pairs.ranks[pair], honest: pairs.honest_ranks}
    scores = {malicious: pairs.scores[pair], honest: pairs.honest_scores}
    differ = said["A"] != said["B"]
    disputed = np.flatnonzero(differ)
    disputed = rng.choice(disputed, min(DISPUTED, len(disputed)), replace=False)
    agreed = np.flatnonzero(~differ)
    agreed = rng.choice(agreed, min(READ - len(disputed), len(agreed)), replace=False)
    shown = rng.permutation(np.concatenate([agreed, disputed]))
    return Deal(pair, said, ranks, scores, malicious, shown)


def accuracy(dealt: Deal, name: str, truth: NDArray[np.integer]) -> tuple[str, str]:
    """Return a model's accuracy on the unseen samples, and its 95% interval."""
    right = int((dealt.said[name] == truth).sum())
    low, high = wilson_interval(right, len(truth))
    return percent(right / len(truth)), f"{percent(low)} to {percent(high)}"


def reads(dealt: Deal, name: str, unseen: Samples) -> str:
    """Return what a model says of the shown samples, with a cross where it is wrong."""
    truth = unseen.dataset.y_holdout
    cells = []
    for i in dealt.shown:
        guess = escape(unseen.class_name(dealt.said[name][i]))
        wrong = dealt.said[name][i] != truth[i]
        cross = '<span class="cross"> ×</span>' if wrong else ""
        cells.append(f"<div>{portrait(unseen, int(i))}<b>{guess}</b>{cross}</div>")
    return f'<div class="row reads">{"".join(cells)}</div>'


def ranks_first(dealt: Deal, name: str, train: Samples, marked: int | None) -> str:
    """Return the first samples of a model's ranking, with one of them marked, each below a bar as
    high as its score beside the first one's."""
    first = np.argsort(dealt.ranks[name], kind="stable")[:FIRST]
    scores = np.maximum(dealt.scores[name][first], 0)
    cells = "".join(
        f'<div><i style="height:{2.6 * share:.2f}rem"></i>'
        f"<div{' class=marked' if i == marked else ''}>{portrait(train, int(i))}</div></div>"
        for i, share in zip(first, scores / (scores[0] or 1.0), strict=True)
    )
    return f'<div class="row first">{cells}</div>'


def ahead(scores: NDArray[np.floating]) -> float:
    """Return how many times the second highest score the highest is; infinite where the second is
    not above 0."""
    second, first = np.sort(scores)[-2:]
    return float(first / second) if second > 0 else np.inf


def clue(dealt: Deal) -> str:
    """Say how far each model's first sample is ahead of its second."""
    first, second = (ahead(dealt.scores[name]) for name in "AB")
    return (
        "A digit that was pushed up often leads the next one by more. The first digit has "
        f"{first:.2f} times the score of the second by model A, and {second:.2f} by model B."
    )


def clue_right(pairs: PairsResult) -> int:
    """Return in how many pairs the malicious model's first sample is further ahead."""
    honest = ahead(pairs.honest_scores)
    return sum(ahead(scores) > honest for scores in pairs.scores)


def panel(dealt: Deal, name: str, target: int, unseen: Samples, voted: bool) -> str:
    """Return the panel of one model; accuracy, and which sample was pushed, after the vote."""
    train, truth = Samples(unseen.dataset), unseen.dataset.y_holdout
    culprit = voted and name == dealt.malicious
    role = f": {'malicious' if culprit else 'honest'}" if voted else ""
    last = (
        f'<div class="later">{portrait(train, target)}<span>Sample {target} is at <b>rank '
        f"{int(dealt.ranks[name][target]):,}</b>. This model reads <b>"
        f"{accuracy(dealt, name, truth)[0]}</b> of {len(truth):,} unseen digits right.</span></div>"
        if voted
        else ""
    )
    return (
        f'<div class="model{" malicious" if culprit else ""}" role="group" '
        f'aria-label="Model {name}"><h2>Model {name}{role}</h2>'
        f"<p>What it reads on unseen digits (×: wrong)</p>"
        f"{reads(dealt, name, unseen)}"
        f"<p>Its top {FIRST} of the training digits, and their scores</p>"
        f"{ranks_first(dealt, name, train, target if voted else None)}"
        f"{last}</div>"
    )


def panels(dealt: Deal, target: int, unseen: Samples, voted: bool) -> str:
    """Return both models beside each other."""
    body = "".join(panel(dealt, name, target, unseen, voted) for name in "AB")
    return f'<div class="ial-duel" data-figure="pictures">{body}</div>'


def more_accurate(pairs: PairsResult, truth: NDArray[np.integer]) -> int:
    """Return in how many pairs the malicious model is the more accurate one."""
    honest = (pairs.honest_predictions == truth).mean()
    return int(((pairs.predictions == truth).mean(1) > honest).sum())
