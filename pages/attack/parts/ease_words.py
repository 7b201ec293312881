"""What *Easy or hard?* says: whether sensitivity tells which samples move, and how exact it is."""

import pandas as pd

from engine.experiments import SensitivityResult
from engine.statistics import wilson_interval
from pages.attack.parts import fifths_figure, moved_targets
from pages.common.figures.axes import thinning
from pages.common.keeping import shelf
from pages.common.words.wording import count

QUESTION = (
    "A sample is sensitive if its score changes fast with the model. Does that make it easier to "
    "move?"
)


@shelf.kept
def finding(
    result: SensitivityResult,
    tried: pd.DataFrame,
    found: moved_targets.Prediction | None,
    radius: float,
) -> str:
    """Ask, and answer with the fifths that are drawn, or say why none are. tried: of
    `moved_targets.attempts`; found: what they predict, None where they predict nothing."""
    if tried.empty:
        return f"{QUESTION} **{norms_title(result)}.**"
    if found is None or len(tried) < fifths_figure.FEWEST:
        return f"{QUESTION} **It cannot be told here: too few attacks, or all ended alike.**"
    return f"{QUESTION} **{by_ends(fifths_figure.fifths(tried), radius, found)}**"


def by_ends(parts: pd.DataFrame, radius: float, found: moved_targets.Prediction) -> str:
    """Answer with how many of the most and of the least sensitive samples move within `radius`.
    Where that difference may be chance, it says what all radii together tell. parts: of
    `fifths_figure.fifths`; found: what all radii tell."""
    (few, least), (many, most) = fifths_figure.ends(parts, radius)
    first, last = f"{many} of the {most} most sensitive", f"{few} of the {least} least sensitive"
    if many / most <= few / least:
        return f"No: {first} reach the top, and {last}."
    if wilson_interval(few, least).overlaps(wilson_interval(many, most)):
        surely = found.tells and found.correlation < 0  # the more sensitive, the smaller a radius
        if surely:
            return f"Not clearly here: {first} move, and {last}. Over all model moves: yes."
        return f"Perhaps: {first} reach the top, and {last}."
    return f"Yes: {first} reach the top, but only {last}."


def over_all(found: moved_targets.Prediction) -> str:
    """Say whether all radii together tell more than chance, and what."""
    if not found.tells:
        return "Over all model moves together, it may be chance as well."
    easily = "are harder to bring up" if found.correlation > 0 else "reach the top more easily"
    return f"Over all model moves together, sensitive samples {easily}: see “Target by target”."


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
