"""Training a network as the honest model: mean loss + l2/2·‖θ‖², in float64."""

import torch
from torch import Tensor, nn
from torch.func import grad_and_value

from engine.checks import check_integer, check_positive
from engine.data.dataset import Dataset
from engine.devices import resolve_device
from engine.models import network
from engine.models.fit import lbfgs
from engine.models.model import check_dataset
from engine.models.network import Network
from engine.vocabulary import L2

MOST_SEED = 2**64 - 1  # that torch takes
GRADIENT_TOLERANCE = 1e-6  # largest entry of the gradient at which training stops


def fit_network(
    dataset: Dataset,
    module: str | nn.Module = "mlp",
    l2: float = L2,
    max_iterations: int = 2000,
    device: str = "auto",
    seed: int = 0,
    loss: network.Loss = network.cross_entropy,
) -> Network:
    """Train a network as the honest model: a local minimum of its mean loss + l2/2·‖θ‖², by L-BFGS.

    module: 'mlp' or 'cnn', which begin at PyTorch's initial parameters drawn by `seed`, or a module
    of one's own, which begins at its own parameters and must map features (n, d) to logits (n, K).
    Frozen parameters (requires_grad False) stay as they are and are not counted. loss: of logits
    and labels (n,), one a sample; a module such as nn.CrossEntropyLoss(weight=…, reduction='none')
    may weigh the classes. l2: > 0; influence is that of a minimum only with
    a damping above it. `gradient_norm` of what is returned says how near the minimum is.
    Raises InvalidInput, DeviceUnavailable.
    """
    check_dataset(dataset)
    l2 = check_positive("l2", l2)
    max_iterations = check_integer("max_iterations", max_iterations, 1)
    seed = check_integer("seed", seed, 0, MOST_SEED)
    where = resolve_device(device)
    known = network.architecture(module, dataset) if isinstance(module, str) else None
    own = network.check_module(module if known is None else known.build(seed), dataset)
    if known is None or loss is not network.cross_entropy:
        network.check_derivatives(own, loss, dataset)
    called = network.template(own, dtype=torch.float64, device=where)
    X = torch.as_tensor(dataset.X_train, dtype=torch.float64, device=where)
    y = torch.as_tensor(dataset.y_train, device=where)
    losses = network.loss_on(loss, dtype=torch.float64, device=where)

    def regularised(theta: Tensor) -> Tensor:
        return losses(network.logits(called, theta, X), y).mean() + l2 / 2 * theta.square().sum()

    def value_and_gradient(theta: Tensor) -> tuple[Tensor, Tensor]:
        gradient, value = grad_and_value(regularised)(theta)
        return value, gradient

    theta, iterations = lbfgs(
        value_and_gradient, network.flat(called), max_iterations, seed, GRADIENT_TOLERANCE
    )
    return Network(
        module=own,
        parameters=theta.cpu().numpy(),
        l2=l2,
        gradient_norm=float(value_and_gradient(theta)[1].norm()),
        iterations=iterations,
        loss=loss,
        architecture=known,
    )
