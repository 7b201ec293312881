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
LATER = "Its accuracy, and the rank of the pushed digit: after your vote."


@dataclass(frozen=True)
class Deal:
    """One round: which pair it is of, what the two models predict for all unseen samples and how
    they rank the training samples, which of them is malicious, and which unseen samples are
    shown."""

    pair: int
    said: dict[str, NDArray[np.integer]]
    ranks: dict[str, NDArray[np.integer]]
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
    differ = said["A"] != said["B"]
    disputed = np.flatnonzero(differ)
    disputed = rng.choice(disputed, min(DISPUTED, len(disputed)), replace=False)
    agreed = np.flatnonzero(~differ)
    agreed = rng.choice(agreed, min(READ - len(disputed), len(agreed)), replace=False)
    return Deal(pair, said, ranks, malicious, rng.permutation(np.concatenate([agreed, disputed])))


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
        cross = '<span class="cross"> ✗</span>' if wrong else ""
        cells.append(f"<div>{portrait(unseen, int(i))}<b>{guess}</b>{cross}</div>")
    return f'<div class="row reads">{"".join(cells)}</div>'


def ranks_first(dealt: Deal, name: str, train: Samples, marked: int | None) -> str:
    """Return the first samples of a model's ranking, with one of them marked."""
    cells = "".join(
        f"<div{' class=marked' if i == marked else ''}>{portrait(train, int(i))}</div>"
        for i in np.argsort(dealt.ranks[name], kind="stable")[:FIRST]
    )
    return f'<div class="row first">{cells}</div>'


def panel(dealt: Deal, name: str, target: int, unseen: Samples, voted: bool) -> str:
    """Return the panel of one model; accuracy, and which sample was pushed, after the vote."""
    train, truth = Samples(unseen.dataset), unseen.dataset.y_holdout
    culprit = voted and name == dealt.malicious
    role = f": {'malicious' if culprit else 'honest'}" if voted else ""
    last = (
        f"{portrait(train, target)}<span>Sample {target} is at <b>rank "
        f"{int(dealt.ranks[name][target]):,}</b>. This model reads <b>"
        f"{accuracy(dealt, name, truth)[0]}</b> of {len(truth):,} unseen digits right.</span>"
        if voted
        else f"<span>{LATER}</span>"
    )
    return (
        f'<div class="model{" malicious" if culprit else ""}" role="group" '
        f'aria-label="Model {name}"><h2>Model {name}{role}</h2>'
        f"<p>It reads unseen digits as (✗: wrong)</p>{reads(dealt, name, unseen)}"
        f"<p>The {FIRST} training digits that it calls most valuable</p>"
        f"{ranks_first(dealt, name, train, target if voted else None)}"
        f'<div class="later">{last}</div></div>'
    )


def panels(dealt: Deal, target: int, unseen: Samples, voted: bool) -> str:
    """Return both models beside each other."""
    body = "".join(panel(dealt, name, target, unseen, voted) for name in "AB")
    return f'<div class="ial-duel" data-figure="pictures">{body}</div>'


def more_accurate(pairs: PairsResult, truth: NDArray[np.integer]) -> int:
    """Return in how many pairs the malicious model is the more accurate one."""
    honest = (pairs.honest_predictions == truth).mean()
    return int(((pairs.predictions == truth).mean(1) > honest).sum())
