"""Rows of a sweep, made by hand."""

from typing import Any


def attack(
    runs: list[tuple[int, int, float]], returned: int = 0, k: int = 1, t: int = 1, **more: Any
) -> dict[str, Any]:
    """A row of a table: per run the targets in the top k on test and on holdout, and its accuracy;
    the honest model's is 0.9."""
    in_top, in_top_holdout, accuracy = zip(*runs, strict=True)
    return {
        "dataset": "made up", "train_size": 50, "set_size": t, "objective": "higher_ranked",
        "restarts": 5, "radius": 0.3, "k": k, "rank_before": 40, "accuracy_before": 0.9,
        "accuracy_after": accuracy[returned],
        "share_of_targets": in_top[returned] / t,
        "share_of_targets_holdout": in_top_holdout[returned] / t,
        "runs_in_top": list(in_top), "runs_in_top_holdout": list(in_top_holdout),
        "runs_accuracy": list(accuracy), **more,
    }  # fmt: skip
