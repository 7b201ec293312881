"""What is said about the model that is attacked, where it is not the linear one."""

from engine.models.model import Model
from engine.vocabulary import MODELS


def exponent(value: float) -> str:
    """1e-5, one digit."""
    return f"{value:.0e}".replace("e-0", "e-")


def about(kind: str, model: Model) -> str:
    """Return a network: what it is, how large and how well trained, and what its Hessian may do."""
    return (
        f"The model is a network, {MODELS[kind].split(',')[0]}: {model.parameters.size:,} "
        "parameters, trained until the gradient of its loss had length "
        f"{exponent(model.gradient_norm)}. Other starts would end in other minima. Away from a "
        "minimum its Hessian may have negative curvature that the damping does not outweigh; there "
        "scores mean nothing, a run counts as last in rank, and it goes halfway back to the honest "
        "model."
    )


NO_BASELINE = (
    "The loss-reweighing baseline, training on the target more often, is computed for the linear "
    "model only."
)
