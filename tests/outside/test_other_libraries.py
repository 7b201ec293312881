"""The same numbers as the field's libraries, where those are installed (the extra `compare`)."""

from typing import Any

import numpy as np
import pytest
import torch

import engine
from engine.fairness.gaps import count_cells, gaps_of_cells
from engine.models.model import Model
from engine.scrutiny.attributions import knn_shapley
from engine.scrutiny.datamodelling import compare, draw_halves
from tests.support.problems import random_problem

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries themselves


@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_knn_shapley_is_pydvls(neighbours):
    valuation = pytest.importorskip("pydvl.valuation", exc_type=ImportError)
    from sklearn.neighbors import KNeighborsClassifier

    data, _ = random_problem(21, n=60, d=4)
    names = [f"feature {i}" for i in range(data.n_features)]
    train, test = (
        valuation.Dataset(np.asarray(X, np.float64), y, names)
        for X, y in (data.split("train"), data.split("test"))
    )
    model = KNeighborsClassifier(n_neighbors=neighbours)
    theirs = valuation.KNNShapleyValuation(model, test, progress=False).fit(train).result
    ours = knn_shapley(*data.split("train"), *data.split("test"), neighbours)
    np.testing.assert_allclose(ours, theirs.sort(key="index").values, atol=1e-12)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_influence_scores_are_dattris(kind):
    """Its inverse-Hessian product by the explicit Hessian, in float64; ours to 1e-10."""
    hessian = pytest.importorskip("dattri.func.hessian", exc_type=ImportError)
    data, _ = random_problem(22, n=50, d=3)
    model: Model = engine.fit(data, device="cpu")
    if kind == "mlp":
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3))
        model = engine.fit_network(data, module, l2=0.05, device="cpu")
    X, y = (torch.tensor(part, dtype=dtype) for part, dtype in zip(
        data.split("train"), (torch.float64, torch.int64), strict=True
    ))  # fmt: skip
    X_test, y_test = torch.tensor(data.X_test, dtype=torch.float64), torch.tensor(data.y_test)

    def logits(theta: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if kind == "linear":
            wide = theta.view(data.n_classes, -1)
            return rows @ wide[:, :-1].T + wide[:, -1]
        W, b, V, c = theta.split([12, 4, 12, 3])
        return torch.tanh(rows @ W.view(4, 3).T + b) @ V.view(3, 4).T + c

    def loss(theta: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits(theta, X), y)

    def each(theta: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits(theta, X), y, reduction="none")

    theta = torch.tensor(model.parameters.ravel())
    test_loss = torch.func.grad(
        lambda t: torch.nn.functional.cross_entropy(logits(t, X_test), y_test)
    )
    torch.set_default_dtype(torch.float64)  # dattri makes its identity matrix of that type
    try:
        solve = hessian.ihvp_explicit(loss, regularization=0.25)
        s = solve((theta,), test_loss(theta)[None])[0]
    finally:
        torch.set_default_dtype(torch.float32)
    theirs = -(torch.func.jacrev(each)(theta) @ s).numpy()
    how: dict[str, Any] = {"tolerance": 1e-10, "dtype": "float64", "device": "cpu"}
    ours = engine.influence_scores(model, data, **how).scores
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9 * np.abs(theirs).max())


def test_the_linear_datamodelling_score_is_dattris():
    """On the same subsets, and with the same losses of models that were retrained on them."""
    metric = pytest.importorskip("dattri.metric", exc_type=ImportError)
    data, _ = random_problem(23, n=60, d=4)
    model = engine.fit(data, device="cpu")
    scores = engine.influence_matrix(model, data, *data.split("test"), device="cpu")
    halves = draw_halves(data.n_train, 20)
    losses = engine.retrain_on(data, halves, device="cpu").losses["test"]  # q, subsets
    rows = torch.as_tensor(np.stack([np.flatnonzero(half) for half in halves]))
    theirs, _ = metric.lds(torch.as_tensor(scores), (torch.as_tensor(losses.T), rows))
    found = compare(scores, halves, losses)
    np.testing.assert_allclose(found.per_query, theirs.numpy(), atol=1e-12)
    assert found.score == pytest.approx(float(theirs.mean()), abs=1e-12)


def test_gaps_are_fairlearns():
    metrics = pytest.importorskip("fairlearn.metrics", exc_type=ImportError)
    rng = np.random.default_rng(23)
    group, y = rng.integers(0, 2, (2, 400))
    predicted = (rng.random(400) < 0.3 + 0.2 * group + 0.3 * y).astype(int)
    ours = gaps_of_cells(count_cells(group, y, predicted, predicted))
    parity = metrics.demographic_parity_difference(y, predicted, sensitive_features=group)
    assert abs(ours.dp) == pytest.approx(parity, abs=1e-12)
    rates = metrics.MetricFrame(
        metrics=metrics.true_positive_rate, y_true=y, y_pred=predicted, sensitive_features=group
    ).by_group
    assert ours.eop == pytest.approx(rates[1] - rates[0], abs=1e-12)


def test_gradient_dot_products_are_captums_tracin():
    """Of one checkpoint, the last, at a learning rate of 1, averaged over the test samples."""
    captum = pytest.importorskip("captum.influence", exc_type=ImportError)
    data, model = random_problem(24, n=40, d=3)
    module = torch.nn.Linear(3, 3).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(model.weight))
        module.bias.copy_(torch.tensor(model.bias))
    (X, y), (X_test, y_test) = (
        (torch.tensor(data.split(s)[0], dtype=torch.float64), torch.tensor(data.split(s)[1]))
        for s in ("train", "test")
    )
    tracin = captum.TracInCP(
        module, torch.utils.data.TensorDataset(X, y), ["the last"], lambda model, path: 1.0,
        loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"), batch_size=16,
        sample_wise_grads_per_batch=True,
    )  # fmt: skip
    theirs = -tracin.influence((X_test, y_test)).numpy().mean(0)  # a positive score: harmful
    how: dict[str, Any] = {"dtype": "float64", "device": "cpu"}
    ours = engine.attribution("gradient_dot", model, data, **how).scores
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
