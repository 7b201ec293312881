"""Attacks on every attribution in words: pure functions from results to sentences and tables."""

import pandas as pd

from engine.experiments import MinimalRadiusResult, ScoreMatrixRequest, ScoreMatrixResult
from pages.common.keeping import shelf
from pages.common.words.rate_words import share
from pages.common.words.score_names import SCORE_NAMES
from pages.common.words.wording import decimal, listed, percent


@shelf.kept
def finding(result: ScoreMatrixResult) -> str:
    """Say that scores without the model are safe, and on which others every attack failed."""
    none = [name for name in result.attacked if result.arrived(name, name)[0] == 0]
    verdict = "**Only scores that never see the model are safe.**"
    if not none:
        return f"{verdict} Every score that sees it can be rigged."
    failed = listed([SCORE_NAMES[name] for name in none])
    return f"{verdict} Of the scores that see it, the attacks here fail on {failed}."


@shelf.kept
def reached(request: ScoreMatrixRequest) -> str:
    """Say what a bar of the figure is, and under which rule a target counts as moved."""
    return (
        "Each bar is an attack on that score. A target counts as moved if it starts outside the "
        f"top {request.k} and ends between rank 1 and {request.k}. The model may move by at most "
        f"{share(request.radius)}, from one start."
    )


@shelf.kept
def searched(result: MinimalRadiusResult) -> str:
    """Say why another page moves another number of targets, with a space before it."""
    arrived, place = int(result.arrived.sum()), "rank 1" if result.k == 1 else f"the top {result.k}"
    return (
        " *How far must the model go?* searches from many starts and without this limit: it moves "
        f"{arrived} of {len(result.targets)} other targets to {place}."
    )


@shelf.kept
def matrix_title(result: ScoreMatrixResult) -> str:
    """Say which other score moves along most when influence is attacked."""
    others = [n for n in result.attacked if n != "influence"]
    along = {name: result.arrived("influence", name)[0] for name in others}
    most = max(along, key=along.__getitem__)
    return (
        f"An attack on influence alone also moves {along[most]} of {result.n_targets} targets by "
        f"{SCORE_NAMES[most]}"
    )


@shelf.kept
def success_title(result: ScoreMatrixResult) -> str:
    prices = [result.price(name)[0] for name in result.attacked]
    return f"None of these attacks costs more than {100 * max(prices):.1f} points of accuracy"


@shelf.kept
def table(result: ScoreMatrixResult) -> pd.DataFrame:
    """Return each attacked score: success with its interval, price, and what moves along."""
    rows = []
    for name in result.attacked:
        count, (low, high) = result.arrived(name, name)
        price, around = result.price(name)
        others = [o for o in result.attacked if o != name]
        along = max(others, key=lambda o: result.arrived(name, o)[0], default="")
        moved = result.arrived(name, along)[0] if along else 0
        rows.append(
            {
                "attacked score": SCORE_NAMES[name],
                f"in its top {result.k}": f"{count} of {result.n_targets} ({percent(low)} to "
                f"{percent(high)})",
                "accuracy lost, points": f"{100 * price:.1f} ({100 * around.low:.1f} to "
                f"{100 * around.high:.1f})",
                "moves along most": f"{SCORE_NAMES[along]} ({moved})" if along else "–",
                "its ranking kept": decimal(result.kept(name, name)),
            }
        )
    return pd.DataFrame(rows)
