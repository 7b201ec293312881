"""What *Easy or hard?* says: whether sensitivity tells which samples move, and how exact it is."""

import pandas as pd

from engine.experiments import SensitivityResult
from pages.attack.parts import fifths_figure, moved_targets
from pages.common.figures.axes import thinning
from pages.common.keeping import shelf
from pages.common.words.rate_words import share
from pages.common.words.wording import count, decimal

QUESTION = (
    "Sensitive samples have scores that change fast with the model. Do they reach the top more "
    "easily?"
)


@shelf.kept
def finding(
    result: SensitivityResult, tried: pd.DataFrame, found: moved_targets.Prediction | None
) -> str:
    """Ask, and answer with what is drawn, or say why nothing is. tried: of
    `moved_targets.attempts`; found: what they predict, None where they predict nothing."""
    if tried.empty:
        return f"{QUESTION} **{norms_title(result)}.**"
    if found is None or len(tried) < fifths_figure.FEWEST:
        return f"{QUESTION} **It cannot be told here: too few attacks, or all ended alike.**"
    return f"{QUESTION} **{answer(fifths_figure.fifths(tried), found)}**"


def answer(parts: pd.DataFrame, found: moved_targets.Prediction) -> str:
    """Answer by the rank correlation over all targets. Say how far the model must move for the most
    sensitive ones, and how many others need more. parts: of `fifths_figure.fifths`."""
    if not found.tells:
        return "It cannot be told: the difference may be chance."
    if found.correlation > 0:
        return "No: the model must move further for sensitive samples."
    yes = "Yes" if found.correlation <= moved_targets.WELL else "Yes, a little"
    enough, others = fifths_figure.needed(parts), fifths_figure.beyond(parts)
    if not others or enough == moved_targets.NEVER:
        return f"{yes}: the model need not move as far for sensitive samples."
    many, rest = fifths_figure.sizes(parts)
    return (
        f"{yes}: none of the {many} most sensitive needs a model move of more than "
        f"{share(enough)}; {others} of the other {rest} {'does' if others == 1 else 'do'}."
    )


def correlated(found: moved_targets.Prediction, tried: pd.DataFrame) -> str:
    """Say how strongly sensitivity and the needed move go together over all targets, and which row
    of the figure does not follow."""
    rows = fifths_figure.against_order(fifths_figure.fifths(tried))
    uneven = f"It is a tendency: the row “{rows[0]}” does not follow it. " if rows else ""
    return (
        f"{uneven}"
        f"Over all {len(tried)}, the rank correlation of sensitivity and needed move is "
        f"{decimal(found.correlation)} ({moved_targets.between(found.correlation_interval)})."
    )


def norms_title(result: SensitivityResult) -> str:
    ratio = moved_targets.ends_against_middle(result)
    if ratio > 1:
        return (
            f"Steep at both ends: scores there are at least {ratio:.2g} times as sensitive as "
            "between"
        )
    return "Scores are no more sensitive at the ends than between"


def norms_caption(result: SensitivityResult) -> str:
    """Say what is drawn, and how exact the norms are."""
    checked = (
        f"; against {count(len(result.exact_norms), 'exact norm')}, spread over the ranking, it is "
        f"{result.error:.1%}"
        if len(result.exact_norms)
        else ""
    )
    return (
        "Sensitivity is the norm of the score's gradient in the model's parameters. "
        "The ends are the first and the last twentieth of the ranking. The left half counts ranks "
        "from the top, the right half from the bottom, both on log axes. Norms are estimated from "
        f"{result.probes:,} random directions, standard error "
        f"{1 / (2 * result.probes) ** 0.5:.1%}{checked}; bars, on the samples that were attacked, "
        f"are ± 2 standard errors.{thinning(len(result.norms))}"
    )
