"""The one door from a model to its influence problem."""

from engine.data.dataset import Dataset
from engine.influence.estimators import Estimator, cg
from engine.influence.linear import LinearProblem
from engine.influence.problem import InfluenceProblem
from engine.models.linear import LinearModel
from engine.models.model import Model


def build_problem(
    model: Model,
    dataset: Dataset,
    damping: float,
    order: str,
    dtype: str,
    device: str,
    estimator: Estimator = cg,
    rotated: bool = True,
) -> InfluenceProblem:
    """Build the problem of influence on a data set under models like this one, at any θ: in closed
    form for linear models, matrix-free for networks. rotated: of a linear model, as in
    `LinearProblem.build`. Raises InvalidInput, DeviceUnavailable."""
    if isinstance(model, LinearModel):
        return LinearProblem.build(dataset, damping, order, dtype, device, estimator, rotated)
    from engine.influence.network import NetworkProblem  # here: it takes its time to import
    from engine.models.network import Network

    assert isinstance(model, Network)
    return NetworkProblem.build(dataset, model, damping, order, dtype, device, estimator)
