"""The linear datamodelling score of exact influence on digits: how near it comes to its ceiling,
and what a hundred retrained halves of the samples cost.

The aim: at least 0.9 of the ceiling, and under five minutes on two cores.
"""

import time

from engine.data.load import load_dataset
from engine.devices import choose_threads
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.datamodelling import compare, draw_halves
from engine.scrutiny.queries import influence_matrix
from engine.scrutiny.retraining import retrain_on
from engine.vocabulary import L2

HALVES = 100


def main() -> None:
    digits = load_dataset("digits")
    choose_threads(digits.size)
    began, used = time.perf_counter(), time.process_time()
    model = fit(digits, l2=L2)
    halves = draw_halves(digits.n_train, HALVES)
    trained = retrain_on(digits, halves, L2)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    steepest = trained.gradient_norms.max()
    print(
        f"  {HALVES} models trained on halves of {digits.n_train} digits, to a gradient of at most "
        f"{steepest:.1e}: {seconds:.1f} s, {cpu:.1f} s of CPU time"
    )
    scores = influence_scores(model, digits, damping=L2, estimator="exact").scores
    whole = compare(scores, halves, trained.mean_losses("test"))
    single = influence_matrix(model, digits, *digits.split("test"), damping=L2)
    each = compare(single, halves, trained.losses["test"])
    for what, found in (("the mean test loss", whole), ("each test sample by itself", each)):
        print(
            f"  LDS of influence with damping = l2 on {what}: {found.score:.3f}, ceiling "
            f"{found.ceiling:.3f}: {found.score / found.ceiling:.0%} of it"
        )


if __name__ == "__main__":
    main()
