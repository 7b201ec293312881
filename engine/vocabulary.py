"""The named choices of the engine with what each means: no torch, so that pages and links know
them."""

OBJECTIVES = {
    "higher_ranked": "raise the target, lower everything ranked above it (the paper's)",
    "top_k": "raise the target, lower the current top k",
    "target": "raise the target only",
}
ORDERS = {
    "highest_first": "rank 1 is the highest score (the paper's order)",
    "lowest_first": "rank 1 is the lowest score",
}
ESTIMATORS = {
    "cg": "conjugate gradients to a tolerance, the default",
    "exact": "a dense Cholesky solve, for models with few parameters",
    "lissa": "the stochastic recursion that the paper runs (Algorithm 2)",
}
DTYPES = {
    "float32": "single precision, the default",
    "float64": "double precision",
}
TARGET_WEIGHTS = tuple(10.0**power for power in range(7))  # the baseline's grid, the paper's
