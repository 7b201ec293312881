"""What *Easy or hard?* says: whether sensitivity tells which samples move, and how exact it is."""

from engine.experiments import SensitivityResult
from pages.attack.parts import moved_targets
from pages.common.figures.axes import thinning
from pages.common.keeping import shelf
from pages.common.words.wording import count

MEANT = "Sensitive: the score changes fast with the model."
QUESTION = "Can you tell which samples are easy to move to the top of the ranking?"


@shelf.kept
def finding(result: SensitivityResult, found: moved_targets.Prediction | None) -> str:
    """Ask, and answer in one line: are samples whose score is more sensitive easier to move?"""
    if found is None:
        return f"{QUESTION} **{norms_title(result)}.**"
    if not found.tells:
        said = "No: how sensitive its score is does not tell how easily a sample moves."
    elif found.correlation > 0:
        said = "No, the reverse: over all distances tried, sensitive samples are harder to move."
    else:
        lead = "Yes" if moved_targets.strength(found) == "well" else "A little"
        said = f"{lead}: over all distances tried, sensitive samples tend to move more easily."
    return f"{QUESTION} **{said}** {MEANT}"


def over_all(found: moved_targets.Prediction) -> str:
    """Say whether all radii together tell more than chance."""
    if not found.tells:
        return "Over all distances together, it may be chance as well."
    return "Over all distances together, it is more than chance: see “Target by target”."


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
