"""Naive autograd, Algorithm 1 and the closed form at 5,130 and 75,813 parameters; growth of a step.

`python -m tests.benchmarks.speed [tolerance [number of parameters ...]]`; scaling comes last.
"""

import sys

from engine.progress import Progress
from engine.speed.compare import compare_gradients
from engine.speed.result import OK, GradientComparison, Scaling
from engine.speed.scaling import measure_scaling

TOLERANCE, PARAMETERS = 1e-6, (5_130, 75_813)


def show(result: GradientComparison) -> None:
    print(
        f"{result.n_parameters:,} parameters: n={result.n_train} m={result.n_test} "
        f"d={result.n_features} K={result.n_classes}, {result.dtype}, tolerance "
        f"{result.tolerance:g}, {result.device}, limit {result.memory_limit_mb:,.0f} MB"
    )
    print(f"  memory by {result.memory_by}, the median of {result.repeats} times")
    for row in result.table.itertuples():
        if row.status != OK:
            print(f"  {row.implementation:12s} {row.status}")
            continue
        print(
            f"  {row.implementation:12s} {row.seconds:7.2f} s ({row.seconds_min:.2f} to "
            f"{row.seconds_max:.2f})  peak {row.peak_mb:7.1f} MB  {row.iterations:3.0f} iterations"
            f"  off by {row.relative_difference:.1e}, cosine {row.cosine:.9f}"
            f"  | once: {row.preparation_seconds:.1f} s, leaves {row.prepared_mb:.0f} MB"
        )
    print(f"  float64 closed form against float64 autograd: {result.reference_difference:.1e}")


def show_scaling(result: Scaling) -> None:
    print(f"one step, base {result.base}, {result.iterations} iterations a solve, {result.device}")
    for axis, group in result.table.groupby("axis", sort=False):
        points = [f"{r.value}: {r.seconds:.3f} s {r.peak_mb:.1f} MB" for r in group.itertuples()]
        print(f"  {axis:8s}" + " | ".join(points))
    for row in result.exponents.itertuples():
        print(
            f"  {row.quantity} ~ {row.axis}^({row.exponent:.2f} ± {row.standard_error:.2f}) "
            f"from {row.from_value} up ({row.points} sizes)"
        )


def say(progress: Progress) -> None:
    print(f"\r{progress.done} of {progress.total}", end="", flush=True, file=sys.stderr)


def main() -> None:
    tolerance = float(sys.argv[1]) if len(sys.argv) > 1 else TOLERANCE
    for n_parameters in [int(a) for a in sys.argv[2:]] or PARAMETERS:
        show(compare_gradients(n_parameters, tolerance=tolerance, on_progress=say))
    show_scaling(measure_scaling(on_progress=say))


if __name__ == "__main__":
    main()
