"""Sensitivity: how far random probes are from exact norms, and what they cost at size.

Beside digits every features file in the data directory (IAL_DATA_DIR) is measured, with 64 probes.
"""

import time

import numpy as np

from engine.data.dataset import Dataset
from engine.data.load import dataset_names, load_dataset
from engine.devices import choose_threads
from engine.influence.scores import influence_scores
from engine.models.fit import fit
from engine.scrutiny.sensitivity import exact_sensitivity, sensitivity
from engine.settings import read_settings

FEW = 8  # exact norms, where all would take too long


def measure(dataset: Dataset, probes: int, exact: int) -> None:
    choose_threads(dataset.size)
    model = fit(dataset)
    began = time.perf_counter()
    found = sensitivity(model, dataset, probes)
    seconds = time.perf_counter() - began
    ranks = influence_scores(model, dataset).ranks
    order = np.argsort(ranks, kind="stable")
    some = order[np.linspace(0, dataset.n_train - 1, exact).round().astype(int)]
    norms = exact_sensitivity(model, dataset, some.tolist())
    rms = np.sqrt(np.mean((found.norms[some] / norms - 1) ** 2))
    covered = np.mean(np.abs(found.norms[some] - norms) < 2 * found.standard_errors[some])
    print(
        f"  {dataset.name}: {probes} probes for {dataset.n_train} norms in {seconds:.1f} s; "
        f"{rms:.1%} RMS off {exact} exact ones, {covered:.1%} of them within two standard errors"
    )
    if exact == dataset.n_train:
        tenth = exact // 10
        first, last = norms[:tenth].mean(), norms[-tenth:].mean()
        middle = norms[exact // 2 - tenth // 2 : exact // 2 + tenth // 2].mean()
        print(f"  mean norm: first tenth {first:.3g}, middle {middle:.3g}, last {last:.3g}")


def main() -> None:
    digits = load_dataset("digits")
    measure(digits, 256, digits.n_train)
    folder = read_settings().data_dir
    for name in dataset_names(folder):
        if name != "digits":
            measure(load_dataset(name, folder), 64, FEW)


if __name__ == "__main__":
    main()
