"""Rankings by several attributions under the honest and the attacked model: what experiments that
judge attributions begin with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.attacks.result import AttackResult, Ranking
from engine.data.dataset import Dataset
from engine.errors import InvalidDataset, NotConverged
from engine.experiments.attack import OnOneAttack
from engine.models.linear import as_linear
from engine.options import OneOf, distinct
from engine.vocabulary import MODEL_FREE, SCORES

INFLUENCE = "influence"  # what all others are compared with
HONEST, ATTACKED, EITHER = "honest", "attacked", "either"  # the model that a ranking is of


def some_scores(name: str, value: object) -> tuple[str, ...]:
    """Check for names of `SCORES`, at least one; returns them in the vocabulary's order."""
    asked = distinct(OneOf(SCORES))(name, value)
    return tuple(one for one in SCORES if one in asked)


@dataclass(frozen=True)
class Scored:
    """Rankings by name and model, 'either' for attributions that never see it; missing: why an
    attribution is not here."""

    rankings: dict[tuple[str, str], Ranking]
    missing: dict[str, str]


def score_both(
    request: OnOneAttack,
    attacked: AttackResult,
    dataset: Dataset,
    device: str,
    neighbours: int,
    report: Callable[[int], None],
    names: Iterable[str] = SCORES,
) -> Scored:
    """Rank by each attribution under both models of an attack. report(1) is called after each.
    Raises NotConverged where influence itself cannot be computed."""
    from engine.scrutiny.attributions import attribution

    models = {HONEST: as_linear(attacked.honest), ATTACKED: as_linear(attacked.model)}
    rankings: dict[tuple[str, str], Ranking] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            found = {}
            for which in (EITHER,) if name in MODEL_FREE else (HONEST, ATTACKED):
                found[name, which] = attribution(
                    name,
                    models.get(which, models[HONEST]),
                    dataset,
                    damping=request.damping,
                    order=request.order,
                    neighbours=neighbours,
                    dtype=request.dtype,
                    device=device,
                    seed=request.seed,
                )
                report(1)
            rankings |= found
        except (NotConverged, InvalidDataset) as error:
            if name == INFLUENCE:
                raise
            missing[name] = str(error)
    return Scored(rankings, missing)
