"""Scores alone by six solvers in one run, and how each grows: `python -m tests.benchmarks solvers`.

It is the experiment `solvers`, which the page *Why it is fast* shows. The solvers are those of
torch-influence, dattri and pyDVL, written anew in `engine.speed.solvers`. Last, what of the
distance between LiSSA as the paper runs it and the closed form is the solver's: the paper's
rewriting with a good solver lies between the two. Processor seconds, one thread.
"""

from typing import Any

from engine.speed.result import SOLVERS
from engine.speed.solvers import compare_solvers


def main() -> None:
    found = compare_solvers()
    print(f"scores of all samples, float32, {found.device}; where one size varies, the others are")
    print(f"as in {found.base}")
    for solver, label in SOLVERS.items():
        own = found.table[found.table["solver"] == solver]
        print(f"\n{label}: error {own['error'].min():.1e} to {own['error'].max():.1e}")
        for axis, group in own.groupby("axis", sort=False):
            grown = found.exponents.query("axis == @axis and solver == @solver")["exponent"].iloc[0]
            pairs = zip(group["value"].tolist(), group["seconds"].tolist(), strict=True)
            points = [f"{value}: {1e3 * seconds:.1f} ms" for value, seconds in pairs]
            print(f"  {axis:8s} {' | '.join(points)}; grows as {axis}^{grown:.2f}")
    print(f"\nAt {found.large}, without what is made once per data set:")
    rows: list[Any] = found.at_large.to_dict("records")
    for row in rows:
        print(
            f"  {SOLVERS[row['solver']]}: {row['seconds']:.4f} s, {row['peak_mb']:.0f} MB, "
            f"{row['products']:.0f} products of H, error {row['error']:.1e}"
        )
    by = {row["solver"]: row for row in rows}
    ours, good, papers = (by[name] for name in ("closed_form", "preconditioned", "lissa"))
    print(
        f"The solver makes a factor of {papers['seconds'] / good['seconds']:.0f}, the closed form "
        f"another of {good['seconds'] / ours['seconds']:.1f}; {ours['preparation_seconds']:.3f} s "
        "more are once per data set."
    )


if __name__ == "__main__":
    main()
