"""The named choices of the engine with what each means: no torch, so that pages and links know
them."""

DAMPING = 0.25  # λ, added to the Hessian of the mean loss: the paper's
L2 = 0.01  # of the honest model's training: the paper's

OBJECTIVES = {
    "higher_ranked": "raise the target, lower everything ranked above it (the paper's)",
    "top_k": "raise the target, lower the current top k",
    "target": "raise the target only",
    "accurate": "raise the target above a softmax of all scores, and keep the model accurate",
    "quiet": "the same, and keep all predictions and every other sample's score",
    "pay": "raise what the targets earn together: their share of all positive scores",
    "pay_top_k": "the same, of a budget shared by the top k",
    "pay_rank": "the same, of a budget paid by rank",
}
PAY = {"pay": "positive", "pay_top_k": "top_k", "pay_rank": "rank"}  # objectives, their pay rules
ORDERS = {
    "highest_first": "rank 1 is the highest score (the paper's order)",
    "lowest_first": "rank 1 is the lowest score",
}
SIGNS = {"highest_first": 1, "lowest_first": -1}  # by which an order multiplies scores
LINEAR = "linear"  # the model of requests that name none
MODELS = {
    LINEAR: "logistic regression on the features, its influence in closed form",
    "mlp": "one hidden layer of 32 tanh units",
    "cnn": "a 3×3 convolution with tanh, for features that are the pixels of small images",
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
PRECISIONS = {
    "full": "every product in the dtype, the default",
    "mixed": "products of an attack's solves in bfloat16, their residuals in float32",
    "coarse": "as full, but on large data an attack's gradients are solved to 1e-2, not 1e-3",
    "fixed": "as full, but each solve of an attack's steps does four iterations, and ends at 1e-2",
    "auto": "mixed or coarse where this machine and the data's size make it faster, else full",
}
TARGET_WEIGHTS = tuple(10.0**power for power in range(7))  # the baseline's grid, the paper's
METRICS = {
    "dp": "demographic parity: P(ŷ=1 | s=1) − P(ŷ=1 | s=0)",
    "eop": "equal opportunity: the same among those whose label is 1",
}
PROGRAMMES = {
    "least_removal": "remove as little as does the job",
    "most_fairness": "lower the gap as far as it goes, where closing it is out of reach",
}
DEFAULT_SCALES = (
    0.001, 0.01, 0.05, 0.08, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
)  # fmt: skip  # those of the paper's code
ACCURACY_TOLERANCE = 0.03  # of accuracy: what an attack may cost and count as unnoticed
QUIET_TOLERANCE, QUIET_CORRELATION = 0.01, 0.8  # an attack that also leaves the ranking alone
SEARCH_TOLERANCE: float | None = 0.025  # of accuracy on `test`, by which a search chooses
ROUNDING = 1e-9  # a drop of exactly the tolerance counts, whatever its last digits
ATTRIBUTIONS = {
    "influence": "influence function (Definition 1)",
    "gradient_dot": "gradient dot product: influence without curvature",
    "cosine": "cosine of the gradients",
    "self_influence": "self-influence: how much the sample explains itself",
    "relative": "relative influence: per change of the model",
    "knn_shapley": "kNN-Shapley on the features: no model enters",
}
SCORES = ATTRIBUTIONS | {
    "kfac": "K-FAC influence: the Hessian as a Kronecker product",
    "ekfac": "EK-FAC influence: K-FAC with corrected eigenvalues",
    "trak": "TRAK: random projections of the margin's gradients",
    "tracin": "TracIn: gradient dot products over checkpoints of training",
    "data_oob": "Data-OOB: trees that have not seen the sample; no model enters",
    "banzhaf": "Data Banzhaf: retraining on random subsets; no model enters",
}
MODEL_FREE = ("knn_shapley", "data_oob", "banzhaf")  # scores that never see the model
MEANS = {
    "weights": "weights of the training samples",
    "scales": "scales of the features",
    "together": "l2, weights and scales together",
}  # what a trainer may choose and declare
PLAYERS = {
    "honest": "honest calculator",
    "liar": "liar who invents numbers",
    "careful": "careful liar",
    "attacker": "attacker",
}
VENDORS = {
    "random": "samples are dealt out at random, to vendors of equal size",
    "class": "each class is one vendor's",
    "cluster": "each cluster of similar samples is one vendor's",
    "column": "each value of a column of the table is one vendor's",
}
PAY_RULES = {
    "positive": "in proportion to positive worth",
    "top_k": "in equal parts for the k most valuable samples",
    "rank": "by rank: the first sample earns n times as much as the last",
    "net": "in proportion to what a vendor's samples are worth together, if that is positive",
}
PLANES = {
    "clouds": "two overlapping clouds of points, drawn by the seed",
    "digits": "handwritten 3s and 8s on their first two principal components",
}
