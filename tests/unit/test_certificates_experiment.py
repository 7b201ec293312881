"""Certificates put to the test: models on their edge, and what the experiment keeps of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.data.dataset import Dataset
from engine.experiments import EXPERIMENTS, CertificatesRequest, CertificatesResult, Context
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.models.linear import LinearModel
from engine.scrutiny.certificates import certify, certify_each_k, expand
from engine.scrutiny.challenge import Edge, TriedModels, judged
from engine.scrutiny.optimality import optimality
from tests.support.problems import random_problem

REQUEST = CertificatesRequest(
    "random", ks=(1, 3), directions=40, n_targets=2, steps=10, n_pushed=8, l2=0.05
)
EXPERIMENT = EXPERIMENTS["certificates"]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return random_problem(3, n=40, d=3)[0]


@pytest.fixture(scope="module")
def result(dataset: Dataset) -> CertificatesResult:
    found: CertificatesResult = EXPERIMENT.run(REQUEST, dataset, Context(device="cpu"))
    return found


def test_models_are_put_at_the_gradient_norm_that_is_asked_for(dataset: Dataset) -> None:
    model = fit(dataset, 0.05, device="cpu")
    found = certify(model, dataset, 0.05)
    edge = Edge.of(model, dataset, found, "highest_first")
    directions = np.random.default_rng(0).standard_normal((5, model.parameters.size))
    theta, norms = edge.models(TriedModels(directions, np.geomspace(1e-4, 0.1, 5)))
    np.testing.assert_allclose(norms, np.geomspace(1e-4, 0.1, 5), rtol=1e-3)
    for place in range(5):
        parameters = edge.problem.decode(theta[place])
        there = LinearModel.from_parameters(parameters, 0.05)
        assert optimality(there, dataset).gradient_norm == pytest.approx(norms[place])
        exact = influence_scores(there, dataset, dtype="float64", device="cpu").scores
        np.testing.assert_allclose(edge.scores(theta)[place], exact, atol=1e-6)
        along = (parameters - model.parameters).ravel()
        cosine = along @ directions[place] / np.linalg.norm(along)
        assert cosine == pytest.approx(np.linalg.norm(directions[place]), rel=1e-4)


def test_a_broken_certificate_would_be_seen(dataset: Dataset) -> None:
    """A certificate that promises too much is broken by the very models that it is tried with."""
    model = fit(dataset, 0.05, device="cpu")
    found = certify(model, dataset, 0.05)
    first = int(np.argmin(found.ranks))
    scores = np.tile(found.scores, (2, 1))
    outside = int(np.flatnonzero(found.gradient_norms > 0)[0])
    scores[1, outside] = scores[1, first] + 1
    norms = np.full(2, found.gradient_norms[outside] / 2)
    assert judged(scores, norms, found).violations == 1
    assert judged(scores, norms * 3, found).violations == 0  # beyond what is certified
    lead = scores[1, found.rivals[outside]] - scores[1, outside]
    before = found.scores[found.rivals[outside]] - found.scores[outside]
    assert judged(scores, norms, found).used[outside] == pytest.approx(1 - lead / before)


def test_what_the_experiment_finds(dataset: Dataset, result: CertificatesResult) -> None:
    assert result.violations == 0
    model = fit(dataset, 0.05, device="cpu")
    for k, found in certify_each_k(model, dataset, (1, 3), 0.05).items():
        of_k = result.of(k)
        np.testing.assert_allclose(of_k["gradient_norm"], found.gradient_norms, rtol=1e-6)
        np.testing.assert_allclose(of_k["radius"], found.relative_radii, rtol=1e-6)
        assert result.share(k, 1e-4) == found.share(1e-4)
        worst = of_k["used_worst"].dropna()
        assert len(worst) > 0.9 * (found.ranks > k).sum()  # some are a rounding outside
        assert (worst < 1).all()
        assert worst.median() > of_k["used_random"].median()
        pushed = of_k[of_k["was_pushed"]]
        assert len(pushed) >= 8 - k
        assert not (pushed["pushed"] <= pushed["gradient_norm"]).any()
    tried = result.tried.set_index(["kind", "k"])["models"]
    assert tried["random", 1] == tried["random", 3] == 40
    depths = result.depths
    assert depths["gradient_norm"].is_monotonic_decreasing or depths["gradient_norm"].min() < 1e-14
    assert depths["depth"].iloc[-1] == 40
    assert expand(model, dataset, 0.05, 0.25, "highest_first").own_gradient == pytest.approx(
        result.own_gradient_norm
    )


def test_it_is_kept_and_said(result: CertificatesResult, tmp_path: Path) -> None:
    EXPERIMENT.save(result, tmp_path)
    again = EXPERIMENT.load(tmp_path)
    for name in ("samples", "tried", "depths"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))
    assert again.model_norm == result.model_norm
    said = EXPERIMENT.describe(again)
    assert said.startswith("0 violations by ")
    assert f"top 3: certified {result.share(3, 1e-6):.1%} at 1e-06" in said
