"""Products of features from either side, by whatever library: the same numbers to rounding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import rows
from engine.influence.products import pull_back

# Of float32 sums of up to 400 terms, relative to the sum of the absolute terms. The textbook bound
# is 400 * 2**-24 = 2.4e-5; 6,000 draws of either library stay below 1e-6.
ROUNDING = 2e-6


def near(found: torch.Tensor, exact: torch.Tensor, terms: torch.Tensor) -> bool:
    """Whether each entry of `found` is `exact` to rounding.

    `terms` holds the sum of each entry's absolute terms. A sum whose terms cancel is near zero but
    its rounding error is not: only the sum of the absolute terms bounds the error.
    """
    return bool(((found.double() - exact).abs() <= ROUNDING * terms).all())


@pytest.mark.parametrize("wide", [True, False])
@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 400),
    D=st.integers(1, 70),
    B=st.integers(1, 12),
    K=st.integers(2, 11),
    seed=st.integers(0, 2**20),
)
def test_products_agree_with_float64_whoever_multiplies(wide, n, D, B, K, seed):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, D, generator=generator)
    V, M = (torch.randn(B, K, w, generator=generator) for w in (D, n))
    with pytest.MonkeyPatch.context() as patch:
        if not rows.has_wide_product():
            wide = False
        patch.setattr(rows, "WIDE_FROM", 0 if wide else 10**12)
        image, pulled = rows.times(X, V.flatten(0, 1)), rows.under(M.flatten(0, 1), X)
        damped = pull_back(M, X, 1 / n, V, 0.25)
    X, V, M = X.double(), V.double(), M.double()
    assert near(image, V.flatten(0, 1) @ X.T, V.flatten(0, 1).abs() @ X.abs().T)
    exact, terms = M @ X, M.abs() @ X.abs()
    assert near(pulled, exact.flatten(0, 1), terms.flatten(0, 1))
    assert near(damped, exact / n + 0.25 * V, terms / n + 0.25 * V.abs())


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 1300),
    D=st.integers(1, 300),
    columns=st.integers(1, 120),
    seed=st.integers(0, 2**20),
)
def test_packed_features_give_the_very_same_products(n, D, columns, seed):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, D, generator=generator)
    V, M = (torch.randn(columns, w, generator=generator) for w in (D, n))
    made = rows.packed(X)
    if made is None:
        assert not rows.has_wide_product()
        return
    assert (len(made), made.shape) == (n, (n, D))
    assert torch.equal(rows.times(made, V), rows.times(X, V))
    assert torch.equal(rows.under(M, made), rows.under(M, X))
    directions = V.unsqueeze(1)
    damped = [
        pull_back(M.unsqueeze(1), features, 1 / n, directions, 0.25) for features in (made, X)
    ]
    assert torch.equal(*damped)


def test_what_onednn_does_not_multiply_is_not_packed():
    assert rows.packed(torch.zeros(3, 2, dtype=torch.float64)) is None
    assert rows.packed(torch.zeros(3, 2, device="meta")) is None


def test_only_large_float32_products_on_the_cpu_go_to_onednn():
    large, small = torch.zeros(100, 1200), torch.zeros(2, 5)
    assert rows.pays(large, torch.zeros(1200, 65)) == rows.has_wide_product()
    assert not rows.pays(small, torch.zeros(5, 5))
    assert not rows.pays(large.double(), torch.zeros(1200, 65, dtype=torch.float64))
    assert not rows.pays(torch.empty(100, 1200, device="meta"), torch.zeros(1200, 65))
