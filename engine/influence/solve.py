"""Conjugate gradients for (H + λI) x = b, a batch of columns at once, each with its own H.

A curvature operator offers its product in halves: the *image* (X Vᵀ for a linear model), its
elementwise *curving*, and the *pull* back to parameters. The large products are the first and the
last, and the halves save some of them: the image of the solution accumulates along the iterations,
so that scores need no product of their own; a warm start from earlier solutions, whose images are
known, costs a pull alone; and no pull is made for a column that a sketch already shows to be done.

Conjugate gradients need a positive definite matrix. That of a network may have directions of
negative curvature beyond −λ: a column that meets one stops there, and its solution says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import torch
from torch import Tensor

WARM_SHARE = 0.9  # of a solution's energy that a warm start must hold to be worth its pull
SKETCH_MARGIN = (
    0.75  # of the tolerance that a sketched residual must reach: it errs by a few percent
)
WARM_FEW = 0.5  # share of the columns down from which those that warm up are taken alone
FAINT, SMALLEST = 1e-12, 120  # an entry, and an exponent of two, that float32 still inverts
LOOK_EVERY = 6  # iterations between two looks at what is done, where the host waits for each
SKETCH_FROM = 20  # times the tolerance: above it the next iteration cannot be the last


class Curvature(Protocol):
    """(H + λI) of B models as an operator on V, (B, …); images are (B, …) too, linear in V."""

    def image(self, V: Tensor) -> Tensor: ...

    def curved(self, image: Tensor) -> Tensor: ...

    def pull(self, curved: Tensor, V: Tensor) -> Tensor:
        """(H + λI) V from the curved image of V."""
        ...

    def energy(self, V: Tensor, image: Tensor, curved: Tensor) -> Tensor:
        """⟨V, (H + λI) V⟩ per column, (B,)."""
        ...

    @property
    def sketches(self) -> bool:
        """Return whether a residual's norm can be estimated for much less than a pull costs."""
        ...

    def sketched_norm(
        self, r: Tensor, V: Tensor, curved: Tensor, alpha: Tensor | None = None
    ) -> Tensor:
        """‖r − α (H + λI) V‖ per column, estimated without a pull, where the operator sketches; α
        (B,), None for 1."""
        ...

    @property
    def leaving(self) -> float:
        """Return the share of its columns from which down an operator of these alone is faster."""
        ...

    def precondition(self, R: Tensor) -> Tensor: ...

    def select(self, columns: Tensor) -> Self:
        """Return the operator of these columns only."""
        ...


@dataclass(frozen=True)
class Solution:
    """x (B, …), its image, and per column the relative residual and the iterations spent, (B,).

    energy: (B,), ⟨x, b⟩, which is ⟨x, (H + λI) x⟩ up to the residual.
    lowest: (B,), ⟨d, (H + λI) d⟩/⟨d, d⟩ of a direction d on which that is not positive, where the
    solve met one and ended; infinity elsewhere, which does not prove that there is none.
    corrected: whether a solve in mixed precision had to go on for its rounding.
    """

    x: Tensor
    image: Tensor
    residual: Tensor
    iterations: Tensor
    energy: Tensor
    lowest: Tensor
    corrected: bool = False

    @property
    def warm(self) -> "WarmStart":
        """Return this solution as the start of another solve."""
        return WarmStart(self.x, self.image, self.energy)

    def index_copy(self, columns: Tensor, others: "Solution") -> "Solution":
        """Return the solution with these of its columns (A,) replaced by those of `others`."""
        names = ("x", "image", "residual", "iterations", "energy", "lowest")
        parts = {
            name: getattr(self, name).index_copy(0, columns, getattr(others, name))
            for name in names
        }
        return replace(self, **parts)


@dataclass(frozen=True)
class WarmStart:
    """An earlier solution of a slowly changing system, x (B, …), its image, and ⟨x, (H + λI) x⟩ as
    it was then, (B,)."""

    x: Tensor
    image: Tensor
    energy: Tensor

    def select(self, columns: Tensor) -> "WarmStart":
        parts = (self.x, self.image, self.energy)
        return WarmStart(*(part.index_select(0, columns) for part in parts))


Warm = WarmStart | None  # where a solve begins: None for zero


def dot(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩ per column, (B,)."""
    if a.device.type == "cpu":
        return (a * b).sum(tuple(range(1, a.ndim)))
    return torch.bmm(a.reshape(len(a), 1, -1), b.reshape(len(b), -1, 1)).view(-1)  # one kernel


def norm(a: Tensor) -> Tensor:
    """‖a‖ per column, (B,)."""
    return torch.linalg.vector_norm(a, dim=tuple(range(1, a.ndim)))


def over(weights: Tensor, x: Tensor) -> Tensor:
    """Return one number per column, (B,), in the shape that multiplies x (B, …)."""
    return weights.view(-1, *[1] * (x.ndim - 1))


def weigh(weights: Tensor, x: Tensor) -> Tensor:
    """`x` (B, …) times one weight per column, (B,)."""
    return x * over(weights, x)


def warm_up(
    operator: Curvature, b: Tensor, z: Tensor, warm: WarmStart
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return the multiple x of an earlier solution that is nearest in the norm of H, its image and
    its residual, each (B, …), zeros and b for a column that begins at zero; None where all do.

    Its residual costs a product without its image. A column begins there only where that holds most
    of the solution's energy bᵀH⁻¹b ≈ bᵀz, z = precondition(b), judged by the energy that the
    earlier solution had in its own system. A multiple that is no number counts as none.
    """
    overlap = dot(warm.x, b)
    pays = overlap.square() > WARM_SHARE * dot(b, z) * warm.energy
    x, image = warm.x, warm.image
    if looks_often(b):
        columns = torch.nonzero(pays).flatten()
        if len(columns) == 0:
            return None
        if len(columns) <= WARM_FEW * len(b):
            return warm_up_few(operator, b, warm, overlap, columns)
    product = operator.pull(operator.curved(image), x)
    factor = overlap / dot(x, product)
    usable = pays & factor.isfinite()
    if not looks_often(b) or not bool(usable.all()):
        factor = factor.where(usable, 0)
        x, image, product = (t.where(over(usable, t), 0) for t in (x, image, product))
    return weigh(factor, x), weigh(factor, image), b.addcmul(product, over(factor, b), value=-1)


def warm_up_few(
    operator: Curvature, b: Tensor, warm: WarmStart, overlap: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Do what `warm_up` does in these columns alone, whose overlap with b pays."""
    operator, few = operator.select(columns), warm.select(columns)
    product = operator.pull(operator.curved(few.image), few.x)
    factor = overlap[columns] / dot(few.x, product)
    usable = factor.isfinite()
    factor = factor.where(usable, 0)
    x, image, product = (
        weigh(factor, t.where(over(usable, t), 0)) for t in (few.x, few.image, product)
    )
    return (
        torch.zeros_like(b).index_copy_(0, columns, x),
        torch.zeros_like(warm.image).index_copy_(0, columns, image),
        b.index_add(0, columns, product, alpha=-1),
    )


def largest_of(b: Tensor) -> Tensor:
    """Return the size of the largest entry of each column of b (B, …), (B,)."""
    return torch.linalg.vector_norm(b, torch.inf, dim=tuple(range(1, b.ndim)))


def is_faint(largest: Tensor) -> Tensor:
    """Return whether the squares of a column with this largest entry would underflow, (B,)."""
    return (largest > 0) & (largest < FAINT)


def unit_of(b: Tensor) -> Tensor:
    """Return a power of two (B,) by which to divide each column of b (B, …) before it is solved.

    It is 1 unless the column's squares would underflow, as those of a target far above all others
    do. Division by a power of two rounds nothing."""
    largest = largest_of(b)
    exponent = torch.frexp(largest).exponent.clamp(min=-SMALLEST)
    return torch.where(is_faint(largest), torch.ldexp(torch.ones_like(largest), exponent), 1)


@dataclass
class Columns:
    """Hold some columns of a solve, A of B: a row each of these tensors, which the solve changes.

    places: (A,), which of all columns they are. d: the direction; rz: ⟨r, precondition(r)⟩. length:
    ‖r‖, or what a sketch says of it; limit: the length at which a column is done. going: (A,),
    which of them move on: the others stand still until they leave the products.
    """

    places: Tensor
    limit: Tensor
    x: Tensor
    image: Tensor
    r: Tensor
    d: Tensor
    rz: Tensor
    length: Tensor
    iterations: Tensor
    lowest: Tensor
    going: Tensor

    def select(self, some: Tensor) -> "Columns":
        parts = (getattr(self, item.name) for item in fields(self))
        return Columns(*(part.index_select(0, some) for part in parts))

    def advance(self, alpha: Tensor, u: Tensor) -> None:
        """Move x by `alpha` (A,) along d, whose image is u."""
        self.x.addcmul_(self.d, over(alpha, self.d))
        if self.image.numel():
            self.image.addcmul_(u, over(alpha, u))

    def lower(self, alpha: Tensor, product: Tensor) -> None:
        """Take from the residual what the step `alpha` (A,) along d, with `product` (H + λI) d, has
        brought."""
        self.r.addcmul_(product, over(alpha, product), value=-1)

    def turn(self, z: Tensor, all_go: bool) -> None:
        """Take up the next direction, z = precondition(r). What stands still takes z, along which
        it goes no step: of r = 0 the quotient is no number."""
        rz = dot(self.r, z)
        share = rz / self.rz
        if not all_go:
            share = share.where(self.going, 0)
        self.d = torch.addcmul(z, self.d, over(share, z))
        self.rz = rz

    def meet(self, energy: Tensor) -> None:
        """Keep the curvature of the directions in which there is none that is positive, given
        ⟨d, (H + λI) d⟩, (A,)."""
        size = dot(self.d, self.d)  # 0 is a tiny column's underflow
        met = self.going & (energy <= 0) & (size > 0)
        self.lowest = torch.where(met, energy / size, self.lowest)

    def solution(self, b: Tensor, scale: Tensor) -> Solution:
        """Return what all columns have come to; scale: the length of each right-hand side, (B,)."""
        residual, energy = self.length / scale, dot(self.x, b)
        return Solution(self.x, self.image, residual, self.iterations, energy, self.lowest)


def begin(
    operator: Curvature,
    b: Tensor,
    empty_image: Tensor,
    limit: Tensor,
    warm: WarmStart | None = None,
) -> Columns:
    """Return all columns before the first iteration: at zero, or where a warm start puts them."""
    z = operator.precondition(b)
    begun = warm_up(operator, b, z, warm) if warm is not None else None
    if begun is None:
        x, r = torch.zeros_like(b), b.clone()
        image = empty_image.new_zeros(empty_image.shape)  # it may be one zero, expanded
    else:
        x, image, r = begun
        image = image if empty_image.numel() else empty_image
        z = operator.precondition(r)
    length = norm(r)
    return Columns(
        places=torch.arange(len(b), device=b.device),
        limit=limit,
        x=x,
        image=image,
        r=r,
        d=z,
        rz=dot(r, z),
        length=length,
        iterations=torch.zeros_like(length),
        lowest=torch.full_like(length, torch.inf),
        going=length > limit,
    )


def leave(
    operator: Curvature, whole: Columns, at: Columns, staying: Tensor
) -> tuple[Curvature, Columns]:
    """Keep what the columns `at` have come to in `whole`, and go on with those `staying`."""
    if len(staying) == len(at.places):
        return operator, at
    keep(whole, at)
    narrow = at.select(staying)
    whole.r = whole.d = whole.r[:0].clone()  # a solution is made of neither: they take memory
    return operator.select(staying), narrow


def keep(whole: Columns, at: Columns) -> None:
    """Write what the columns `at` have come to into `whole`."""
    if at is not whole:
        for name in ("x", "image", "length", "iterations", "lowest"):
            getattr(whole, name).index_copy_(0, at.places, getattr(at, name))


def constants_of(b: Tensor, iterations: int) -> Tensor:
    """Return what every solve of so many iterations says of its columns, in b's type and where b
    is, (4,): the least number that divides, the iterations, infinity, and not known. Made once, it
    saves a GPU four launches a solve."""
    known = (torch.finfo(b.dtype).tiny, iterations, torch.inf, torch.nan)
    return torch.tensor(known, dtype=b.dtype, device=b.device)


def fixed_iterations(
    operator: Curvature,
    b: Tensor,
    empty_image: Tensor,
    iterations: int,
    constants: Tensor | None = None,
    measured: bool = True,
) -> Solution:
    """Do exactly that many iterations, at least one, of `conjugate_gradients` from zero, and read
    no value.

    A column of zeros stays at zero. The directions are kept divided by ⟨r, precondition(r)⟩, which
    saves the quotients of numbers of one column each: s ← s + z/⟨r, z⟩ and x ← x + s/⟨s, A s⟩. The
    image of x is made at the end: one product takes fewer launches than an addition an iteration.
    constants: those of `constants_of`, where they are there already. measured: whether residual
    and energy are wanted; where not, they are no numbers.
    """
    constants = constants_of(b, iterations) if constants is None else constants
    least, count, nowhere, unknown = (c.expand(len(b)) for c in constants.unbind())
    z = operator.precondition(b)
    s = z / over(positive_dot(b, z, least), z)  # 0/0 becomes 0
    x = r = b
    for done in range(iterations):
        if done:  # the last iteration needs no next direction
            z = operator.precondition(r)
            s = s.addcdiv_(z, over(positive_dot(r, z, least), z))
        product = operator.pull(operator.curved(operator.image(s)), s)
        energy = over(positive_dot(s, product, least), s)
        if done == 0:
            x, r = s / energy, b.addcdiv(product, energy, value=-1)
            continue
        x.addcdiv_(s, energy)
        if measured or done < iterations - 1:
            r.addcdiv_(product, energy, value=-1)
    image = operator.image(x) if empty_image.numel() else empty_image
    if not measured:
        return Solution(x, image, unknown, count, unknown, nowhere)
    residual = norm(r) / norm(b).clamp(min=torch.finfo(b.dtype).tiny)
    return Solution(x, image, residual, count, dot(x, b), nowhere)


def positive_dot(a: Tensor, b: Tensor, least: Tensor) -> Tensor:
    """⟨a, b⟩ + `least` (B,) per column, (B,)."""
    if a.device.type == "cpu":
        return dot(a, b).add_(least)
    parts = least.view(-1, 1, 1), a.reshape(len(a), 1, -1), b.reshape(len(b), -1, 1)
    return torch.baddbmm(*parts).view(-1)


def looks_often(b: Tensor) -> bool:
    """Return whether a look at which columns are done costs next to nothing: on a GPU the host
    waits."""
    return b.device.type == "cpu"


def some_faint(b: Tensor, scale: Tensor) -> bool:
    """Return whether a column of b (B, …) of length `scale` (B,), 1 for none, is faint."""
    shorter = scale < FAINT * b[0].numel() ** 0.5  # a faint one is; to see that costs less
    return bool(shorter.any()) and bool(is_faint(largest_of(b)).any())


def conjugate_gradients(
    operator: Curvature,
    b: Tensor,
    empty_image: Tensor,
    tolerance: float,
    warm: WarmStart | None = None,
    max_iterations: int = 1000,
) -> Solution:
    """Solve (H + λI) x = b to ‖residual‖ <= tolerance·‖b‖, column by column.

    b: (B, …). A column that has converged stands still, so that it depends on no neighbour, and
    leaves the products once that pays; so does one that meets a direction of no positive curvature.
    `empty_image`: zeros of the image's shape for B columns; one without entries, (B, 0), leaves the
    solution's image out.
    """
    length = norm(b)
    if looks_often(b) and not some_faint(b, length):
        return iterate_until(operator, b, length, empty_image, tolerance, warm, max_iterations)
    unit = unit_of(b)
    scaled = weigh(1 / unit, b)
    found = iterate_until(
        operator, scaled, norm(scaled), empty_image, tolerance, warm, max_iterations
    )
    return replace(
        found,
        x=weigh(unit, found.x),
        image=weigh(unit, found.image),
        energy=found.energy * unit.square(),
    )


def iterate_until(
    operator: Curvature,
    b: Tensor,
    length: Tensor,
    empty_image: Tensor,
    tolerance: float,
    warm: WarmStart | None,
    max_iterations: int,
) -> Solution:
    """Do as many iterations as each column needs; length: ‖b‖ per column, (B,).

    Where the host waits for a look, no column leaves, and all stay until the next look.
    """
    scale = length.masked_fill(length == 0, 1)  # b = 0 has the solution 0
    whole = begin(operator, b, empty_image, tolerance * scale, warm)
    at, often = whole, looks_often(b)
    sketches = operator.sketches and often
    staying = torch.nonzero(whole.going).flatten() if often else whole.places
    for done in range(1, max_iterations + 1):
        if len(staying) == 0:
            break
        if often and len(staying) <= operator.leaving * len(at.places):
            operator, at = leave(operator, whole, at, staying)
        u = operator.image(at.d)
        curved = operator.curved(u)
        product = None if sketches else operator.pull(curved, at.d)
        energy = operator.energy(at.d, u, curved) if product is None else dot(at.d, product)
        # No step where there is no positive curvature; NaN (an overflow) stays NaN.
        alpha = (at.rz * at.going / energy).masked_fill_(energy <= 0, 0)
        at.advance(alpha, u)
        del u  # large, and done with: what the next product makes takes its place
        at.iterations += at.going
        if product is None and bool((at.length <= SKETCH_FROM * at.limit).any()):
            staying = sketched(operator, at, alpha, curved)
            if len(staying) == 0:
                break
            if len(staying) < len(alpha):
                operator, at = leave(operator, whole, at, staying)
                alpha, energy, curved = alpha[staying], energy[staying], curved[staying]
        if product is None:
            product = operator.pull(curved, at.d)
        del curved
        at.lower(alpha, product)
        del product
        at.length = norm(at.r)
        going = (at.length > at.limit) & (alpha > 0)
        if often or done % LOOK_EVERY == 0:
            staying = torch.nonzero(going).flatten()
        if not often or (len(staying) < len(going) and bool((energy <= 0).any())):
            at.meet(energy)
        at.going = going
        if len(staying) > 0:
            all_go = often and len(staying) == len(going)
            at.turn(operator.precondition(at.r), all_go)
    keep(whole, at)
    return whole.solution(b, scale)


def sketched(operator: Curvature, at: Columns, alpha: Tensor, curved: Tensor) -> Tensor:
    """Stop the columns that a sketch of the residual shows to be done; return which go on."""
    estimate = operator.sketched_norm(at.r, at.d, curved, alpha)
    at.going = at.going & ~(estimate <= SKETCH_MARGIN * at.limit)
    at.length = torch.where(at.going, at.length, estimate)
    return torch.nonzero(at.going).flatten()


def refine(
    solution: Solution,
    solve: Callable[[Tensor], Solution],
    operator: Curvature,
    b: Tensor,
    tolerance: float,
    rounds: int = 3,
) -> Solution:
    """Solve again for the *true* residual of a solution, which the recursive one loses to
    rounding."""
    scale = norm(b).clamp(min=torch.finfo(b.dtype).tiny)
    for round_ in range(rounds + 1):
        r = b - operator.pull(operator.curved(solution.image), solution.x)
        residual = norm(r) / scale
        bent = solution.lowest <= 0  # not to be mended
        if round_ == rounds or bool(((residual <= tolerance) | bent).all()):
            break
        more = solve(weigh((~bent).to(r.dtype), r))
        solution = Solution(
            solution.x + more.x,
            solution.image + more.image,
            residual,
            solution.iterations + more.iterations,
            solution.energy + more.energy,
            torch.minimum(solution.lowest, more.lowest),
        )
    return replace(solution, residual=residual)
