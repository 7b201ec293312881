"""What an attack step costs, measured on this machine: experiments that make their own data."""

from dataclasses import asdict, dataclass
from functools import partial

from engine.checks import check_positive
from engine.experiments.base import Context, Experiment
from engine.experiments.files import load_fields, save_fields
from engine.options import OneOf, Options, at_least, option
from engine.speed.result import SOLVERS as SOLVER_WORDS
from engine.speed.result import GradientComparison, Scaling, SolverComparison
from engine.vocabulary import DAMPING, DTYPES


@dataclass(frozen=True)
class GradientsRequest(Options):
    """Fields as in `compare_gradients`; the tolerance is that inside an attack."""

    n_parameters: int = option(5_130, at_least(1))
    damping: float = option(DAMPING, check_positive)
    tolerance: float = option(1e-3, check_positive)
    repeats: int = option(5, at_least(1))
    dtype: str = option("float32", OneOf(DTYPES))
    seed: int = option(0, at_least(0))


@dataclass(frozen=True)
class ScalingRequest(Options):
    """Fields as in `measure_scaling`, at its own sizes."""

    iterations: int = option(6, at_least(1))
    repeats: int = option(5, at_least(1))
    seed: int = option(0, at_least(0))


@dataclass(frozen=True)
class SolversRequest(Options):
    """Fields as in `compare_solvers`, at its own sizes."""

    repeats: int = option(3, at_least(1))
    seed: int = option(0, at_least(0))


def run_gradients(request: GradientsRequest, dataset: None, context: Context) -> GradientComparison:
    from engine.speed.compare import compare_gradients

    return compare_gradients(**asdict(request), device=context.device, on_progress=context.progress)


def run_scaling(request: ScalingRequest, dataset: None, context: Context) -> Scaling:
    from engine.speed.scaling import measure_scaling

    return measure_scaling(**asdict(request), device=context.device, on_progress=context.progress)


def run_solvers(request: SolversRequest, dataset: None, context: Context) -> SolverComparison:
    from engine.speed.solvers import compare_solvers

    return compare_solvers(**asdict(request), on_progress=context.progress)


def describe_gradients(result: GradientComparison) -> str:
    columns = ["implementation", "status", "seconds", "peak_mb", "relative_difference"]
    return (
        f"One attack step at {result.n_parameters:,} parameters (n={result.n_train}, "
        f"d={result.n_features}, K={result.n_classes}), solves to {result.tolerance:g}:\n"
        + result.table[columns].to_string(index=False, float_format=lambda v: f"{v:.3g}")
    )


def describe_scaling(result: Scaling) -> str:
    return (
        "Growth of one attack step, cost ~ size^exponent, over the larger half of the sizes:\n"
        + result.exponents.to_string(index=False, float_format=lambda v: f"{v:.3g}")
    )


def describe_solvers(result: SolverComparison) -> str:
    large = result.large
    named = result.at_large.assign(solver=result.at_large["solver"].map(SOLVER_WORDS))
    return (
        f"Scores of {large['n']:,} samples by each solver (d={large['d']}, K={large['classes']}), "
        "seconds of the processor, one thread:\n"
        + named.to_string(index=False, float_format=lambda v: f"{v:.3g}")
    )


GRADIENTS = Experiment(
    "gradients",
    "Time and memory of one attack step: naive autograd, the paper's rewriting, ours",
    GradientsRequest,
    run_gradients,
    save_fields,
    partial(load_fields, GradientComparison),
    describe_gradients,
)
SCALING = Experiment(
    "scaling",
    "How an attack step grows with samples, features, classes and runs",
    ScalingRequest,
    run_scaling,
    save_fields,
    partial(load_fields, Scaling),
    describe_scaling,
)
SOLVERS = Experiment(
    "solvers",
    "Scores by the solvers of other libraries, and how each grows with the data",
    SolversRequest,
    run_solvers,
    save_fields,
    partial(load_fields, SolverComparison),
    describe_solvers,
)
