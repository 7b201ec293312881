"""Modules and losses as people have them: taken, or refused with the reason."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import engine
from engine.errors import InvalidInput
from engine.influence.network import NetworkProblem
from engine.models.network import Network
from tests.support.problems import random_problem

DATASET, LINEAR = random_problem(6, n=40, d=4)
HOW: dict[str, Any] = {"device": "cpu"}


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


class Wrapped(nn.Module):
    """A layer on the features as a sequence of four numbers, and what is made of its output."""

    def __init__(self, layer: nn.Module, out) -> None:
        super().__init__()
        self.layer, self.out, self.last = layer, out, nn.LazyLinear(3)

    def forward(self, X: Tensor) -> object:
        return self.out(self.last, self.layer(X.unsqueeze(-1)))


def built(layer: nn.Module, out) -> nn.Module:
    module = Wrapped(layer, out).eval()
    with torch.no_grad():
        module(torch.zeros(2, 4))
    return module


def lstm() -> nn.Module:
    return built(nn.LSTM(1, 3, batch_first=True), lambda last, said: last(said[0][:, -1]))


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(1, 1, 4, batch_first=True)
    return built(layer, lambda last, said: last(said.flatten(1)))


def tuples() -> nn.Module:
    return built(nn.Identity(), lambda last, said: (last(said.flatten(1)), said))


def dictionary() -> nn.Module:
    return built(nn.Identity(), lambda last, said: {"logits": last(said.flatten(1))})


def frozen() -> nn.Module:
    return plain().requires_grad_(False)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a tuple": (tuples, r"logits of shape \(2, 3\).* Got 'tuple'"),
    "a dictionary": (dictionary, r"logits of shape \(2, 3\).* Got 'dict'"),
    "all frozen": (frozen, "with a parameter that is not frozen"),
    "too few classes": (lambda: nn.Linear(4, 2), r"Got \(2, 2\)"),
    "other features": (lambda: nn.Linear(7, 3), "maps features of shape"),
    "None": (lambda: None, "or a torch.nn.Module"),
}


@pytest.mark.parametrize("kind", list(REFUSED))
def test_a_module_that_cannot_be_taken_is_refused_with_the_reason(kind):
    make, words = REFUSED[kind]
    with pytest.raises(InvalidInput, match=words):
        engine.fit_network(DATASET, make(), **HOW)


@pytest.mark.parametrize("make", [lstm, transformer])
@pytest.mark.filterwarnings("ignore")
def test_fused_layers_are_refused_before_any_training(make):
    """PyTorch has no rule for forward derivatives of cuDNN's LSTM and of fused attention: what to
    write in their place is said. A version that has such rules fails here, and is to be tried."""
    with pytest.raises(InvalidInput, match=r"layers PyTorch differentiates.* plain tensor operat"):
        engine.fit_network(DATASET, make(), **HOW)


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(reduction="sum"),
        nn.functional.cross_entropy,
        lambda logits, y: logits,
    ],
)
def test_a_loss_that_is_no_loss_a_sample_is_noticed_when_fitting(loss):
    with pytest.raises(InvalidInput, match="reduction='none', not a mean or a sum"):
        engine.fit_network(DATASET, plain(), loss=loss, **HOW)


def test_a_loss_that_raises_is_refused_with_the_reason():
    def binary(logits: Tensor, y: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")

    with pytest.raises(InvalidInput, match=r"takes logits .* Got 'ValueError"):
        engine.fit_network(DATASET, plain(), loss=binary, **HOW)


def test_weights_of_classes_are_taken_and_weigh():
    weights = torch.tensor([1.0, 2.0, 4.0])
    loss = nn.CrossEntropyLoss(weight=weights, reduction="none")
    model = engine.fit_network(DATASET, plain(), loss=loss, **HOW)
    assert model.gradient_norm < 1e-4
    how: dict[str, Any] = {"damping": 5.0, **HOW}
    narrow = engine.influence_scores(model, DATASET, **how).scores
    wide = engine.influence_scores(model, DATASET, dtype="float64", **how).scores
    np.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=1e-5 * np.abs(wide).max())

    def by_hand(logits: Tensor, y: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits, -1)
        return -(weights.to(logits)[y] * log_p.gather(-1, y[:, None])[:, 0])

    same = engine.fit_network(DATASET, plain(), loss=by_hand, **HOW)
    expected = engine.influence_scores(same, DATASET, dtype="float64", **how).scores
    np.testing.assert_allclose(wide, expected, rtol=1e-4, atol=1e-6 * np.abs(wide).max())
    assert loss.weight is not None
    assert loss.weight.dtype == torch.float32  # somebody else's is left as it is


def test_frozen_parameters_stay_frozen_and_uncounted():
    module = plain()
    first = module.get_submodule("0")
    first.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    model = engine.fit_network(DATASET, module, **HOW)
    assert model.parameters.shape == (5 * 3 + 3,)
    assert model.gradient_norm < 1e-4
    again = model.with_parameters(model.parameters + 1)
    for one in (model, again):
        kept = dict(one.module.named_parameters())
        assert torch.equal(kept["0.weight"], before["0.weight"].double())
        assert [name for name, p in kept.items() if p.requires_grad] == ["2.weight", "2.bias"]
    # the last layer on frozen features is a linear model: the closed form says the same
    hidden = {
        split: torch.tanh(first(torch.tensor(DATASET.split(split)[0]))).detach().numpy()
        for split in ("train", "test", "holdout")
    }
    features = engine.Dataset(
        "hidden", hidden["train"], DATASET.y_train, hidden["test"], DATASET.y_test,
        hidden["holdout"], DATASET.y_holdout, DATASET.class_names,
    )  # fmt: skip
    theta = model.parameters
    last = engine.LinearModel(theta[:15].reshape(3, 5), theta[15:], model.l2)
    how: dict[str, Any] = {"dtype": "float64", **HOW}
    np.testing.assert_allclose(
        engine.influence_scores(model, DATASET, **how).scores,
        engine.influence_scores(last, features, **how).scores,
        rtol=1e-4,
    )
    target = int(engine.influence_scores(model, DATASET, **how).ranks.argmax())
    attacked = engine.attack(model, DATASET, target, restarts=1, steps=2, **how)
    assert isinstance(attacked.model, Network)
    moved = dict(attacked.model.module.named_parameters())
    assert torch.equal(moved["0.weight"], before["0.weight"].double())
    problem = NetworkProblem.build(DATASET, model, device="cpu")
    assert problem.encode(model).shape == (1, 18)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: engine.sensitivity(model, DATASET, **HOW),
        lambda model: engine.exact_sensitivity(model, DATASET, [0], **HOW),
        lambda model: engine.attribution("self_influence", model, DATASET, **HOW),
        lambda model: engine.loss_reweighing(model, DATASET, 0, steps=1, **HOW),
        lambda model: engine.optimality(model, DATASET),
        lambda model: engine.query_gradients(model, DATASET.X_test, DATASET.y_test),
    ],
)
def test_what_knows_linear_models_alone_says_so(call):
    model = engine.fit_network(DATASET, "mlp", max_iterations=5, **HOW)
    with pytest.raises(InvalidInput, match="linear models only"):
        call(model)
