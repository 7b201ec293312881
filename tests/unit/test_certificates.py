"""Certificates: each inequality of their proof, and that no model breaks what they promise."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from scipy.special import softmax

from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.influence.problem import ranks
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.certificates import Region, certified_depth, certify, certify_each_k, level
from engine.scrutiny.expansion import Expansion, ExpansionPart, excess, kept, phi, slope
from tests.support.problems import random_problem
from tests.support.reference import explicit_gradient, explicit_scores

L2, DAMPING = 0.05, 0.25
ROUNDED = 1 + 1e-9  # a true bound may be reached, and both sides are rounded
PROBLEMS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10_000),
        "n": st.integers(8, 30),
        "d": st.integers(1, 4),
        "n_classes": st.integers(2, 4),
        "imbalance": st.sampled_from([0.0, 0.9]),
        "duplicates": st.booleans(),
        "constant_columns": st.integers(0, 1),
    }
)
SIZES = st.sampled_from([1e-4, 1e-2, 0.1, 0.5, 2.0])  # ‖θ − θ*‖
KINDS = ("gradient", "radius")


def trained(**problem: Any) -> tuple[Dataset, LinearModel]:  # of `random_problem`
    dataset, _ = random_problem(**problem)
    return dataset, fit(dataset, L2, device="cpu")


def expansion(model: LinearModel, dataset: Dataset) -> Expansion:
    return Expansion.of(model, dataset, L2, DAMPING, "highest_first")


def gradient(theta: np.ndarray, dataset: Dataset) -> np.ndarray:
    """∇F(θ), (P,)."""
    X = np.concatenate([dataset.X_train, np.ones((dataset.n_train, 1))], axis=1)
    P = softmax(X @ theta.T, axis=1)
    P[np.arange(len(X)), dataset.y_train] -= 1
    return (P.T @ X / len(X) + L2 * theta).ravel()


def moved(model: LinearModel, seed: int, size: float) -> np.ndarray:
    direction = np.random.default_rng(seed).standard_normal(model.parameters.shape)
    return model.parameters + size * direction / np.linalg.norm(direction)


def scores_at(theta: np.ndarray, dataset: Dataset) -> np.ndarray:
    found = explicit_scores(torch.as_tensor(theta).flatten(), dataset, DAMPING)
    return found.numpy()


def region_of(kind: str, at: Expansion) -> Region:
    return Region(at.solve if kind == "gradient" else None)


def size_of(kind: str, theta: np.ndarray, model: LinearModel, dataset: Dataset) -> float:
    """The size of the smallest region of a kind around the model that θ is in."""
    if kind == "radius":
        return float(np.linalg.norm(theta - model.parameters))
    change = gradient(theta, dataset) - gradient(model.parameters, dataset)
    return float(np.linalg.norm(change))


def test_expansion_is_that_of_autograd():
    dataset, model = trained(seed=0, n=15, d=3)
    at = expansion(model, dataset)
    np.testing.assert_allclose(at.scores, scores_at(model.parameters, dataset), rtol=1e-9)
    for weights in np.random.default_rng(0).standard_normal((3, 15)):
        expected = explicit_gradient(model, dataset, weights, DAMPING)
        np.testing.assert_allclose(weights @ at.gradients, expected.ravel(), atol=1e-10)
    own = np.linalg.norm(gradient(model.parameters, dataset))
    assert at.own_gradient == pytest.approx(own, rel=1e-4, abs=1e-15)


def test_the_bounds_of_one_softmax_hold():
    rng = np.random.default_rng(0)
    for _ in range(300):
        K = int(rng.integers(2, 6))
        z, h, w = rng.standard_normal((3, K)) * rng.choice([0.1, 1, 4], size=(3, 1))

        def at(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            p = np.exp(logits - logits.max())
            p /= p.sum()
            return p, np.diag(p) - np.outer(p, p)

        (p, S), (p_moved, S_moved), r = at(z), at(z + h), np.array(np.ptp(h))
        length = [np.sqrt(max(v @ S @ v, 0)) for v in (w, h)]
        first = abs(w @ (p_moved - p - S @ h))
        assert first <= phi(r) * length[0] * length[1] * ROUNDED + 1e-13
        assert abs(w @ (p_moved - p)) <= slope(r) * length[0] * length[1] * ROUNDED + 1e-13
        along = p * (h - p @ h)
        derivative = np.diag(along) - np.outer(along, p) - np.outer(p, along)
        second = abs(w @ (S_moved - S - derivative) @ h)
        assert second <= excess(r) * length[0] * length[1] * ROUNDED + 1e-13
        low = np.linalg.eigvalsh(S_moved - np.exp(-r) * S)[0]
        high = np.linalg.eigvalsh(np.exp(r) * S - S_moved)[0]
        assert min(low, high) >= -1e-13 * np.exp(r)
        spread = min(0.5, np.sqrt(1 - p.max()))
        assert length[1] <= spread * r * ROUNDED + 1e-15


def test_the_factors_of_remainders_are_exact_for_small_ranges():
    """Against the series, where the formulas themselves would cancel."""
    for r in np.geomspace(1e-12, 1e-2, 30):
        terms = r ** np.arange(9) / np.cumprod([1, 1, 2, 3, 4, 5, 6, 7, 8])
        assert excess(np.array(r)) == pytest.approx(terms[2:].sum(), rel=1e-9)
        assert phi(np.array(r)) == pytest.approx(terms[2:].sum() / r, rel=1e-9)
        assert slope(np.array(r)) == pytest.approx(terms[1:].sum() / r, rel=1e-9)
        signs = (-1.0) ** np.arange(9)
        assert kept(np.array(r)) == pytest.approx(-(signs * terms)[1:].sum() / r, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@given(problem=PROBLEMS, size=SIZES, share=st.sampled_from([1.0, 0.5, 0.1]))
@settings(max_examples=20, derandomize=True)
def test_each_inequality_of_the_proof_holds(kind, problem, size, share):
    """For a model at a share τ of the level's size: first-order terms are at most τ times those of
    the level, and the terms of the remainder at most τ² times."""
    note(f"trained(**{problem}), size={size}, share={share}")
    dataset, model = trained(**problem)
    at, theta = expansion(model, dataset), moved(model, problem["seed"] + 1, size)
    found = level(at, region_of(kind, at), size_of(kind, theta, model, dataset) / share)
    if found is None:
        assert size / share > 1e-2  # so large a region may have no bound
        return
    d = theta - model.parameters
    there = expansion(LinearModel.from_parameters(theta, L2), dataset)
    for part in (at.train, at.test):
        differences = np.ptp(part.X @ d.T, axis=1)
        assert (differences <= share * found.reach.ranges(part) * ROUNDED).all()
    eye = np.eye(d.size)
    A, A_there = at.H + DAMPING * eye, there.H + DAMPING * eye
    assert np.linalg.eigvalsh(A_there - (1 - found.lost) * A)[0] >= -1e-9

    g, g_there = (((part.E.T @ part.X) / len(part.X)).ravel() for part in (at.test, there.test))
    change = A_there - A
    moved_g = g_there - g - change @ at.s
    assert np.linalg.norm(at.A_root @ moved_g) <= share * found.solve * (1 - found.lost) * ROUNDED
    G, G_there = at.train.outer(at.train.E), there.train.outer(there.train.E)
    moved_G = np.linalg.norm((G_there - G) @ at.A_root, axis=1)
    assert (moved_G <= share * found.moved * ROUNDED + 1e-13).all()
    changed_t = np.linalg.norm(at.T @ change @ at.A_root, axis=1)
    assert (changed_t <= share * np.linalg.norm(found.by_moved, axis=1) * ROUNDED + 1e-13).all()

    beyond = g_there - g - at.test.mean_of(at.test.S) @ d.ravel()
    allowed = share**2 * found.test * np.linalg.norm(found.by_test, axis=1)
    assert (np.abs(at.T @ beyond) <= allowed * ROUNDED + 1e-13).all()
    linear = np.einsum("nab,nb->na", at.train.S, at.train.X @ d.T)
    beyond_own = np.abs((G_there - G - at.train.outer(linear)) @ at.s)
    assert (beyond_own <= share**2 * found.own * ROUNDED + 1e-13).all()
    straight = at.train.mean_of(derivative_along(at.train, d))
    beyond_H = np.abs(at.T @ (change - straight) @ at.s)
    allowed = share**2 * found.change * np.linalg.norm(found.by_change, axis=1)
    assert (beyond_H <= allowed * ROUNDED + 1e-13).all()


def derivative_along(part: ExpansionPart, d: np.ndarray) -> np.ndarray:
    """The derivative of every sample's S along d, by central differences, (n, K, K)."""
    step = 1e-4

    def S(logits: np.ndarray) -> np.ndarray:
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]

    Z, h = np.log(part.P), part.X @ d.T
    length = max(float(np.abs(h).max()), 1e-300)
    unit = step / length * h
    return (S(Z + unit) - S(Z - unit)) * length / (2 * step)


def worst_directions(at: Expansion, region: Region, rivals: np.ndarray) -> np.ndarray:
    """Unit d for every sample along which it gains most on its rival, to first order, per size."""
    V = at.gradients - at.gradients[rivals]
    d = V if region.B is None else V @ region.B @ region.B
    return d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-300)


def scaled_to(
    size: float, kind: str, d: np.ndarray, model: LinearModel, dataset: Dataset
) -> np.ndarray:
    """The model in this direction whose distance of that kind is `size`, by bisection."""
    low, high = 0.0, 1.0
    theta = model.parameters
    while size_of(kind, theta + high * d, model, dataset) < size and high < 1e6:
        high *= 2
    for _ in range(40):
        middle = (low + high) / 2
        far = size_of(kind, theta + middle * d, model, dataset) > size
        low, high = (low, middle) if far else (middle, high)
    return theta + low * d


@pytest.mark.parametrize("kind", KINDS)
@given(problem=PROBLEMS, k=st.integers(1, 3))
@settings(max_examples=8, derandomize=True)
def test_no_model_breaks_a_certificate(kind, problem, k):
    note(f"trained(**{problem}), k={k}")
    dataset, model = trained(**problem)
    found = certify(model, dataset, L2, DAMPING, k)
    sizes = found.gradient_norms if kind == "gradient" else found.radii
    at = expansion(model, dataset)
    shape, rng = model.parameters.shape, np.random.default_rng(problem["seed"])
    worst = worst_directions(at, region_of(kind, at), np.maximum(found.rivals, 0))
    outside = np.flatnonzero(sizes > 0)
    if not len(outside):
        return
    tried = [(sizes[i], worst[i]) for i in rng.choice(outside, 2)]
    tried += [(size, rng.standard_normal(worst.shape[1])) for size in rng.choice(sizes[outside], 2)]
    for size, direction in tried:
        theta = scaled_to(size, kind, direction.reshape(shape), model, dataset)
        scores = scores_at(theta, dataset)
        kth = np.sort(scores)[-k]
        assert (scores[sizes >= size] < kth).all()
        if kind == "gradient":  # as a stranger would check it, with the gradient of the model
            held = found.gradient_norms >= np.linalg.norm(gradient(theta, dataset))
            assert (ranks(scores)[held] > k).all()


def test_without_room_to_move_the_certified_are_those_outside_the_honest_top():
    for seed in range(4):
        dataset, model = trained(seed=seed, n=25)
        for k, found in certify_each_k(model, dataset, [1, 4], L2, DAMPING).items():
            outside = ranks(scores_at(model.parameters, dataset)) > k
            np.testing.assert_array_equal(found.radii > 0, outside)
            np.testing.assert_array_equal(found.gradient_norms > 0, outside)
            np.testing.assert_array_equal(found.rivals >= 0, outside)
            assert found.share(1e-300) == outside.mean()
            assert (np.diff([found.share(g) for g in np.geomspace(1e-9, 1, 40)]) <= 0).all()


def test_equal_scores_are_never_certified_apart():
    dataset, model = trained(seed=1, n=20)
    twice = Dataset(
        dataset.name,
        np.concatenate([dataset.X_train, dataset.X_train]),
        np.concatenate([dataset.y_train, dataset.y_train]),
        *(dataset.X_test, dataset.y_test, dataset.X_holdout, dataset.y_holdout),
        class_names=dataset.class_names,
    )
    found = certify(model, twice, L2, DAMPING, 1)
    np.testing.assert_allclose(found.radii[:20], found.radii[20:], rtol=1e-6)
    assert (found.gradient_norms[found.ranks == 1] == 0).all()
    assert certified_depth(model, twice, 0.0, L2, DAMPING) == 0


def test_a_model_that_is_no_minimum_pays_for_its_own_gradient():
    dataset, model = trained(seed=2, n=25)
    other = LinearModel.from_parameters(moved(model, 0, 1e-3), L2)
    found = certify(other, dataset, L2, DAMPING, 1)
    assert found.own_gradient_norm == pytest.approx(
        np.linalg.norm(gradient(other.parameters, dataset)), rel=1e-6
    )
    exact = certify(model, dataset, L2, DAMPING, 1)
    assert exact.own_gradient_norm < 1e-6
    typical = np.median(exact.gradient_norms) - np.median(found.gradient_norms)
    assert typical == pytest.approx(found.own_gradient_norm, rel=0.2)


def test_the_certified_depth_is_the_order_that_all_models_share():
    dataset, model = trained(seed=3, n=30)
    depths = {g: certified_depth(model, dataset, g, L2, DAMPING) for g in (1e-12, 1e-3, 1e-2)}
    assert list(depths.values()) == sorted(depths.values(), reverse=True)
    assert depths[1e-12] == 30  # no two scores are as close as that
    assert 0 < depths[1e-3] < 30
    first = np.argsort(-scores_at(model.parameters, dataset))
    for seed in range(20):
        direction = moved(model, seed, 1.0) - model.parameters
        theta = scaled_to(9.9e-4, "gradient", direction, model, dataset)
        order = np.argsort(-scores_at(theta, dataset))
        np.testing.assert_array_equal(order[: depths[1e-3]], first[: depths[1e-3]])


def test_the_other_order_certifies_the_other_end():
    dataset, model = trained(seed=4, n=25)
    found = certify(model, dataset, L2, DAMPING, 2, order="lowest_first")
    np.testing.assert_allclose(found.scores, -scores_at(model.parameters, dataset), atol=1e-10)
    assert (found.radii[found.ranks > 2] > 0).all()


def test_what_cannot_be_certified_is_refused():
    dataset, model = trained(seed=0)
    for wrong in ({"k": 0}, {"k": 10_000}, {"l2": 0}, {"damping": -1}, {"order": "up"}):
        with pytest.raises(InvalidInput):
            certify(model, dataset, **wrong)
    with pytest.raises(InvalidInput, match="gradient_norm"):
        certified_depth(model, dataset, -1)
