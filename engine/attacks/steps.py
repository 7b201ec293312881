"""The steps of the search for the smallest radius, as small convex programmes.

With the linearised gaps a + G d (c,) of a step d (P,), and o = (θ − θ*)/‖θ*‖,

    lower_largest:  min_d max_j (a + G d)_j                        ‖d‖ <= reach, ‖o + d‖ <= ball
    nearest:        min_d ‖o + d‖²/2 + price·max(0, max_j (a + G d)_j)           ‖d‖ <= reach

A solution lies in the span of the rows of G and o, because what is orthogonal to them only adds
length. SciPy's SLSQP solves both there, in some 30 variables.
"""

from collections.abc import Callable

import numpy as np
import scipy  # which loads `scipy.optimize` when it is first used
from numpy.typing import NDArray

Vector = NDArray[np.float64]
ITERATIONS, PRECISION = 100, 1e-9  # of SLSQP


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
    values: Vector, gradients: Vector, offset: Vector, reach: float, price: float
) -> tuple[Vector, float]:
    """Return the step d (P,) with ‖d‖ <= reach that minimises ‖offset + d‖²/2 + price·max(0, the
    largest of values (c,) + gradients (c, P) d), and that minimum."""
    basis, G, o = reduced(gradients, offset)

    def cost(z: Vector) -> tuple[float, Vector]:
        there = o + z[:-1]
        return float(there @ there / 2 + price * z[-1]), np.append(there, price)

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
