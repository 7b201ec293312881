"""Data sets of two features, and the three experiments that look before they trust: what they keep,
what they say, and the numbers behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.experiments import (
    CandidatesRequest,
    ConditioningRequest,
    Context,
    PlaygroundRequest,
    experiment,
    make_request,
    values_of,
)
from engine.influence.problem import ranks
from engine.scrutiny.direction import scores_by_label
from engine.scrutiny.plane import PAIR, plane_dataset
from tests.support.stores import same

QUICK: dict[str, Any] = {"k": 1, "radius": 0.3}


def test_clouds_are_drawn_by_the_seed() -> None:
    one, again, other = plane_dataset(n=30), plane_dataset(n=30), plane_dataset(n=30, seed=1)
    assert one.content_hash == again.content_hash != other.content_hash
    assert (one.n_train, one.n_features, one.n_classes) == (30, 2, 2)
    np.testing.assert_allclose(one.X_train.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(one.X_train.std(0), 1, atol=1e-6)


def test_two_digits_lie_on_their_principal_components() -> None:
    from sklearn.decomposition import PCA

    plane, whole = plane_dataset("digits"), load_dataset("digits")
    some = np.flatnonzero(np.isin(whole.y_train, PAIR))
    assert whole.images is not None
    pixels = np.stack([whole.images.train[int(i)] for i in some]).reshape(len(some), -1)
    expected = PCA(2).fit_transform(pixels.astype(np.float64))
    expected /= expected.std(0)
    for column in range(2):  # a component's sign is free
        sign = np.sign(expected[:, column] @ plane.X_train[:, column])
        np.testing.assert_allclose(plane.X_train[:, column], sign * expected[:, column], atol=1e-5)
    np.testing.assert_array_equal(plane.y_train, whole.y_train[some] == PAIR[1])
    assert plane.class_names == ("3", "8")


def test_an_unknown_plane_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'clouds', 'digits'"):
        plane_dataset("spiral")
    with pytest.raises(InvalidInput, match="n"):
        PlaygroundRequest(n=3)


@pytest.mark.parametrize("points", ["clouds", "digits"])
def test_the_playground_gives_what_every_place_needs(points: str, tmp_path: Path) -> None:
    entry, request = experiment("playground"), PlaygroundRequest(points, n=40, restarts=1)
    result = entry.run(request, None, Context())
    assert result.before.ranks[result.target] == len(result.y)
    assert result.after.ranks[result.target] < len(result.y) / 2
    for which, ranking in (("honest", result.before), ("attacked", result.after)):
        model = getattr(result, which)
        scores = scores_by_label(model, getattr(result, f"{which}_direction"), result.X)
        own = scores[np.arange(len(result.y)), result.y]
        np.testing.assert_allclose(own, ranking.scores, rtol=1e-5, atol=1e-8)
        np.testing.assert_array_equal(ranks(own), ranking.ranks)
    entry.save(result, tmp_path)
    kept, made = (
        replace(one, attacked=replace(one.attacked, gradient_norm=0.0))  # NaN: it is not measured
        for one in (entry.load(tmp_path), result)
    )
    assert same(kept, made)
    assert f"from rank {len(result.y)} to rank" in entry.describe(result)
    assert make_request("playground", values_of(request)) == request


@pytest.fixture(scope="module")
def tumours():
    return load_dataset("breast_cancer")


def test_conditioning_of_a_table(tumours, tmp_path: Path) -> None:
    entry = experiment("conditioning")
    request = ConditioningRequest("breast_cancer", dampings=(0.01, 0.25), **QUICK)
    result = entry.run(request, tumours, Context())
    assert result.eigenvalues.shape == (2, 62)
    usual = result.at("honest")
    assert (usual["damping"], usual["correlation"], usual["kept"]) == (0.25, pytest.approx(1), 1)
    assert usual["below"] == pytest.approx(result.below[0].mean())
    assert result.at("attacked", 0.02)["damping"] == 0.01  # the nearest that was asked for
    changed = result.differences.query("said_first != said_second")
    assert set(changed["split"]) <= {"train", "test", "holdout"}
    entry.save(result, tmp_path)
    assert same(entry.load(tmp_path), result)
    said = entry.describe(result)
    assert "31 directions without curvature" in said
    assert f"predict otherwise for {len(changed)} samples" in said


def test_a_spectrum_of_too_many_parameters_is_refused_before_the_attack(tumours) -> None:
    wide = replace(
        tumours,
        **{f"X_{s}": np.tile(tumours.split(s)[0], (1, 45)) for s in ("train", "test", "holdout")},
        feature_names=None,
    )
    with pytest.raises(InvalidInput, match="at most 2500 parameters"):
        experiment("conditioning").run(ConditioningRequest("wide"), wide, Context())


def test_candidates_of_a_table(tumours, tmp_path: Path) -> None:
    entry = experiment("candidates")
    request = CandidatesRequest("breast_cancer", n_checked=4, **QUICK)
    result = entry.run(request, tumours, Context())
    assert result.honest.shape == (85, 2)
    assert result.error < 1e-3  # damping = l2 predicts what training with a candidate does
    ranked = result.would_rank("honest")
    own = result.own("honest")
    for place in (0, int(own.argmax()), int(own.argmin())):
        assert ranked[place] == 1 + (result.train_honest > own[place]).sum()
    entry.save(result, tmp_path)
    assert same(entry.load(tmp_path), result)
    assert "trained with 4 of them" in entry.describe(result)
    none = entry.run(CandidatesRequest("breast_cancer", n_checked=0, **QUICK), tumours, Context())
    assert np.isnan(none.error)
    assert "trained with" not in entry.describe(none)
