"""The steps of the search for the smallest radius, as small convex programmes.

With the linearised gaps a + G d (c,) of a step d (P,), and o = (θ − θ*)/‖θ*‖,

    lower_largest:  min_d max_j (a + G d)_j                        ‖d‖ <= reach, ‖o + d‖ <= ball
    nearest:        min_d ‖o‖²/2 + oᵀd + dᵀB d/2 + price·max(0, max_j (a + G d)_j)   ‖d‖ <= reach

B is the identity, which makes the first terms ‖o + d‖²/2, changed by what steps s were seen to do
to the slope of the Lagrangian, y: the update of Broyden, Fletcher, Goldfarb and Shanno, damped as
by Powell (Nocedal and Wright, Numerical Optimization, 2006, procedure 18.2), so that B stays
positive definite. A solution lies in the span of the rows of G, o, and the vectors s and y, because
what is orthogonal to them only adds length. SciPy's SLSQP solves both there, in some 30 variables.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy  # which loads `scipy.optimize` when it is first used
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Pair = tuple[Vector, Vector]  # a step s (P,) and by how much it changed the slope, y (P,)
ITERATIONS, PRECISION = 100, 1e-9  # of SLSQP
DAMPED = 0.2  # of sᵀB s: the least sᵀy that is taken as it is


def lower_largest(
    values: Vector, gradients: Vector, offset: Vector, reach: float, ball: float
) -> Vector:
    """Return the step d (P,) with ‖d‖ <= reach and ‖offset + d‖ <= ball that minimises the largest
    of values (c,) + gradients (c, P) d."""
    basis, G, o = reduced(gradients, offset)
    size = max(float(np.abs(G).max()) * reach, 1e-300)  # the step's length and slope become 1
    G, a, o, ball = G * (reach / size), (values - values.max()) / size, o / reach, ball / reach

    def limits(z: Vector) -> Vector:
        d = z[:-1]
        return np.concatenate([z[-1] - a - G @ d, [1 - d @ d, ball**2 - (o + d) @ (o + d)]])

    def slopes(z: Vector) -> Vector:
        d = z[:-1]
        rows = np.hstack([-G, np.ones((len(a), 1))])
        return np.vstack([rows, np.append(-2 * d, 0), np.append(-2 * (o + d), 0)])

    d, _ = solved(lambda z: (z[-1], np.append(np.zeros_like(o), 1.0)), limits, slopes, len(o))
    return basis @ d * reach


def nearest(
    values: Vector,
    gradients: Vector,
    offset: Vector,
    reach: float,
    price: float,
    pairs: Sequence[Pair] = (),
) -> tuple[Vector, float]:
    """Return the step d (P,) with ‖d‖ <= reach that minimises ‖offset‖²/2 + offsetᵀd + dᵀB d/2 +
    price·max(0, the largest of values (c,) + gradients (c, P) d), B that of `pairs`, and that
    minimum."""
    also = [vector for pair in pairs for vector in pair]
    basis, G, o = reduced(np.vstack([gradients, *also]), offset)
    G = G[: len(gradients)]
    more = curvature([(basis.T @ s, basis.T @ y) for s, y in pairs], len(o)) - np.eye(len(o))

    def cost(z: Vector) -> tuple[float, Vector]:
        d = z[:-1]
        there, bent = o + d, more @ d
        worth = there @ there / 2 + bent @ d / 2 + price * z[-1]
        return float(worth), np.append(there + bent, price)

    def limits(z: Vector) -> Vector:
        d = z[:-1]
        return np.concatenate([z[-1] - values - G @ d, [z[-1], reach**2 - d @ d]])

    def slopes(z: Vector) -> Vector:
        d = z[:-1]
        rows = np.hstack([-G, np.ones((len(values), 1))])
        return np.vstack([rows, np.append(np.zeros_like(d), 1), np.append(-2 * d, 0)])

    first = max(0.0, float(values.max()))
    d, least = solved(cost, limits, slopes, len(o), first)
    return basis @ d, least


def curvature(pairs: Sequence[Pair], size: int) -> Vector:
    """Return B (size, size), positive definite: the identity, updated by each pair in turn."""
    B = np.eye(size)
    for s, y in pairs:
        there = B @ s
        length, seen = s @ there, s @ y
        if seen < DAMPED * length:
            share = (1 - DAMPED) * length / (length - seen)
            y = share * y + (1 - share) * there
        B = B - np.outer(there, there) / length + np.outer(y, y) / (s @ y)
    return B


def multipliers(gradients: Vector, offset: Vector) -> Vector:
    """Return the μ >= 0 (c,) with which offset + Σ μ_j gradients_j (c, P) is shortest: at a minimum
    of the distance under the limits of these gradients it is 0."""
    found, _ = scipy.optimize.nnls(-gradients.T, offset)
    return np.asarray(found)


def reduced(gradients: Vector, offset: Vector) -> tuple[Vector, Vector, Vector]:
    """Return an orthonormal basis (P, r) of the span of gradients and offset, and both in it."""
    basis, _ = np.linalg.qr(np.vstack([gradients, offset]).T)
    return basis, gradients @ basis, basis.T @ offset


def solved(
    cost: Callable[[Vector], tuple[float, Vector]],
    limits: Callable[[Vector], Vector],
    slopes: Callable[[Vector], Vector],
    size: int,
    first: float = 0.0,
) -> tuple[Vector, float]:
    """Minimise over (d, s) from d = 0, s = `first`, with every limit >= 0; return d and the
    least cost."""
    found = scipy.optimize.minimize(
        cost,
        np.append(np.zeros(size), first),
        jac=True,
        constraints=[scipy.optimize.NonlinearConstraint(limits, 0, np.inf, jac=slopes)],
        method="SLSQP",
        options={"maxiter": ITERATIONS, "ftol": PRECISION},
    )
    return found.x[:-1], float(found.fun)
